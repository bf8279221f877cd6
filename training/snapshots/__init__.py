"""The frozen labels of a run, and whose labels each version learned from."""

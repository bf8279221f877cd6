"""The REST API of runs and versions."""

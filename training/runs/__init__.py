"""Runs: from the request to a registered version."""

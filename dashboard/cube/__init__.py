"""Counts of predictions and labels by month, digit, version and more, and their updates."""

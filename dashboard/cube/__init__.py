"""Counts of predictions and labels by month, digit, version and more, kept up to date."""

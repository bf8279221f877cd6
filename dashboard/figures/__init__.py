"""The figures: each is one chart as a table, with its text."""

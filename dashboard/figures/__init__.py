"""Each chart as one table with its words."""

"""A made-up history to look at, marked as demo and removable."""

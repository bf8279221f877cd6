"""For operators: checks of the figures."""

"""For operators: checks, metrics and the System page."""

"""Everything of value in one file, and back."""

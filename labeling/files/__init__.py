"""Labels and images out to files and in from them."""

"""Which drawings are labeled next, and who holds them."""

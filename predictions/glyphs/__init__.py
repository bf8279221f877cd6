"""Turn uploaded bytes into the glyph, the 28×28 gray image that all later steps read."""

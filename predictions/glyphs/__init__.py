"""From the bytes somebody sent to the glyph, the 28×28 gray image that everything later reads."""

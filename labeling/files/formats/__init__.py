"""One module a kind of file: `write` makes pieces of it from labels, `read` finds images in it."""

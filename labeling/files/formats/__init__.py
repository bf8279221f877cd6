"""One module per file format: `write` yields a file from labels, `read` finds images in one."""

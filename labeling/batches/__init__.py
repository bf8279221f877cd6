"""Many labels changed at once, as batches that can be undone."""

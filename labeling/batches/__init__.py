"""Many labels changed in one act, each act reversible."""

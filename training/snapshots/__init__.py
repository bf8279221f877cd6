"""What a run learns from, frozen, and whose labels are in which version."""

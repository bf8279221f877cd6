"""Which network answers in this process, and how its weights are checked."""

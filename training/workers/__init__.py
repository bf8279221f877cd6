"""Background worker processes and their schedules."""

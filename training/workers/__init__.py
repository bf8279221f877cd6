"""Background processes: start, schedule, end."""

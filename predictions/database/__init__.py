"""Database tools of every app: the clock, a column type, slices of long tables, deadlocks."""

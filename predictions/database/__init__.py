"""What every app asks of the database: its clock, its own columns, long tables, deadlocks."""

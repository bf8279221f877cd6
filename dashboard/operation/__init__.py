"""Health checks of the dashboard's counts, for operators."""

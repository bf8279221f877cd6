"""Comparisons, the report of a month, the alarm, and files for analysts and R."""

"""Months compared, the month's sheet, the alarm, files for analysts and R."""

"""Dates as docs/writing.md has them; pages name theirs."""

from __future__ import annotations

DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = "M j, Y, g:i A"
TIME_FORMAT = "g:i A"

"""Values as text for CSV files. Pure; no database."""

from __future__ import annotations

from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet may run such text


def cell(value: Any) -> Any:
    """Format a value for CSV; text is escaped so that no spreadsheet takes it for a formula."""
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_STARTS) else value
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value_as_text(value) if hasattr(value, "isoformat") else value


def value_as_text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

"""The admin's pages of predictions, versions and tokens."""

from __future__ import annotations

from predictions.admin import registered  # noqa: F401

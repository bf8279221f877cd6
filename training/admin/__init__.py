"""The admin's pages of runs, versions and messages."""

from __future__ import annotations

from training.admin import registered  # noqa: F401

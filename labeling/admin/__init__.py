"""The admin's pages of labels and batches."""

from __future__ import annotations

from labeling.admin import registered  # noqa: F401

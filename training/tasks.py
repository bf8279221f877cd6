"""What background workers are asked to do, by dotted path."""

from __future__ import annotations


def beat() -> None:
    """The smallest job: that it ends proves that jobs pass through its cluster."""

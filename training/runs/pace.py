"""Limit how often something is done."""

from __future__ import annotations

import time


class Every:
    """Called often, it returns True at most once in this many seconds, the first time at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.due_at = float("-inf")

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self.due_at:
            return False
        self.due_at = now + self.seconds
        return True

"""What is worth doing only now and then."""

from __future__ import annotations

import time


class Every:
    """True at most once in so many seconds; at once the first time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.due_at = float("-inf")

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self.due_at:
            return False
        self.due_at = now + self.seconds
        return True

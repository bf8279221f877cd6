"""What each label event did, from the item's history up to it. Pure; no database."""

from __future__ import annotations

from typing import Final

ACTS: Final = (
    "first",  # an opinion on an item nobody had spoken about
    "agrees",  # an opinion that says what stood
    "differs",  # an opinion that says something else
    "rulings",
    "corrections",
    "undos",
    "gold",
    # What changed by it: +1, 0 or -1 each, so that they add up to how things stand.
    "labeled",
    "settled",
    "wrong",  # the label names another digit than the model did
)

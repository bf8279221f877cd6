from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One change of the code that makes it wrong; never one that changes nothing."""

    name: str  # what is wrong then, in words
    file: str
    old: str  # occurs once in the file
    new: str
    tests: tuple[str, ...]  # for pytest: paths and options

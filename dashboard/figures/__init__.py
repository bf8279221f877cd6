"""Every figure by its name in the address. One dictionary; pages, JSON and CSV read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from django.conf import settings

from dashboard.cube import position
from dashboard.figure import Figure
from dashboard.figures import accuracy
from dashboard.filters import Filters, UnknownFilter

Maker = Callable[[Filters], Figure]
FIGURES: dict[str, Maker] = {
    "accuracy-by-month": accuracy.by_month,
}
# What a figure rests on beside the cube and the ledger; its text changes when the figure may.
AS_OF: dict[str, Callable[[], str]] = {}


def as_of(name: str, filters: Filters) -> str:
    """What the figure would be counted from now; equal text, equal figure. One query."""
    found = position(filters.version)
    if filters.version and found.version_id is None:
        raise UnknownFilter("version", f"There is no version {filters.version!r}.")
    more = [AS_OF[name]()] if name in AS_OF else []
    return ".".join([*map(str, found.marks), *more])


def make(name: str, filters: Filters) -> Figure:
    """The figure, and what it was counted from: read before it, so never newer than it."""
    counted = as_of(name, filters)
    return replace(FIGURES[name](filters), as_of=counted)


def etag(name: str, filters: Filters, form: str) -> str:
    """Changes with the counts, the filters, and the program that makes figures of them."""
    text = f"{name}?{filters.as_query()}.{form} {as_of(name, filters)} {edition()}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


@cache
def edition() -> str:
    """Of the program: another release may say the same counts in other words."""
    digest = hashlib.sha256(settings.TIME_ZONE.encode())
    for file in sorted(Path(__file__).resolve().parent.parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]

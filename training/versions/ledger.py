"""When each version was live, from the ledger of promotions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from predictions.models import ModelVersion
from training.models import Promotion


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a version was live; `end` is None while it is.

    `start` is None where a demo was made after the installation and tells of times before it.
    """

    start: datetime | None
    end: datetime | None


def spans() -> dict[int, list[Span]]:
    """The times in which each version was live, by key, oldest first."""
    found: defaultdict[int, list[Span]] = defaultdict(list)
    ledger = list(
        Promotion.objects.order_by("made_at", "pk").values_list("before", "after", "made_at")
    )
    for entry, following in zip(ledger, [*ledger, None][1:], strict=True):
        _, after, made_at = entry
        found[after].append(Span(made_at, following[2] if following else None))
    installed = (
        ModelVersion.objects.filter(pk=ledger[0][0]).first()
        if ledger
        else ModelVersion.objects.live().first()
    )
    if installed is not None:  # the ledger has no entry for the installation
        end = ledger[0][2] if ledger else None
        since = installed.created_at if ledger else installed.live_since or installed.created_at
        is_before_end = end is None or since < end
        found[installed.pk].insert(0, Span(since if is_before_end else None, end))
    return dict(found)

"""The replay as a figure: accuracy by version and month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Subquery
from django.db.models.expressions import Combinable

from dashboard.cube.sums import every_month
from dashboard.figures.figure import Column, Figure, Share, share_cells, share_columns
from dashboard.filters import Filters
from dashboard.models import Replay, ReplayCell
from labeling.models import Stream

FIELDS = ("n", "right", "weight", "weight_right", "weight_squares", "learned", "unread")


@dataclass(slots=True)
class Count:
    """A sum of replay cells."""

    n: int = 0
    right: int = 0
    weight: float = 0.0
    weight_right: float = 0.0
    weight_squares: float = 0.0
    learned: int = 0
    unread: int = 0

    def add(self, values: Iterable[Any]) -> None:
        for name, value in zip(FIELDS, values, strict=True):
            setattr(self, name, getattr(self, name) + value)

    @property
    def share(self) -> Share | None:
        """Accuracy weighted by 1 / chance of being audited, with Kish's effective n."""
        return self.share_of(self.weight_right)

    @property
    def error(self) -> Share | None:
        return self.share_of(self.weight - self.weight_right)

    def share_of(self, weight: float) -> Share | None:
        if not self.n:
            return None
        effective = self.weight**2 / self.weight_squares
        return Share.of(min(max(weight / self.weight, 0.0), 1.0) * effective, effective)

    @property
    def cells(self) -> list[Any]:
        return share_cells(self.right, self.n, of=self.share)


def as_of() -> Combinable:
    """How often a month was counted; it changes whenever the figure may."""
    return Subquery(Replay.objects.values("counts_made")[:1])


def matrix(filters: Filters) -> Figure:
    """Accuracy of every version on every month's audited drawings."""
    counts, names = counts_by_version(filters)
    months = list(every_month([month for _, month in counts]))
    rows = [
        [name, f"{month:%Y-%m}", *found.cells, found.learned, found.unread]
        for version, name in names.items()
        for month in months
        if (found := counts.get((version, month), Count()))
    ]
    return Figure(
        name="replay",
        title="Every version over every month",
        sentence=replay_in_words(counts, names),
        sampled_from=replay_sample(counts, names),
        warning=replay_warning(filters),
        columns=[
            Column("version", "Version", "version"),
            Column("month", "Month", "month"),
            *share_columns(),
            Column("learned", "Left out: learned from", "count"),
            Column("unread", "Still to be read", "count"),
        ],
        rows=rows,
    )


Counts = dict[tuple[int, date], Count]


def counts_by_version(filters: Filters) -> tuple[Counts, dict[int, str]]:
    """Counts by version and month, and the versions' names, oldest first. One query."""
    rows = ReplayCell.objects.all()
    if filters.first:
        rows = rows.filter(month__gte=filters.first)
    if filters.last:
        rows = rows.filter(month__lte=filters.last)
    if filters.digit is not None:
        rows = rows.filter(digit=filters.digit)
    if filters.version:
        rows = rows.filter(version__name=filters.version)
    counts: defaultdict[tuple[int, date], Count] = defaultdict(Count)
    names = {}
    rows = rows.order_by("version", "month")
    for version, name, month, *values in rows.values_list(
        "version", "version__name", "month", *FIELDS
    ):
        names[version] = name
        counts[version, month].add(values)
    return dict(counts), names


def replay_warning(filters: Filters) -> str:
    """A warning if the filters name a source or stream, which the replay does not count by."""
    if not filters.source and filters.stream in {"", Stream.AUDIT}:
        return ""
    return (
        "Not narrowed: every version reads again the drawings chosen at random, from every source."
    )


def replay_sample(counts: Counts, names: dict[int, str]) -> str:
    if not counts:
        return "No audited drawing is labeled yet."
    drawings: defaultdict[date, int] = defaultdict(int)
    for (_, month), found in counts.items():
        seen = found.n + found.learned + found.unread
        drawings[month] = max(drawings[month], seen)
    readers = counted_words(len(names), "version")
    read = f"From {sum(drawings.values()):,} drawings chosen at random, labeled blind"
    said = [f"{read}, and read again by {readers}"]
    if learned := sum(found.learned for found in counts.values()):
        said.append(
            f"{learned:,} readings are left out because the version had learned from that glyph"
        )
    if unread := sum(found.unread for found in counts.values()):
        said.append(f"{unread:,} readings are still to come")
    return "; ".join(said) + "."


def counted_words(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def replay_in_words(counts: Counts, names: dict[int, str]) -> str:
    """Oldest and newest version on the newest month, then the newest version on its first month."""
    told = {place: found for place, found in counts.items() if found.n}
    if not told:
        return "No version has read an audited drawing yet."
    month = max(month for _, month in told)
    column = [version for version in names if (version, month) in told]
    said = [
        f"Of 100 audited drawings of {month:%B %Y} "
        + ", ".join(
            f"{names[version]} reads {hundreds(told[version, month])}" for version in ends(column)
        )
    ]
    row = [each for version, each in told if version == column[-1]]
    if len(row) > 1:
        said.append(
            f"{names[column[-1]]} reads {hundreds(told[column[-1], min(row)])}"
            f" of those of {min(row):%B %Y}"
        )
    return "; ".join(said) + "."


def ends(versions: list[int]) -> list[int]:
    return versions if len(versions) < 2 else [versions[0], versions[-1]]


def hundreds(found: Count) -> str:
    share = found.share
    assert share is not None
    return (
        f"{100 * share.value:.1f} (between {100 * share.low:.1f} and {100 * share.high:.1f},"
        f" n = {found.n:,})"
    )

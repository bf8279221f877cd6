"""The counts of the replay, made from its readings: by month, version and pair of versions."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import F
from numpy.typing import NDArray

from dashboard.axes import MILLION, millionths
from dashboard.cube.authors import packed_kinds
from dashboard.figures.likeness import sums_of_squares
from dashboard.filters import SOURCES
from dashboard.models import (
    MonthAuthors,
    Replay,
    ReplayCell,
    ReplayItem,
    ReplayMonth,
    ReplayPair,
    ReplayReading,
)
from dashboard.replay import authorship
from predictions.models import ModelVersion
from training.models import SnapshotLabel

MOST_PAIRED = 30  # the newest versions; any two of them can be compared on the same drawings


def recount() -> list[date]:
    """Recount the changed months; return them."""
    due = list(ReplayMonth.objects.exclude(counted=F("changes")).order_by("month"))
    if not due:
        return []
    versions = list(ModelVersion.objects.order_by("pk").values_list("pk", flat=True))
    known = Known(learned_by(versions), authorship.authors_learned_by(versions))
    for row in due:
        count_month(row.month, versions, known)
    authorship.pool()
    return [row.month for row in due]


@dataclass(frozen=True, slots=True)
class Known:
    """What each version, or an ancestor of it, was trained on."""

    glyphs: dict[int, set[uuid.UUID]]  # only those of items
    authors: dict[int, NDArray[np.uint64]]


def learned_by(versions: Sequence[int]) -> dict[int, set[uuid.UUID]]:
    """For each version, the items' glyphs that it or an ancestor among these was trained on.

    Ancestors come before their descendants.
    """
    items = ReplayItem.objects.values("glyph_digest")
    rows = SnapshotLabel.objects.filter(
        snapshot__runs__version__in=versions, event__prediction__glyph_digest__in=items
    ).values_list("snapshot__runs__version", "event__prediction__glyph_digest")
    own: defaultdict[int, set[uuid.UUID]] = defaultdict(set)
    for version, digest in rows:
        own[version].add(digest)
    parents = dict(ModelVersion.objects.values_list("pk", "parent"))
    learned: dict[int, set[uuid.UUID]] = {}
    for version in versions:
        learned[version] = own[version] | learned.get(parents[version] or 0, set())
    return learned


@dataclass(frozen=True, slots=True)
class ItemReadings:
    """The readings of one month's items by all versions."""

    digits: NDArray[np.int64]  # (items,)
    chances: NDArray[np.int64]  # (items,) of being audited, in millionths
    authors: NDArray[np.uint64]  # (items,)
    right: NDArray[np.bool_]  # (versions, items), also False where there is no reading
    read: NDArray[np.bool_]  # (versions, items)
    learned: NDArray[np.bool_]  # (versions, items)
    seen: NDArray[np.bool_]  # (versions, items), that the version learned from their authors

    @property
    def counts(self) -> NDArray[np.bool_]:
        return self.read & ~self.learned

    def strata(self) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
        """Each digit and chance, and which items have them."""
        for digit, chance in sorted(
            set(zip(self.digits.tolist(), self.chances.tolist(), strict=True))
        ):
            yield digit, chance, (self.digits == digit) & (self.chances == chance)


class Item(NamedTuple):
    """A replay item, who drew it, and what was read in it then."""

    glyph_digest: uuid.UUID
    digit: int
    chance: float
    user: int | None
    visitor: uuid.UUID | None
    version: int
    source: str
    read: int

    @property
    def author(self) -> int:
        return authorship.author_number(self.user, self.visitor, self.glyph_digest)

    @property
    def kind(self) -> tuple[int, ...]:
        """Its row of AUTHOR."""
        source, chance = SOURCES.index(self.source), millionths(self.chance)
        return self.author, self.version, chance, source, self.digit


def items_in_month(month: date) -> list[Item]:
    drawn = ("user", "visitor", "version", "source", "digit")
    rows = ReplayItem.objects.filter(month=month).values_list(
        "glyph_digest", "digit", "chance", *(f"prediction__{name}" for name in drawn)
    )
    return [Item._make(row) for row in rows]


def places_of_glyphs(items: Sequence[Item]) -> dict[uuid.UUID, list[int]]:
    """The places of each glyph among the items: several drawings may have the same one."""
    places: defaultdict[uuid.UUID, list[int]] = defaultdict(list)
    for at, item in enumerate(items):
        places[item.glyph_digest].append(at)
    return places


def table_of(
    items: Sequence[Item], month: date, versions: Sequence[int], own: Known
) -> ItemReadings:
    places = places_of_glyphs(items)
    row_of = {version: at for at, version in enumerate(versions)}
    shape = (len(versions), len(items))
    right, read, known = (np.zeros(shape, bool) for _ in range(3))
    digits = np.array([item.digit for item in items], np.int64)
    glyphs = ReplayItem.objects.filter(month=month).values("glyph_digest")
    readings = ReplayReading.objects.filter(glyph_digest__in=glyphs)
    readings = readings.filter(version__in=versions)
    for version, digest, digit in readings.values_list("version", "glyph_digest", "digit"):
        shown = places[digest]
        read[row_of[version], shown] = True
        right[row_of[version], shown] = digits[shown] == digit
    for version, digests in own.glyphs.items():
        for digest in digests & places.keys():
            known[row_of[version], places[digest]] = True
    chances = np.array([millionths(item.chance) for item in items], np.int64)
    drew = np.array([item.author for item in items], np.uint64)
    seen = np.array([np.isin(drew, own.authors[version]) for version in versions], bool)
    return ItemReadings(digits, chances, drew, right, read, known, seen.reshape(shape))


@transaction.atomic
def count_month(month: date, versions: Sequence[int], known: Known) -> None:
    """Recompute a month's cells, pairs and authors from its items and readings."""
    row = ReplayMonth.objects.select_for_update().get(pk=month)
    items = items_in_month(month)
    table = table_of(items, month, versions, known)
    ReplayCell.objects.filter(month=month).delete()
    ReplayPair.objects.filter(month=month).delete()
    ReplayCell.objects.bulk_create(list(replay_cells(month, versions, table)), batch_size=2_000)
    ReplayPair.objects.bulk_create(list(pairs_of(month, versions, table)), batch_size=2_000)
    MonthAuthors.objects.update_or_create(month=month, defaults=authors_in(items, table))
    ReplayMonth.objects.filter(pk=month).update(counted=row.changes)
    Replay.objects.filter(pk=1).update(counts_made=F("counts_made") + 1)


def authors_in(items: Sequence[Item], table: ItemReadings) -> dict[str, Any]:
    right = np.array([item.read == item.digit for item in items], np.float64)
    found = sums_of_squares(right, table.authors, table.chances)
    pairs = np.zeros_like(found)
    for one in range(max(0, len(table.right) - MOST_PAIRED), len(table.right) - 1):
        both = table.counts[one] & table.counts[one + 1]
        gained = table.right[one + 1, both].astype(np.float64) - table.right[one, both]
        if gained.any():
            pairs += sums_of_squares(gained, table.authors[both], table.chances[both])
    counts = packed_kinds(item.kind for item in items)
    return {"counts": counts, "reading": found.tolist(), "pairs": pairs.tolist()}


def replay_cells(month: date, versions: Sequence[int], table: ItemReadings) -> Iterator[ReplayCell]:
    for digit, chance, shows in table.strata():
        drawings = MILLION / chance if chance else 1.0  # that one stands for
        for at, version in enumerate(versions):
            counts = table.counts[at] & shows
            n, right = int(counts.sum()), int((table.right[at] & counts).sum())
            unseen = counts & ~table.seen[at]
            yield ReplayCell(
                version_id=version,
                month=month,
                digit=digit,
                chance=chance,
                n=n,
                right=right,
                weight=drawings * n,
                weight_right=drawings * right,
                weight_squares=drawings**2 * n,
                unseen=int(unseen.sum()),
                unseen_right=int((table.right[at] & unseen).sum()),
                learned=int((table.learned[at] & shows).sum()),
                unread=int((~table.read[at] & ~table.learned[at] & shows).sum()),
            )


def pairs_of(month: date, versions: Sequence[int], table: ItemReadings) -> Iterator[ReplayPair]:
    places = range(max(0, len(versions) - MOST_PAIRED), len(versions))
    for digit, chance, shows in table.strata():
        for one, other in combinations(places, 2):
            common = table.counts[one] & table.counts[other] & shows
            if not common.any():
                continue
            first, second = table.right[one, common], table.right[other, common]
            unseen = ~(table.seen[one] | table.seen[other])[common]
            yield ReplayPair(
                month=month,
                first_id=versions[one],
                second_id=versions[other],
                digit=digit,
                chance=chance,
                n=len(first),
                both=int((first & second).sum()),
                better=int((second & ~first).sum()),
                worse=int((first & ~second).sum()),
                unseen=int(unseen.sum()),
                unseen_better=int((second & ~first & unseen).sum()),
                unseen_worse=int((first & ~second & unseen).sum()),
            )

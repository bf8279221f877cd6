"""Who drew what: people's numbers, how alike their drawings are read, and whom versions know."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db.models import Count, F, Q
from numpy.typing import NDArray

from dashboard.figures.likeness import NOTHING, correlation
from dashboard.models import MonthAuthors, Replay, VersionAuthors
from labeling.models import LabelEvent
from labeling.queue.gold import KNOWN_DIGIT
from predictions.capture.visitors import author_of
from predictions.models import ModelVersion
from training.models import SnapshotLabel

NO_GLYPH = UUID(int=0)


def author_number(user_id: int | None, visitor: UUID | None, glyph_digest: UUID) -> int:
    """A number for the author of a drawing; the same on every host."""
    author = author_of(user_id, visitor, glyph_digest)
    return int.from_bytes(hashlib.blake2b(author.encode(), digest_size=8).digest(), "little")


def pool() -> None:
    """Pool all months, and count the answers to gold."""
    rows = list(MonthAuthors.objects.values_list("reading", "pairs"))
    reading, pairs = (
        np.sum([NOTHING, *(np.array(row[at]) for row in rows if row[at])], axis=0) for at in (0, 1)
    )
    known = LabelEvent.objects.filter(is_gold=True).standing().annotate(known_digit=KNOWN_DIGIT)
    is_right = Q(digit=F("known_digit"))
    answers = known.filter(known_digit__isnull=False).aggregate(
        all=Count("pk"), right=Count("pk", filter=is_right)
    )
    Replay.objects.filter(pk=1).update(
        alike=correlation(reading),
        alike_in_pairs=correlation(pairs),
        gold_answers=answers["all"],
        gold_wrong=answers["all"] - answers["right"],
    )


def authors_learned_by(versions: Sequence[int]) -> dict[int, NDArray[np.uint64]]:
    """For each version, the people from whose drawings it or an ancestor learned."""
    known = dict(VersionAuthors.objects.values_list("version", "authors"))
    for version in set(versions) - set(known):
        known[version] = note_authors(version)
    parents = dict(ModelVersion.objects.values_list("pk", "parent"))
    found: dict[int, NDArray[np.uint64]] = {}
    for version in versions:  # a parent is always registered before its children
        own = np.frombuffer(known[version], "<u8")
        before = found.get(parents[version] or 0)
        found[version] = own if before is None else np.union1d(own, before)
    return found


def note_authors(version: int) -> bytes:
    """Look once for the authors of what the version learned: its snapshot does not change."""
    labels = SnapshotLabel.objects.filter(snapshot__runs__version=version).order_by()
    people = labels.values_list("event__prediction__user", "event__prediction__visitor").distinct()
    numbers = {
        author_number(user, visitor, NO_GLYPH) for user, visitor in people if user or visitor
    }
    authors = np.array(sorted(numbers), "<u8").tobytes()
    VersionAuthors.objects.update_or_create(version_id=version, defaults={"authors": authors})
    return authors

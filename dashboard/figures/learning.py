"""The learning curve: a version's error against the number of labels it was trained on."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat

from dashboard.cube.sums import audit_counts, authors_of
from dashboard.figures import sentences
from dashboard.figures.figure import Column, Figure, Share, share_cells, share_columns
from dashboard.figures.replay import (
    NOTHING_READ,
    counts_by,
    replay_warning,
    replayed,
    unseen_cells,
    unseen_columns,
)
from dashboard.filters import Filters
from dashboard.models import Replay
from predictions.models import ModelVersion
from training.models import Promotion


def learning_state() -> Combinable:
    """The state of the replay's counts, the versions and the promotions."""
    newest = (
        Subquery(model.objects.order_by("-pk").values("pk")[:1])
        for model in (ModelVersion, Promotion)
    )
    counts = Subquery(Replay.objects.values("counts_made")[:1])
    # PostgreSQL concatenates only text.
    said = (Cast(each, CharField()) for each in (counts, *newest))
    return Concat(*(part for each in said for part in (each, Value("-"))))


def curve(filters: Filters) -> Figure:
    """Error on audited drawings, against the number of labels."""
    by_version = counts_by(lambda cell: cell.version, replayed(filters), audit_counts(filters))
    authors = authors_of(Filters(first=filters.first, last=filters.last, digit=filters.digit))
    rows = []
    for key, name, state, labels in of_live_family(list(versions_of(filters))):
        found = by_version.get(key, NOTHING_READ)
        sample = found.sample
        sample.authors = authors
        share = sample.share_of_others()
        rows.append(
            [
                name,
                state,
                labels or 0,  # None: trained without labels from this installation
                *share_cells(sample.n - sample.right, sample.n, of=share and share.rest),
                *unseen_cells(found.unseen, is_error=True),
            ]
        )
    rows.sort(key=lambda row: row[2])
    return Figure(
        name="learning-curve",
        title="Learning curve",
        sentence=sentences.learned(
            [(row[0], row[2], row[3], Share(*row[5:8]) if row[3] else None) for row in rows]
        ),
        sampled_from=(
            "Error on drawings chosen at random, labeled blind, every version on the same ones"
            " except those it learned from. The intervals are about other people's drawings too."
            " Unseen hands: only drawings by people of whom it learned from none."
        ),
        warning=replay_warning(filters),
        columns=[
            Column("version", "Version", "version"),
            Column("state", "State", "text"),
            Column("labels", "Labels learned from", "count"),
            *share_columns("Read wrong", "Error"),
            *unseen_columns("Error"),
        ],
        rows=rows,
    )


def of_live_family(versions: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Versions that descend from the same first version as the live one.

    The curve is a line from version to version, so it makes no sense between others.
    """
    first: dict[int, int] = {}
    for key, parent, *_ in versions:  # a parent is always registered before its children
        first[key] = first.get(parent, key)
    live = {first[key] for key, _, _, state, *_ in versions if state == ModelVersion.State.LIVE}
    return [(key, *rest) for key, _, *rest in versions if not live or first[key] in live]


def versions_of(filters: Filters) -> QuerySet[ModelVersion, tuple[Any, ...]]:
    """Key, parent, name, state, and number of labels."""
    versions = ModelVersion.objects.order_by("pk")
    if filters.version:
        versions = versions.filter(name=filters.version)
    return versions.values_list("pk", "parent", "name", "state", "run__snapshot__count")

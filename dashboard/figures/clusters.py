"""Clusters of digits: drawings placed by the features of a version's network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.utils import timezone

from dashboard.figures import sentences
from dashboard.figures.figure import Column, Figure
from dashboard.figures.words import day_in_words
from dashboard.filters import ALL, Filters
from dashboard.models import DigitMap, MapPoint
from labeling.models import Stream
from predictions.months import after
from training.trials.sentences import number_of

BIASED = (
    "Biased: most of these drawings were picked because the model was unsure of them or somebody"
    " called them wrong, so clusters look more mixed than they are."
)
NO_MAP = "No drawing of this kind is on a map. A worker makes one once enough drawings are labeled."


@dataclass(frozen=True, slots=True)
class MapOrigin:
    """Which version made the map, how and when."""

    version: str
    method: str
    made_at: datetime


def newest_map() -> Combinable:
    """The key of the newest map."""
    return Subquery(DigitMap.objects.order_by("-pk").values("pk")[:1])


def map_points(filters: Filters) -> QuerySet[MapPoint]:
    """The points of the newest map under these filters, always in the same order."""
    maps = DigitMap.objects.filter(problem="").order_by("-pk")
    if filters.version:
        maps = maps.filter(version__name=filters.version)
    # Drawings that were erased after the map was made are left out.
    kept = MapPoint.objects.filter(prediction__erased_at=None)
    rows = kept.filter(map=Subquery(maps.values("pk")[:1])).order_by("pk")
    if filters.first:
        rows = rows.filter(day__gte=filters.first)
    if filters.last:
        rows = rows.filter(day__lt=after(filters.last))
    if filters.digit is not None:
        rows = rows.filter(label=filters.digit)
    if filters.source:
        rows = rows.filter(source=filters.source)
    if filters.stream not in {"", ALL}:
        rows = rows.filter(is_audit=filters.stream == Stream.AUDIT)
    return rows


def in_two_dimensions(filters: Filters) -> Figure:
    """The digit map, colored by labels."""
    values = ("x", "y", "label", "read", "confidence", "day", "is_audit")
    said = ("map__version__name", "map__method", "map__made_at")
    told = list(map_points(filters).values_list(*values, *said))
    found = MapOrigin(*told[0][-3:]) if told else None
    rows = [row[:-3] for row in told]
    return Figure(
        name="clusters",
        title="Clusters of digits",
        sentence=(
            sentences.mapped(found.version, [(label, read) for _, _, label, read, *_ in rows])
            if found
            else NO_MAP
        ),
        sampled_from=map_sample(found, sum(row[-1] for row in rows), len(rows)),
        warning=BIASED if sum(row[-1] for row in rows) * 2 < len(rows) else "",
        columns=[
            Column("x", "Across", "number"),
            Column("y", "Up", "number"),
            Column("label", "Label", "digit"),
            Column("read", "Read as", "digit"),
            Column("is_right", "Read right", "yesno"),
            Column("confidence", "Confidence", "share"),
            Column("day", "Drawn on", "day"),
            Column("is_audit", "Chosen at random", "yesno"),
        ],
        rows=[
            [round(x, 4), round(y, 4), label, read, label == read, round(sure, 4),
             day.isoformat(), audit]
            for x, y, label, read, sure, day, audit in rows
        ],
    )  # fmt: skip


def map_sample(found: MapOrigin | None, audits: int, all_of_them: int) -> str:
    if not found:
        return "From no drawing."
    others = all_of_them - audits
    said = [f"From {number_of(audits, 'drawing')} chosen at random"]
    if others:
        said.append(f"and {others:,} labeled for another reason")
    made_on = timezone.localdate(found.made_at)
    return (
        f"{' '.join(said)}; {found.method}; labels as they stood on {day_in_words(made_on)}."
        " Distances between clusters mean little."
    )

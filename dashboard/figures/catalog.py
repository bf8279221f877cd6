"""Every figure by its name in URLs; pages, JSON and CSV use this dictionary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from django.conf import settings
from django.db.models.expressions import Combinable

from dashboard.cube.cube import position
from dashboard.cube.shared import read_once, reading_once
from dashboard.figures import accuracy, clusters, confidence, labels, learning, replay
from dashboard.figures.figure import Figure
from dashboard.filters import Filters, UnknownVersion

Maker = Callable[[Filters], Figure]
FIGURES: dict[str, Maker] = {
    "headline": accuracy.headline,
    "accuracy-by-month": accuracy.by_month,
    "accuracy-by-month-and-digit": accuracy.by_month_and_digit,
    "accuracy-by-digit": accuracy.by_digit,
    "accuracy-by-day": accuracy.by_day,
    "accuracy-of-all-labeled": accuracy.of_all_labeled,
    "true-by-predicted": accuracy.true_by_predicted,
    "confidence-histogram-by-month": confidence.histogram,
    "confidence-density-by-month": confidence.density,
    "confidence-by-month": confidence.over_months,
    "confidence-by-digit": confidence.over_digits,
    "reliability": confidence.reliability,
    "corrections": labels.corrections,
    "label-flow": labels.label_flow,
    "agreement-by-month": labels.agreement,
    "replay": replay.matrix,
    "learning-curve": learning.curve,
    "clusters": clusters.in_two_dimensions,
}
APPS = ("predictions", "labeling", "training", "dashboard")
# The state of a figure's sources other than the cube and the promotions, as SQL. It must change
# whenever the figure may change.
AS_OF: dict[str, Callable[[], Combinable]] = {
    **dict.fromkeys(accuracy.WITH_AUTHORS, replay.replay_state),
    "replay": replay.replay_state,
    "learning-curve": learning.learning_state,
    "clusters": clusters.newest_map,
}


def data_state(name: str, filters: Filters) -> str:
    """The state of the figure's data; equal text means an equal figure. One query."""
    more = AS_OF.get(name)
    found = read_once(
        ("position", filters.version, more),
        lambda: position(filters.version, more and more()),
    )
    if filters.version and found.version_id is None:
        raise UnknownVersion("version", f"There is no version {filters.version!r}.")
    return ".".join(map(str, [*found.marks, *([found.more] if more else [])]))


def make_figure(name: str, filters: Filters, counted: str | None = None) -> Figure:
    """The figure with the state of its data. The state is read first, so it is never newer."""
    counted = data_state(name, filters) if counted is None else counted
    return replace(FIGURES[name](filters), as_of=counted)


def make_figures(names: Iterable[str], filters: Filters) -> dict[str, Figure]:
    """The figures of one page by name. They share what they read."""
    with reading_once():
        return {name: make_figure(name, filters) for name in names}


def etag(name: str, query: str, form: str, counted: str) -> str:
    """An ETag that changes with the data, the filters and the code."""
    text = f"{name}?{query}.{form} {counted} {edition()}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


@cache
def edition() -> str:
    """A digest of the time zone and of all apps' code, since figures use code of every app."""
    digest = hashlib.sha256(settings.TIME_ZONE.encode())
    for app in APPS:
        for file in sorted((settings.BASE_DIR / app).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]

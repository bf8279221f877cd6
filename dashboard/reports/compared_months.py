"""Two months compared: different drawings, each as the version then live read it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from dashboard.axes import DIGITS
from dashboard.cube.authors import Authors
from dashboard.cube.sums import authors_by_month, months
from dashboard.figures.difference import ShareDifference
from dashboard.figures.difference import between as difference_between
from dashboard.figures.sample import Sample, sampled_from
from dashboard.figures.sample import parts as counted_parts
from dashboard.figures.sentences import which_drawings
from dashboard.filters import Filters
from dashboard.reports.comparison import Bar, Behind, Comparison, Side
from labeling.models import Stream
from predictions.months import after

WEEKS = ((1, 7), (8, 14), (15, 21), (22, 28), (29, 31))


def of_months(first: date, second: date, digit: int | None) -> Comparison:
    """Accuracy on audited drawings, as the version live at the time read them. Two queries."""
    between = Filters(first=min(first, second), last=max(first, second))
    sums: defaultdict[date, list[tuple[int, Any]]] = defaultdict(list)
    for each in months(between, "days", stream=Stream.AUDIT):
        sums[each.month].append((each.chance, each["days"]))
    authors = authors_by_month(between)
    one, other = (
        side_of_month(month, sums[month], digit, authors.get(month)) for month in (first, second)
    )
    return Comparison(
        one,
        other,
        between_samples(one, other),
        which_drawings(Filters(digit=digit)),
        parts_are="by digit" if digit is None else f"by week, for the digit {digit} alone",
    )


def between_samples(first: Side, second: Side) -> ShareDifference | None:
    if first.name == second.name or not (first.is_enough and second.is_enough):
        return None
    return difference_between(first.sample, second.sample)


def side_of_month(
    month: date, counts: list[tuple[int, Any]], digit: int | None, authors: Authors | None
) -> Side:
    """`counts` are (chance, array of (day, label, [drawings, right, settled]))."""
    parts = bars_of_month(month, counts, digit) if counts else []
    sample = sample_of_days(counts, slice(None), digit)
    if authors is not None:
        sample.authors = authors.of_digit(digit)
        for part in parts if digit is None else ():
            part.sample.authors = authors.of_digit(part.behind.label)
    return Side(
        name=f"{month:%Y-%m}",
        title=f"{month:%B %Y}",
        sample=sample,
        parts=parts,
        sampled_from=sampled_from(sample, is_random=True),
    )


def bars_of_month(month: date, counts: list[tuple[int, Any]], digit: int | None) -> list[Bar]:
    """One for each digit; of one digit, one for each week."""
    name = f"{month:%Y-%m}"
    if digit is None:
        return [
            Bar(str(each), sample_of_days(counts, slice(None), each), Behind(each, name, name))
            for each in range(DIGITS)
        ]
    last = (after(month) - month).days
    weeks = [(start, min(end, last)) for start, end in WEEKS if start <= last]
    return [
        Bar(
            f"{start}–{end}",
            sample_of_days(counts, slice(start - 1, end), digit),
            Behind(digit, name, name, f"{name}-{start:02}", f"{name}-{end:02}"),
        )
        for start, end in weeks
    ]


def sample_of_days(counts: list[tuple[int, Any]], days: slice, digit: int | None) -> Sample:
    sample = Sample()
    for chance, by_day in counts:
        (added,) = counted_parts(by_day[days].sum(axis=0, keepdims=True), digit)
        sample.add(chance, added)
    return sample

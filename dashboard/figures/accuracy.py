"""How well drawings are read, from those chosen at random."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from dashboard.figure import Column, Figure, share_cells, share_columns
from dashboard.filters import Filters
from dashboard.sample import Sample, sampled_from, together
from dashboard.sums import every_month, is_random, months, promotions
from labeling.models import Stream

BIASED = (
    "Biased: the queue picks drawings that the model was unsure of or that somebody called wrong,"
    " so accuracy over them looks worse than it is."
)


def by_month(filters: Filters) -> Figure:
    """Accuracy month by month; promotions are marks on it."""
    samples: defaultdict[date, Sample] = defaultdict(Sample)
    for each in months(filters, "readings", stream=Stream.AUDIT):
        samples[each.month].add(each.chance, each["readings"], filters.digit)
    return Figure(
        name="accuracy-by-month",
        title="Accuracy by month",
        sentence=in_words({month: sample for month, sample in samples.items() if sample.n}),
        sampled_from=sampled_from(together(samples.values()), is_random=is_random(filters)),
        warning="" if is_random(filters) else BIASED,
        columns=[Column("month", "Month", "month"), *share_columns()],
        rows=[
            [f"{month:%Y-%m}", *cells_of(samples[month])] for month in every_month(list(samples))
        ],
        marks=promotions(),
    )


def cells_of(sample: Sample) -> list[object]:
    return share_cells(sample.right, sample.n, of=sample.share)


def in_words(samples: dict[date, Sample]) -> str:
    if not samples:
        return "No drawing chosen at random is labeled yet, so there is no accuracy to show."
    first, last = min(samples), max(samples)
    said = [f"{said_of(last, samples[last])}"]
    if first != last:
        said.append(said_of(first, samples[first]))
    return "Of 100 drawings, " + "; ".join(said) + "."


def said_of(month: date, sample: Sample) -> str:
    share = sample.share
    assert share is not None
    return (
        f"{100 * share.value:.0f} were read right in {month:%B %Y}"
        f" (between {100 * share.low:.0f} and {100 * share.high:.0f}, n = {sample.n:,})"
    )

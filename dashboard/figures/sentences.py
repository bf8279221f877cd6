"""The sentences of the dashboard's figures, each from its counts. Pure.

Accuracy is told only of months, digits and versions with ENOUGH labels; otherwise the sentence says
how many there are. "Now" is the newest month with so many, on every page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dashboard.axes import EDGES, MILLION, UNREADABLE
from dashboard.cube.sums import is_random
from dashboard.fields import Counts
from dashboard.figures.chance import LEVEL, p_equal
from dashboard.figures.difference import between
from dashboard.figures.figure import ENOUGH, Share
from dashboard.figures.sample import Sample
from dashboard.figures.words import as_hundred, day_in_words, of_n
from dashboard.filters import Filters
from predictions.models import Prediction
from predictions.templatetags.readings import as_confidence
from training.trials.sentences import number_of

Name = TypeVar("Name")
NO_LABELS = "No drawing of this kind is labeled yet."
NO_AUDITS = "No audit of this kind is labeled yet. Each waits for somebody who did not draw it."
NO_DRAWINGS = "There are no drawings of this kind yet."
NOBODY_READ = "No version has read an audited drawing of this kind yet."
LEAST_SHOWN = 0.0005  # smaller shares are 0.0 of 100
MADE = {
    Prediction.Source.DRAW: "made on the canvas",
    Prediction.Source.UPLOAD: "that were uploaded",
    Prediction.Source.API: "sent by programs",
    Prediction.Source.BATCH: "sent in batches",
    Prediction.Source.DEMO: "made up for the demo",
    Prediction.Source.IMPORT: "that were imported",
}


# -- which drawings -----------------------------------------------------------------------------


def which_drawings(filters: Filters, digit_is: str = "of") -> str:
    """The drawings that the filters let through, without the period."""
    said = ["drawings"]
    if filters.digit is not None:
        said.append(f"{digit_is} {filters.digit}")
    if filters.source:
        said.append(MADE[Prediction.Source(filters.source)])
    if filters.version:
        said.append(f"that {filters.version} read")
    return " ".join(said)


def with_enough(samples: Mapping[Name, Sample]) -> dict[Name, Sample]:
    return {name: sample for name, sample in samples.items() if sample.n >= ENOUGH}


def too_few(samples: Mapping[date, Sample], filters: Filters) -> str:
    """Why no accuracy is told: how many labels the newest month has."""
    labeled = [month for month, sample in samples.items() if sample.n]
    if not labeled:
        return NO_AUDITS if is_random(filters) else NO_LABELS
    newest = max(labeled)
    return (
        f"Too few {which_drawings(filters)} are labeled to tell accuracy:"
        f" {newest:%B %Y} has {of_enough(samples[newest].n)}."
    )


def of_enough(n: int) -> str:
    """How many labels there are where too few."""
    return f"{n} of {ENOUGH} needed"


def since(now: date, samples: Mapping[date, Sample]) -> str:
    """A sentence about labeled months after the newest with enough labels; or nothing."""
    later = [month for month, sample in samples.items() if month > now and sample.n]
    if not later:
        return ""
    newest = max(later)
    return f" {newest:%B %Y} has too few labels yet: {of_enough(samples[newest].n)}."


# -- accuracy -----------------------------------------------------------------------------------


def of_100(sample: Sample) -> str:
    """The share of a sample that has one, of 100, with its interval and n."""
    share = sample.share
    assert share is not None
    return f"{as_hundred(share.value)} ({in_between(share, sample.n)})"


def in_between(share: Share, n: int) -> str:
    return f"95% sure between {as_hundred(share.low)} and {as_hundred(share.high)}, {of_n(n)}"


def over_time(samples: Mapping[date, Sample], filters: Filters) -> str:
    """Accuracy in the newest month with enough labels, and in the oldest."""
    enough = with_enough(samples)
    if not enough:
        return too_few(samples, filters)
    now, then = max(enough), min(enough)
    said = f"Of 100 {which_drawings(filters)}, {of_100(enough[now])} were read right in {now:%B %Y}"
    if then != now:
        said += f", and {of_100(enough[then])} in {then:%B %Y}"
    return f"{said}.{since(now, samples)}"


def headlines(samples: Mapping[date, Sample], filters: Filters) -> dict[str, tuple[date, str]]:
    """Sentences for the tiles, each with its month: now, then and the change; none without enough
    labels."""
    enough = with_enough(samples)
    if not enough:
        return {}
    now, then = max(enough), min(enough)
    found = {"now": (now, in_month(now, enough[now], filters) + since(now, samples))}
    if then != now:
        found["then"] = (then, in_month(then, enough[then], filters))
        found["change"] = (now, change(enough[then], enough[now], then))
    return found


def in_month(month: date, sample: Sample, filters: Filters) -> str:
    return f"Of 100 {which_drawings(filters)} in {month:%B %Y}, {of_100(sample)} were read right."


def change(before: Sample, after: Sample, then: date) -> str:
    found = between(before, after)
    assert found is not None
    if abs(found.value) < LEAST_SHOWN:
        return f"That is as many as in {then:%B %Y}, to a tenth of 100."
    way = "more" if found.value > 0 else "fewer"
    points = as_hundred(abs(found.value))
    return f"That is {points} of 100 {way} than in {then:%B %Y}: {found.in_words}."


def extremes(samples: Mapping[str, Sample]) -> str:
    """The best and the worst read, if those with enough labels differ by more than chance."""
    labeled = {name: sample for name, sample in samples.items() if sample.n}
    enough = with_enough(labeled)
    if not labeled:
        return NO_LABELS
    if not enough:
        name = max(labeled, key=lambda name: labeled[name].n)
        return (
            f"There are too few labels to tell them apart: {name} has {of_enough(labeled[name].n)}."
        )
    if len(enough) == 1:
        ((name, sample),) = enough.items()
        return f"Only {name} has enough labels: of 100, {of_100(sample)} were read right."
    p = p_equal(list(enough.values()))
    if p is None:
        return f"There are too few mistakes to tell {len(enough)} of them apart."
    if p >= LEVEL:
        return f"The {len(enough)} with enough labels differ no more than chance would make them."
    return best_and_worst(enough)


def best_and_worst(enough: Mapping[str, Sample]) -> str:
    """Of samples that differ by more than chance.

    The intervals are simultaneous (Bonferroni): the best of many is picked because it is high.
    """
    z = NormalDist().inv_cdf(1 - LEVEL / 2 / len(enough))
    shares = {name: share for name, each in enough.items() if (share := each.share_within(z))}
    best = max(shares, key=lambda name: shares[name].value)
    worst = min(shares, key=lambda name: shares[name].value)
    said = [
        f"{how} read: {name}, {as_hundred(shares[name].value)} of 100 (between"
        f" {as_hundred(shares[name].low)} and {as_hundred(shares[name].high)},"
        f" {of_n(enough[name].n)})."
        for how, name in (("Best", best), ("Worst", worst))
    ]
    return f"{' '.join(said)} The intervals hold for all {len(enough)} together, 95% sure."


def confused(counts: Counts, drawings: NDArray[np.float64], whole: Sample, filters: Filters) -> str:
    """The most frequent mistake; `counts` and `drawings` are (predicted, label).

    `counts` are labels, `drawings` what they stand for.
    """
    share = whole.share
    if share is None:
        return NO_LABELS
    if whole.n < ENOUGH:
        return (
            f"Too few {which_drawings(filters)} are labeled to tell accuracy: {of_enough(whole.n)}."
        )
    said = f"Of 100 {which_drawings(filters)}, {of_100(whole)} were read right."
    readable = drawings[:, :UNREADABLE]
    wrong = readable - np.diag(readable.diagonal())
    if not wrong.any():
        return said
    most = np.argwhere(np.isclose(wrong, wrong.max()))
    if len(most) > 1:
        return f"{said} No mistake is more frequent than all others."
    ((predicted, label),) = most
    labels = number_of(int(counts[predicted, label]), "label")
    part = as_hundred(float(wrong.max() / readable.sum()))
    return (
        f"{said} The most frequent mistake is {label} read as {predicted}:"
        f" {part} of 100 ({labels})."
    )


# -- confidence ---------------------------------------------------------------------------------


def everything(n: int, filters: Filters) -> str:
    """What figures of confidence cover."""
    if not n:
        return NO_DRAWINGS
    imports = "" if filters.source else ", without imported ones"
    return (
        f"All {number_of(n, 'drawing')}{imports}, labeled or not; nothing was sampled."
        " Confidence is what the model said, right or wrong; digits are those it read."
    )


def sure(counts_of: Mapping[date, Counts], filters: Filters) -> str:
    """How many of the newest and the oldest month were read with a confidence of 0.9 or more."""
    found = {month: counts for month, counts in counts_of.items() if counts.any()}
    if not found:
        return NO_DRAWINGS
    said = []
    for month in sorted({max(found), min(found)}, reverse=True):
        n, confident = int(found[month].sum()), int(found[month][EDGES.index(0.9) :].sum())
        drawings = which_drawings(filters, "read as")
        noun = drawings.replace("drawings", "drawing", 1) if n == 1 else drawings
        share = f" ({as_hundred(confident / n)} of 100)" if n >= ENOUGH else ""
        said.append(f"{confident:,} of {n:,} {noun} in {month:%B %Y}{share}")
    return f"Read with a confidence of 90% or more: {'; '.join(said)}."


def mean_confidence(means: Mapping[str, tuple[Any, Any]]) -> str:
    """`means` are by name: (sum of confidence in millionths, number of drawings)."""
    drawn = {name: int(n) for name, (_, n) in means.items() if n}
    found = {name: int(means[name][0]) / MILLION / n for name, n in drawn.items() if n >= ENOUGH}
    if not drawn:
        return NO_DRAWINGS
    if not found:
        name = max(drawn, key=drawn.__getitem__)
        return f"There are too few drawings to tell a mean: {of_enough(drawn[name])} for {name}."
    most, least = max(found, key=found.__getitem__), min(found, key=found.__getitem__)
    high, low = as_confidence(found[most]), as_confidence(found[least])
    if len(found) == 1:
        return f"Mean confidence is {high} for {most}."
    if high == low:
        return f"Mean confidence is {high} for each of the {len(found)}."
    return f"Mean confidence is highest for {most}, {high}, and lowest for {least}, {low}."


def about_calibration(
    rows: Sequence[Sequence[Any]], drawings: NDArray[np.float64], whole: Sample
) -> str:
    """The distance of confidence from accuracy.

    `rows` are bins with their mean confidence at 2 and accuracy at 5; `drawings` are in each bin.
    """
    share = whole.share
    if share is None or not drawings.any():
        return NO_LABELS
    if whole.n < ENOUGH:
        return f"There are too few labels to tell: {of_enough(whole.n)}."
    filled = [row for row, n in zip(rows, drawings, strict=True) if n]
    confidences, accuracies = np.array([(row[2], row[5]) for row in filled], float).T
    weights = drawings[drawings > 0]
    mean = float(np.average(confidences, weights=weights))
    error = float(np.average(np.abs(confidences - accuracies), weights=weights))
    said = (
        f"Mean confidence is {as_confidence(mean)}, and of 100 drawings {of_100(whole)} were read"
        " right"
    )
    if share.low <= mean <= share.high:
        said = f"{said}: chance alone could make them differ so"
    else:
        way = "surer than it should be" if mean > share.value else "less sure than it could be"
        said = f"{said}: the model is {way}, by more than chance"
    return (
        f"{said}. Bin by bin they are {as_hundred(error)} of 100 apart on average; chance makes"
        " some of that."
    )


# -- labelers' work -----------------------------------------------------------------------------


def misread(total: int, last: date | None, since: date | None, before: int) -> str:
    """Drawings whose label is another digit than the one read, at the end of a period.

    `since` is the first day of the period if it has one, and `before` their number until then.
    """
    if last is None:
        return "No drawing was found to be misread yet."
    verb = "was" if total == 1 else "were"
    said = f"By {day_in_words(last)}, {number_of(total, 'drawing')} {verb} found to be misread"
    if since is None:
        return f"{said}."
    more = total - before
    if not more:
        return f"{said}, as many as before {day_in_words(since)}."
    way = "more" if more > 0 else "fewer"
    return f"{said}, {abs(more):,} {way} than before {day_in_words(since)}."


def flow(came: int, settled: int, waiting: int, last: date | None) -> str:
    """What came into the queue and was settled in the period; `waiting` is at its end."""
    if last is None:
        return "No drawing came in."
    verb = "was" if settled == 1 else "were"
    done = (
        f"{settled:,} {verb} settled"
        if settled >= 0
        else f"{-settled:,} more were opened again than settled"
    )
    rest = "is" if waiting == 1 else "are"
    return (
        f"{number_of(came, 'drawing')} came in and {done}; {waiting:,} {rest} not settled on"
        f" {day_in_words(last)}."
    )


def about_agreement(agreed: int, n: int, share: Share | None) -> str:
    if share is None:
        return "Nobody has given a second opinion yet."
    said = f"{agreed:,} of {number_of(n, 'second opinion')} said what stood before"
    if n < ENOUGH:
        return f"{said}; {ENOUGH} are needed to tell a share."
    return f"{said}: of 100, {as_hundred(share.value)} ({in_between(share, n)})."


# -- versions -----------------------------------------------------------------------------------


def about_replay(samples: Mapping[tuple[int, date], Sample], names: Mapping[int, str]) -> str:
    """Oldest and newest version on the newest month, then the newest version on its first month."""
    enough = with_enough(samples)
    if not enough:
        n = max((sample.n for sample in samples.values()), default=0)
        if not n:
            return NOBODY_READ
        return f"There are too few labels to tell a version's accuracy: {of_enough(n)}."
    month = max(month for _, month in enough)
    column = [version for version in names if (version, month) in enough]
    ends = dict.fromkeys([column[0], column[-1]])
    said = [
        f"Of 100 audited drawings of {month:%B %Y}, "
        + " and ".join(f"{names[each]} reads {of_100(enough[each, month])} right" for each in ends)
    ]
    first = min(month for version, month in enough if version == column[-1])
    if first != month:
        said.append(
            f"of those of {first:%B %Y}, {names[column[-1]]} reads"
            f" {of_100(enough[column[-1], first])} right"
        )
    return "; ".join(said) + "."


def learned(points: Sequence[tuple[str, int, int, Share | None]]) -> str:
    """The versions that learned from the fewest and the most labels, and their errors.

    `points` are (version, labels learned from, n, share of errors), by labels.
    """
    enough = [point for point in points if point[2] >= ENOUGH]
    if not enough:
        n = max((n for _, _, n, _ in points), default=0)
        if not n:
            return NOBODY_READ
        return f"There are too few labels to tell a version's error: {of_enough(n)}."
    first, last = enough[0], enough[-1]
    if first[1] == last[1]:
        return f"So far one point: {error_of(last)}."
    return f"From {error_of(first)} to {error_of(last)}."


def error_of(point: tuple[str, int, int, Share | None]) -> str:
    name, labels, n, share = point
    assert share is not None
    return (
        f"{name}, which learned from {number_of(labels, 'label')} and of 100 drawings reads"
        f" {as_hundred(share.value)} wrong ({in_between(share, n)})"
    )


def mapped(version: str, pairs: Sequence[tuple[int, int]]) -> str:
    """What a map shows; `pairs` are (label, digit read)."""
    mistakes = Counter(tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1])
    said = (
        f"{number_of(len(pairs), 'drawing')} as {version} sees them; those that lie together look"
        " alike to it"
    )
    if not mistakes:
        return f"{said}. It reads all of them right."
    wrong = mistakes.total()
    found = f"{said}. It reads {wrong:,} of them wrong"
    ((one, other), times), *rest = mistakes.most_common(2)
    if rest and rest[0][1] == times:
        return f"{found}."
    return f"{found}, most often {one} and {other} for each other ({times:,})."

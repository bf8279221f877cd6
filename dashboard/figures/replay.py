"""The replay as a figure: accuracy by version and month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db.models import QuerySet, Subquery
from django.db.models.expressions import Combinable

from dashboard.cube.sums import audit_counts, every_month, filtered_months
from dashboard.figures import sentences
from dashboard.figures.figure import Column, Figure, share_columns
from dashboard.figures.periods import PERIOD, periods_of
from dashboard.figures.sample import Audits, Sample, accuracy_cells, sample_of_audits
from dashboard.filters import Filters
from dashboard.models import Replay, ReplayCell
from labeling.models import Stream
from training.trials.sentences import number_of

MOST_PERIODS = 14  # columns of the heat map that fit on a page
FIELDS = (
    "version", "version__name", "month", "digit", "chance", "n", "right", "unseen", "unseen_right",
    "learned", "unread",
)  # fmt: skip


class ReplayCount(NamedTuple):
    """The values of FIELDS of a replay cell."""

    version: int
    name: str
    month: date
    digit: int
    chance: int
    n: int
    right: int
    unseen: int
    unseen_right: int
    learned: int
    unread: int


@dataclass(frozen=True, slots=True)
class Count:
    """A sum of replay cells."""

    sample: Sample
    unseen: Sample  # of the same, those by people whom the version never learned from
    learned: int
    unread: int


NOTHING_READ = Count(Sample(), Sample(), 0, 0)


def counts_by(
    key: Callable[[ReplayCount], Any], cells: Iterable[ReplayCount], audits: Audits
) -> dict[Any, Count]:
    """The sums of the cells by key, in the cells' order."""
    found: defaultdict[Any, list[ReplayCount]] = defaultdict(list)
    for cell in cells:
        found[key(cell)].append(cell)
    return {
        each: Count(
            sample_of_audits(
                ((cell.month, cell.chance, cell.n, cell.right) for cell in some), audits
            ),
            sample_of_audits(
                ((cell.month, cell.chance, cell.unseen, cell.unseen_right) for cell in some),
                audits,
            ),
            sum(cell.learned for cell in some),
            sum(cell.unread for cell in some),
        )
        for each, some in found.items()
    }


def replay_state() -> Combinable:
    """How often a month was counted; it changes whenever the figure may."""
    return Subquery(Replay.objects.values("counts_made")[:1])


def matrix(filters: Filters) -> Figure:
    """Accuracy of every version on every month's audited drawings."""
    cells, audits = replayed(filters), audit_counts(filters)
    counts = counts_by(lambda cell: (cell.version, cell.month), cells, audits)
    names = {cell.version: cell.name for cell in cells}
    months = list(every_month([month for _, month in counts]))
    read = [found.sample.n for found in counts.values() if found.sample.n]
    period_of = periods_of(months, read, most=MOST_PERIODS)
    whole = counts_by(lambda cell: (cell.version, period_of[cell.month]), cells, audits)
    rows = [
        [name, *(f"{month:%Y-%m}" for month in period), *accuracy_cells(found.sample),
         found.learned, found.unread, *unseen_cells(found.unseen)]
        for version, name in names.items()
        for period in dict.fromkeys(period_of.values())
        if (found := whole.get((version, period), NOTHING_READ))
    ]  # fmt: skip
    return Figure(
        name="replay",
        title="Every version over every month",
        sentence=sentences.about_replay(
            {place: found.sample for place, found in counts.items()}, names
        ),
        sampled_from=replay_sample(counts, names),
        warning=replay_warning(filters),
        columns=[
            Column("version", "Version", "version"),
            *PERIOD,
            *share_columns(),
            Column("learned", "Left out: learned from", "count"),
            Column("unread", "Still to be read", "count"),
            *unseen_columns(),
        ],
        rows=rows,
    )  # fmt: skip


def unseen_columns(share: str = "Accuracy") -> list[Column]:
    """The columns of the same share, of drawings by people whom the version never learned from."""
    return [
        Column("unseen_n", "Labels, unseen hands", "count"),
        Column("unseen_share", f"{share}, unseen hands", "share"),
        Column("unseen_low", "95% from", "share"),
        Column("unseen_high", "95% to", "share"),
    ]


def unseen_cells(sample: Sample, *, is_error: bool = False) -> list[Any]:
    """The cells for `unseen_columns`."""
    share = sample.share
    if share is None:
        return [0, None, None, None]
    found = share.rest if is_error else share
    return [sample.n, found.value, found.low, found.high]


Counts = Mapping[tuple[int, date], Count]


def replayed(filters: Filters) -> list[ReplayCount]:
    """The cells of the filters' period, digit and version, by version and month."""
    rows = ReplayCell.objects.all()
    if filters.version:
        rows = rows.filter(version__name=filters.version)
    rows = filtered_rows(rows, filters).order_by("version", "month", "digit")
    return [ReplayCount._make(row) for row in rows.values_list(*FIELDS)]


def filtered_rows(rows: QuerySet[Any], filters: Filters) -> QuerySet[Any]:
    """The rows of the filters' period and digit."""
    rows = filtered_months(rows, filters)
    return rows if filters.digit is None else rows.filter(digit=filters.digit)


def replay_warning(filters: Filters) -> str:
    """A warning if the filters name a source or stream, which the replay does not count by."""
    if not filters.source and filters.stream in {"", Stream.AUDIT}:
        return ""
    return (
        "Not narrowed: every version reads again the drawings chosen at random, from every source."
    )


def replay_sample(counts: Counts, names: dict[int, str]) -> str:
    if not counts:
        return sentences.NOBODY_READ
    drawings: defaultdict[date, int] = defaultdict(int)
    for (_, month), found in counts.items():
        seen = found.sample.n + found.learned + found.unread
        drawings[month] = max(drawings[month], seen)
    readers = number_of(len(names), "version")
    read = f"From {number_of(sum(drawings.values()), 'drawing')} chosen at random, labeled blind"
    said = [f"{read}, and read again by {readers}"]
    if any(found.sample.is_weighted for found in counts.values()):
        said.append("weighted, because they had different chances of being chosen")
    if learned := sum(found.learned for found in counts.values()):
        said.append(
            f"{number_of(learned, 'reading')} left out because the version had learned from that"
            " glyph"
        )
    if unread := sum(found.unread for found in counts.values()):
        said.append(f"{number_of(unread, 'reading')} still to come")
    return "; ".join(said) + "."

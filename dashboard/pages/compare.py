"""The page that compares two months or two versions; the URL holds the choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from dashboard.api.data import answered, refused, single
from dashboard.figures import catalog
from dashboard.figures.accuracy import months_with_enough
from dashboard.figures.figure import ENOUGH, Column, Figure, share_columns
from dashboard.figures.people import FOR_THESE
from dashboard.figures.sample import accuracy_cells
from dashboard.filters import Filters, UnknownFilter, choice_field, read_month, read_version
from dashboard.models import ReplayCell, ReplayItem, ReplayReading
from dashboard.pages.choices import Select, digits, known_months, select
from dashboard.pages.overview import SEE_DRAWINGS, context_of, no_such_view
from dashboard.replay.month_counts import MOST_PAIRED
from dashboard.reports.compared_months import of_months
from dashboard.reports.compared_versions import of_versions
from dashboard.reports.comparison import Comparison
from predictions.models import ModelVersion, Prediction

MONTHS, VERSIONS = "months", "versions"
EXAMPLES = 8  # of each kind


@dataclass(frozen=True, slots=True)
class WhichTwo:
    """What the URL compares. Empty names become the oldest and the newest that can be told."""

    by: str
    one: str
    other: str
    filters: Filters  # the digit; for versions also the period

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        own = {name: query.get(name, "") for name in ("by", "one", "other")}
        by = choice_field((MONTHS, VERSIONS))("by", own["by"]) if own["by"] else MONTHS
        read = read_version if by == VERSIONS else read_month
        for name in ("one", "other"):
            if own[name]:
                read(name, own[name])
        others = {name: text for name, text in query.items() if name not in own}
        if unknown := sorted(set(others) - {"digit", "first", "last"}):
            raise UnknownFilter(unknown[0], f"There is no filter {unknown[0]!r} here.")
        return cls(by, own["one"], own["other"], Filters.parse(others)).completed()

    def completed(self) -> Self:
        names = self.names
        for name in (self.one, self.other):
            if self.by == VERSIONS and name and name not in names:
                raise UnknownFilter("one", f"No version {name!r} was replayed.")
        usual = names[-MOST_PAIRED:] if self.by == VERSIONS else self.months_told
        if len(usual) < 2:
            return self
        return replace(self, one=self.one or usual[0], other=self.other or usual[-1])

    @property
    def months_told(self) -> list[str]:
        """The months with enough labels."""
        told = months_with_enough(Filters(digit=self.filters.digit))
        return [f"{month:%Y-%m}" for month in told]

    @property
    def names(self) -> list[str]:
        """The months or versions that can be compared, oldest first."""
        if self.by == MONTHS:
            return [value for value, _ in known_months(Filters())]
        asked = ModelVersion.objects.filter(pk__in=ReplayCell.objects.values("version"))
        return list(asked.order_by("pk").values_list("name", flat=True))

    def as_query(self) -> str:
        own = {"by": self.by, "one": self.one, "other": self.other}
        parts = [urlencode({name: text for name, text in own.items() if text})]
        return "&".join([*parts, *filter(None, [self.filters.as_query()])])

    def compared(self) -> Comparison | None:
        if not (self.one and self.other):
            return None
        if self.by == VERSIONS:
            return of_versions(self.one, self.other, self.filters)
        first, second = (read_month("one", name) for name in (self.one, self.other))
        return of_months(first, second, self.filters.digit)


@login_not_required
@require_safe
def compare_page(request: HttpRequest) -> HttpResponse:
    """The difference, both spans, the bars, and example drawings for users who may see them."""
    try:
        which = WhichTwo.parse(single(request))
    except UnknownFilter as unknown:
        return no_such_view(request, unknown)
    found = which.compared()
    made = figure_of(which, found)
    query = which.as_query()
    context = {
        **context_of(request, Filters()),
        "query": "",
        "which": which,
        "selects": selects_of(which),
        "comparison": found,
        "sides": [found.first, found.second] if found else [],
        "figures": {made.name: made},
        "json": f"{reverse('dashboard:compare_data', args=['json'])}?{query}",
        "csv": f"{reverse('dashboard:compare_data', args=['csv'])}?{query}",
        "examples": examples(which) if found and request.user.has_perm(SEE_DRAWINGS) else [],
    }
    return render(request, "dashboard/compare.html", context)


@login_not_required
@gzip_page
@require_safe
def data(request: HttpRequest, form: str) -> HttpResponseBase:
    """The bars as JSON and CSV."""
    try:
        which = WhichTwo.parse(single(request))
    except UnknownFilter as unknown:
        return refused(unknown)
    counted = catalog.data_state("replay", Filters())
    etag = catalog.etag("compare", which.as_query(), form, counted)
    return answered(
        request, form, etag, lambda: replace(figure_of(which, which.compared()), as_of=counted)
    )


def figure_of(which: WhichTwo, found: Comparison | None) -> Figure:
    """All parts of both sides as one table."""
    columns = [
        Column("side", "Version" if which.by == VERSIONS else "Month", "text"),
        Column("part", "Part", "text"),
        *share_columns(),
        Column("label", "Digit", "digit"),
        Column("first", "From", "month"),
        Column("last", "To", "month"),
        Column("since", "From the", "day"),
        Column("until", "To the", "day"),
    ]
    if found is None:
        said = nothing_yet(which)
        return Figure("compare", "Side by side", said, said, columns, [])
    sides = [found.first, found.second]
    if which.by == VERSIONS:  # the same drawings
        sampled_from = found.first.sampled_from
    else:
        first, second = (f"{side.title}: {side.sampled_from}" for side in sides)
        if FOR_THESE in second:  # said once
            first = first.replace(f" {FOR_THESE}", "")
        sampled_from = f"{first} {second}"
    return Figure(
        name="compare",
        title=f"{found.first.title} and {found.second.title}, {found.parts_are}",
        sentence=found.in_words,
        sampled_from=sampled_from,
        columns=columns,
        rows=[
            [side.title, part.name, *accuracy_cells(part.sample), *part.behind]
            for side in sides
            for part in side.parts
        ],
    )


def nothing_yet(which: WhichTwo) -> str:
    digit = which.filters.digit
    of_digit = "" if digit is None else f" of the digit {digit}"
    needed = {
        MONTHS: f"two months with {ENOUGH} labels{of_digit} each are needed",
        VERSIONS: "two versions must have read the same drawings",
    }
    return f"There is nothing to compare yet: {needed[which.by]}."


def selects_of(which: WhichTwo) -> list[Select]:
    names = which.names
    if which.by == MONTHS:
        named = [(name, f"{read_month('one', name):%B %Y}") for name in names]
        titles = ("First month", "Second month")
    else:
        named = [(name, name) for name in names]
        titles = ("First version", "Second version")
    digit = "" if which.filters.digit is None else str(which.filters.digit)
    found = [
        select("by", "Compare", [(MONTHS, "Two months"), (VERSIONS, "Two versions")], which.by),
        select("one", titles[0], named if which.one else [("", "–"), *named], which.one),
        select("other", titles[1], named if which.other else [("", "–"), *named], which.other),
        select("digit", "Digit", [("", "All"), *digits()], digit),
    ]
    if which.by == VERSIONS:
        known = known_months(which.filters)
        for name, title, first in (("first", "From", "The beginning"), ("last", "To", "Now")):
            value = getattr(which.filters, name)
            chosen = f"{value:%Y-%m}" if value else ""
            found.append(select(name, title, [("", first), *known], chosen))
    return found


# -- drawings -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Examples:
    """Some drawings of one kind, each with its label and reading."""

    title: str
    rows: list[dict[str, Any]]


def examples(which: WhichTwo) -> list[Examples]:
    """The newest drawings: of months, read wrong and right; of versions, read differently."""
    if which.by == MONTHS:
        return [
            Examples(f"{read_month('one', name):%B %Y}, read {kind}", rows)
            for name in dict.fromkeys([which.one, which.other])
            for kind in ("wrong", "right")
            if (rows := of_month(which, name, kind))
        ]
    one, other = which.one, which.other
    return [
        Examples(title, rows)
        for title, right, wrong in (
            (f"{other} reads them right, {one} wrong", other, one),
            (f"{one} reads them right, {other} wrong", one, other),
        )
        if (rows := read_differently(which, right=right, wrong=wrong))
    ]


def of_month(which: WhichTwo, name: str, kind: str) -> list[dict[str, Any]]:
    items = ReplayItem.objects.filter(month=read_month("one", name))
    if which.filters.digit is not None:
        items = items.filter(digit=which.filters.digit)
    is_right = Q(prediction__digit=F("digit"))
    return examples_of(items.filter(is_right if kind == "right" else ~is_right))


def examples_of(items: QuerySet[ReplayItem]) -> list[dict[str, Any]]:
    rows = items.order_by("-prediction").values_list(
        "prediction__public_id", "digit", "prediction__digit"
    )
    return [as_example(*row) for row in rows[:EXAMPLES]]


def as_example(public_id: Any, label: int, read: int) -> dict[str, Any]:
    drawn = Prediction(public_id=public_id)
    return {
        "url": drawn.get_absolute_url(),
        "glyph_url": drawn.glyph_url,
        "label": label,
        "read": read,
    }


def read_differently(which: WhichTwo, *, right: str, wrong: str) -> list[dict[str, Any]]:
    """Audited drawings that one version reads right and the other wrong."""
    filters = which.filters
    keys = dict(ModelVersion.objects.filter(name__in=[right, wrong]).values_list("name", "pk"))
    items = ReplayItem.objects.order_by("-prediction")
    if filters.digit is not None:
        items = items.filter(digit=filters.digit)
    if filters.first:
        items = items.filter(month__gte=filters.first)
    if filters.last:
        items = items.filter(month__lte=filters.last)
    said = ReplayReading.objects.filter(glyph_digest=OuterRef("glyph_digest"))
    misread = said.filter(version=keys[wrong]).exclude(digit=OuterRef("digit"))
    rows = items.filter(
        Exists(said.filter(version=keys[right], digit=OuterRef("digit"))), Exists(misread)
    ).annotate(read=Subquery(misread.values("digit")[:1]))
    values = rows.values_list("prediction__public_id", "digit", "read")
    return [as_example(*row) for row in values[:EXAMPLES]]

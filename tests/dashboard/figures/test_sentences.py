"""What the dashboard says is true of every history, also of hostile ones."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from django.test import Client
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from scipy.stats import chi2_contingency

from dashboard.cube.counting import catch_up
from dashboard.cube.sums import is_random
from dashboard.figures import sentences
from dashboard.figures.catalog import FIGURES, make_figure
from dashboard.figures.difference import difference
from dashboard.figures.figure import Figure, Share
from dashboard.figures.headline import tiles
from dashboard.figures.sample import Sample, sampled_from
from dashboard.filters import Filters
from dashboard.reports.causes import Causes, Reread
from labeling.models import LabelEvent
from predictions.glyphs.glyph import encode_glyph
from predictions.models import ModelVersion, Prediction
from tests.factories import make_live, make_user, make_version, some_glyph, spread
from training.models import Promotion

MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 3, 1)]
VERSIONS = ("one", "two")
GLYPH = encode_glyph(some_glyph())
NOUNS = "drawing|labeled drawing|label|reading|act|version|second opinion|audited drawing|decision"
WRONG_NOUN = re.compile(rf"(?<![\d,.])1 ({NOUNS})s\b|(?<![\d,.])(?!1 )\d[\d,]* ({NOUNS})\b(?!s)")
NEGATIVE = re.compile(rf"[-−][\d,]+ (?:{NOUNS}|more|is|are|was|were)")
N_TOLD = re.compile(r"n = ([\d,]+)")


# -- histories ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Drawings alike, made on one day."""

    month: int
    right: int = 0
    wrong: int = 0
    unreadable: int = 0
    unlabeled: int = 0
    digit: int = 7
    day: int = 9
    is_audit: bool = True
    source: str = "draw"
    version: str = "one"
    confidence: float = 0.97
    is_erased: bool = False

    @property
    def on(self) -> date:
        return MONTHS[self.month].replace(day=self.day)

    @property
    def drawings(self) -> int:
        return self.right + self.wrong + self.unreadable + self.unlabeled

    @property
    def n(self) -> int:
        return self.right + self.wrong

    def rows(self, version: ModelVersion) -> Iterator[tuple[Prediction, int | None, bool]]:
        """Each drawing with its label, and whether it has one."""
        readings = [(self.digit, self.digit, True)] * self.right
        readings += [((self.digit + 1) % 10, self.digit, True)] * self.wrong
        readings += [(self.digit, None, True)] * self.unreadable
        readings += [(self.digit, None, False)] * self.unlabeled
        at = datetime(self.on.year, self.on.month, self.day, 17, tzinfo=UTC)
        for read, label, is_labeled in readings:
            made = Prediction(
                version=version, digit=read, confidence=self.confidence,
                probabilities=spread(read, self.confidence), strangeness=0.0, glyph=GLYPH,
                glyph_digest=uuid.uuid4(), source=self.source, is_audit=self.is_audit,
                audit_probability=0.5, created_at=at, day=self.on,
                erased_at=at if self.is_erased else None,
            )  # fmt: skip
            yield made, label, is_labeled


groups = st.builds(
    Group,
    month=st.integers(0, 3),
    right=st.sampled_from([0, 1, 14, 29, 30, 60]),
    wrong=st.sampled_from([0, 0, 1, 2, 15]),
    unreadable=st.sampled_from([0, 1, 2]),
    unlabeled=st.sampled_from([0, 1, 5]),
    digit=st.sampled_from([7, 7, 3, 0]),
    day=st.sampled_from([1, 9, 28]),
    is_audit=st.sampled_from([True, True, False]),
    source=st.sampled_from(["draw", "draw", "import", "api"]),
    version=st.sampled_from(VERSIONS),
    confidence=st.sampled_from([0.31, 0.97, 0.9996, 1.0]),
    is_erased=st.booleans(),
)
some_filters = st.builds(
    Filters,
    first=st.sampled_from([None, None, MONTHS[1], MONTHS[3], date(2026, 8, 1)]),
    digit=st.sampled_from([None, None, 7, 5]),
    version=st.sampled_from(["", "", *VERSIONS]),
    source=st.sampled_from(["", "", "draw", "import"]),
    stream=st.sampled_from(["", "", "audit", "all", "unsure", "second"]),
)


def make_history(history: list[Group]) -> None:
    make_live("one")
    make_version("two", state=ModelVersion.State.RETIRED)
    versions = {version.name: version for version in ModelVersion.objects.all()}
    ada = make_user()
    rows = [row for each in history for row in each.rows(versions[each.version])]
    Prediction.objects.bulk_create([made for made, _, _ in rows])
    LabelEvent.objects.bulk_create(
        LabelEvent(
            prediction=made, kind=LabelEvent.Kind.LABEL, digit=label, is_unreadable=label is None,
            labeler=ada, created_at=made.created_at, version=made.version,
            stream="audit" if made.is_audit else "unsure",
        )
        for made, label, is_labeled in rows if is_labeled
    )  # fmt: skip
    for month in {each.month for each in history}:  # a promotion at each edge
        for at in (MONTHS[month], MONTHS[month].replace(day=28)):
            Promotion.objects.create(
                kind="promotion", before=versions["one"], after=versions["two"],
                made_at=datetime(at.year, at.month, at.day, 5, tzinfo=UTC),
            )  # fmt: skip
    catch_up(patience=0)


# -- what is true of it, counted once more ------------------------------------------------------


def is_within(group: Group, filters: Filters) -> bool:
    month = MONTHS[group.month]
    return (
        (not filters.first or month >= filters.first)
        and (not filters.last or month <= filters.last)
        and (not filters.version or group.version == filters.version)
        and (group.source == filters.source if filters.source else group.source != "import")
    )


def is_of_stream(group: Group, stream: str) -> bool:
    """By the stream of the label; audits belong to theirs without one, too."""
    return stream == "all" or stream == ("audit" if group.is_audit else "unsure")


def labels_by_month(history: list[Group], filters: Filters) -> dict[date, tuple[int, int]]:
    """(n, right) of the months with readable labels of the sample."""
    found: dict[date, tuple[int, int]] = {}
    for each in history:
        is_wanted = is_within(each, filters) and is_of_stream(each, filters.stream or "audit")
        if is_wanted and each.n and filters.digit in {None, each.digit}:
            n, right = found.get(MONTHS[each.month], (0, 0))
            found[MONTHS[each.month]] = n + each.n, right + each.right
    return dict(sorted(found.items()))


def told_months(history: list[Group], filters: Filters) -> list[date]:
    return [month for month, (n, _) in labels_by_month(history, filters).items() if n >= 30]


def assert_is_share(text: str, right: int, n: int) -> None:
    assert abs(float(text) - 100 * right / n) < 0.1001
    assert (text == "100") == (right == n)


def check_words(text: str) -> None:
    """What no sentence may say."""
    assert not re.search(r"\b(nan|None|inf|True|False)\b", text), text
    assert not NEGATIVE.search(text), text
    assert not WRONG_NOUN.search(text), text


def check_sentence(text: str) -> None:
    check_words(text)
    for told in N_TOLD.findall(text):
        assert int(told.replace(",", "")) >= 30, text


def check_accuracy(history: list[Group], filters: Filters, made: Mapping[str, Figure]) -> None:
    labels, told = labels_by_month(history, filters), told_months(history, filters)
    shown = {tile.title: tile for tile in tiles(made)}
    for name in ("headline", "accuracy-by-month", "accuracy-by-day"):
        sentence = made[name].sentence
        if told:
            n, right = labels[told[-1]]
            (said,) = re.findall(
                rf"Of 100 drawings.*? in {told[-1]:%B %Y}, ([\d.]+) \([^)]*\) were read right"
                rf"|Of 100 drawings.*?, ([\d.]+) \([^)]*\) were read right in {told[-1]:%B %Y}",
                sentence,
            )
            assert_is_share("".join(said), right, n)
            assert_is_share(shown[f"{told[-1]:%B %Y}"].number, right, n)
            later = [month for month in labels if month > told[-1]]
            assert ("has too few labels yet" in sentence) == bool(later)
        elif labels:
            newest = max(labels)
            wanted = f"{newest:%B %Y} has {labels[newest][0]} of 30 needed"
            assert wanted in sentence
            assert wanted in shown["Read right"].note
        else:
            assert sentence == (sentences.NO_AUDITS if is_random(filters) else sentences.NO_LABELS)
    if filters.digit is not None and labels:
        assert f"of {filters.digit}" in made["headline"].sentence
    for name in ("corrections", "label-flow"):
        is_said = "filter for a digit does not apply" in made[name].sentence
        assert is_said == (filters.digit is not None)


def check_best_and_worst(figure: Figure) -> None:
    """They are named only if digits with enough labels differ by more than chance."""
    rows = [(row[-5], row[-6]) for row in figure.rows if row[-6] >= 30]  # right, n
    table = np.array([[right, n - right] for right, n in rows])
    is_valid = len(rows) > 1 and table.sum(axis=0).min() > 0
    p = chi2_contingency(table, correction=False).pvalue if is_valid else 1.0
    if "Best read" in figure.sentence:
        assert p < 0.05, figure.sentence
    if "no more than chance" in figure.sentence:
        assert p >= 0.05, figure.sentence


def check_counts(history: list[Group], filters: Filters, made: Mapping[str, Figure]) -> None:
    everything = [each for each in history if is_within(each, replace(filters, first=None))]
    shown = {tile.title: tile for tile in tiles(made)}
    wrong = sum(each.wrong for each in everything)
    assert shown["Found to be misread"].number == f"{wrong:,}"
    if made["corrections"].rows:
        assert f"{wrong:,} drawing" in made["corrections"].sentence
    here = [each for each in history if is_within(each, filters)]
    said = made["label-flow"].sentence
    if made["label-flow"].rows:
        came = sum(each.drawings for each in here)
        settled = sum(each.drawings - each.unlabeled for each in here)
        waiting = sum(each.unlabeled for each in everything)
        numbers = [int(text) for text in re.findall(r"(\d+) (?:drawing|was|were|is|are)", said)]
        assert numbers == [came, settled, waiting], said
    else:
        assert not everything
    read: Counter[int] = Counter()
    for each in here:
        if filters.stream in {"", "all"}:
            read[each.digit] += each.drawings - each.wrong
            read[(each.digit + 1) % 10] += each.wrong
        elif is_of_stream(each, filters.stream):
            unlabeled = 0 if each.is_audit else each.unlabeled
            read[each.digit] += each.drawings - each.wrong - unlabeled
            read[(each.digit + 1) % 10] += each.wrong
    n = read.total() if filters.digit is None else read[filters.digit]
    for name in ("confidence-by-month", "confidence-by-digit", "confidence-histogram-by-month"):
        covered = made[name].sampled_from
        assert covered.startswith(f"All {n:,} drawing" if n else sentences.NO_DRAWINGS), covered


ONE_LABEL = [Group(0, right=1)]
NOTHING: list[Group] = []
ALL_ONE_DIGIT = [Group(0, right=60), Group(1, right=60, wrong=2)]
A_FEW_IN_EACH = [Group(month, right=18) for month in range(4)]
LONG_AGO = [Group(0, right=60, wrong=2), Group(3, right=15)]
ONLY_IMPORTS = [Group(0, right=60, wrong=15, source="import", is_audit=False)]
WITH_IMPORTS = [Group(0, right=40), Group(0, right=30, wrong=15, source="import")]
ALL_ERASED = [Group(0, right=30, wrong=1, is_erased=True)]


class TestAnyHistory(TestCase):
    @settings(max_examples=25)
    @given(st.lists(groups, max_size=5), some_filters)
    @example(NOTHING, Filters())
    @example(ONE_LABEL, Filters())
    @example(ALL_ONE_DIGIT, Filters(digit=7))
    @example(ALL_ONE_DIGIT, Filters(digit=5))
    @example(ALL_ONE_DIGIT, Filters(stream="second"))
    @example(A_FEW_IN_EACH, Filters())
    @example(LONG_AGO, Filters())
    @example(ONLY_IMPORTS, Filters(stream="all"))
    @example(WITH_IMPORTS, Filters())
    @example(ALL_ERASED, Filters())
    def test_every_sentence_is_true(self, history: list[Group], filters: Filters) -> None:
        history = [each for each in history if each.drawings]
        make_history(history)
        made = {name: make_figure(name, filters) for name in FIGURES}
        for figure in made.values():
            check_sentence(figure.sentence)
            check_words(figure.sampled_from)
        for tile in tiles(made):
            check_sentence(f"{tile.title}: {tile.number}. {tile.note}")
        check_accuracy(history, filters, made)
        check_best_and_worst(made["accuracy-by-digit"])
        check_best_and_worst(made["accuracy-by-month-and-digit"])
        check_counts(history, filters, made)

    @settings(max_examples=8)
    @given(st.lists(groups, max_size=4))
    @example(NOTHING)
    @example(ONE_LABEL)
    @example(A_FEW_IN_EACH)
    @example(LONG_AGO)
    @example(ONLY_IMPORTS)
    @example(ALL_ONE_DIGIT)
    def test_every_page_says_what_is_true_now(self, history: list[Group]) -> None:
        history = [each for each in history if each.drawings]
        make_history(history)
        client, told = Client(), told_months(history, Filters())
        compared = client.get("/dashboard/compare/")
        check_words(text_of(compared))
        which = compared.context["which"]
        if len(told) > 1:
            assert (which.one, which.other) == (f"{told[0]:%Y-%m}", f"{told[-1]:%Y-%m}")
        elif history:
            assert "two months with 30 labels each are needed" in text_of(compared)
        newest = client.get("/dashboard/months/", follow=True)
        check_words(text_of(newest))
        for each in history:
            if each.source != "import":
                sheet = client.get(f"/dashboard/months/{MONTHS[each.month]:%Y-%m}/")
                check_sheet(text_of(sheet), MONTHS[each.month], history)
        if told:
            assert newest.redirect_chain == [(f"/dashboard/months/{told[-1]:%Y-%m}/", 302)]


def text_of(page: Any) -> str:
    html = page.content.decode().split("<main", 1)[-1]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def check_sheet(text: str, month: date, history: list[Group]) -> None:
    check_words(text)
    told = told_months(history, Filters())
    n, _ = labels_by_month(history, Filters()).get(month, (0, 0))
    if n < 30:
        assert f"too few labels to tell a change: {n} of 30 needed" in text
    elif month == told[0]:
        assert "No earlier month has the 30 labels needed" in text
    if "more than chance" in text and "Drawings were read" in text:
        assert n >= 30


# -- the functions themselves -------------------------------------------------------------------

numbers = st.integers(0, 12_000)
shares = st.tuples(st.integers(1, 2_000), st.integers(0, 2_000)).map(
    lambda drawn: Sample.of(min(drawn), max(drawn))
)


@given(numbers, numbers, st.none() | st.just(MONTHS[1]))
def test_corrections_are_counted_and_never_negative(total: int, before: int, since: Any) -> None:
    said = sentences.misread(total, MONTHS[2], since, before)
    check_words(said)
    assert f"{total:,} drawing" in said


@given(numbers, st.integers(-12_000, 12_000), numbers)
def test_more_may_be_opened_again_than_settled(came: int, settled: int, waiting: int) -> None:
    said = sentences.flow(came, settled, waiting, MONTHS[2])
    check_words(said)
    assert ("opened again" in said) == (settled < 0)


@given(st.dictionaries(st.tuples(st.integers(1, 3), st.sampled_from(MONTHS)), shares))
def test_versions_are_told_only_from_enough_drawings(
    samples: dict[tuple[int, date], Sample],
) -> None:
    said = sentences.about_replay(samples, {1: "one", 2: "two", 3: "three"})
    check_sentence(said)
    told = [place for place, sample in samples.items() if sample.n >= 30]
    assert (f"drawings of {max(month for _, month in told):%B %Y}" in said) if told else True


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), numbers, st.none() | shares), max_size=4))
def test_the_learning_curve_is_told_only_from_enough_drawings(drawn: list[Any]) -> None:
    points = [
        (name, labels, sample.n if sample else 0, sample and sample.share)
        for name, labels, sample in sorted(drawn, key=lambda each: each[1])
    ]
    check_sentence(sentences.learned(points))


@given(st.lists(st.tuples(st.sampled_from([3, 8, 9]), st.sampled_from([3, 8, 9])), max_size=9))
def test_a_map_names_the_most_frequent_mistake_if_there_is_one(pairs: Any) -> None:
    said = sentences.mapped("one", pairs)
    check_words(said)
    mistakes = Counter(frozenset(pair) for pair in pairs if len(set(pair)) == 2).most_common()
    is_one = bool(mistakes) and (len(mistakes) == 1 or mistakes[0][1] > mistakes[1][1])
    assert ("most often" in said) == is_one


@given(st.dictionaries(st.sampled_from("0123456789"), shares, max_size=10))
def test_the_best_and_the_worst_are_named_only_beyond_chance(samples: dict[str, Sample]) -> None:
    said = sentences.extremes(samples)
    check_sentence(said)
    enough = [sample for sample in samples.values() if sample.n >= 30]
    if "Best read" in said:
        table = [[sample.right, sample.n - sample.right] for sample in enough]
        assert chi2_contingency(table, correction=False).pvalue < 0.05


@given(shares, st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_the_sample_is_described_with_the_right_nouns(
    sample: Sample, unreadable: int, unsettled: int, is_random: bool
) -> None:
    sample.unreadable, sample.unsettled = unreadable, unsettled
    check_words(sampled_from(sample, is_random=is_random))


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("1 drawings came", True), ("21 drawing came", True), ("0 drawing", True),
        ("1 drawing, 0 labels", False), ("-143 drawings were", True), ("−1.2 points", False),
        ("(95%: −1.2 to +2.0)", False), ("93 (n = 29)", True), ("1,001 drawings", False),
    ],
)  # fmt: skip
def test_the_check_of_words_finds_what_it_is_for(text: str, is_wrong: bool) -> None:
    if is_wrong:
        with pytest.raises(AssertionError):
            check_sentence(text)
    else:
        check_sentence(text)


readers = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 90), min_size=1)
rereads = st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(0, 90)).map(
    lambda drawn: reread_of(max(drawn), min(drawn[:2]), min(drawn[1:]))
)


def reread_of(n: int, as_read: int, again: int) -> Reread:
    if not n:
        return Reread(0, None, None, None)
    one, other = Share.of(as_read, n), Share.of(again, n)
    return Reread(n, one, other, difference(other, one))


@given(readers, readers, rereads, rereads)
def test_the_causes_of_a_change_are_told_only_from_enough_drawings(
    before: dict[str, int], here: dict[str, int], now: Reread, then: Reread
) -> None:
    name = max(before, key=lambda each: before[each])
    found = Causes(MONTHS[1], MONTHS[0], name, Counter(here), Counter(before), now, then)
    said = [found.verdict, found.model_in_words, found.drawings_in_words]
    for sentence in said:
        check_sentence(sentence)
    if set(before) == set(here) == {name}:
        assert said[1] == f"{name} read all labeled drawings of both months."
        assert "the drawings" in said[0]
    elif min(now.n, then.n) < 30:
        assert all("30 needed" in sentence for sentence in said[1:])
        assert "cannot tell yet" in said[0]
    else:
        assert found.by_model
        assert found.by_drawings
        assert ("the model" in said[0] and "shows" in said[0]) == found.by_model.is_more_than_chance
        assert f"{before[name]} of the" in said[1]


# -- simultaneous intervals ---------------------------------------------------------------------


def test_of_ten_equal_digits_none_is_called_best() -> None:
    """Each read right in 95 of 100; by chance one has 99 and another 90."""
    right = [99, 97, 96, 95, 95, 95, 94, 94, 93, 90]
    said = sentences.extremes({str(at): Sample.of(each, 100) for at, each in enumerate(right)})
    assert said == "The 10 with enough labels differ no more than chance would make them."


def test_intervals_of_the_best_and_worst_hold_for_all_together() -> None:
    dice, missed, told = np.random.default_rng(5), 0, 0
    truth = np.array([0.99] * 5 + [0.9] * 5)
    for _ in range(400):
        right = dice.binomial(200, truth)
        samples = {str(at): Sample.of(int(each), 200) for at, each in enumerate(right)}
        said = sentences.extremes(samples)
        found = re.findall(r"read: (\d), [\d.]+ of 100 \(between ([\d.]+) and ([\d.]+),", said)
        told += bool(found)
        missed += any(
            not float(low) - 0.05 <= 100 * truth[int(name)] <= float(high) + 0.05
            for name, low, high in found
        )
    assert told > 390
    assert missed / told < 0.05


def test_many_cells_do_not_overflow_the_test() -> None:
    samples = {str(at): Sample.of(90 - at % 7, 100) for at in range(1_200)}
    assert "differ no more than chance" in sentences.extremes(samples)


def test_the_mean_confidence_of_a_few_drawings_is_not_told() -> None:
    few = {"digit 1": (1_000_000, 1), "digit 4": (4_000_000, 6)}
    said = sentences.mean_confidence(few)
    assert said == "There are too few drawings to tell a mean: 6 of 30 needed for digit 4."
    enough = {"digit 2": (27_000_000, 30), "digit 3": (38_000_000, 40)}
    said = sentences.mean_confidence({**few, **enough})
    assert said == ("Mean confidence is highest for digit 3, 95.0%, and lowest for digit 2, 90.0%.")


def test_of_a_few_drawings_no_share_is_told() -> None:
    few, many = (np.eye(20, dtype=np.int64)[19] * n for n in (2, 30))
    said = sentences.sure({date(2016, 11, 1): few, date(2026, 11, 1): many}, Filters())
    assert (
        "30 of 30 drawings in November 2026 (100 of 100); 2 of 2 drawings in November 2016." in said
    )


def test_a_share_of_a_few_opinions_is_not_told() -> None:
    assert "of 100" not in sentences.about_agreement(1, 1, Share.of(1, 1))
    assert sentences.about_agreement(0, 0, None) == "Nobody has given a second opinion yet."
    assert "of 100, 90 (95% sure" in sentences.about_agreement(36, 40, Share.of(36, 40))

"""Whom a figure speaks for: the people behind it, claims about others, what is missing."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard import tasks
from dashboard.cube.authors import AUTHOR, Authors
from dashboard.cube.counting import catch_up
from dashboard.cube.missing import count_missing
from dashboard.figures.audits import Missing, ceiling, lopsided
from dashboard.figures.difference import between
from dashboard.figures.likeness import USUAL, correlation, sums_of_squares
from dashboard.figures.people import OneSide, People, widening
from dashboard.figures.sample import Part, Sample
from dashboard.filters import SOURCES, Filters
from dashboard.models import MissingAudits, MonthAuthors, Replay, ReplayItem
from dashboard.replay import authorship, replay
from dashboard.reports.compared_months import of_months
from dashboard.reports.compared_versions import of_versions
from labeling.batches.erasure import erase_owner
from labeling.decisions.decisions import Answer
from labeling.models import QueueItem
from labeling.queue import gold
from predictions.capture.visitors import author_of
from predictions.models import ModelVersion, Owner, Prediction
from predictions.templatetags.readings import unbroken
from tests.dashboard.audits import NOVEMBER, OCTOBER, audited, label, learn
from tests.factories import make_ada, make_ben, make_live, make_prediction, make_user, make_version
from tests.labeling.door import Door, correct, let_lease_expire, make_gold, make_item

NOV, OCT = date(2026, 11, 1), date(2026, 10, 1)
ANN, BOB, CAT = (uuid.UUID(int=number) for number in (1, 2, 3))


def drawn(
    right: int, wrong: int, *, at: datetime = NOVEMBER, by: uuid.UUID | None = None, **fields: Any
) -> list[Prediction]:
    """Audits by one person, or each by somebody else."""
    return [
        audited(7 if number < right else 3, at=at, visitor=by or uuid.uuid4(), **fields)
        for number in range(right + wrong)
    ]


def counted() -> None:
    catch_up()
    replay.replay_for()


def figure(client: Client, name: str, query: str = "") -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"/dashboard/data/{name}.json{query}").json()
    keys = [column["key"] for column in body["columns"]]
    return {**body, "rows": [dict(zip(keys, row, strict=True)) for row in body["rows"]]}


# -- who drew it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "largest", "said"),
    [
        (1, 1.0, "by one person"),
        (2, 0.5, "by 2 people"),
        (2, 0.97, "by 2 people, one of whom drew nearly all"),
        (9, 0.5, "by 9 people, one of whom drew half"),
        (9, 0.3, "by 9 people, one of whom drew a third"),
        (1_412, 0.02, "by 1,412 people"),
    ],
)
def test_people_are_told_with_the_largest_share(count: int, largest: float, said: str) -> None:
    assert People(count, largest).in_words == said


@pytest.mark.django_db
class TestOfAFigure:
    @pytest.fixture(autouse=True)
    def november(self) -> None:
        make_live("sevens", favorite=7)
        drawn(9, 1, by=ANN)
        drawn(6, 0, by=BOB)
        drawn(4, 0, by=CAT)
        drawn(5, 0, at=OCTOBER, by=CAT)
        counted()

    def test_it_says_how_many_people_drew_its_drawings_and_whom_its_interval_is_about(
        self, client: Client
    ) -> None:
        for name in ("accuracy-by-month", "accuracy-by-day", "true-by-predicted"):
            said = figure(client, name, "?first=2026-11")["sampled_from"]
            assert said.startswith(
                "From 20 drawings chosen at random, labeled blind, by 3 people, one of whom drew"
                " half"
            ), said
            assert said.endswith(
                "An interval is about the drawings of its time, whoever made them."
            )
        assert (
            "25 drawings chosen at random, labeled blind, by 3 people, one of whom drew a third"
            in (figure(client, "accuracy-by-month")["sampled_from"])
        )
        compared = client.get("/dashboard/compare/data.json?one=2026-10&other=2026-11").json()
        assert compared["sampled_from"].count("November 2026: From 20 drawings") == 1
        assert compared["sampled_from"].count("whoever made them") == 1

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("?digit=3", "by one person"),
            ("?version=sevens&last=2026-10", "by one person"),
            ("?source=api", "by 3 people, one of whom drew a third"),
        ],
    )
    def test_the_filters_choose_the_people_too(self, client: Client, query: str, said: str) -> None:
        assert said in figure(client, "accuracy-by-month", query)["sampled_from"]

    def test_where_other_drawings_are_looked_at_nobody_is_counted(self, client: Client) -> None:
        assert "people" not in figure(client, "accuracy-of-all-labeled")["sampled_from"]

    def test_the_stored_people_are_those_of_the_labels(self) -> None:
        """Counted in another way: one by one."""
        for month in (OCT, NOV):
            rows = np.frombuffer(MonthAuthors.objects.get(month=month).counts, AUTHOR)
            stored = {tuple(row)[:3] + tuple(row)[4:]: int(row["n"]) for row in rows}
            wanted: Counter[Any] = Counter()
            for item in ReplayItem.objects.filter(month=month).select_related("prediction"):
                one = item.prediction
                number = authorship.author_number(one.user_id, one.visitor, one.glyph_digest)
                source = SOURCES.index(one.source)
                wanted[number, one.version_id, 50_000, source, item.digit] += 1
            assert stored == wanted

    def test_who_erases_their_drawings_is_no_longer_counted(self, client: Client) -> None:
        before = client.get("/dashboard/data/accuracy-by-month.json")
        erase_owner(Owner(visitor=BOB))
        counted()
        after = client.get(
            "/dashboard/data/accuracy-by-month.json", headers={"If-None-Match": before["ETag"]}
        )
        assert "by 2 people" in after.json()["sampled_from"]

    def test_it_says_how_high_it_can_read_where_labelers_err_on_gold(self, client: Client) -> None:
        Replay.objects.update(gold_answers=200, gold_wrong=8)
        assert (
            "About 4 of 100 labels are wrong, by 200 answers to items with a known answer, so 96 of"
            " 100 is as high as this can read."
            in figure(client, "accuracy-by-month")["sampled_from"]
        )


@pytest.mark.parametrize(
    ("wrong", "answers", "said"),
    [(0, 500, ""), (3, 29, ""), (4, 400, "so 99.0 of 100"), (12, 100, "so 88 of 100")],
)
def test_a_ceiling_needs_mistakes_and_enough_gold(wrong: int, answers: int, said: str) -> None:
    assert said in ceiling(wrong, answers)
    assert bool(ceiling(wrong, answers)) is bool(said)


@pytest.mark.django_db
def test_answers_to_gold_are_counted_with_the_replay() -> None:
    make_live()
    ada = Door(make_ada())
    for digit in (7, 3):
        known = make_item()
        make_gold(known, 7)
        item = {"id": str(known.public_id), "token": gold_token(known)}
        assert ada.label(item, digit).status_code == 200
    drawn(3, 0)
    counted()
    assert (Replay.objects.get().gold_answers, Replay.objects.get().gold_wrong) == (2, 1)


def gold_token(prediction: Prediction) -> str:
    return str(gold.new_gold_token(User.objects.get(username="ada").pk, prediction.pk))


# -- claims about the model -----------------------------------------------------------------------


def side(*drawings: tuple[int, int], sign: int = 1, chance: int = 50_000) -> OneSide:
    """(author, drawings) of each, all of the same weight."""
    rows = np.array([(author, 1, chance, n, 0, 7) for author, n in drawings], AUTHOR)
    return OneSide(Authors(rows, 0.1), {chance: 20.0}, {chance: 0.3}, sign)


class TestWidening:
    def test_it_is_the_design_effect_of_one_persons_drawings(self) -> None:
        assert widening([side((1, 100))], 0.1) == pytest.approx(1 + 0.1 * 99)

    def test_drawings_by_as_many_people_are_independent(self) -> None:
        assert widening([side(*((author, 1) for author in range(100)))], 0.1) == 1

    def test_a_large_part_by_one_counts_more_than_the_same_by_many(self) -> None:
        half = widening([side((0, 50), *((author, 2) for author in range(1, 26)))], 0.1)
        assert half == pytest.approx(1 + 0.1 * ((50**2 + 25 * 4) / 100 - 1))
        assert half > widening([side(*((author, 4) for author in range(25)))], 0.1)

    def test_what_one_person_adds_to_both_sides_of_a_difference_cancels(self) -> None:
        assert widening([side((1, 100)), side((1, 100), sign=-1)], 0.1) == 1
        others = widening([side((1, 100)), side((2, 100), sign=-1)], 0.1)
        assert others == pytest.approx(1 + 0.1 * 99)

    def test_without_a_correlation_nothing_is_wider(self) -> None:
        assert widening([side((1, 100))], 0.0) == 1


def sample_by(*authors: int, right: int, n: int, alike: float) -> Sample:
    sample = Sample()
    sample.add(50_000, Part(n, n, n, right))
    rows = np.array([(each, 1, 50_000, n // len(authors), 0, 7) for each in authors], AUTHOR)
    sample.authors = Authors(rows, alike)
    return sample


def test_months_by_other_people_differ_only_if_they_differ_more_than_people_do() -> None:
    few = between(
        sample_by(1, right=900, n=1_000, alike=0.05), sample_by(2, right=960, n=1_000, alike=0.05)
    )
    crowds = [range(start, start + 1_000) for start in (0, 5_000)]
    many = between(
        sample_by(*crowds[0], right=900, n=1_000, alike=0.05),
        sample_by(*crowds[1], right=960, n=1_000, alike=0.05),
    )
    assert few is not None
    assert many is not None
    assert few.value == pytest.approx(many.value) == pytest.approx(0.06)
    assert many.is_more_than_chance
    assert not few.is_more_than_chance


def test_the_share_itself_stays_as_wide_as_its_drawings_and_the_claim_about_others_does_not() -> (
    None
):
    one = sample_by(1, right=900, n=1_000, alike=0.05)
    assert one.share == Sample.of(900, 1_000).share
    assert one.share is not None
    assert (claim := one.share_of_others()) is not None
    assert claim.value == one.share.value
    assert claim.high - claim.low > 5 * (one.share.high - one.share.low)


@pytest.mark.parametrize("alike", [0.0, 0.1, 0.4])
def test_the_correlation_of_one_persons_drawings_is_found(alike: float) -> None:
    dice = np.random.default_rng(5)
    total = np.zeros(6)
    for _ in range(12):
        people = (
            dice.beta(0.9 * (1 / alike - 1), 0.1 * (1 / alike - 1), 60) if alike else [0.9] * 60
        )
        authors = np.repeat(np.arange(60), dice.integers(1, 40, 60)).astype(np.uint64)
        values = (dice.random(len(authors)) < np.take(people, authors.astype(int))).astype(float)
        total += sums_of_squares(values, authors, np.zeros(len(authors), np.int64))
    assert correlation(total) == pytest.approx(alike, abs=0.05)


def test_of_few_people_the_usual_correlation_is_taken() -> None:
    assert correlation(np.zeros(6)) == USUAL
    values, authors = np.array([1.0] * 40 + [0.0] * 10), np.repeat([1, 2], 25).astype(np.uint64)
    found = correlation(sums_of_squares(values, authors, np.zeros(50, np.int64)))
    assert USUAL < found < 0.15  # of the two alone it is .4


@pytest.mark.django_db
def test_every_claim_is_wider_where_one_person_drew_all(client: Client) -> None:
    """Compare, the headline's change and the learning curve, against as many drawings by many."""
    make_live("sevens", favorite=7)
    make_version("threes", favorite=3)
    widths = []
    for month, by in ((OCTOBER, None), (NOVEMBER, ANN)):
        drawn(36, 4, at=month, by=by)
    counted()
    for alike in (0.0, 0.5):
        Replay.objects.update(alike=alike, alike_in_pairs=alike)
        months, versions = of_months(OCT, NOV, None), of_versions("sevens", "threes", Filters())
        curve = {row["version"]: row for row in figure(client, "learning-curve")["rows"]}["sevens"]
        assert months.difference is not None
        assert versions.difference is not None
        widths.append([
            months.difference.high - months.difference.low,
            versions.difference.high - versions.difference.low,
            curve["high"] - curve["low"],
        ])  # fmt: skip
    for narrow, wide in zip(*widths, strict=True):
        assert wide > 1.3 * narrow


# -- people a version learned from ----------------------------------------------------------------


@pytest.mark.django_db
class TestUnseenHands:
    @pytest.fixture(autouse=True)
    def history(self) -> None:
        """`child` learned from Ann; all drew audits."""
        make_live("sevens", favorite=7)
        child = make_version("child", favorite=3)
        live = ModelVersion.objects.live()
        ModelVersion.objects.filter(pk=child.pk).update(parent=live.get())
        taught = make_prediction(visitor=ANN, created_at=OCTOBER)
        label(taught, 7)
        learn(child, taught)
        drawn(4, 1, by=ANN)
        drawn(3, 2, by=BOB)
        counted()

    def test_the_replay_and_the_learning_curve_show_them_beside_all(self, client: Client) -> None:
        for name, shares in (("replay", (0.3, 0.4)), ("learning-curve", (0.7, 0.6))):
            rows = {row["version"]: row for row in figure(client, name)["rows"]}
            found = rows["child"]
            assert (found["n"], found["unseen_n"]) == (10, 5)
            assert (found["share"], found["unseen_share"]) == pytest.approx(shares)
            assert found["unseen_low"] < found["unseen_share"] < found["unseen_high"]
            assert rows["sevens"]["unseen_n"] == rows["sevens"]["n"] == 10

    def test_a_comparison_says_what_it_is_without_the_people_one_of_the_two_knows(
        self, client: Client
    ) -> None:
        found = of_versions("sevens", "child", Filters())
        assert found.pairs is not None
        assert found.unseen_pairs is not None
        assert (found.pairs.better, found.pairs.worse, found.pairs.n) == (3, 7, 10)
        assert (found.unseen_pairs.better, found.unseen_pairs.worse) == (2, 3)
        assert (
            "5 of the 10 drawings are by people from whom neither version learned"
            in found.unseen_in_words
        )
        page = client.get("/dashboard/compare/?by=versions&one=sevens&other=child").content.decode()
        assert unbroken(found.unseen_in_words) in page

    def test_descendants_know_whom_their_ancestors_learned_from(self) -> None:
        grandchild = make_version("grandchild")
        child = ModelVersion.objects.get(name="child")
        ModelVersion.objects.filter(pk=grandchild.pk).update(parent=child)
        versions = list(ModelVersion.objects.order_by("pk").values_list("pk", flat=True))
        known = authorship.authors_learned_by(versions)
        ann = authorship.author_number(None, ANN, authorship.NO_GLYPH)
        assert [ann in known[version] for version in versions] == [False, True, True]


# -- what is missing ------------------------------------------------------------------------------


@pytest.mark.django_db
class TestMissingAudits:
    def test_each_reason_is_counted_apart_and_told(self, client: Client) -> None:
        make_live()
        ada, bea = Door(make_ada()), Door(make_user("bea", role="labeler"))
        labeled, unreadable, skipped, expired, erased, waiting, changed = (
            make_item(is_audit=True, created_at=NOVEMBER, visitor=uuid.UUID(int=number + 10))
            for number in range(7)
        )
        for item in ada.items(20):
            made = Prediction.objects.get(public_id=item["id"])
            if made in (labeled, changed):
                ada.label(item, 7)
            elif made == unreadable:
                ada.label(item, None)
            elif made == skipped:
                ada.skip(item)
            elif made != expired:
                ada.release(item["id"])
        let_lease_expire(expired)
        erase_owner(Owner(visitor=erased.visitor))
        correct(Prediction.objects.filter(pk=changed.pk), Answer(4), by=make_ben())
        assert waiting.pk
        count_missing()
        counted()
        row = MissingAudits.objects.values_list(*Missing._fields).get(month=NOV)
        assert row == (3, 1, 1, 1, 1)
        said = figure(client, "accuracy-by-month")["sampled_from"]
        assert "1 more was unreadable and left out" in said
        assert (
            "4 are not labeled (1 skipped, 1 handed out and not answered, 1 erased, 1 waiting)"
            in said
        )
        assert "1 was changed by an admin, no longer blind" in said
        assert bea.items(20)

    def test_an_audit_skipped_by_one_and_left_by_another_is_counted_once(self) -> None:
        make_live()
        made = make_item(is_audit=True, created_at=NOVEMBER)
        ada, bea = Door(make_ada()), Door(make_user("bea", role="labeler"))
        ada.skip(ada.item())
        assert bea.item()["id"] == str(made.public_id)
        let_lease_expire(made)
        count_missing()
        row = MissingAudits.objects.get()
        assert (row.skipped, row.expired) == (1, 0)

    def test_a_figure_warns_where_much_of_what_was_shown_is_not_labeled(
        self, client: Client
    ) -> None:
        make_live()
        drawn(40, 0)
        counted()
        assert figure(client, "accuracy-by-month")["warning"] == ""
        MissingAudits.objects.create(month=NOV, labeled=40, skipped=2)
        warned = figure(client, "accuracy-by-month")["warning"]
        assert "of 42 audits that were shown to somebody or erased, 2 have no label" in warned
        assert figure(client, "accuracy-by-month", "?last=2026-10")["warning"] == ""

    def test_the_job_of_every_minute_counts_the_last_two_months_and_the_nightly_one_all(
        self,
    ) -> None:
        make_live()
        now = timezone.now()
        for at in (now, now - timedelta(days=200)):
            made = make_item(is_audit=True, created_at=at)
            QueueItem.objects.filter(pk=made.pk).update(skips=1)
        tasks.count()
        assert MissingAudits.objects.get().month == timezone.localdate().replace(day=1)
        tasks.check()
        assert MissingAudits.objects.count() == 2
        QueueItem.objects.update(skips=0)
        tasks.check()
        assert set(MissingAudits.objects.values_list("skipped", flat=True)) == {0}

    def test_browsers_are_told_of_it(self, client: Client) -> None:
        make_live()
        drawn(3, 0)
        counted()
        address = "/dashboard/data/accuracy-by-month.json"
        count_missing()
        known = {"If-None-Match": client.get(address)["ETag"]}
        assert client.get(address, headers=known).status_code == 304
        made = make_item(is_audit=True, created_at=NOVEMBER)
        QueueItem.objects.filter(pk=made.pk).update(skips=1)
        catch_up()
        known = {"If-None-Match": client.get(address)["ETag"]}
        assert count_missing() == 1
        assert client.get(address, headers=known).status_code == 200

    def test_a_month_about_one_version_says_so(self, client: Client) -> None:
        old, new = make_live("old"), make_live("new")
        drawn(30, 0, version=old)
        for _ in range(30):
            make_prediction(version=new, is_audit=True, created_at=NOVEMBER)
        counted()
        assert figure(client, "accuracy-by-month")["warning"] == (
            "November 2026: Mostly about old: of 100 audits that it read, 100 are labeled, and of"
            " those that new read 0."
        )
        assert figure(client, "accuracy-by-month", "?version=old")["warning"] == ""


@pytest.mark.parametrize(
    ("by_version", "warns"),
    [
        ({"old": (100, 90), "new": (100, 60)}, False),
        ({"old": (100, 90), "new": (100, 40)}, True),
        ({"old": (100, 90), "new": (29, 0)}, False),  # too few to matter
        ({"old": (100, 0), "new": (100, 0)}, False),
        ({}, False),
    ],
)
def test_versions_labeled_about_alike_are_no_reason_to_warn(
    by_version: dict[str, tuple[int, int]], warns: bool
) -> None:
    assert bool(lopsided(by_version)) is warns


def test_an_author_is_an_account_or_a_browser() -> None:
    glyph = uuid.UUID(int=9)
    numbers = {
        authorship.author_number(*each)
        for each in ((1, None, glyph), (None, ANN, glyph), (2, ANN, glyph))
    }
    assert len(numbers) == 3
    assert authorship.author_number(1, ANN, glyph) == authorship.author_number(1, BOB, ANN)
    assert author_of(None, None, glyph) == f"glyph {glyph}"

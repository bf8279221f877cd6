from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from dashboard.cube.counting import catch_up
from dashboard.figures.chance import p_equal
from dashboard.figures.sample import Part, Sample, together
from dashboard.filters import Filters
from dashboard.models import ReplayMonth, ReplayPair
from dashboard.replay import replay
from dashboard.reports import compared_versions
from dashboard.reports.compared_months import of_months
from dashboard.reports.compared_versions import CommonCount, of_versions
from dashboard.reports.comparison import Bar, Behind, Side
from predictions.glyphs.glyph import decode_glyph
from predictions.models import ModelVersion, Prediction
from predictions.templatetags.readings import unbroken
from tests.dashboard.audits import NOVEMBER, SEPTEMBER, audited, learn
from tests.dashboard.history import Month, make_history
from tests.factories import make_live, make_user, make_version

SEPT, NOV = date(2026, 9, 1), date(2026, 11, 1)


def glyph_of(prediction: Prediction) -> Any:
    return decode_glyph(bytes(prediction.glyph))


def side(parts: list[Bar]) -> Side:
    return Side("a", "a", together(part.sample for part in parts), parts, "")


def part(name: str, right: int, n: int) -> Bar:
    return Bar(name, Sample.of(right, n), Behind(0))


class TestSpans:
    def test_it_goes_from_the_worst_to_the_best_with_enough_labels(self) -> None:
        span = side([part("0", 90, 100), part("1", 99, 100), part("2", 1, 29)]).span
        assert span is not None
        assert (span.lowest.name, span.highest.name) == ("0", "1")
        assert span.width == pytest.approx(0.09)
        assert "more than chance" in span.in_words

    def test_equal_parts_have_a_span_that_chance_makes(self) -> None:
        span = side([part(str(digit), 95 - digit % 3, 100) for digit in range(10)]).span
        assert span is not None
        assert span.p is not None
        assert span.p > 0.5
        assert "no more than chance" in span.in_words

    def test_without_two_parts_there_is_none(self) -> None:
        assert side([part("0", 30, 30), part("1", 29, 29)]).span is None

    def test_without_mistakes_nothing_can_be_told(self) -> None:
        span = side([part("0", 30, 30), part("1", 40, 40)]).span
        assert span is not None
        assert "too few mistakes" in span.in_words

    @given(
        st.lists(st.tuples(st.integers(30, 3_000), st.integers(0, 100)), min_size=2, max_size=60)
    )
    def test_its_p_is_that_of_the_chi_square_test(self, drawn: list[tuple[int, int]]) -> None:
        parts = [part("", n - min(n, wrong), n) for n, wrong in drawn]
        right = [each.sample.right for each in parts]
        wrong = [each.n - each.sample.right for each in parts]
        least_expected = Fraction(
            min(each.n for each in parts) * min(sum(right), sum(wrong)), sum(right) + sum(wrong)
        )
        if least_expected < 1:
            assert p_equal([each.sample for each in parts]) is None
        else:
            found = chi2_contingency([right, wrong], correction=False)
            p = p_equal([each.sample for each in parts])
            assert p == pytest.approx(found.pvalue, rel=1e-9, abs=1e-200)

    def test_weighted_labels_count_for_what_they_are_worth(self) -> None:
        """Errors among drawings that are audited often say little of the digit as a whole."""
        parts = []
        for wrong in (2, 12):
            sample = Sample()
            sample.add(225_000, Part(60, 60, 60, 60 - wrong))
            sample.add(35_000, Part(60, 60, 60, 59))
            parts.append(sample)
        weighted, plain = p_equal(parts), p_equal([Sample.of(117, 120), Sample.of(107, 120)])
        assert plain is not None
        assert plain < 0.01
        assert weighted is not None
        assert weighted > 0.3


@pytest.mark.django_db
class TestMonths:
    def test_a_real_difference_is_said_to_be_more_than_chance(self) -> None:
        make_history([Month(SEPT, 400, 0.85), Month(NOV, 400, 0.99)])
        catch_up()
        found = of_months(SEPT, NOV, None)
        assert found.difference is not None
        assert found.difference.low > 0
        assert "more than chance" in found.in_words
        assert len(found.first.parts) == 10
        assert sum(part.n for part in found.first.parts) == found.first.n == 400

    def test_so_is_a_loss(self) -> None:
        make_history([Month(SEPT, 400, 0.99), Month(NOV, 400, 0.85)])
        catch_up()
        assert "more than chance." in of_months(SEPT, NOV, None).difference_in_words

    def test_a_small_one_is_not_and_it_says_how_many_labels_would_tell(self) -> None:
        make_history([Month(SEPT, 60, 0.95), Month(NOV, 60, 0.95)], seed=3)
        catch_up()
        found = of_months(SEPT, NOV, None)
        assert found.difference is not None
        assert found.difference.low < 0 < found.difference.high
        assert "chance alone could make it" in found.in_words

    def test_one_digit_is_spanned_by_week(self) -> None:
        make_history([Month(NOV, 300, 0.9)])
        catch_up()
        found = of_months(NOV, NOV, 3).first
        assert [part.name for part in found.parts] == ["1–7", "8–14", "15–21", "22–28", "29–30"]
        assert sum(part.n for part in found.parts) == found.n

    def test_a_month_without_labels_is_a_gap(self) -> None:
        make_history([Month(NOV, 40, 0.9)])
        catch_up()
        found = of_months(SEPT, NOV, None)
        assert found.difference is None
        assert found.in_words.endswith("to compare: September 2026 has 0 of 30 needed.")

    def test_a_month_of_a_few_labels_is_not_compared(self) -> None:
        make_history([Month(SEPT, 60, 0.8), Month(NOV, 15, 1.0)])
        catch_up()
        found = of_months(SEPT, NOV, None)
        assert found.difference is None
        assert found.in_words.endswith("to compare: November 2026 has 15 of 30 needed.")

    def test_a_month_is_not_compared_with_itself(self) -> None:
        make_history([Month(NOV, 60, 0.8)])
        catch_up()
        assert of_months(NOV, NOV, None).in_words == "Both sides are November 2026."


@pytest.fixture
def two_versions(db: None) -> tuple[ModelVersion, ModelVersion]:
    versions = make_live("sevens", favorite=7), make_version("threes", favorite=3)
    for _ in range(28):
        audited(3)
    audited(7)
    audited(7, at=SEPTEMBER)
    catch_up()
    replay.replay_for()
    return versions


class TestVersions:
    def test_only_drawings_read_differently_tell_versions_apart(self, two_versions: Any) -> None:
        found = of_versions("sevens", "threes", Filters())
        assert found.pairs is not None
        assert (found.pairs.better, found.pairs.worse, found.pairs.n) == (28, 2, 30)
        assert found.difference is not None
        assert found.difference.value == pytest.approx(26 / 30)
        assert found.difference.is_more_than_chance
        turned = of_versions("threes", "sevens", Filters())
        assert turned.difference is not None
        assert turned.difference.value == -found.difference.value

    def test_the_period_and_the_digit_narrow_it(self, two_versions: Any) -> None:
        found = of_versions("sevens", "threes", Filters(first=SEPT, last=SEPT, digit=7))
        assert found.pairs is not None
        assert (found.pairs.better, found.pairs.worse, found.pairs.n) == (0, 1, 1)
        assert [part.name for part in found.first.parts] == ["Sep 2026"]
        assert found.in_words.endswith("read by both to compare: 1 of 30 needed.")

    def test_of_one_digit_months_are_put_together_and_lose_no_drawing(
        self, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts = [
            CommonCount(date(2019 + at // 12, 1 + at % 12, 1), 7, 0, 4, 2, 0, 0, 0, 1, 1)
            for at in range(96)
        ]
        monkeypatch.setattr(compared_versions, "common_counts", lambda *_: counts)
        for side in (found := of_versions("one", "other", Filters(digit=7))).first, found.second:
            assert [part.name for part in side.parts] == [str(year) for year in range(2019, 2027)]
            assert {part.n for part in side.parts} == {48}
            assert side.parts[0].behind == (7, "2019-01", "2019-12", None, None)

    def test_shares_and_difference_are_of_the_same_drawings(self, two_versions: Any) -> None:
        """Threes learned from ten of the drawings, and is not measured on them."""
        _, threes = two_versions
        learned = audited(3)
        for _ in range(9):
            audited(3, glyph=glyph_of(learned))
        learn(threes, learned)
        replay.replay_for()
        found = of_versions("sevens", "threes", Filters())
        assert found.first.n == found.second.n == found.pairs.n == 30
        one, other, difference = found.first.share, found.second.share, found.difference
        assert one
        assert other
        assert difference
        assert difference.value == pytest.approx(other.value - one.value)
        assert found.in_words.startswith(
            "On the same 30 drawings, sevens reads 6.7 of 100 right and threes 93.3."
            " The difference is +86.7 points"
        )
        assert "Both versions read them again" in found.first.sampled_from

    def test_pairs_counted_before_are_told_when_they_are_counted_again(
        self, two_versions: Any
    ) -> None:
        ReplayPair.objects.update(both=None)  # as an upgrade leaves them
        said = of_versions("sevens", "threes", Filters()).in_words
        assert said.startswith("The replay is counting these drawings again")
        ReplayMonth.objects.update(changes=F("changes") + 1)
        replay.replay_for()
        assert of_versions("sevens", "threes", Filters()).difference is not None


@pytest.mark.django_db
class TestPage:
    def test_a_link_reproduces_the_view(self, client: Client) -> None:
        make_history([Month(SEPT, 60, 0.8), Month(NOV, 60, 0.95)])
        catch_up()
        query = "?by=months&one=2026-09&other=2026-11&digit=3"
        page = client.get(f"/dashboard/compare/{query}")
        assert page.status_code == 200
        shown = page.content.decode()
        assert '<option value="2026-09" selected>' in shown
        assert '<option value="3" selected>' in shown
        assert "September 2026 and November 2026, by week" in shown
        body = client.get(f"/dashboard/compare/data.json{query}").json()
        assert unbroken(body["sentence"]) in shown.replace("&#x27;", "'")

    def test_it_opens_on_months_that_can_be_told(self, client: Client) -> None:
        make_history(
            [
                Month(date(2026, 8, 1), 15, 0.2),
                Month(SEPT, 60, 0.8),
                Month(date(2026, 10, 1), 60, 0.9),
                Month(NOV, 15, 1.0),
            ]
        )
        catch_up()
        page = client.get("/dashboard/compare/")
        which = page.context["which"]
        assert (which.one, which.other) == ("2026-09", "2026-10")
        asked = client.get("/dashboard/compare/?one=2026-08&other=2026-11")
        said = unbroken("August 2026 has 15 of 30 needed and November 2026 has 15")
        assert said in asked.content.decode()
        assert "The difference is" not in asked.content.decode()

    def test_without_two_such_months_it_says_what_is_needed(self, client: Client) -> None:
        make_history([Month(SEPT, 60, 0.8), Month(NOV, 15, 1.0)])
        catch_up()
        page = client.get("/dashboard/compare/")
        assert page.context["comparison"] is None
        said = unbroken("two months with 30 labels each are needed")
        assert said in page.content.decode()

    def test_versions_are_compared_there_too(self, client: Client, two_versions: Any) -> None:
        page = client.get("/dashboard/compare/?by=versions&one=sevens&other=threes")
        assert "more than chance" in page.content.decode()

    def test_csv_has_the_same_numbers(self, client: Client, two_versions: Any) -> None:
        query = "?by=versions&one=sevens&other=threes"
        lines = client.get(f"/dashboard/compare/data.csv{query}").content.decode().splitlines()
        body = client.get(f"/dashboard/compare/data.json{query}").json()
        assert lines[0] == "side,part,n,right,share,low,high,enough,label,first,last,since,until"
        assert len(lines) == 1 + len(body["rows"])
        assert "sevens,3,28,0," in lines[1]

    def test_a_tag_saves_the_second_answer(self, client: Client, two_versions: Any) -> None:
        address = "/dashboard/compare/data.json?by=versions"
        tag = client.get(address)["ETag"]
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("by=people", "by"),
            ("by=months&one=soon", "one"),
            ("by=versions&one=nobody", "nobody"),
            ("source=api", "source"),
            ("digit=12", "digit"),
            ("one=2026-09&one=2026-10", "one"),
        ],
    )
    def test_what_is_unknown_is_refused_by_name(
        self, client: Client, query: str, named: str
    ) -> None:
        assert client.get(f"/dashboard/compare/?{query}").status_code == 400
        answer = client.get(f"/dashboard/compare/data.json?{query}")
        assert answer.status_code == 400
        assert named in answer.json()["error"]["message"]

    def test_drawings_are_shown_to_those_who_may_see_labels(
        self, client: Client, two_versions: Any
    ) -> None:
        address = "/dashboard/compare/?by=versions&one=sevens&other=threes"
        assert "/glyphs/" not in client.get(address).content.decode()
        client.force_login(make_user("cy"))
        assert "/glyphs/" not in client.get(address).content.decode()
        client.force_login(make_user("ann", role="analyst"))
        shown = client.get(address).content.decode()
        assert shown.count("/glyphs/") == 8 + 2
        assert "threes reads them right, sevens wrong" in shown

    def test_examples_of_months_are_wrong_ones_and_right_ones(
        self, client: Client, two_versions: Any
    ) -> None:
        catch_up()
        client.force_login(make_user("ann", role="analyst"))
        found = client.get("/dashboard/compare/?one=2026-09&other=2026-11")
        titles = [kind.title for kind in found.context["examples"]]
        assert titles == [
            "September 2026, read right", "November 2026, read wrong", "November 2026, read right",
        ]  # fmt: skip

    def test_without_data_there_are_words(self, client: Client) -> None:
        assert "Nothing is drawn yet" in client.get("/dashboard/compare/").content.decode()
        body = client.get("/dashboard/compare/data.json").json()
        assert body["sentence"].startswith("There is nothing to compare yet")


@pytest.mark.django_db
def test_the_endpoint_costs_as_many_queries_for_much_as_for_little(
    client: Client, two_versions: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        audited(3, at=NOVEMBER)
    replay.replay_for()
    with django_assert_max_num_queries(6):
        client.get("/dashboard/compare/data.json?by=versions&one=sevens&other=threes")

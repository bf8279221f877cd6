from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from dashboard.cube.counting import catch_up
from dashboard.figures.figure import Share
from dashboard.replay import replay
from dashboard.reports.report import DigitChange, Report, labels_for, monthly_report, wishes
from labeling.models import Label
from predictions.templatetags.readings import unbroken
from tests.dashboard.audits import NOVEMBER, OCTOBER, audited
from tests.dashboard.history import Month, make_history
from tests.factories import make_live, make_prediction, make_version
from training.models import Promotion

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")
SEPT, OCT, NOV = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)


def test_it_says_what_changed_and_that_it_is_real(client: Client) -> None:
    make_history([Month(OCT, 400, 0.85), Month(NOV, 400, 0.99, unlabeled=7, version="tuned-1")])
    catch_up()
    page = client.get("/dashboard/months/2026-11/")
    shown = page.content.decode()
    assert "of 100&nbsp;drawings were read right" in shown
    assert "in October 2026" in shown
    assert "tuned-1</b> went live on" in shown
    assert "Drawings were read better than before, by more than chance." in shown
    assert "October 2026</a>" in shown


def test_what_chance_could_make_is_not_called_a_change() -> None:
    make_history([Month(OCT, 60, 0.95), Month(NOV, 60, 0.95)], seed=3)
    catch_up()
    assert monthly_report(NOV).verdict == "The change in accuracy cannot be told from chance."


def test_the_month_before_may_lie_further_back() -> None:
    make_history([Month(SEPT, 60, 0.9), Month(NOV, 60, 0.9)])
    catch_up()
    assert monthly_report(NOV).previous == SEPT
    assert monthly_report(SEPT).previous is None
    assert monthly_report(SEPT).verdict.startswith("No earlier month has the 30 labels")


def month_of_two_versions(at: datetime, *, by_sevens_in_november: int = 0) -> Report:
    """Threes replaced sevens; people draw threes alone, in both months."""
    sevens, threes = make_live("sevens", favorite=7), make_version("threes", favorite=3)
    Promotion.objects.create(kind="promotion", before=sevens, after=threes, made_at=at)
    for day in (OCTOBER, NOVEMBER):
        for number in range(30):
            is_sevens = day == OCTOBER or number < by_sevens_in_november
            reader, read = (sevens, 7) if is_sevens else (threes, 3)
            audited(3, at=day, version=reader, read=read)
    catch_up()
    replay.replay_for()
    return monthly_report(NOV)


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 10, 31, 23, 59, tzinfo=NEW_YORK),  # live at the end of both months
        datetime(2026, 11, 1, 0, 0, tzinfo=NEW_YORK),
        datetime(2026, 11, 2, 12, 0, tzinfo=NEW_YORK),
        datetime(2026, 11, 30, 23, 59, tzinfo=NEW_YORK),
    ],
)
def test_the_versions_that_read_the_drawings_are_told_from_the_drawings(at: datetime) -> None:
    """Whenever the promotion was written down: the drawings say who read them."""
    causes = month_of_two_versions(at).causes
    assert causes is not None
    assert causes.by_model is not None
    assert causes.by_drawings is not None
    assert (causes.by_model.value, causes.by_drawings.value) == (1, 0)
    assert causes.verdict == "The replay shows that the model got better, by more than chance."
    assert causes.model_in_words.startswith(
        "sevens read 30 of the 30 labeled drawings of October 2026. On the same 30 drawings of this"
        " month it reads 0 of 100 right; when they were drawn, 100 were read right."
        " The model’s part of the change: +100.0 points"
    )


def test_a_month_that_two_versions_read_says_so(client: Client) -> None:
    report = month_of_two_versions(NOVEMBER, by_sevens_in_november=12)
    assert report.causes is not None
    assert report.causes.by_model is not None
    assert report.causes.by_model.value == pytest.approx(18 / 30)
    page = client.get("/dashboard/months/2026-11/").content.decode()
    assert "Of its labeled drawings, threes read 18, sevens read 12." in page


def test_the_parts_of_a_change_add_up_to_it() -> None:
    """Both the version and the digits drawn changed, and the earlier month had two readers."""
    sevens, threes = make_live("sevens", favorite=7), make_version("threes", favorite=3)
    for day, readers in ((OCTOBER, (sevens, sevens, threes)), (NOVEMBER, (threes,))):
        for number in range(36):
            digit = 3 if day == NOVEMBER and number % 3 else 7
            reader = readers[number % len(readers)]
            audited(digit, at=day, version=reader, read=7 if reader == sevens else 3)
    catch_up()
    replay.replay_for()
    report = monthly_report(NOV)
    assert report.causes is not None
    assert report.comparison is not None
    model, drawings = report.causes.by_model, report.causes.by_drawings
    assert model
    assert drawings
    assert report.comparison.difference
    assert model.value + drawings.value == pytest.approx(report.comparison.difference.value)
    assert "points apart in October 2026" in report.causes.model_in_words


def test_changes_that_cancel_each_other_are_told(client: Client) -> None:
    """People draw threes where they drew sevens, and the version that reads sevens is replaced."""
    sevens, threes = make_live("sevens", favorite=7), make_version("threes", favorite=3)
    for at, reader, read in ((OCTOBER, sevens, 7), (NOVEMBER, threes, 3)):
        for number in range(80):
            audited(read if number % 4 else 10 - read, at=at, version=reader, read=read)
    catch_up()
    replay.replay_for()
    assert monthly_report(NOV).verdict == (
        "The change in accuracy cannot be told from chance. The replay shows that the model got"
        " better and the drawings got harder, by more than chance."
    )


def test_one_version_in_both_months_leaves_the_drawings() -> None:
    sevens = make_live("sevens", favorite=7)
    for at, right in ((OCTOBER, 30), (NOVEMBER, 10)):
        for number in range(40):
            audited(7 if number < right else 3, at=at, version=sevens)
    catch_up()
    report = monthly_report(NOV)  # no replay yet
    assert report.verdict.endswith("sevens read both months, so it is the drawings that changed.")
    assert report.causes is not None
    assert report.causes.model_in_words == "sevens read all labeled drawings of both months."


def test_a_month_with_too_few_labels_is_no_verdict(client: Client) -> None:
    make_history([Month(SEPT, 60, 0.9), Month(OCT, 18, 1.0), Month(NOV, 60, 0.9)])
    catch_up()
    assert (
        monthly_report(OCT).verdict == "There are too few labels to tell a change: 18 of 30 needed."
    )
    assert monthly_report(NOV).previous == SEPT


def test_the_newest_month_is_one_that_can_be_told(client: Client) -> None:
    make_history([Month(OCT, 40, 0.9), Month(NOV, 18, 0.9)])
    catch_up()
    assert client.get("/dashboard/months/")["Location"] == "/dashboard/months/2026-10/"


def test_what_was_found_to_be_misread_is_what_the_dashboard_counts(client: Client) -> None:
    make_history([Month(NOV, 40, 0.8)])
    catch_up()
    report = monthly_report(NOV)
    (tile,) = [
        each
        for each in client.get("/dashboard/").context["tiles"]
        if each.title == "Found to be misread"
    ]
    assert report.misread == int(tile.number) > 0
    page = client.get("/dashboard/months/2026-11/").content.decode()
    assert unbroken(f"40 decisions by labelers; {tile.number} found to be misread") in page
    fewer = replace(report, misread=-2).work_in_words
    assert fewer == "40 decisions by labelers; 2 fewer are called misread than before"


def test_a_month_whose_drawings_nobody_can_label_says_so(client: Client) -> None:
    make_prediction(created_at=NOVEMBER)
    catch_up()
    page = client.get("/dashboard/months/2026-11/").content.decode()
    assert "No drawing of this month was chosen at random" in page
    assert "is known to 2 points" not in page


def test_disputes_and_unlabeled_audits_are_wished_for_first(client: Client) -> None:
    make_history([Month(NOV, 60, 0.9)])
    audited(3)
    waiting = audited(3)
    Label.objects.filter(pk=waiting.pk).update(state="disputed")
    catch_up()
    wish = monthly_report(NOV).wishes[0]
    assert wish.what == "1 disputed label"


def a_digit(digit: int, right: int, n: int) -> DigitChange:
    return DigitChange(digit, None, Share.of(right, n), n, n, n >= 30, None, False)


def test_the_digit_read_worst_is_wished_for_with_how_many_labels_it_takes() -> None:
    found = wishes([a_digit(1, 99, 100), a_digit(8, 80, 100), a_digit(9, 3, 3)], 12)
    assert [wish.what for wish in found] == [
        "12 audited drawings of this month", "More audits", "Drawings of 8",
    ]  # fmt: skip
    assert found[1].why == "Digits with too few: 9. Each has fewer than 30 labels this month."
    assert "more audits of it would tell that to 2 points" in found[2].why
    few, many = Share.of(80, 100), Share.of(990, 1000)
    assert labels_for(few, 100, 100) > labels_for(many, 1000, 1000) == 0
    assert labels_for(few, 100, 200) < labels_for(few, 100, 100)  # each tells as much as two


@pytest.mark.parametrize("name", ["2026-10", "2026-13", "1999-01"])
def test_a_month_without_drawings_has_no_report(client: Client, name: str) -> None:
    make_history([Month(NOV, 40, 0.9)])
    catch_up()
    assert client.get(f"/dashboard/months/{name}/").status_code == 404


def test_the_newest_month_has_an_address_of_its_own(client: Client) -> None:
    assert "Nothing is drawn yet" in client.get("/dashboard/months/").content.decode()
    make_history([Month(OCT, 40, 0.9), Month(NOV, 40, 0.9)])
    catch_up()
    assert client.get("/dashboard/months/")["Location"] == "/dashboard/months/2026-11/"


def test_every_page_of_ours_is_open_to_everybody_and_shows_no_drawing(client: Client) -> None:
    make_history([Month(OCT, 60, 0.9), Month(NOV, 60, 0.95)])
    catch_up()
    for path in ("replay/", "clusters/", "compare/", "months/2026-11/"):
        answer = client.get(f"/dashboard/{path}")
        assert answer.status_code == 200, path
        assert "/glyphs/" not in answer.content.decode()
    assert client.get("/dashboard/clusters/drawings.json").status_code == 302

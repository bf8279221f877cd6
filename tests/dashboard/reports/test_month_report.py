from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.test import Client

from dashboard.cube.counting import catch_up
from dashboard.figures.figure import Share
from dashboard.figures.sample import Sample
from dashboard.replay import replay
from dashboard.reports.compare import Side
from dashboard.reports.report import DigitChange, Report, labels_for, monthly_report, wishes
from labeling.models import Label
from tests.dashboard.audits import NOVEMBER, audited
from tests.dashboard.history import Month, make_history
from tests.factories import make_live, make_version
from training.models import Promotion

pytestmark = pytest.mark.django_db
SEPT, OCT, NOV = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)


def test_it_says_what_changed_and_that_it_is_real(client: Client) -> None:
    make_history([Month(OCT, 400, 0.85), Month(NOV, 400, 0.99, unlabeled=7, version="tuned-1")])
    catch_up()
    page = client.get("/dashboard/months/2026-11/")
    shown = page.content.decode()
    assert "of 100 drawings were read right" in shown
    assert "in October 2026" in shown
    assert "tuned-1</b> went live on" in shown
    assert "Drawings were read better than before, by more than chance." in shown
    assert "October 2026</a>" in shown


def test_what_chance_could_make_is_not_called_a_change() -> None:
    make_history([Month(OCT, 60, 0.95), Month(NOV, 60, 0.95)], seed=3)
    catch_up()
    assert monthly_report(NOV).verdict == "No change can be told from chance."


def test_the_month_before_may_lie_further_back() -> None:
    make_history([Month(SEPT, 60, 0.9), Month(NOV, 60, 0.9)])
    catch_up()
    assert monthly_report(NOV).previous == SEPT
    assert monthly_report(SEPT).previous is None
    assert monthly_report(SEPT).verdict.startswith("There is no earlier month")


def month_of_two_versions() -> Report:
    """In November threes replaced sevens; people draw threes alone, in both months."""
    sevens, threes = make_live("sevens", favorite=7), make_version("threes", favorite=3)
    for at in (datetime(2026, 10, 9, 12, tzinfo=UTC), NOVEMBER):
        reader = sevens if at.month == 10 else threes
        for _ in range(30):
            audited(3, at=at, version=reader, read=7 if reader == sevens else 3)
    Promotion.objects.create(
        kind="promotion", before=sevens, after=threes, made_at=NOVEMBER.replace(day=2)
    )
    catch_up()
    replay.replay_for()
    return monthly_report(NOV)


def test_the_replay_tells_the_model_from_the_drawings() -> None:
    report = month_of_two_versions()
    assert report.versions == ("sevens", "threes")
    assert report.model is not None
    assert report.model.difference is not None
    assert report.model.difference.value == 1
    assert report.drawings_changed is not None
    assert report.drawings_changed.value == 0
    assert report.verdict.endswith("The replay shows that the model changed.")


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
    here = Side("", "", Sample(), [], "")
    found = wishes([a_digit(1, 99, 100), a_digit(8, 80, 100), a_digit(9, 3, 3)], here, 12)
    assert [wish.what for wish in found] == [
        "12 audited drawings of this month", "Audits that show 9", "Drawings of 8",
    ]  # fmt: skip
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
    assert "No drawing is counted yet" in client.get("/dashboard/months/").content.decode()
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

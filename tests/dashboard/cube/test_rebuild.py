"""The cube made again from the logs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from dashboard import tasks
from dashboard.cube.counting import catch_up
from dashboard.cube.rebuild import rebuild_counts
from dashboard.models import Cell, Check, Mark, MonthFlow, MonthSums
from labeling.decisions.decisions import Answer
from predictions.models import ModelVersion, Prediction
from tests.dashboard.recount import check
from tests.factories import make_prediction, make_user
from tests.labeling.door import correct

pytestmark = pytest.mark.django_db


@pytest.fixture
def counted(live_version: ModelVersion) -> None:
    """Drawings of two months, some of them corrected, and one that was moved between cells."""
    for day in (datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)):
        for digit in (1, 2, 3):
            make_prediction(digit=digit, created_at=day, is_audit=digit == 3)
    catch_up()
    ada = make_user()
    for digit in (3, 4):
        correct(Prediction.objects.filter(digit=3), Answer(digit), by=ada)
        catch_up()


def spoil() -> None:
    Cell.objects.filter(predicted=1).update(count=F("count") + 1)
    Cell.objects.filter(predicted=2).delete()
    MonthSums.objects.filter(stream="audit").delete()
    MonthSums.objects.update(confidences=MonthSums().confidences)
    MonthFlow.objects.update(acts=MonthFlow().acts)


def test_nothing_differs_by_itself(counted: None) -> None:
    found = rebuild_counts(mend=False)
    assert (found.months, found.of_months, len(found)) == (3, 3, 0)


def test_a_check_finds_what_differs_and_changes_nothing(counted: None) -> None:
    spoil()
    for _ in range(2):
        with pytest.raises(CommandError, match="4 cells, 4 sums and 1 flows"):
            call_command("rebuild_cube", check=True, verbosity=0)


def test_what_differs_is_mended(counted: None, capsys: Any) -> None:
    spoil()
    call_command("rebuild_cube", verbosity=0)
    check()
    call_command("rebuild_cube", check=True, verbosity=0)
    assert "0 cells, 0 sums and 0 flows" in capsys.readouterr().out


def test_a_cube_that_was_never_counted_is_counted(live_version: ModelVersion) -> None:
    make_prediction()
    call_command("rebuild_cube", verbosity=0)
    assert Cell.objects.get().count == 1


def test_a_mended_cube_is_told_to_browsers(counted: None, client: Any) -> None:
    address = "/dashboard/data/accuracy-by-month.json"
    known = {"If-None-Match": client.get(address)["ETag"]}
    assert client.get(address, headers=known).status_code == 304
    spoil()
    rebuild_counts()
    assert client.get(address, headers=known).status_code == 200


def test_the_nightly_job_notes_what_it_found(counted: None) -> None:
    assert tasks.check() == {"months": 3, "differences": 0}
    spoil()
    assert tasks.check()["differences"] > 0
    assert Check.objects.first().differences > 0  # type: ignore[union-attr]


def test_while_somebody_counts_nothing_is_rebuilt(counted: None) -> None:
    Mark.objects.update(busy_until=datetime(2999, 1, 1, tzinfo=UTC))
    with pytest.raises(CommandError, match="another process"):
        call_command("rebuild_cube", verbosity=0)
    assert "declined" in tasks.check()


def test_the_job_of_every_minute_counts(live_version: ModelVersion) -> None:
    made = make_prediction()
    assert tasks.count() == {"prediction": made.pk, "event": 0}

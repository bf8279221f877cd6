"""A visitor takes back what they drew; an operator looks at the page of the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from predictions.models import Prediction, WorkerBeat
from tests.journeys.browser import SEVEN, Browser
from tests.journeys.conftest import SHOTS
from training.models import Backup
from training.workers.schedules import make_schedules

# What is erased and told is asked of both databases in tests/predictions/, without a browser.
pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]


def test_a_visitor_erases_what_they_drew(browser: Browser) -> None:
    browser.phone()
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    browser.click("[data-submit]")
    browser.wait_for_text("[data-question]", "Stored.")
    browser.open("/predictions/")
    browser.click(".erase summary")
    assert browser.overflow() == 0
    assert browser.violations() == []
    browser.screenshot(SHOTS / "erase.png", whole=True)
    browser.click(".erase .button")  # not ticked: the browser itself holds it back
    assert Prediction.objects.pictured().count() == 1
    browser.click(".erase [name=sure]")
    browser.follow(".erase .button")
    browser.wait_for_text(".messages", "1 drawing erased")
    assert "Nothing here yet" in browser.text("main")
    assert not Prediction.objects.pictured().exists()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_operator_sees_the_system(
    browser: Browser, log_in: Callable[..., Any], theme: str
) -> None:
    make_schedules()
    now = timezone.now()
    WorkerBeat.objects.create(cluster="inkloop", host="host-1", seen_at=now, worked_at=now)
    Backup.objects.create(
        state="done", path="kept.backup", host="host-1", started_at=now, size=73_000_000
    )
    log_in(is_staff=True, is_superuser=True)
    browser.theme(theme)
    browser.open("/admin/system/")
    assert "No training worker" in browser.text(".system")
    assert browser.violations() == []
    browser.screenshot(SHOTS / f"system-{theme}.png", whole=True)
    browser.phone()
    browser.open("/admin/system/")
    assert browser.overflow() == 0
    browser.screenshot(SHOTS / f"system-{theme}-phone.png")

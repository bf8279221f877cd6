"""One person on a laptop: what they say about a drawing is a label, and they see it count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from labeling.models import Label
from predictions.models import Prediction
from tests.journeys.browser import ONE, SEVEN, Browser
from tests.journeys.conftest import SHOTS
from tests.journeys.handwriting import written

# What counts as a label is asked of both databases in tests/labeling/, without a browser.
pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]


@pytest.fixture(autouse=True)
def _alone(settings: Any) -> None:
    settings.TRUST_FEEDBACK = True


def say(browser: Browser, value: str, words: str) -> None:
    browser.click(f"[name=said][value='{value}']")
    browser.wait_for_text("[data-said]", f"You said: {words}, saved as a label")


def test_draw_correct_and_watch_the_count_grow(browser: Browser) -> None:
    browser.open("/")
    assert "0 labels toward the next fine-tune of 500" in browser.text("[data-toward]")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    say(browser, "right", "Right")
    browser.wait_for_text("[data-toward]", "1 label toward")
    browser.draw(ONE)
    browser.wait_for_text("[data-digit]", "1")
    say(browser, "4", "It is a 4")
    browser.wait_for_text("[data-toward]", "2 labels toward")
    assert sorted(Label.objects.settled().values_list("digit", flat=True)) == [4, 7]
    assert browser.violations() == []
    browser.screenshot(SHOTS / "solo.png")
    browser.open(Prediction.objects.latest("pk").get_absolute_url())
    assert "2 labels toward" in browser.text("[data-toward]")
    browser.click("[value='none']")
    browser.wait_for_text("main", "Saved as a label")
    browser.wait_for_text("[data-toward]", "1 label toward")  # unreadable: nothing to learn from


def test_a_stranger_on_a_public_install_sees_no_count(
    browser: Browser, settings: Any, log_in: Callable[..., User]
) -> None:
    settings.TRUST_FEEDBACK = False
    prediction = written(3)
    for path in ("/", prediction.get_absolute_url()):
        browser.open(path)
        assert not browser.all("[data-toward]")
    browser.click("[value='5']")
    browser.wait_for_text("[data-said]", "It is a 5")
    assert not Label.objects.exists()

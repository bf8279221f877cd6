"""A labeler finds an answer of theirs and takes it back; an admin reads what was said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from selenium.webdriver.common.keys import Keys

from labeling.decisions.decisions import Answer, decide
from labeling.models import Label, LabelEvent
from labeling.queue import queue
from labeling.queue.intake import enqueue_new
from predictions.models import Prediction
from tests.factories import make_prediction, some_glyph
from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS

# What is taken back is asked of both databases in tests/labeling/, without a browser.
pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]
CUT_OFF = """const { scrollWidth, clientWidth } = document.querySelector('form.rows');
return scrollWidth - clientWidth;"""


def answer(labeler: User, *digits: int | None) -> list[Prediction]:
    """Items that this labeler holds and answers, one after the other."""
    made = [make_prediction(glyph=some_glyph(at), confidence=0.6) for at in range(len(digits))]
    enqueue_new()
    for digit in digits:
        (held,) = queue.claim(labeler)
        decide(
            held.public_id, Answer(digit), labeler=labeler, token=held.token,
            request_id=held.token, seconds=1.5,
        )  # fmt: skip
    return made


def test_an_answer_is_taken_back_by_the_keyboard_and_the_admin_tells_of_it(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    ada = log_in("ada", is_staff=True, is_superuser=True)
    role, _ = Group.objects.get_or_create(name="labeler")  # journeys empty the tables
    ada.groups.add(role)
    answer(ada, 4, None, 7)
    browser.open("/label/")
    browser.tab_to("a[href='/label/answers/']")
    browser.press(Keys.ENTER)
    browser.wait_for(".answers")
    oldest = LabelEvent.objects.earliest("pk")
    browser.tab_to(f"[name=event][value='{oldest.pk}']")
    browser.press(Keys.ENTER)
    browser.wait_for_text(".messages", "your 4 no longer counts")
    assert not Label.objects.filter(pk=oldest.prediction_id).exists()
    assert "Undone" in browser.text(f"[data-answer='{oldest.pk}']")

    page = f"/admin/predictions/prediction/{oldest.prediction_id}/change/"
    for theme in ("light", "dark"):
        browser.theme(theme)
        browser.open("/label/answers/")
        assert browser.violations(of_color=theme == "dark") == []
        browser.screenshot(SHOTS / f"answers-{theme}.png", whole=True)
        browser.phone()
        browser.open("/label/answers/")
        assert browser.overflow() == 0
        assert browser.run(CUT_OFF) == 0
        browser.screenshot(SHOTS / f"answers-{theme}-phone.png")
        browser.window(1280, 860)
        browser.open(page)
        assert f"event {oldest.pk}" in browser.text("[id=events-group]")
        assert browser.violations(of_color=theme == "dark") == []
        browser.run("document.querySelector('#events-group').scrollIntoView()")
        browser.screenshot(SHOTS / f"events-{theme}.png")

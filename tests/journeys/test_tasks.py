"""What common tasks cost a person: presses and seconds, printed. `./run bench tasks` shows them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from labeling.models import Batch, Label, LabelEvent
from labeling.queue.intake import enqueue_new
from predictions.models import Feedback, Prediction
from tests.factories import make_prediction
from tests.journeys.browser import ONE, SEVEN, Browser
from tests.journeys.test_label import all_saved, answer_all, give_role, queue

pytestmark = pytest.mark.browser


class Task:
    """Counts what a person does: a drawing, a press of a button or key, a page opened."""

    def __init__(self, browser: Browser, name: str) -> None:
        self.browser, self.name, self.acts = browser, name, 0
        self.began = time.monotonic()

    def press(self, selector: str) -> None:
        self.browser.find(selector).click()
        self.acts += 1

    def follow(self, selector: str) -> None:
        self.browser.follow(selector)
        self.acts += 1

    def end(self) -> None:
        seconds = round(time.monotonic() - self.began, 2)
        print(f"task: {json.dumps({'task': self.name, 'acts': self.acts, 'seconds': seconds})}")


def test_ten_drawings_with_two_corrections_take_two_acts_each(browser: Browser) -> None:
    browser.open("/")
    task = Task(browser, "ten drawings, two corrections")
    for at in range(10):
        strokes, digit = (SEVEN, "7") if at % 2 else (ONE, "1")
        browser.draw(strokes)
        task.acts += 1
        browser.wait_for_text("[data-question]", f"Is it a {digit}?")
        task.press(
            "[data-feedback] [value='4']" if at in {3, 6} else "[data-feedback] .verdict-right"
        )
        browser.wait_for("[data-reading][data-empty]")
    task.end()
    assert task.acts == 20
    assert Prediction.objects.count() == Feedback.objects.count() == 10
    assert Feedback.objects.filter(digit=4).count() == 2


def test_thirty_labels_take_thirty_presses(browser: Browser, log_in: Callable[..., User]) -> None:
    give_role(log_in("ada"), "labeler", "label_items")
    queue(30)
    browser.open("/label/")
    task = Task(browser, "thirty labels")
    answer_all(browser, 30, lambda item: "4")
    task.acts += 30
    all_saved(browser)
    task.end()
    assert LabelEvent.objects.count() == 30


def test_fifty_corrections_and_their_undo_take_six_presses(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    for _ in range(50):
        make_prediction(digit=1)
    make_prediction(digit=3)
    enqueue_new()
    log_in(is_staff=True, is_superuser=True)
    browser.open("/admin/predictions/prediction/?predicted=1")
    task = Task(browser, "fifty corrections, undone")
    task.press("#action-toggle")
    browser.run(
        "const choice = document.querySelector('select[name=action]');"
        "choice.value = 'decide_in_bulk';"
        "choice.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    task.acts += 1
    task.follow("#changelist-form [type=submit][name=index]")
    task.press("input[name=act][value='7']")
    task.follow("#content-main form [type=submit]")
    assert Label.objects.filter(digit=7).count() == 50
    task.follow(".message-undo")
    task.end()
    assert not Label.objects.exists()
    assert Batch.objects.get().undone_at is not None
    assert task.acts == 6
    assert browser.path() == "/admin/predictions/prediction/?predicted=1"


def test_who_labeled_a_drawing_is_on_its_page(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    ben = log_in(is_staff=True, is_superuser=True)
    drawing = make_prediction(digit=7, user=ben)
    event = LabelEvent.objects.create(
        prediction=drawing, kind="label", digit=1, labeler=User.objects.create(username="eve")
    )
    Label.objects.create(prediction=drawing, digit=1, state="settled", opinions=1, event=event)
    browser.open("/predictions/")
    task = Task(browser, "who labeled a drawing")
    task.follow(".row-link")
    assert "eve" in browser.text("[data-story]")
    task.end()
    assert task.acts == 1
    browser.follow(".crumb a")
    assert browser.path() == "/predictions/"

"""What common tasks cost a person: presses and seconds, printed. `./run bench tasks` shows them."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.models import Batch, Label, LabelEvent
from labeling.queue.intake import enqueue_new
from predictions.models import Feedback, ModelVersion, Prediction
from tests.factories import canvas, make_prediction, png
from tests.journeys.browser import ONE, SEVEN, Browser
from tests.journeys.test_label import all_saved, answer_all, give_role, queue
from tests.training.lessons import make_tiny
from tests.training.trials.stage import write_mnist
from training import tasks
from training.models import Run
from training.runs import retrain

pytestmark = pytest.mark.browser


class Task:
    """Counts what a person does: a drawing, a press of a button or key, a page opened."""

    def __init__(self, browser: Browser, name: str) -> None:
        self.browser, self.name, self.acts = browser, name, 0
        self.began = time.monotonic()

    def press(self, selector: str) -> None:
        self.browser.click(selector)
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


@pytest.fixture
def lesson_of_seconds(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    from training.engine.strokes import written_digits

    make_tiny(monkeypatch, settings, epochs=6)
    digits = written_digits(200, seed=3)  # in the place of MNIST's test set
    images = np.ascontiguousarray(digits.glyphs[:, 0].numpy())
    write_mnist(tmp_path, digits.labels.tolist(), images=images)
    settings.MNIST_DIR = tmp_path
    settings.TRUST_FEEDBACK = True


def write_fives(person: User, count: int, seed: int) -> None:
    """Fives like lightning, which the shipped version takes for fours, from a program."""
    program, hand = Client(), random.Random(seed)
    program.force_login(person)
    corners = [(0.66, 0.2), (0.36, 0.5), (0.66, 0.5), (0.36, 0.8)]
    form = "application/json"
    for _ in range(count):
        line = [
            (round(280 * x + hand.gauss(0, 3)), round(280 * y + hand.gauss(0, 3)))
            for x, y in corners
        ]
        image = f"data:image/png;base64,{base64.b64encode(png(canvas(line))).decode()}"
        made = program.post("/api/v1/predictions/", {"image": image}, form).json()
        said = program.post(f"/api/v1/predictions/{made['id']}/feedback/", {"digit": 5}, form)
        assert said.status_code == 200


@pytest.mark.slow
@pytest.mark.usefixtures("lesson_of_seconds")
def test_a_fine_tune_to_its_verdict_takes_four_presses_and_a_roll_back_three(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    tia = log_in(is_superuser=True)
    write_fives(tia, 25, seed=1)
    browser.open("/")
    task = Task(browser, "fine-tune to verdict, a run of seconds, drawings by a program")
    task.follow(".nav a[href='/training/']")
    task.press("[data-part=start] button")
    browser.wait_for_text(".messages", "is queued with 25 labels")
    run = retrain.execute(Run.objects.get().pk)
    assert run is not None
    assert run.version is not None, run.reason
    browser.wait_for_text("[data-part=trials]", "No new drawing has been read by both versions yet")
    browser.wait_for_text("[data-news]", f"Run {run.pk} is done.")
    write_fives(tia, 3, seed=2)
    tasks.follow_trials()
    task.follow(".nav a[href='/training/']")
    told = f"On 3 new drawings {run.version} mended 3 and broke 0"
    assert told in browser.text("[data-part=trials]")
    assert ModelVersion.objects.live().get() == run.parent
    write_fives(tia, 9, seed=3)
    tasks.follow_trials()
    task.follow(".nav a[href='/training/']")
    assert run.version.name in browser.text("[data-part=tiles] .name")
    task.end()
    assert task.acts == 4
    browser.follow("[data-part=tiles] .name a")
    assert "mended 12 and broke 0" in browser.text("main")
    assert "It is live since" in browser.text("main")

    task = Task(browser, "roll back")
    task.follow(".nav a[href='/versions/']")
    task.press(".decide summary")
    browser.wait_for_text(".decide", f"{run.version} → {run.parent}")
    task.follow(".decide form button")
    told = f"{run.parent} is live again; {run.version} was taken back."
    browser.wait_for_text(".messages", told)
    task.end()
    assert task.acts == 3
    assert "taken back" in browser.text(".versions")
    assert ModelVersion.objects.live().get() == run.parent

"""One person from an empty installation to a version that is live because it reads them better."""

from __future__ import annotations

import base64
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client

from predictions.access.sign_in_links import path_for_first_admin
from predictions.models import ModelVersion, Prediction
from tests.factories import canvas, png
from tests.journeys.browser import Browser, Point
from tests.training.lessons import make_tiny
from tests.training.trials.stage import write_mnist
from training import tasks
from training.models import Run, Trial
from training.runs import retrain

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def square_six(right: float = 0.66) -> list[list[Point]]:
    """A six of this person's, which the shipped version takes for a five."""
    low, top, waist, left = 0.8, 0.2, 0.55, 0.36
    return [
        [(right, top), (left, top), (left, low), (right, low), (right, waist), (left, waist)],
    ]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    from training.engine.strokes import written_digits

    make_tiny(monkeypatch, settings, epochs=6)
    digits = written_digits(200, seed=3)  # in the place of MNIST's test set
    images, labels = digits.glyphs[:, 0].numpy(), digits.labels.tolist()
    write_mnist(tmp_path, labels, images=np.ascontiguousarray(images))
    settings.MNIST_DIR = tmp_path
    settings.TRUST_FEEDBACK = True


def draw_and_correct(browser: Browser, right: float) -> None:
    """A six on the page, and what it is."""
    browser.open("/")
    browser.draw(square_six(right))
    browser.wait_for_text("[data-digit]", "5")
    browser.find("[name=said][value='6']").click()
    browser.wait_for_text("[data-said]", "saved as a label")


def draw_more(client: Client, count: int, seed: int) -> None:
    """The same hand through the same doors, without the time that a mouse takes."""
    hand = random.Random(seed)
    for _ in range(count):
        line = [
            (round(280 * x + hand.gauss(0, 3)), round(280 * y + hand.gauss(0, 3)))
            for x, y in square_six()[0]
        ]
        drawn = base64.b64encode(png(canvas(line))).decode()
        sent = {"image": f"data:image/png;base64,{drawn}"}
        made = client.post("/api/v1/predictions/", sent, content_type="application/json").json()
        said = client.post(
            f"/api/v1/predictions/{made['id']}/feedback/",
            {"digit": 6},
            content_type="application/json",
        )
        assert said.status_code == 200


class Watch:
    """Tells how long each part of a story took, and how often its person pressed something."""

    def __init__(self) -> None:
        self.began = self.at = time.monotonic()
        self.told: list[str] = []

    def note(self, part: str, presses: int) -> None:
        now = time.monotonic()
        self.told.append(f"{part}: {now - self.at:.1f} s, {presses} presses")
        self.at = now

    def __str__(self) -> str:
        whole = f"From nothing to live and taken back: {self.at - self.began:.0f} s"
        return "\n  ".join([whole, *self.told])


def test_a_newcomer_goes_from_an_empty_installation_to_a_version_that_reads_them_better(
    browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = User.objects.create_superuser("ada")
    watch = Watch()
    browser.open(path_for_first_admin() or "")
    assert "0 of 20" in browser.text("[data-first-steps] .now")
    assert browser.violations() == []
    browser.open("/training/")
    assert "No run yet" in browser.text("main")
    browser.follow("[data-part=now] a.primary")
    draw_and_correct(browser, 0.66)
    browser.wait_for_text("[data-first-steps] .now", "1 of 20")  # without loading the page again
    watch.note("the link, the empty training page, the first drawing and its correction", 4)
    program = Client()
    program.force_login(ada)
    draw_more(program, 24, seed=1)

    browser.open("/")
    watch.note("24 more drawings by program", 0)
    browser.follow("[data-first-steps] a.primary")
    browser.wait_for("[data-part=start] button").click()
    browser.wait_for_text(".messages", "is queued with 25 labels")
    assert "25 / 500" in browser.text("[data-part=tiles]")
    run = retrain.execute(Run.objects.get().pk)
    assert run is not None
    assert run.version is not None, run.reason
    name = run.version.name
    browser.wait_for_text("[data-part=trials]", "No new drawing has been read by both versions yet")
    browser.wait_for_text("[data-news]", f"Run {run.pk} is done.")
    watch.note("fine-tune to its trial", 2)

    draw_and_correct(browser, 0.69)
    draw_more(program, 2, seed=2)
    tasks.follow_trials()
    browser.open("/training/")
    browser.wait_for_text("[data-part=trials]", f"On 3 new drawings {name} mended 3 and broke 0")
    assert ModelVersion.objects.live().get() == run.parent
    assert browser.violations() == []
    browser.open("/")
    assert f"{name} mended 3" in browser.text("[data-first-steps] .now")

    draw_more(program, 9, seed=3)
    tasks.follow_trials()
    assert Trial.objects.get().state == Trial.State.PROMOTED
    assert ModelVersion.objects.live().get() == run.version
    browser.open(f"/versions/{name}/")
    browser.wait_for_text("main", "mended 12 and broke 0")
    assert "It is live since" in browser.text("main")
    assert browser.violations() == []
    watch.note("trial to verdict, 12 drawings, 11 of them by program", 2)

    browser.open("/")
    assert not browser.all("[data-first-steps]")
    gain = f"Of your 12 drawings that both versions read, {name} read 12 right"
    assert gain in browser.text("[data-gain]")
    browser.wait(lambda: answering(browser) == name, "the new version to answer")
    browser.draw(square_six(0.68))
    browser.wait_for_text("[data-digit]", "6")
    browser.find("[name=said][value=right]").click()
    browser.wait_for_text("[data-said]", "You said: Right")
    assert Prediction.objects.latest("pk").digit == 6
    watch.note("see it read better", 1)

    browser.open("/versions/")
    browser.find(".decide summary").click()
    browser.wait_for_text(".decide", f"{name} → {run.parent.name}")
    browser.follow(".decide form button")
    browser.wait_for_text(".messages", f"{run.parent.name} is live again; {name} was taken back.")
    assert "taken back" in browser.text(".versions")
    assert ModelVersion.objects.live().get() == run.parent
    watch.note("roll back", 2)
    with capsys.disabled():
        print(f"\n{watch}")


def answering(browser: Browser) -> str:
    """Which version the page names; another look when it is not yet the new one."""
    browser.driver.refresh()
    return browser.text("footer b")

"""One person from an empty installation to a version that is live because it reads them better."""

from __future__ import annotations

import base64
import random
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


def diamond(half: float = 0.22) -> list[list[Point]]:
    """A zero of this person's, which the shipped version takes for a one."""
    return [[(0.5, 0.2), (0.5 + half, 0.5), (0.5, 0.8), (0.5 - half, 0.5), (0.5, 0.2)]]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    from training.engine.strokes import written_digits

    make_tiny(monkeypatch, settings, epochs=6)
    digits = written_digits(200, seed=3)  # in the place of MNIST's test set
    images, labels = digits.glyphs[:, 0].numpy(), digits.labels.tolist()
    write_mnist(tmp_path, labels, images=np.ascontiguousarray(images))
    settings.MNIST_DIR = tmp_path
    settings.AUDIT_RATE = 0.0
    settings.TRUST_FEEDBACK = True


def draw_and_correct(browser: Browser, half: float) -> None:
    """A diamond on the page, and what it is."""
    browser.open("/")
    browser.draw(diamond(half))
    browser.wait_for_text("[data-digit]", "1")
    browser.find("[data-submit]").click()
    browser.wait_for("[data-feedback]:not([hidden])")
    browser.run("return new Promise(resolve => setTimeout(resolve, 400))")  # answers settle first
    browser.find("[name=said][value='0']").click()
    browser.wait_for_text("[data-said]", "saved as a label")


def draw_more(client: Client, count: int, seed: int) -> None:
    """The same hand through the same doors, without the time that a mouse takes."""
    hand = random.Random(seed)
    for _ in range(count):
        line = [
            (round(280 * x + hand.gauss(0, 3)), round(280 * y + hand.gauss(0, 3)))
            for x, y in diamond()[0]
        ]
        drawn = base64.b64encode(png(canvas(line))).decode()
        sent = {"image": f"data:image/png;base64,{drawn}"}
        made = client.post("/api/v1/predictions/", sent, content_type="application/json").json()
        said = client.post(
            f"/api/v1/predictions/{made['id']}/feedback/",
            {"digit": 0},
            content_type="application/json",
        )
        assert said.status_code == 200


def test_a_few_dozen_drawings_make_a_version_that_reads_its_person_better(
    browser: Browser,
) -> None:
    ada = User.objects.create_superuser("ada")
    browser.open(path_for_first_admin() or "")
    browser.open("/training/")
    assert "No run yet" in browser.text("main")
    draw_and_correct(browser, 0.22)
    program = Client()
    program.force_login(ada)
    draw_more(program, 24, seed=1)

    browser.open("/training/")
    browser.wait_for("[data-part=start] button").click()
    browser.wait_for_text(".messages", "is queued with 25 labels")
    run = retrain.execute(Run.objects.get().pk)
    assert run is not None
    assert run.version is not None, run.reason
    name = run.version.name
    browser.wait_for_text("[data-part=trials]", "No new drawing has been read by both versions yet")

    draw_and_correct(browser, 0.25)
    draw_more(program, 2, seed=2)
    tasks.follow_trials()
    browser.open("/training/")
    browser.wait_for_text("[data-part=trials]", f"On 3 new drawings {name} mended 3 and broke 0")
    assert ModelVersion.objects.live().get() == run.parent
    assert browser.violations() == []

    draw_more(program, 9, seed=3)
    tasks.follow_trials()
    assert Trial.objects.get().state == Trial.State.PROMOTED
    assert ModelVersion.objects.live().get() == run.version
    browser.open(f"/versions/{name}/")
    browser.wait_for_text("main", "mended 12 and broke 0")
    assert "It is live since" in browser.text("main")
    assert browser.violations() == []

    browser.open("/")
    browser.wait(lambda: answering(browser) == name, "the new version to answer")
    browser.draw(diamond(0.24))
    browser.wait_for_text("[data-digit]", "0")
    browser.find("[data-submit]").click()
    browser.wait_for("[data-feedback]:not([hidden])")
    assert Prediction.objects.latest("pk").digit == 0


def answering(browser: Browser) -> str:
    """Which version the page names; another look when it is not yet the new one."""
    browser.driver.refresh()
    return browser.text("footer b")

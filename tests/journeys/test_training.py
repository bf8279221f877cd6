"""A trainer's way in a real browser: start, watch, read the verdict, promote, take back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User

from predictions.models import ModelVersion, Prediction
from tests.journeys.browser import SEVEN, Browser
from tests.journeys.shots import shoot
from tests.training.lessons import labeled, make_tiny
from training.models import Run
from training.runs import retrain
from training.workers.schedules import make_schedules

pytestmark = [pytest.mark.browser, pytest.mark.slow]
EPOCHS = 3
TRAINER = ["view_run", "start_run", "promote_version", "view_modelversion"]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    make_tiny(monkeypatch, settings, epochs=EPOCHS)
    settings.MNIST_DIR = tmp_path  # the gate's large set would take longer than the run
    settings.AUTO_PROMOTE = False


@pytest.fixture
def trainer(browser: Browser, log_in: Callable[..., User]) -> User:
    """The roles of the migrations are gone once a test has emptied the tables."""
    make_schedules()
    tia = log_in("tia")
    role, _ = Group.objects.get_or_create(name="trainer")
    role.permissions.add(*Permission.objects.filter(codename__in=TRAINER))
    tia.groups.add(role)
    return tia


def drawings(count: int = 40) -> None:
    """Labels on digits that somebody might write."""
    from training.engine.strokes import written_digits

    written = written_digits(count, seed=11)
    for at, (glyph, digit) in enumerate(zip(written.glyphs, written.labels.tolist(), strict=True)):
        labeled(digit, glyph=glyph[0].numpy(), read=(digit + (at % 9 == 0)) % 10)


def rows(browser: Browser) -> int:
    return browser.run("return document.querySelectorAll('[data-epochs] tr').length")


def drawn(browser: Browser) -> int:
    """Points on the curve of losses, as the chart itself holds them."""
    return browser.run(
        "const chart = Chart.getChart(document.querySelector('[data-chart=loss]'));"
        "return chart ? chart.data.datasets[0].data.length : 0"
    )


def test_a_trainer_starts_a_run_watches_it_promotes_and_takes_it_back(
    browser: Browser, trainer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawings()
    browser.open("/training/")
    assert "40 / 500" in browser.text("[data-part=tiles]")
    shoot(browser, "training-before")
    browser.click("[data-part=start] button")
    browser.wait_for_text(".messages", "is queued with 40 labels")
    run = Run.objects.get()
    browser.run("window.same = true")  # gone if the page is loaded again
    watched: list[tuple[int, int, str]] = []
    checkpoint = retrain.checkpoint

    def watch(run: Run, state: bytes, progress: float) -> None:
        """After each epoch, look at the page before going on."""
        checkpoint(run, state, progress)
        done = run.epochs.count()
        browser.wait(lambda: rows(browser) == done, f"epoch {done} in the table")
        browser.wait(lambda: drawn(browser) == done, f"epoch {done} on the curve")
        assert browser.shows("[data-chart=loss]")
        browser.wait_for_text("[data-percent]", f"{90 * progress:.1f}%")
        watched.append((rows(browser), drawn(browser)))
        if done == 2:
            shoot(browser, "training-running")

    monkeypatch.setattr(retrain, "checkpoint", watch)
    within: list[str] = []
    show = retrain.show

    def glance(run: Run, progress: float) -> None:
        """Within the first epoch, look at the bar before going on."""
        show(run, progress)
        if not run.epochs.exists() and progress > 0:
            browser.wait_for_text("[data-percent]", f"{100 * progress:.1f}%")
            assert not browser.shows("[data-chart=loss]")  # axes without a curve
            within.append(browser.read("[data-progress]", "value"))
            browser.wait_for_text("[data-outlook]", f"Epoch 1 of {EPOCHS}")

    monkeypatch.setattr(retrain, "show", glance)
    monkeypatch.setattr(retrain, "SHOW_EVERY", 0.0)
    done = retrain.execute(run.pk)
    assert done is not None
    assert done.version is not None
    assert len(set(within)) > 1
    assert watched == [(1, 1), (2, 2), (3, 3)]
    browser.wait_for_text("#run-title", "is done")
    browser.wait_for("[data-verdict]")
    assert browser.run("return window.same")
    name = done.version.name
    shoot(browser, "training-done")
    for path in (f"/training/runs/{run.public_id}/", "/training/runs/"):
        browser.open(path)
        shoot(browser, "runs" if path.endswith("runs/") else "run")

    browser.open(f"/versions/{name}/")
    shoot(browser, "version")
    browser.click(".decide summary")
    browser.find("#why").send_keys("To see it answer.")
    browser.click(".decide form button")
    browser.wait_for_text(".messages", f"{name} is live")
    shoot(browser, "versions")
    browser.open("/")
    browser.wait(lambda: answering(browser) == name, "the new version to answer")
    browser.draw(SEVEN)
    browser.click("[name=said][value=right]")
    browser.wait_for_text("[data-said]", "You said")
    assert Prediction.objects.latest("pk").version.name == name

    browser.open("/versions/")
    browser.click(".decide summary")
    browser.click(".decide form button")
    browser.wait_for_text(".messages", f"{name} was taken back")
    assert ModelVersion.objects.live().get() == run.parent
    browser.open("/")
    browser.wait(lambda: answering(browser) == run.parent.name, "the old version to answer")


def answering(browser: Browser) -> str:
    """Which version the page names; another look when it is not yet the new one."""
    browser.driver.refresh()
    return browser.text("footer b")


def test_without_javascript_a_run_is_started_and_canceled(browser: Browser, trainer: User) -> None:
    drawings(30)
    browser.scripts(enabled=False)
    browser.open("/training/")
    browser.follow("[data-part=start] button")
    browser.wait_for_text(".messages", "is queued")
    assert "waits for a worker" in browser.text("#run-title")
    browser.follow("[data-part=head] button")
    browser.wait_for_text(".messages", "is canceled")
    assert Run.objects.get().state == Run.State.CANCELED


def test_a_run_started_elsewhere_appears_by_itself(
    browser: Browser, trainer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawings(30)
    browser.open("/training/")
    assert "No run yet" in browser.text("main")
    retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    browser.wait(lambda: "waits for a worker" in browser.text("main"), "the run")

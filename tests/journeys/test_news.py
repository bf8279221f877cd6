"""What was begun on a page is told while it goes on, and on another when it has ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from dashboard.demo import job
from dashboard.models import RReport
from predictions.models import ModelVersion
from tests.factories import make_prediction
from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS
from tests.training.lessons import labeled
from tests.training.trials.stage import make_candidate
from training.models import Run, Trial
from training.runs import retrain
from training.trials.trial import begin

pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]


@pytest.fixture
def run(browser: Browser, base_version: ModelVersion, log_in: Callable[..., User]) -> Run:
    """A run that somebody saw waiting on the training page."""
    log_in(is_superuser=True)
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.PAGE, least=1)
    browser.open("/training/")
    browser.wait(lambda: browser.run("return localStorage.awaited"), "the page to wait for it")
    return run


def test_the_end_of_a_run_is_told_on_any_page_once_with_a_way_to_it(
    browser: Browser, run: Run
) -> None:
    browser.open("/predictions/")
    assert browser.text("[data-news]") == ""
    retrain.cancel(run)
    browser.wait_for_text("[data-news]", f"Run {run.pk} was canceled.")
    assert browser.violations() == []
    assert browser.read("[data-news] a", "href").endswith(f"{run.public_id}/")
    browser.click("[data-news] button")
    assert browser.text("[data-news]") == ""
    assert browser.run("return localStorage.awaited ?? null") is None


def test_the_verdict_of_a_trial_that_began_with_the_end_of_a_run_is_told_too(
    browser: Browser, run: Run
) -> None:
    """Whoever saw the run alone learns of the trial from the run's page."""
    candidate = make_candidate("mine")
    Run.objects.exclude(pk=run.pk).delete()  # it is this run's
    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE, version=candidate)
    trial = begin(candidate)
    browser.open("/predictions/")
    browser.wait_for_text("[data-news]", f"Run {run.pk} is done.")
    Trial.objects.filter(pk=trial.pk).update(state=Trial.State.NO_BETTER, reason="no gain is left.")
    browser.wait_for_text("[data-news]", "mine stays out: no gain is left.")
    assert browser.all("[data-news] a")[1].get_attribute("href").endswith("/versions/mine/")


def test_the_end_of_a_report_in_r_is_told_too(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    log_in(is_superuser=True)
    report = RReport.objects.create()
    browser.open("/dashboard/r/")
    browser.wait(lambda: browser.run("return localStorage.awaited"), "the page to wait for it")
    browser.open("/predictions/")
    RReport.objects.filter(pk=report.pk).update(state=RReport.State.DONE)
    browser.wait_for_text("[data-news]", "The charts in R are drawn.")


def test_who_logged_out_meanwhile_is_told_nothing(browser: Browser, run: Run) -> None:
    browser.cdp("Network.clearBrowserCookies")
    browser.open("/")
    browser.wait(lambda: not browser.run("return localStorage.awaited"), "the page to give it up")
    assert browser.text("[data-news]") == ""


def test_an_empty_page_tells_each_stage_of_the_demo_and_then_shows_it(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    log_in(is_superuser=True)
    browser.open("/dashboard/technical/")
    browser.follow("[data-part=demo] button")
    assert job.WAITING in browser.text("[data-part=demo]")
    job.note_stage(job.DRAWING, 0.2)
    browser.wait_for_text("[data-part=demo]", job.DRAWING)
    assert browser.read("[data-part=demo] progress", "value") == "0.2"
    assert browser.violations() == []
    browser.screenshot(SHOTS / "demo-stage.png")
    job.note_failure("The disk is full.")
    browser.wait_for_text("[data-part=demo]", "The disk is full. Nothing of it is left.")
    browser.screenshot(SHOTS / "demo-failed.png")
    browser.follow("[data-part=demo] button")
    browser.wait_for_text("[data-part=demo]", job.WAITING)
    make_prediction()
    browser.wait(lambda: not browser.all("[data-nothing-yet]"), "the filled page")

"""Confirming fifty at a glance, and settling what labelers disagree about."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from selenium.webdriver.common.keys import Keys

from labeling.batches.alerts import watch_labelers
from labeling.batches.batches import restate_many
from labeling.decisions.decisions import Answer, decide
from labeling.models import Batch, Label, LabelEvent, QueueItem
from labeling.queue.intake import enqueue_new
from predictions.models import Prediction
from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS
from tests.journeys.handwriting import written
from tests.journeys.test_label import give_role

# What is confirmed and settled is asked of both databases in tests/labeling/, without a browser.
pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]
GRID = "/label/grid/?digit=3"
REVIEW = "/review/"


@pytest.fixture
def ada(browser: Browser, log_in: Callable[..., User]) -> User:
    ada = log_in("ada")
    give_role(ada, "labeler", "label_items")
    return ada


@pytest.fixture
def ron(browser: Browser, log_in: Callable[..., User]) -> User:
    ron = log_in("ron")
    give_role(ron, "reviewer", "label_items", "review_items")
    return ron


def threes(count: int, *, sevens: int = 0) -> None:
    """Glyphs read as 3, the first few of which are sevens."""
    for at in range(count):
        written(7 if at < sevens else 3, at, digit=3, confidence=0.999 - at / 1000)
    enqueue_new()


def wait_for_grid(browser: Browser, cells: int) -> None:
    browser.wait(lambda: len(browser.all("[data-cells] input")) == cells, f"{cells} glyphs")
    browser.pass_time(1)  # the page ignores Enter at first


def test_fifty_are_confirmed_by_key_but_the_marked_ones_and_taken_back_as_one(
    browser: Browser, ada: User
) -> None:
    threes(60, sevens=2)
    browser.open(GRID)
    wait_for_grid(browser, 50)
    browser.press(Keys.SPACE, Keys.ARROW_RIGHT, Keys.SPACE)
    browser.wait_for_text("[data-confirm]", "Confirm 48 as 3, send 2 to the queue")
    browser.screenshot(SHOTS / "grid-light.png")
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-done]", "48 confirmed, 2 sent to the queue")
    wait_for_grid(browser, 10)
    assert Label.objects.filter(digit=3, state="settled").count() == 48
    assert Batch.objects.get().count == 48
    marked = QueueItem.objects.filter(stream="review", is_open=True)
    assert marked.count() == 2
    browser.press("u")
    browser.wait_for_text("[data-done]", "Taken back: 48 labels")
    assert not Label.objects.exists()
    assert QueueItem.objects.filter(is_open=True).count() == 60


def test_arrows_move_by_rows_and_the_tab_key_leaves_the_grid(browser: Browser, ada: User) -> None:
    threes(30)
    browser.open(GRID)
    wait_for_grid(browser, 30)
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert browser.focus() == "Glyph 12 is wrong"
    browser.press(Keys.END)
    assert browser.focus() == "Glyph 30 is wrong"
    browser.press(Keys.TAB)
    assert browser.focus() == "Confirm 30 as 3"


def test_enter_pressed_twice_does_not_confirm_what_nobody_has_seen(
    browser: Browser, ada: User
) -> None:
    threes(60)
    browser.open(GRID)
    wait_for_grid(browser, 50)
    browser.press(Keys.ENTER, Keys.ENTER)
    browser.wait(lambda: len(browser.all("[data-cells] input")) == 10, "the other glyphs")
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-note]", "Not confirmed: these glyphs had just come.")
    assert Batch.objects.count() == 1


def test_a_confirmation_without_a_network_is_kept_and_made_once(
    browser: Browser, ada: User
) -> None:
    threes(8)
    browser.open(GRID)
    wait_for_grid(browser, 8)
    browser.offline(True)
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-note]", "Not confirmed yet")
    browser.offline(False)
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-done]", "8 confirmed")
    assert Batch.objects.count() == 1


def test_a_grid_whose_hold_ran_out_confirms_nothing_and_says_so(
    browser: Browser, ada: User
) -> None:
    threes(5)
    browser.open(GRID)
    wait_for_grid(browser, 5)
    QueueItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-note]", "Nothing was confirmed")
    assert not LabelEvent.objects.exists()


def test_another_digit_frees_the_first_and_nothing_left_is_said(
    browser: Browser, ada: User
) -> None:
    threes(4)
    browser.open(GRID)
    wait_for_grid(browser, 4)
    browser.click("[data-tab='8']")
    browser.wait_for_text("[data-wait]", "None left")
    browser.wait(lambda: not QueueItem.objects.filter(token__isnull=False).exists(), "freedom")
    assert browser.path() == "/label/grid/?digit=8"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_grid(browser: Browser, ada: User, theme: str) -> None:
    browser.theme(theme)
    threes(50, sevens=3)
    browser.open(GRID)
    wait_for_grid(browser, 50)
    browser.press(Keys.SPACE)
    assert browser.violations() == []
    browser.screenshot(SHOTS / f"grid-{theme}.png")
    browser.phone(scale=2)
    assert browser.overflow() == 0
    browser.screenshot(SHOTS / f"grid-{theme}-phone.png")
    small = browser.run(
        "return [...document.querySelectorAll('[data-cells] label')]"
        ".filter(cell => cell.getBoundingClientRect().width < 44).length"
    )
    assert small == 0


# -- review -----------------------------------------------------------------------------------


def dispute(truth: int, seed: int, readings: tuple[int | None, ...]) -> Prediction:
    """Each labeler reads it otherwise; the setting asks for a second opinion every time."""
    prediction = written(truth, seed, digit=readings[0], confidence=0.62)
    enqueue_new()
    for name, digit in zip(("eve", "fay", "gus"), readings, strict=True):
        user, _ = User.objects.get_or_create(username=name)
        token = uuid.uuid4()
        QueueItem.objects.filter(pk=prediction.pk).update(
            holder=user, token=token, leased_until=timezone.now() + timedelta(minutes=3)
        )
        decide(
            prediction.public_id, Answer(digit), labeler=user, token=token,
            request_id=uuid.uuid4(),
        )  # fmt: skip
    return prediction


@pytest.fixture
def disputes(browser: Browser, settings: Any) -> list[Prediction]:
    settings.SECOND_OPINION_RATE = 1.0
    made = [dispute(4, 1, (9, 4, None)), dispute(7, 2, (1, 7, 2)), dispute(5, 3, (3, 5, 8))]
    return made[::-1]  # as the page has them, newest first


def test_a_reviewer_settles_by_key_and_takes_it_back(
    browser: Browser, ron: User, disputes: list[Prediction]
) -> None:
    browser.open(REVIEW)
    browser.wait_for("[data-current]")
    assert "eve" in browser.text("[data-current]")
    browser.press("5")
    browser.wait_for_text("[data-note]", "Settled: 5.")
    browser.pass_time(1)
    browser.press(Keys.ARROW_DOWN)
    browser.press("4")
    browser.wait_for_text("[data-note]", "Settled: 4.")
    settled = dict(Label.objects.settled().values_list("prediction", "digit"))
    assert settled == {disputes[0].pk: 5, disputes[2].pk: 4}
    browser.pass_time(1)
    browser.press("u")
    browser.wait_for_text("[data-note]", "Taken back: 4.")
    assert list(Label.objects.settled().values_list("prediction", flat=True)) == [disputes[0].pk]
    browser.pass_time(1)
    browser.press("x")
    browser.wait_for_text("[data-note]", "Settled: unreadable.")
    browser.click("[data-current] [value='7']")
    browser.wait_for_text("main", "No disputes")
    assert Label.objects.settled().count() == 3
    browser.open(REVIEW)
    assert "No disputes" in browser.text("main")


def test_without_javascript_a_reviewer_settles(
    browser: Browser, ron: User, disputes: list[Prediction]
) -> None:
    browser.scripts(enabled=False)
    browser.open(REVIEW)
    browser.follow("[data-dispute] [value='5']")
    browser.wait_for_text("main", "Settled: 5.")
    browser.follow("[value=undo]")
    browser.wait_for_text("main", "Taken back.")
    assert Label.objects.disputed().count() == 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_review_pages(
    browser: Browser, ron: User, disputes: list[Prediction], theme: str
) -> None:
    browser.theme(theme)
    browser.open(REVIEW)
    browser.wait_for("[data-current]")
    assert browser.violations() == []
    browser.screenshot(SHOTS / f"review-{theme}.png")
    browser.phone(scale=2)
    assert browser.overflow() == 0
    browser.screenshot(SHOTS / f"review-{theme}-phone.png")
    browser.open("/review/agreement/")
    assert browser.overflow() == 0
    browser.window(1280, 860)
    assert browser.violations() == []
    browser.screenshot(SHOTS / f"agreement-{theme}.png")


def contradicted(by: list[User], labeler: User, count: int) -> None:
    """Answers of a labeler that all the others contradict, and as many of each of theirs."""
    for at in range(count * (1 + len(by))):
        item = written(3, at, digit=3, confidence=0.6)
        first = [labeler, *by][at % (1 + len(by))]
        for user in (first, *(each for each in by if each != first)):
            LabelEvent.objects.create(
                prediction=item, kind="label", labeler=user, digit=8 if user == labeler else 3,
                stream="unsure" if user == first else "second", request_id=uuid.uuid4(),
            )  # fmt: skip
    enqueue_new()
    restate_many(list(Prediction.objects.values_list("pk", flat=True)))


def test_a_reviewer_goes_from_the_alert_to_the_answers_and_ends_it(
    browser: Browser, ron: User
) -> None:
    people = [User.objects.create(username=name) for name in ("ada", "bea", "long-named-labeler")]
    contradicted(people[:2], people[2], 10)
    watch_labelers()
    browser.open(REVIEW)
    assert "10 of 10 first answers were contradicted by two people" in browser.text(".notice")
    browser.follow(".notice a")
    assert browser.path() == "/review/labelers/long-named-labeler/"
    assert len(browser.all(".answers tbody tr")) == 10
    assert browser.text(".answers tbody tr td:nth-of-type(2)") == "ada: 3, bea: 3"
    for theme in ("light", "dark"):
        browser.theme(theme)
        assert browser.violations(of_color=theme == "dark") == []
    browser.screenshot(SHOTS / "labeler.png", whole=True)
    browser.phone()
    assert browser.overflow() == 0
    browser.screenshot(SHOTS / "labeler-phone.png", whole=True)
    browser.click("form.notice button")
    browser.wait_for_text("h1", "Agreement")
    assert "Dealt with." in browser.text("main")
    assert "clearly below the others. Since" not in browser.text("main")
    assert browser.overflow() == 0
    browser.screenshot(SHOTS / "agreement-phone.png", whole=True)

"""From `git clone` to a version that is live because it reads this person better, in Chromium."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from predictions.serving.registry import BASE
from tests.journeys.browser import Browser, Point
from tests.operation.installation import PATIENCE
from tests.operation.newcomer import Newcomer, newcomer_in
from training.runs.retrain import LEAST_LABELS

# It takes minutes, so it runs with the tests of the whole product, not with the short journeys.
pytestmark = [
    pytest.mark.slow, pytest.mark.from_a_clone,
    pytest.mark.same_on_any_database,  # it is about the one that needs no setting up
]  # fmt: skip


class Watch:
    """How long each part of the story took, and how often its person did something."""

    def __init__(self) -> None:
        self.began = self.at = time.monotonic()
        self.told: list[str] = []

    def note(self, part: str, acts: int) -> None:
        now = time.monotonic()
        self.told.append(f"  {now - self.at:5.1f} s, {acts:2} acts: {part}")
        self.at = now

    def __str__(self) -> str:
        seconds = self.at - self.began
        whole = f"From git clone to a version that reads its person better: {seconds:.0f} s"
        return "\n".join([whole, *self.told])


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def newcomer(watch: Watch, tmp_path: Path) -> Iterator[Newcomer]:
    with newcomer_in(tmp_path) as one:
        yield one


class Visitor:
    """Writes fives like lightning, which the shipped version takes for fours."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.random = browser, random.Random(1)

    def five(self) -> list[list[Point]]:
        left, right, shake = 0.36, self.random.uniform(0.64, 0.69), self.random.gauss
        corners = [(right, 0.2), (left, 0.5), (right, 0.5), (left, 0.8)]
        return [[(x + shake(0, 0.01), y + shake(0, 0.01)) for x, y in corners]]

    def draw_and_say(self) -> int:
        """Draw one and press its digit, which stores both; what it was read as."""
        self.browser.draw(self.five())
        self.browser.wait_for("[data-feedback]")
        self.browser.press("5")
        self.browser.wait_for("[data-reading][data-empty]")
        (read,) = re.findall(r"Read as (\d)\. You said: ", self.browser.text("[data-said]"))
        return int(read)

    def draw_until(self, is_enough: Callable[[], bool]) -> list[int]:
        """Until the page says so; what was read. Audits among them, drawn by lot, do not count."""
        read: list[int] = []
        deadline = time.monotonic() + PATIENCE
        while not is_enough():
            assert time.monotonic() < deadline, self.browser.text("main")
            read.append(self.draw_and_say())
        return read

    def next_step(self) -> str:
        return self.browser.text("[data-first-steps] .now")

    def live(self) -> str:
        """Which version answers, by a look at the page."""
        self.browser.driver.refresh()
        return self.browser.text("footer b")


def share_right(read: list[int]) -> float:
    return read.count(5) / len(read)


def test_a_newcomer_goes_from_git_clone_to_a_version_that_reads_them_better(
    chromium: Browser, watch: Watch, newcomer: Newcomer, tell: Callable[[str], None]
) -> None:
    browser, visitor = chromium, Visitor(chromium)
    watch.note("git clone", 1)
    newcomer.serve()
    watch.note("./run, until it says that Inkloop is ready", 1)

    browser.forget(newcomer.address)
    browser.open(newcomer.sign_in_path)
    assert f"0 of {LEAST_LABELS}" in visitor.next_step()
    browser.open("/training/")
    assert "No run yet" in browser.text("main")
    browser.follow("[data-part=now] a.primary")
    watch.note("the printed link, and a look at the empty training page", 3)

    before = visitor.draw_until(lambda: "Fine-tune" in visitor.next_step())
    watch.note(f"draw {len(before)} digits, and say what each is", 2 * len(before))

    browser.open("/")  # or the steps might be renewed as the link is pressed
    browser.follow("[data-first-steps] a.primary")
    browser.click("[data-part=start] button")
    browser.wait(lambda: "Run 1 is done." in browser.text("[data-news]"), "its end", PATIENCE)
    browser.wait_for_text("[data-part=trials]", "On trial")
    assert browser.violations() == []
    watch.note("fine-tune, until the page says that the run is done", 2)

    browser.open("/")
    assert "See it read better" in visitor.next_step()
    assert visitor.live() == BASE
    drawn = visitor.draw_until(lambda: visitor.live() != BASE)
    watch.note(f"draw {len(drawn)} more, until the new version is live", 1 + 2 * len(drawn))

    assert not browser.all("[data-first-steps]")
    name = visitor.live()
    assert re.search(
        rf"Of your \d+ drawings that both versions read, {re.escape(name)} read \d+ right",
        browser.text("[data-gain]"),
    )
    after = [visitor.draw_and_say() for _ in range(5)]
    assert share_right(after) > share_right(before)
    watch.note(
        f"see {share_right(after):.0%} read right instead of {share_right(before):.0%}",
        2 * len(after),
    )
    browser.follow("[data-gain] a")
    browser.wait_for_text("main", "It is live since")
    assert browser.violations() == []
    assert browser.log() == []
    tell(str(watch))

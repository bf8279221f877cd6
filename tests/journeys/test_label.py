"""The label page in a real browser: one key a label, through network breaks, reloads and slips."""

from __future__ import annotations

import itertools
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone
from selenium.webdriver.common.keys import Keys

from labeling.intake import take_in
from labeling.models import LabelEvent, QueueItem
from predictions.glyph import encode_glyph
from predictions.models import ModelVersion, Prediction
from tests.factories import make_prediction, some_glyph
from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS

pytestmark = pytest.mark.browser
LABEL = "/label/"


@pytest.fixture(autouse=True)
def _no_chance(settings: Any) -> None:
    settings.GOLD_RATE = settings.SECOND_OPINION_RATE = 0.0


@pytest.fixture
def ada(browser: Browser, log_in: Callable[..., User]) -> Iterator[User]:
    ada = log_in("ada")
    give_role(ada, "labeler", "label_items")
    yield ada
    forget_outbox(browser)


def give_role(user: User, role: str, *codenames: str) -> None:
    """The migrations' roles are gone once a test has emptied the tables."""
    group, _ = Group.objects.get_or_create(name=role)
    group.permissions.add(*Permission.objects.filter(codename__in=codenames))
    user.groups.add(group)


def forget_outbox(browser: Browser) -> None:
    browser.offline(False)
    browser.cdp("Storage.clearDataForOrigin", origin=browser.base, storageTypes="indexeddb")


def queue(count: int, **fields: Any) -> list[Prediction]:
    """Items whose true digit is known to the test alone; all read as 8 with little confidence."""
    made = [
        make_prediction(**{"digit": 8, "confidence": 0.4 + 0.0001 * at, **fields})
        for at in range(count)
    ]
    take_in()
    return made


def shown(browser: Browser) -> str | None:
    return browser.run("return document.querySelector('[data-label]').dataset.item")


def wait_for_item(browser: Browser) -> str:
    return browser.wait(lambda: shown(browser), "an item")


def answer_all(browser: Browser, count: int, digits: Callable[[str], str]) -> dict[str, str]:
    """Press a digit for each item as it appears; what was said by item."""
    said = {}
    for _ in range(count):
        item = browser.wait(lambda: (now := shown(browser)) not in said and now, "the next item")
        said[item] = digits(item)
        browser.press(said[item])
    return said


def digit_of(item: str) -> str:
    return str(uuid.UUID(item).int % 10)


def all_saved(browser: Browser) -> None:
    browser.wait(lambda: waiting(browser) == 0, "the outbox to be empty", seconds=30)


def waiting(browser: Browser) -> int:
    return int(browser.run("return document.querySelector('[data-label]').dataset.waiting"))


def events() -> dict[str, str]:
    """What the server keeps, by item; fails when an item was answered twice."""
    rows = LabelEvent.objects.filter(kind="label").values_list("prediction__public_id", "digit")
    kept = {str(item): str(digit) for item, digit in rows}
    assert len(kept) == len(rows)
    return kept


def test_a_hundred_items_are_labeled_by_keyboard_alone(browser: Browser, ada: User) -> None:
    queue(100)
    browser.open(LABEL)
    said = answer_all(browser, 100, digit_of)
    all_saved(browser)
    assert events() == said
    assert len(said) == 100
    assert browser.text("[data-saved]") == "100"
    browser.wait_for_text("[data-wait]", "All done")
    times = browser.run(
        "return performance.getEntriesByName('key-to-glyph').map(({duration}) => duration)"
    )
    print(f"key to next glyph: median {statistics.median(times):.1f} ms, n={len(times)}")
    assert statistics.median(times) <= 16

"""Make a token on the page, let a program in with it, and end it; without JavaScript too."""

from __future__ import annotations

from collections.abc import Callable
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.contrib.auth.models import User

from tests.journeys.browser import Browser

# What a token opens is asked of both databases in tests/predictions/access/, without a browser.
pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]


def status(browser: Browser, secret: str) -> int:
    """What a program with this token is answered."""
    headers = {"Authorization": f"Bearer {secret}"}
    try:
        with urlopen(Request(f"{browser.base}/api/v1/predictions/", headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


@pytest.mark.parametrize("scripts", [True, False])
def test_a_token_is_made_used_and_ended(
    browser: Browser, log_in: Callable[..., User], scripts: bool
) -> None:
    log_in()
    browser.scripts(enabled=scripts)
    browser.open("/accounts/tokens/")
    browser.find("[name=name]").send_keys("lab robot")
    browser.click("[name=scopes][value=read]")
    browser.follow("main form button.primary")
    secret = browser.read("[data-secret]", "value") or ""
    assert status(browser, secret) == 200
    browser.open("/accounts/tokens/")
    assert not browser.all("[data-secret]")
    browser.follow("[data-token] button")
    assert "revoked" in browser.text("[data-token]")
    assert status(browser, secret) == 401


def test_the_page_is_sound_on_any_screen(browser: Browser, log_in: Callable[..., User]) -> None:
    log_in("a-labeler-with-a-long-name")
    browser.open("/accounts/tokens/")
    assert browser.violations() == []
    browser.find("[name=name]").send_keys("a program with a long name that says what it is for")
    for box in browser.all("[name=scopes]"):
        box.click()
    browser.follow("main form button.primary")
    assert browser.violations() == []
    browser.theme("dark")
    assert browser.violations() == []
    browser.phone()
    assert browser.overflow() == 0
    browser.open("/accounts/tokens/")
    assert browser.overflow() == 0
    assert browser.violations() == []

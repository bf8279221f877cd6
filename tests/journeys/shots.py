"""Pictures of a page as a person sees it."""

from __future__ import annotations

from collections.abc import Callable

from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS


def shoot(
    browser: Browser, name: str, *, ready: Callable[[Browser], object] = Browser.painted
) -> None:
    """Light, dark, and on a phone; nothing is against a rule of axe or wider than the phone."""
    found = []
    for theme in ("light", "dark"):
        browser.theme(theme)
        ready(browser)
        browser.screenshot(SHOTS / f"{name}-{theme}.png", whole=True)
        found += [f"{theme}: {each}" for each in browser.violations(of_color=theme == "dark")]
    browser.theme("light")
    browser.phone()
    browser.painted()
    browser.screenshot(SHOTS / f"{name}-phone.png", whole=True)
    found += [f"phone: {each}" for each in browser.violations()]
    wide = browser.overflow()
    browser.window(1280, 860)
    browser.painted()
    assert found == []
    assert wide == 0, f"{name} is {wide} pixels wider than a phone"

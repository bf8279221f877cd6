"""The API's description in our frame: both themes, no violation of the content policy."""

from __future__ import annotations

import pytest

from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS
from tests.journeys.pages import EXPLAINED

pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]
SHOWN = "#swagger-ui .opblock"
GROUND = (
    "let at = document.querySelector(arguments[0]);"
    "while (getComputedStyle(at).backgroundColor === 'rgba(0, 0, 0, 0)') at = at.parentElement;"
    "return getComputedStyle(at).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)"
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_api_is_described_in_the_sites_frame_and_theme(browser: Browser, theme: str) -> None:
    browser.theme(theme)
    browser.open("/api/")
    browser.wait_for(SHOWN)
    assert browser.all("header.top")
    assert "How it is used" in browser.text("main")
    assert (sum(browser.run(GROUND, "#swagger-ui")) < 3 * 128) == (theme == "dark")
    browser.click(f"{SHOWN} button")
    browser.wait_for(f"{SHOWN} .opblock-body")
    browser.screenshot(SHOTS / f"api-{theme}.png")
    found = browser.violations()
    assert [each for each in found if each.split()[0] not in EXPLAINED["/api/"]] == []
    browser.phone()
    assert browser.overflow() == 0
    assert browser.log() == []


def test_without_javascript_the_docs_are_named(browser: Browser) -> None:
    browser.scripts(enabled=False)
    browser.open("/api/")
    browser.follow(".without-js a")
    assert browser.text("h1") == "The API"

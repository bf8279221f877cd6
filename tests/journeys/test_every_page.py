"""What holds on every page: any width, any theme, the keyboard alone, and no JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.utils import timezone
from django_q.models import OrmQ
from selenium.webdriver.common.keys import Keys

from dashboard.demo import seeding
from dashboard.demo.plan import ROLES
from labeling.models import Batch
from predictions.access.tokens import make_token
from predictions.capture.capture import capture
from predictions.models import Feedback, ModelVersion, Owner, Prediction
from tests.factories import a_seven, png
from tests.journeys import pages
from tests.journeys.browser import DESKTOP, LOOKS, SEVEN, Browser
from tests.journeys.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]  # widths, themes, keys

PUBLIC = ("/", "/predictions/", "/predictions/{id}/", "/accounts/login/", pages.NOWHERE)
ALWAYS_THE_SAME = ("/docs/", "/api/")  # whatever was drawn
# Answers with the status of a page that are none.
NO_PAGES = {
    "admin/jsi18n/": "a script",
    "admin/search/": "a part of the admin's sidebar",
    "api/schema/": "a file for programs",
}


@pytest.fixture
def prediction(browser: Browser) -> Prediction:
    return capture(png(a_seven()), owner=Owner(), source=Prediction.Source.UPLOAD)


@pytest.fixture
def year_old(base_version: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up history that ended long ago, and a row of each kind that it has none of."""
    for name in ("FIRST", "LATER"):
        monkeypatch.setattr(seeding, name, replace(getattr(seeding, name), epochs=1))
    monkeypatch.setattr(seeding, "KNOWN", 100)
    monkeypatch.setattr(seeding, "LABELS_AN_EPOCH", 1)
    for role in ROLES.values():
        Group.objects.get_or_create(name=role)  # the migrations' are gone with the tables
    call_command("seed_demo", drawings=300, until=date(2025, 11, 1), stdout=StringIO())


def faults(browser: Browser, path: str, looks: tuple[str, ...] = LOOKS) -> list[str]:
    """What is wrong with the page that is open: for axe, its width and pictures, in the console."""
    known = pages.EXPLAINED.get(path, {})
    found = []
    for look in looks:
        if look != "light":  # pages are opened in it
            browser.look(look)
        browser.painted()  # charts take the width of a phone a moment later
        of_color = look == "dark" and "light" in looks
        said = [x for x in browser.violations(of_color=of_color) if x.split()[0] not in known]
        if pixels := browser.overflow():
            said.append(f"{pixels} pixels wider than the screen")
        said += [f"{each} is squeezed" for each in browser.squeezed()]
        said += [f"{each} goes on and does not show it" for each in browser.cut()]
        found += [f"{path}, {look}: {each}" for each in said]
    browser.window(*DESKTOP)
    browser.theme("light")
    return found + [f"{path}: {each}" for each in browser.log()]


def test_nothing_is_wrong_with_a_visitors_pages(browser: Browser, prediction: Prediction) -> None:
    found = []
    for path in (path.format(id=prediction.public_id) for path in (*PUBLIC, *pages.RESETS)):
        browser.open(path)
        found += faults(browser, path)
    assert found == []


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_wrong_after_submitting(browser: Browser, look: str) -> None:
    browser.look(look)
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    assert browser.violations() == []
    browser.click("[data-submit]")
    browser.wait_for_text("[data-question]", "Stored.")
    assert browser.violations() == []
    browser.open("/predictions/")
    assert browser.violations() == []


@pytest.fixture
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows in each of the admin's lists; ninety more of the same template show nothing new."""
    for of_model in admin.site._registry.values():
        monkeypatch.setattr(of_model, "list_per_page", 10)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["site", "admin"])
def test_nothing_is_wrong_with_any_page_of_an_installation_a_year_old(
    browser: Browser, year_old: None, short_lists: None, log_in: Callable[..., User], part: str
) -> None:
    """Every page that links lead to and every address that answers with a page are the same."""
    somebody = log_in("an-admin-with-a-long-name", is_staff=True, is_superuser=True)
    make_token(somebody, name="lab robot", scopes=["read"])
    Batch.objects.create(kind=Batch.Kind.CORRECTION, made_by=somebody, chosen_by={"digit": "7"})
    OrmQ.objects.create(key="inkloop", payload="", lock=timezone.now())
    found, seen = [], set()
    is_admins = part == "admin"
    for path, status in pages.walk(browser, within=part):
        seen.add(pages.full_route(path))
        found += [] if status == (404 if path == pages.NOWHERE else 200) else [f"{path}: {status}"]
        found += faults(browser, path)
    assert found == []
    expected = {each for each in pages.answering() if each.startswith("admin/") == is_admins}
    assert expected - seen - set(NO_PAGES) == set()


@pytest.mark.slow
def test_nothing_is_wrong_with_any_page_before_anything_was_drawn(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    log_in(is_staff=True, is_superuser=True)
    walked = (path for path, _ in pages.walk(browser, ("/",), within="site"))
    others = (path for path in walked if not path.startswith(ALWAYS_THE_SAME))
    assert [found for path in others for found in faults(browser, path, ("phone",))] == []
    browser.open("/")
    browser.click("[data-menu] summary")
    assert browser.violations() == []


def test_the_guess_is_on_a_phones_first_screen(browser: Browser) -> None:
    browser.phone()
    browser.open("/")
    bottom = browser.run(
        "return document.querySelector('[data-digit]').getBoundingClientRect().bottom"
    )
    assert bottom <= 740


def test_the_keyboard_alone_uploads_submits_and_answers(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "seven.png"
    file.write_bytes(png(a_seven()))
    browser.open("/")
    browser.press(Keys.TAB)
    assert browser.focus() == "Skip to the content"
    browser.press(Keys.ENTER)
    browser.tab_to("[data-file]")
    browser.driver.switch_to.active_element.send_keys(str(file))  # the system's file dialog
    browser.wait_for_text("[data-digit]", "7")
    browser.tab_to("[data-submit]")
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-question]", "Stored.")
    browser.tab_to("[name=said][value='4']")
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"  # one always sees where one is
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-said]", "It is a 4")
    assert Feedback.objects.get().digit == 4
    browser.wait(
        lambda: browser.run("return document.activeElement.matches('[data-file]')"),
        "the keyboard to be where the next image is chosen",
    )


def test_the_menu_of_a_signed_in_person_opens_and_closes_by_key(browser: Browser) -> None:
    User.objects.create_user("ben", password=PASSWORD, is_staff=True)
    browser.log_in("ben", PASSWORD)
    browser.tab_to("[data-menu] summary")
    browser.press(Keys.ENTER)
    assert browser.wait_for("[data-menu] a").text == "Admin"
    browser.press(Keys.ESCAPE)
    assert not browser.shows("[data-menu] a")
    browser.press(Keys.ENTER)
    browser.tab_to("[data-menu] button")
    browser.press(Keys.ENTER)
    browser.wait(lambda: not browser.all("[data-menu]"), "to be logged out")


def test_without_javascript_the_upload_form_captures(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "seven.png"
    file.write_bytes(png(a_seven()))
    browser.scripts(enabled=False)
    browser.open("/")
    assert "Drawing needs JavaScript" in browser.text("main")
    browser.find("[data-upload-form] [name=image]").send_keys(str(file))
    browser.follow("[data-submit]")
    browser.wait(lambda: browser.path().startswith("/predictions/"), "the prediction's page")
    assert browser.text("h1") == "Read as 7"
    browser.follow("[value='2']")
    browser.wait_for_text("[data-said]", "It is a 2")
    browser.follow("[value=right]")
    browser.wait_for_text("[data-said]", "Right")
    stored = Prediction.objects.get()
    assert (stored.source, stored.feedback.digit) == ("upload", 7)


def test_a_chosen_theme_stays_and_reaches_the_admin(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    log_in(is_staff=True, is_superuser=True)
    browser.open("/")
    shown = "return document.documentElement.dataset.shown"
    assert browser.run(shown) == "light"
    browser.click("[data-theme-toggle]")
    assert browser.run(shown) == "dark"
    browser.open("/predictions/")
    assert browser.run(shown) == "dark"
    browser.open("/admin/")
    browser.wait(lambda: "dark" in (browser.read("html", "class") or ""), "a dark admin")
    browser.open("/")
    browser.click("[data-theme-toggle]")
    assert browser.run(shown) == "light"

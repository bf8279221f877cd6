"""What holds on every page: any width, any theme, the keyboard alone, and no JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from selenium.webdriver.common.keys import Keys

from labeling.models import LabelEvent
from predictions.capture.capture import capture
from predictions.models import Feedback, Owner, Prediction
from tests.factories import a_seven, png
from tests.journeys.browser import SEVEN, Browser

pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]  # widths, themes, keys

PUBLIC = (
    "/",
    "/predictions/",
    "/predictions/{id}/",
    "/accounts/login/",
    "/accounts/reset/",
    "/accounts/reset/sent/",
    "/accounts/reset/MQ/set-password/",
    "/accounts/reset/done/",
    "/nowhere",
)
SIGNED_IN = ("/", "/predictions/", "/accounts/password/", "/accounts/password/done/",
             "/review/withdrawals/", "/review/notes/", "/label/answers/", "/label/guidelines/",
             "/label/import/")  # fmt: skip
ADMIN = (
    "/admin/",
    "/admin/predictions/prediction/",
    "/admin/predictions/modelversion/",
    "/admin/auth/user/",
    "/admin/auth/user/{user}/change/",
    "/admin/system/",
    "/admin/labeling/label/",
    "/admin/labeling/labelevent/",
    "/admin/labeling/batch/",
)


@pytest.fixture
def prediction(browser: Browser) -> Prediction:
    return capture(png(a_seven()), owner=Owner(), source=Prediction.Source.UPLOAD)


def check(browser: Browser, path: str, theme: str) -> list[str]:
    browser.theme(theme)
    browser.open(path)
    return [f"{theme} {path}: {found}" for found in browser.violations()]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_a_visitors_pages(
    browser: Browser, prediction: Prediction, theme: str
) -> None:
    paths = [path.format(id=prediction.public_id) for path in PUBLIC]
    assert [found for path in paths for found in check(browser, path, theme)] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_after_submitting(browser: Browser, theme: str) -> None:
    browser.theme(theme)
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    assert browser.violations() == []
    browser.find("[data-submit]").click()
    browser.wait_for_text("[data-question]", "Stored.")
    assert browser.violations() == []
    browser.open("/predictions/")
    assert browser.violations() == []


def test_axe_finds_nothing_serious_when_signed_in(
    browser: Browser, prediction: Prediction, log_in: Callable[..., User]
) -> None:
    log_in(is_staff=True, is_superuser=True)
    found: list[str] = []
    for theme in ("light", "dark"):
        for path in SIGNED_IN:
            found += check(browser, path, theme)
        browser.open("/")
        browser.find("[data-menu] summary").click()
        found += browser.violations()
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_admin(
    browser: Browser, prediction: Prediction, log_in: Callable[..., User], theme: str
) -> None:
    ben = log_in(is_staff=True, is_superuser=True)
    opinion = LabelEvent.objects.create(prediction=prediction, kind="label", digit=1, labeler=ben)
    LabelEvent.objects.create(prediction=prediction, kind="undo", reverses=opinion, labeler=ben)
    LabelEvent.objects.create(prediction=prediction, kind="settle", digit=7, labeler=ben)
    paths = [path.format(user=ben.pk) for path in ADMIN]
    paths.append(f"/admin/predictions/prediction/{prediction.pk}/change/")
    assert [found for path in paths for found in check(browser, path, theme)] == []


def test_no_page_is_wider_than_a_phone(
    browser: Browser, prediction: Prediction, log_in: Callable[..., User]
) -> None:
    browser.phone()
    wide = {}
    for path in (path.format(id=prediction.public_id) for path in PUBLIC):
        browser.open(path)
        wide[path] = browser.overflow()
    user = log_in("a-labeler-with-a-long-name", is_staff=True, is_superuser=True)
    for path in (path.format(user=user.pk) for path in (*SIGNED_IN, *ADMIN)):
        browser.open(path)
        wide[path] = browser.overflow()
    assert {path: pixels for path, pixels in wide.items() if pixels} == {}


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


def test_the_menu_of_a_signed_in_person_opens_and_closes_by_key(
    browser: Browser, log_in: Callable[..., User]
) -> None:
    log_in(is_staff=True)
    browser.open("/")
    browser.tab_to("[data-menu] summary")
    browser.press(Keys.ENTER)
    assert browser.wait_for("[data-menu] a").text == "Admin"
    browser.press(Keys.ESCAPE)
    assert not browser.find("[data-menu] a").is_displayed()
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
    browser.find("[data-theme-toggle]").click()
    assert browser.run(shown) == "dark"
    browser.open("/predictions/")
    assert browser.run(shown) == "dark"
    browser.open("/admin/")
    browser.wait(
        lambda: "dark" in (browser.find("html").get_attribute("class") or ""), "a dark admin"
    )
    browser.open("/")
    browser.find("[data-theme-toggle]").click()
    assert browser.run(shown) == "light"

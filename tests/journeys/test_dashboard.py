"""The dashboard in a real browser: every chart drawn, links kept, cells followed, by key too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from selenium.webdriver.common.keys import Keys

from dashboard.figures.heat import GRIDS
from dashboard.pages import overview
from predictions.models import Prediction
from tests.dashboard.history import BETTER_AND_BETTER, Month, count_everything, make_history
from tests.journeys.browser import DESKTOP, PHONE, Browser
from tests.journeys.conftest import SHOTS

# Their figures are asked of both databases without a browser, in tests/dashboard.
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.same_on_any_database]
SECTIONS = {"/dashboard/": overview.EVERYBODY, "/dashboard/technical/": overview.TECHNICAL}
EMPTY_HERE = {"agreement-by-month"}  # one labeler contradicts nobody
LEAST_INK = 0.004  # share of a canvas's pixels that are drawn
LEAST_COLORS = 3

# Of every chart: how much of it is drawn, and in how many colors. Points are read from the pixels
# themselves, since a canvas element is there whether anything was drawn on it or not.
PIXELS = """
const sample = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
return JSON.stringify([...document.querySelectorAll("canvas[data-chart]")].map((canvas) => {
  const {width, height} = canvas;
  if (canvas.hidden || !width || !height) return {name: canvas.dataset.chart, ink: 0, colors: 0};
  Object.assign(sample.canvas, {width, height});
  sample.drawImage(canvas, 0, 0);
  const data = sample.getImageData(0, 0, width, height).data;
  const colors = new Set();
  let ink = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 128) continue;
    ink += 1;
    colors.add((data[at] >> 4) << 8 | (data[at + 1] >> 4) << 4 | data[at + 2] >> 4);
  }
  return {name: canvas.dataset.chart, ink: ink / (width * height), colors: colors.size};
}));
"""


@pytest.fixture
def history(browser: Browser) -> list[Prediction]:
    made = make_history(BETTER_AND_BETTER)
    count_everything()
    return made


@pytest.fixture
def analyst(browser: Browser, log_in: Callable[..., User]) -> User:
    """The roles of the migrations are gone once a test has emptied the tables."""
    ann = log_in("ann")
    role, _ = Group.objects.get_or_create(name="analyst")
    role.permissions.add(Permission.objects.get(codename="view_label"))
    ann.groups.add(role)
    return ann


def pixels(browser: Browser) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(browser.run(PIXELS))}


def not_drawn(browser: Browser, names: tuple[str, ...]) -> list[str]:
    """Which of these figures' charts are not there, in pixels."""
    found = pixels(browser)
    wanted = set(names) - {"headline"} - set(GRIDS) - EMPTY_HERE
    return [
        name
        for name in wanted
        if name not in found
        or found[name]["ink"] < LEAST_INK
        or found[name]["colors"] < LEAST_COLORS
    ]


def whole(browser: Browser, width: int, *, touch: bool = False) -> None:
    """A screen as high as the page, so that one picture holds it and nothing is drawn anew."""
    height = browser.run("return document.documentElement.scrollHeight")
    browser.window(width, height, touch=touch)
    browser.painted()


def wait_until_drawn(browser: Browser, path: str) -> None:
    names = SECTIONS[path.split("?")[0]]
    browser.wait(lambda: not not_drawn(browser, names), f"the charts of {path}")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", list(SECTIONS), ids=["everybody", "technical"])
def test_every_chart_is_drawn(
    browser: Browser, history: list[Prediction], analyst: User, path: str, theme: str
) -> None:
    name = path.strip("/").replace("/", "-")
    found: dict[str, Any] = {}
    for screen, (width, height) in {"wide": DESKTOP, "phone": PHONE}.items():
        is_phone = screen == "phone"
        browser.theme(theme)
        browser.window(width, height, touch=is_phone)
        browser.open(path)
        wait_until_drawn(browser, path)
        assert browser.overflow() == 0, f"{path} is wider than the {screen} screen"
        found[screen] = browser.violations()
        whole(browser, width, touch=is_phone)
        browser.screenshot(SHOTS / f"{name}-{screen}-{theme}.png")
        assert not_drawn(browser, SECTIONS[path]) == []
    assert found == {"wide": [], "phone": []}


def test_heat_maps_have_the_colors_of_their_numbers(
    browser: Browser, history: list[Prediction]
) -> None:
    browser.open("/dashboard/")
    for name in set(GRIDS) - {"replay"}:  # which has a page of its own
        shades = browser.run(
            "return [...document.querySelectorAll(arguments[0])].map("
            "  cell => [cell.className, getComputedStyle(cell).backgroundColor])",
            f"#{name} tbody td",
        )
        assert len({shade for _, shade in shades}) >= 3
        by_look: dict[str, set[str]] = {}
        for look, shade in shades:
            by_look.setdefault(look, set()).add(shade)
        assert all(len(found) == 1 for found in by_look.values())


def test_charts_are_drawn_anew_in_the_other_theme(
    browser: Browser, history: list[Prediction]
) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    ink = (
        "const canvas = document.querySelector('[data-chart=accuracy-by-digit]');"
        "return Chart.getChart(canvas).data.datasets[0].backgroundColor[0]"
    )
    light = browser.run(ink)
    browser.click("[data-theme-toggle]")
    browser.wait(lambda: browser.run(ink) != light, "bars in the dark theme's color")
    assert not_drawn(browser, overview.EVERYBODY) == []


def choose(browser: Browser, name: str, value: str) -> None:
    """Choose an option of a filter, and wait for its view."""
    before = browser.path()
    browser.find(f"[name={name}]").find_element("css selector", f"[value='{value}']").click()
    browser.wait(lambda: browser.path() != before, f"{name}={value} in the address")
    browser.wait(
        lambda: browser.run("return !document.querySelector('[data-view][aria-busy]')"), "the view"
    )


def test_going_back_shows_the_view_before(browser: Browser, history: list[Prediction]) -> None:
    browser.open("/dashboard/")
    said = browser.text("#accuracy-by-month-said")
    choose(browser, "first", "2026-11")
    assert browser.text("#accuracy-by-month-said") != said
    browser.driver.back()
    browser.wait_for_text("#accuracy-by-month-said", said)
    browser.wait(lambda: browser.read("[name=first]", "value") == "", "the filter of before")
    wait_until_drawn(browser, "/dashboard/")
    assert browser.violations() == []


def test_a_point_of_a_chart_leads_to_its_drawings_by_mouse_and_by_key(
    browser: Browser, history: list[Prediction], analyst: User
) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    browser.tab_to("[data-chart=accuracy-by-month]", most=60)
    browser.press(Keys.ARROW_RIGHT)
    browser.press(Keys.ARROW_RIGHT)
    browser.wait_for_text("[data-live]", "Oct 2026")
    browser.press(Keys.ENTER)
    browser.wait_for(".cell-drawings")
    assert browser.path() == "/dashboard/drawings/?first=2026-10&last=2026-10"
    browser.open("/dashboard/?source=draw")
    wait_until_drawn(browser, "/dashboard/")
    browser.press_point("accuracy-by-digit", 3)
    browser.wait_for(".cell-drawings")
    assert browser.path() == "/dashboard/drawings/?source=draw&label=3"
    assert browser.text("h1") == "Drawings of 3"
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    assert "Press a point" in browser.text("#confidence-density-by-month .fig-hint")
    browser.press_point("confidence-density-by-month", 20)  # 99 %
    browser.wait(lambda: "/drawings/" in browser.path(), "the drawings")
    above, below = re.findall(r"(?:above|below)=([0-9.]+)", browser.path())
    assert float(above) < 0.99 < float(below)
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    assert "Points lead to no drawings" in browser.text("#corrections .fig-hint")
    browser.press_point("corrections", 3)
    assert browser.path() == "/dashboard/"


def test_a_visitor_presses_a_point_and_stays(browser: Browser, history: list[Prediction]) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    browser.press_point("accuracy-by-digit", 3)
    assert browser.path() == "/dashboard/"
    assert browser.log() == []


def test_a_curve_switched_off_in_the_legend_stays_off(
    browser: Browser, history: list[Prediction]
) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    canvas = browser.find("[data-chart=confidence-histogram-by-month]")
    shown = (
        "const chart = Chart.getChart(arguments[0]);"
        "return chart.data.datasets.map((_, at) => chart.isDatasetVisible(at))"
    )
    assert browser.run(shown, canvas) == [True, True, True]
    second = "[data-legend=confidence-histogram-by-month] li:nth-child(2) button"
    assert browser.text(second) == "Oct 2026"
    browser.run("arguments[0].scrollIntoView({block: 'center'})", canvas)
    browser.click(second)
    assert browser.run(shown, canvas) == [True, False, True]
    assert browser.read(second, "aria-pressed") == "false"
    browser.click("[data-theme-toggle]")
    browser.painted()
    assert browser.run(shown, canvas) == [True, False, True]
    browser.run("document.querySelector(arguments[0]).focus()", second)
    browser.press(Keys.SPACE)
    assert browser.run(shown, canvas) == [True, True, True]
    assert browser.read(second, "aria-pressed") == "true"
    assert browser.violations() == []


def test_a_table_shows_that_it_goes_on(browser: Browser, history: list[Prediction]) -> None:
    browser.phone()
    browser.open("/dashboard/")
    box = "#accuracy-by-month-and-digit [data-scrolls]"
    browser.wait(lambda: browser.read(box, "data-more") == "right", "the edge at the right")
    assert (
        browser.run(f"return getComputedStyle(document.querySelector('{box}')).maskImage") != "none"
    )
    browser.run(f"document.querySelector('{box}').scrollLeft = 10000")
    browser.wait(lambda: browser.read(box, "data-more") is None, "the end")
    # What names the row stays in sight.
    left = "const box = document.querySelector(arguments[0]);"
    left += "return box.querySelector('tbody th').getBoundingClientRect().left"
    left += " - box.getBoundingClientRect().left"
    assert abs(browser.run(left, box)) < 2


def test_on_a_phone_the_current_links_are_in_sight_also_after_a_filter(
    browser: Browser, history: list[Prediction], log_in: Callable[..., User]
) -> None:
    log_in(is_superuser=True)
    browser.phone()
    browser.open("/dashboard/clusters/")
    outside = (
        "return [...document.querySelectorAll('nav [aria-current]')].filter(each => {"
        "  const { left, right } = each.getBoundingClientRect(); return left < 0 || right > 360 })"
        ".map(each => each.textContent)"
    )
    browser.wait(lambda: browser.run(outside) == [], "both to be in sight")
    assert [each.text for each in browser.all("nav [aria-current]")] == ["Dashboard", "Clusters"]
    browser.run("document.querySelector('.sections').dataset.old = 'yes'")
    browser.run(
        "const select = document.querySelector('[name=digit]'); select.value = '3';"
        "select.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    browser.wait(lambda: not browser.all(".sections[data-old]"), "the tabs to be replaced")
    browser.wait(lambda: browser.run(outside) == [], "both to be in sight again")


def test_a_phone_begins_with_the_first_number(browser: Browser, history: list[Prediction]) -> None:
    browser.phone()
    browser.open("/dashboard/")
    bottom = browser.run(
        "return document.querySelector('.headline .figure').getBoundingClientRect().bottom"
    )
    assert bottom < PHONE[1] * 0.6


def test_a_known_figure_is_not_sent_again_on_load(
    browser: Browser, history: list[Prediction]
) -> None:
    sizes = (
        "return performance.getEntriesByType('resource')"
        ".filter(each => each.name.includes('/dashboard/data/'))"
        ".map(each => [each.responseStatus, each.encodedBodySize, each.transferSize])"
    )
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    first = browser.run(sizes)
    browser.open("/dashboard/?digit=3")
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    again = browser.run(sizes)
    assert len(again) == len(first) == 8
    # A 304 has headers alone; the body comes from the browser's cache.
    assert all(size > transfer for _, size, transfer in again if size > 1000)
    assert all(size <= transfer for _, size, transfer in first)


def test_a_link_reproduces_a_view(browser: Browser, history: list[Prediction]) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    browser.run("window.same = true")  # gone if the page is loaded again
    choose(browser, "first", "2026-11")
    choose(browser, "digit", "3")
    assert browser.path() == "/dashboard/?first=2026-11&digit=3"
    assert browser.run("return window.same")
    assert browser.run("return document.activeElement.name") == "digit"
    address, said = browser.path(), browser.text("#accuracy-by-month-said")
    assert "November 2026" in said
    assert "September" not in said
    browser.open("/dashboard/")
    browser.open(address)
    assert browser.text("#accuracy-by-month-said") == said
    assert browser.read("[name=digit]", "value") == "3"
    wait_until_drawn(browser, address)
    months = "return Chart.getChart(document.querySelector('[data-chart]')).data.labels.length"
    assert browser.run(months) == 1  # the chart shows what the words say


def test_a_cell_of_the_heat_map_leads_to_its_drawings(
    browser: Browser, history: list[Prediction], analyst: User
) -> None:
    browser.open("/dashboard/")
    cell = "#true-by-predicted td:not(.same) a"
    count = int(browser.text(cell))
    said = browser.read(cell, "aria-label")
    browser.follow(cell)
    assert len(browser.all(".cell-drawings li")) == count
    assert browser.text("h1").startswith("Drawings of ")
    assert f"read as {browser.text('h1')[-1]}" in said
    browser.screenshot(SHOTS / "dashboard-drawings.png")
    assert browser.violations() == []
    browser.follow(".cell-drawings a")
    assert browser.text("h1").startswith("Read as ")


def test_a_heat_map_is_walked_by_arrows(
    browser: Browser, history: list[Prediction], analyst: User
) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    browser.tab_to("#accuracy-by-month-and-digit tbody a", most=60)
    assert browser.focus().startswith("Sep 2026, digit 0")
    browser.press(Keys.ARROW_RIGHT)
    browser.press(Keys.ARROW_DOWN)
    assert browser.focus().startswith("Oct 2026, digit 1")
    assert "Oct 2026, digit 1" in browser.text("#accuracy-by-month-and-digit [data-told-here]")
    browser.press(Keys.ENTER)
    browser.wait_for(".cell-drawings")
    assert browser.path() == "/dashboard/drawings/?first=2026-10&last=2026-10&label=1"


def test_charts_follow_the_data(
    browser: Browser, history: list[Prediction], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    browser.run("window.same = true")  # gone if the page is loaded again
    browser.click("#accuracy-by-month summary")
    make_history([Month(date(2026, 12, 1), 60, 0.9, version="tuned-2")], labeler=lia())
    count_everything()
    labels = "return Chart.getChart(document.querySelector('[data-chart]')).data.labels.map(String)"
    browser.wait(lambda: "Dec 2026" in str(browser.run(labels)), "December")
    assert "Dec 2026" in browser.text("#accuracy-by-month tbody")  # still open
    assert "December 2026" in browser.text("[data-part=tiles]")
    assert browser.run("return window.same")


def lia() -> User:
    return User.objects.get(username="lia")


def test_a_chart_is_handed_out_as_a_picture(browser: Browser, history: list[Prediction]) -> None:
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    browser.run(
        "window.handed = [];"
        "HTMLAnchorElement.prototype.click = function () {"
        "  createImageBitmap(window.lastBlob).then(image =>"
        "    window.handed.push([this.download, image.width, image.height]));"
        "};"
        "const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { window.lastBlob = blob; return make(blob); }"
    )
    for at, name in enumerate(("accuracy-by-month", "true-by-predicted")):
        browser.run(f"document.querySelector('#{name} [data-png]').click()")
        browser.wait(
            lambda wanted=at + 1: browser.run("return handed.length") == wanted, f"{name}.png"
        )
    handed = browser.run("return handed")
    assert [each[0] for each in handed] == ["accuracy-by-month.png", "true-by-predicted.png"]
    assert all(width > 700 and height > 500 for _, width, height in handed)


def test_on_paper_the_page_is_light_and_without_its_controls(
    browser: Browser, history: list[Prediction]
) -> None:
    browser.theme("dark")
    browser.open("/dashboard/")
    wait_until_drawn(browser, "/dashboard/")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.cdp("Emulation.setEmulatedMedia", media="print", features=[])
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    shown = browser.run(
        "return [...document.querySelectorAll('.filters, .fig-foot, .top')]"
        "  .filter(each => each.checkVisibility()).length"
    )
    browser.painted()
    whole(browser, 1000)
    browser.screenshot(SHOTS / "dashboard-paper.png")
    browser.cdp("Emulation.setEmulatedMedia", media="", features=[])
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert paper == "rgb(255, 255, 255)"
    assert shown == 0


def test_without_javascript_words_tables_and_filters_are_there(
    browser: Browser, history: list[Prediction]
) -> None:
    browser.scripts(enabled=False)
    browser.open("/dashboard/")
    assert "Of 100 drawings in November 2026" in browser.text("[data-part=tiles]")
    assert browser.shows(".filters [type=submit]")
    browser.click("#accuracy-by-month summary")
    assert "Nov 2026" in browser.text("#accuracy-by-month tbody")
    browser.find("[name=digit]").send_keys("3")
    browser.follow(".filters [type=submit]")
    assert browser.path() == "/dashboard/?digit=3"

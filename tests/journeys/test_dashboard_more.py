"""Replay, clusters, compare and the month's sheet in a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from django.contrib.auth.models import Group, Permission, User
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from dashboard.models import MapPoint
from dashboard.replay import clusters, replay
from labeling.models import Ask, QueueItem
from labeling.queue.intake import enqueue_new
from predictions.glyphs.glyph import encode_glyph, glyph_digest, glyph_of
from predictions.models import ModelVersion, Prediction
from tests.dashboard.history import Month, count_everything, make_history
from tests.factories import canvas
from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS
from tests.journeys.shots import shoot

# Their figures are asked of both databases without a browser, in tests/dashboard.
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.same_on_any_database]


def drawn(browser: Browser) -> None:
    """Until every chart of the page is."""
    left = "return document.querySelectorAll('[data-chart]:not([data-drawn])').length"
    browser.wait(lambda: browser.run(left) == 0, "the charts")
    browser.painted()


def colors(browser: Browser, name: str) -> int:
    """How many different colors the chart's canvas shows: one that was never drawn shows one."""
    return browser.run(
        """
        const canvas = document.querySelector(`[data-chart="${arguments[0]}"]`);
        const pen = canvas.getContext("2d");
        const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
        """,
        name,
    )


@pytest.fixture
def history(browser: Browser, base_version: ModelVersion) -> list[Prediction]:
    """Three months; what versions read again is the real networks' word on noise."""
    ModelVersion.objects.live().update(state=ModelVersion.State.RETIRED)
    made = make_history()
    count_everything()
    while not replay.replay_for().is_complete:
        pass
    replay.replay_for()
    return made


def test_the_replay_is_read_down_and_along(browser: Browser, history: list[Prediction]) -> None:
    browser.open("/dashboard/replay/")
    browser.wait_for("[data-chart=learning-curve][data-drawn]")
    assert "Down a column" in browser.text("main")
    assert "Along a row" in browser.text("main")
    cells = browser.all("#replay .heat tbody td")
    assert len(cells) == ModelVersion.objects.count() * 3
    assert re.search(r"\d+(\.\d)?\s*\d+(\.\d)?–\d+(\.\d)?\s+n \d+", cells[0].text)
    assert colors(browser, "learning-curve") > 3
    shoot(browser, "replay", ready=drawn)


def test_two_months_are_compared_and_the_link_shows_the_same(
    browser: Browser, history: list[Prediction]
) -> None:
    browser.open("/dashboard/compare/")
    browser.wait_for("[data-chart=compare][data-drawn]")
    said = browser.text(".verdict-line")
    assert "more than chance" in said
    assert colors(browser, "compare") > 3
    shoot(browser, "compare", ready=drawn)
    browser.open("/dashboard/compare/?by=months&one=2026-09&other=2026-11")
    assert browser.text(".verdict-line") == said
    browser.open("/dashboard/compare/?by=versions")
    browser.wait_for("[data-chart=compare][data-drawn]")
    shoot(browser, "compare-versions", ready=drawn)


def test_a_bar_of_a_comparison_and_a_point_of_the_learning_curve_lead_to_drawings(
    browser: Browser, history: list[Prediction], log_in: Callable[..., User]
) -> None:
    analyst(log_in)
    browser.open("/dashboard/compare/")
    drawn(browser)
    browser.press_point("compare", 3)
    browser.wait(lambda: "/drawings/" in browser.path(), "the drawings")
    assert browser.path() == "/dashboard/drawings/?label=3&first=2026-09&last=2026-09"
    browser.open("/dashboard/compare/?digit=3")
    drawn(browser)
    browser.press_point("compare", 1)
    browser.wait(lambda: "/drawings/" in browser.path(), "the drawings")
    days = "&since=2026-09-08&until=2026-09-14"
    assert browser.path() == f"/dashboard/drawings/?label=3&first=2026-09&last=2026-09{days}"
    browser.open("/dashboard/replay/")
    drawn(browser)
    assert "the drawings that the version learned from" in browser.text("#learning-curve")


def test_a_months_report_prints_to_one_sheet(browser: Browser, history: list[Prediction]) -> None:
    browser.open("/dashboard/months/2026-11/")
    assert "What to label next" in browser.text("main")
    shoot(browser, "month", ready=drawn)
    printed = browser.cdp("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
    content = base64.b64decode(printed["data"])
    (SHOTS / "month.pdf").write_bytes(content)
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1


def written(number: int) -> np.ndarray:
    """Leaning ones, wide zeros and sevens, no two alike."""
    off, kind = number % 17, number % 3
    one = [(120 + 2 * off, 50), (140 - off, 230)]
    zero = [(140, 50), (80 + off, 140), (140, 230), (210 - off, 140), (140, 50)]
    seven = [(70 + off, 60), (200 - off, 60 + off // 3), (120 + off, 230)]
    return glyph_of(canvas([zero, one, seven][kind]))


@pytest.fixture
def mapped(browser: Browser, base_version: ModelVersion) -> None:
    """A map of 60 drawings."""
    made = make_history([Month(date(2026, 11, 1), 60, 1.0, version=base_version.name)])
    for number, prediction in enumerate(made):
        glyph = written(number)
        prediction.glyph = encode_glyph(glyph)
        prediction.glyph_digest = glyph_digest(glyph)[:32]
        prediction.label.digit = (0, 1, 7)[number % 3]
        prediction.label.save()
    Prediction.objects.bulk_update(made, ["glyph", "glyph_digest"])
    clusters.make_map(base_version)


def analyst(log_in: Callable[..., User]) -> None:
    """The roles of the migrations are gone once a test has emptied the tables."""
    ann = log_in("ann")
    role, _ = Group.objects.get_or_create(name="analyst")
    role.permissions.add(*Permission.objects.filter(codename__in=["view_label"]))
    ann.groups.add(role)


def test_a_point_of_the_map_shows_its_drawing_and_leads_to_it(
    browser: Browser, mapped: None, log_in: Callable[..., User]
) -> None:
    analyst(log_in)
    browser.open("/dashboard/clusters/")
    canvas_ = browser.wait_for("[data-chart=clusters][data-drawn]")
    assert colors(browser, "clusters") > 10
    browser.run("arguments[0].scrollIntoView({block: 'center'})", canvas_)
    x, y = browser.run(
        "const point = Chart.getChart(arguments[0]).getDatasetMeta(0).data[0];"
        "return [point.x - arguments[0].clientWidth / 2, point.y - arguments[0].clientHeight / 2];",
        canvas_,
    )
    ActionChains(browser.driver).move_to_element_with_offset(canvas_, int(x), int(y)).perform()
    browser.wait(lambda: browser.shows("[data-map-peek]"), "the drawing to show")
    browser.wait(
        lambda: browser.run(
            "return document.querySelector('[data-map-peek] img').naturalWidth > 0"
        ),
        "the drawing to load",
    )
    browser.screenshot(SHOTS / "clusters-peek.png")
    shoot(browser, "clusters", ready=drawn)
    browser.tab_to("[data-chart=clusters]")
    browser.press(Keys.ARROW_RIGHT)
    browser.wait_for_text("[data-map-said]", "drawn on")
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.path().startswith("/predictions/"), "the drawing's page")
    opened = browser.path().split("/")[2]
    assert MapPoint.objects.filter(prediction__public_id=opened).exists()


def test_a_stranger_sees_the_map_without_pictures(browser: Browser, mapped: None) -> None:
    browser.open("/dashboard/clusters/")
    browser.wait_for("[data-chart=clusters][data-drawn]")
    browser.tab_to("[data-chart=clusters]")
    browser.press(Keys.ARROW_RIGHT)
    browser.wait_for_text("[data-map-said]", "drawn on")
    assert not browser.shows("[data-map-peek]")
    browser.press(Keys.ENTER)
    assert browser.path() == "/dashboard/clusters/"


def reviewer(log_in: Callable[..., User]) -> None:
    analyst(log_in)
    role = Group.objects.get(name="analyst")
    role.permissions.add(*Permission.objects.filter(codename="review_items"))


def test_a_lasso_sends_a_selection_to_review(
    browser: Browser, mapped: None, log_in: Callable[..., User]
) -> None:
    enqueue_new()
    Prediction.objects.update(is_audit=False)
    QueueItem.objects.update(origin="unsure")
    MapPoint.objects.update(is_audit=False)
    reviewer(log_in)
    browser.open("/dashboard/clusters/")
    canvas_ = browser.wait_for("[data-chart=clusters][data-drawn]")
    browser.click("[data-map-lasso]")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", canvas_)
    wide, high = browser.run(
        "return [arguments[0].clientWidth, arguments[0].clientHeight]", canvas_
    )
    right, down = int(wide / 2) - 6, int(high / 2) - 6
    chain = ActionChains(browser.driver)
    chain.move_to_element_with_offset(canvas_, -right, -down).click_and_hold()
    for x, y in ((right, -down), (right, down), (-right, down)):
        chain.move_to_element_with_offset(canvas_, x, y)
    chain.release().perform()
    browser.wait_for_text("[data-map-chosen]", "60 selected")
    browser.screenshot(SHOTS / "clusters-lasso.png", whole=True)
    browser.follow("[data-map-form] [type=submit]")
    assert "Sent to review: 60 done." in browser.text("main")
    assert Ask.objects.count() == 60


def test_the_map_is_enlarged_and_digits_are_switched_off(
    browser: Browser, mapped: None, log_in: Callable[..., User]
) -> None:
    analyst(log_in)
    browser.open("/dashboard/clusters/")
    browser.wait_for("[data-chart=clusters][data-drawn]")
    state = (
        "const chart = Chart.getChart(document.querySelector('[data-chart=clusters]'));"
        "return [chart.scales.x.max - chart.scales.x.min,"
        " chart.data.datasets[0].data.filter(each => !Number.isNaN(each.x)).length]"
    )
    whole, shown = browser.run(state)
    assert shown == 60
    browser.click("[data-map-zoom=in]")
    browser.click("[data-map-digit='7']")
    near, shown = browser.run(state)
    assert near < whole
    assert shown == 40
    assert not browser.all("[data-map-lasso]")  # analysts look, reviewers ask
    browser.click("[data-map-zoom=whole]")
    browser.click("[data-map-digit='7']")
    assert browser.run(state) == [whole, 60]

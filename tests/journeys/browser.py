"""A real Chromium, driven the way a person would: pointer, keys, files, and two screens."""

from __future__ import annotations

import base64
import functools
import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

Point = tuple[float, float]  # as shares of the paper's side, from the top left
SEVEN: list[list[Point]] = [[(0.27, 0.24), (0.5, 0.235), (0.72, 0.24), (0.6, 0.5), (0.47, 0.8)]]
ONE: list[list[Point]] = [[(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)]]
PATIENCE = 90.0  # seconds until it is given up; machines that check are busy
DESKTOP = (1280, 860)
PHONE = (360, 740)
LOOKS = ("light", "dark", "phone")
STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")  # axe's
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)


def missing() -> str:
    """What is not installed here, in words; empty when a browser can be started."""
    programs = {"Chromium": chromium(), "chromedriver": shutil.which("chromedriver")}
    absent = [name for name, path in programs.items() if path is None]
    return f"{' and '.join(absent)} not found: no browser tests" if absent else ""


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


@functools.cache
def axe_source() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()


# A chart learns of its box's new width in the next frame, and takes it in the one after.
WHEN_PAINTED = """
const [patience, done] = arguments; // milliseconds
const isInSight = element => {
  const { top, bottom } = element.getBoundingClientRect();
  return element.checkVisibility() && bottom > 0 && top < innerHeight;
};
const isDrawn = canvas => {
  const box = canvas.parentElement;
  const { paddingLeft, paddingRight } = getComputedStyle(box);
  const room = box.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const chart = window.Chart?.getChart(canvas);
  return chart && Math.abs(chart.width - room) < 2;
};
const missing = () => [
  ...(document.fonts.status === "loaded" ? [] : ["a font"]),
  ...[...document.images].filter(each => !each.complete && isInSight(each)).map(each => each.src),
  ...[...document.querySelectorAll("canvas[data-chart]")]
    .filter(each => each.checkVisibility() && !isDrawn(each)).map(each => each.dataset.chart),
];
const frame = () => new Promise(requestAnimationFrame);
(async () => {
  const until = Date.now() + patience;
  do {
    await frame();
    await frame();
  } while (missing().length && Date.now() < until);
  await frame();
  done(missing());
})();
"""


class Browser:
    """One Chromium for a whole session; `forget` makes it a stranger again."""

    def __init__(self, profile: Path) -> None:
        options = ChromeOptions()
        options.binary_location = chromium() or ""
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        service = Service(shutil.which("chromedriver"), log_output=subprocess.DEVNULL)
        self.driver = Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.set_script_timeout(PATIENCE)  # axe on a long page, on a busy machine
        self.base = ""

    def quit(self) -> None:
        self.driver.quit()

    def cdp(self, command: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def forget(self, base: str) -> None:
        """A new visitor with a wide window, a light theme and a mouse."""
        self.base = base
        self.scripts(enabled=True)
        self.driver.get("about:blank")
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Storage.clearDataForOrigin", origin=base, storageTypes="local_storage")
        self.cdp("Network.enable")
        self.cdp("Network.setBlockedURLs", urls=[])
        self.offline(False)
        self.window(*DESKTOP)
        self.theme("light")
        self.log()

    # -- circumstances -----------------------------------------------------------------------

    def window(self, width: int, height: int, *, touch: bool = False, scale: int = 1) -> None:
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=scale, mobile=touch,
        )  # fmt: skip
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=touch, maxTouchPoints=5)

    def phone(self, *, scale: int = 1) -> None:
        self.window(*PHONE, touch=True, scale=scale)

    def theme(self, name: str) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.cdp("Emulation.setEmulatedMedia", features=features)
        self.settle()

    def look(self, name: str) -> None:
        """One of LOOKS: a wide screen in either theme, or a phone."""
        self.phone() if name == "phone" else self.window(*DESKTOP)
        self.theme("dark" if name == "dark" else "light")
        if self.path().startswith("/admin/"):  # it looks for the theme as it loads
            self.driver.refresh()

    def settle(self) -> None:
        """Until what moves has come to rest: axe would measure colors halfway."""
        self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "requestAnimationFrame(() => requestAnimationFrame(() =>"
            "  Promise.allSettled(document.getAnimations()"
            "    .filter(each => each.effect.getComputedTiming().endTime < Infinity)"
            "    .map(each => each.finished)).then(() => done())))"
        )

    def painted(self) -> None:
        """Until fonts and pictures in sight are there, and charts drawn in the width they have."""
        missing = self.driver.execute_async_script(WHEN_PAINTED, 500 * PATIENCE)
        assert not missing, f"{self.path()} does not show: {', '.join(missing)}"

    def scripts(self, *, enabled: bool) -> None:
        self.cdp("Emulation.setScriptExecutionDisabled", value=not enabled)

    def pass_time(self, seconds: float) -> None:
        """The page's clock stops, and moves on by this much: no test sleeps or comes too late."""
        self.run(
            "window.clock = (window.clock ?? performance.now()) + 1000 * arguments[0];"
            "performance.now = () => window.clock",
            seconds,
        )

    def offline(self, is_offline: bool) -> None:
        self.cdp(
            "Network.emulateNetworkConditions",
            offline=is_offline, latency=0, downloadThroughput=-1, uploadThroughput=-1,
        )  # fmt: skip

    # -- looking -------------------------------------------------------------------------------

    def open(self, path: str) -> None:
        self.driver.get(self.base + path)

    def log_in(self, name: str, password: str) -> None:
        self.open("/accounts/login/")
        self.find("#id_username").send_keys(name)
        self.find("#id_password").send_keys(password)
        self.click("main button[type=submit]")
        self.wait_for("[data-menu]")

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """What a person reads there; asked in one step, so a page that changes cannot interfere."""
        said = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return said.replace("\N{NO-BREAK SPACE}", " ")

    def read(self, selector: str, name: str) -> str | None:
        """A property, or else an attribute, of what must be there; asked in one step too."""
        value = self.ask(
            selector, "found[arguments[1]] ?? found.getAttribute(arguments[1]) ?? null", name
        )
        return None if value is None else str(value)

    def shows(self, selector: str) -> bool:
        """Whether what must be there can be seen, as selenium's is_displayed() says."""
        return self.ask(
            selector,
            "found.checkVisibility({opacityProperty: true, visibilityProperty: true})"
            " && found.getClientRects().length > 0",
        )

    def ask(self, selector: str, what: str, *arguments: Any) -> Any:
        """What `found`, the first such element, says; as in find() there must be one."""
        is_there, value = self.run(
            "const found = document.querySelector(arguments[0]);"
            f"return found ? [true, {what}] : [false, null]",
            selector,
            *arguments,
        )
        if not is_there:
            raise NoSuchElementException(selector)
        return value

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Any, why: str, seconds: float = PATIENCE) -> Any:
        waiter = WebDriverWait(self.driver, seconds, poll_frequency=0.03)
        return waiter.until(lambda _: condition(), why)

    def wait_for_text(self, selector: str, text: str) -> None:
        self.wait(lambda: text in self.text(selector), f"{selector} to say {text!r}")

    def wait_for(self, selector: str) -> WebElement:
        shown = (
            "const found = [...document.querySelectorAll(arguments[0])];"
            "return found.find(each => each.checkVisibility())"
        )
        return self.wait(lambda: self.run(shown, selector), f"{selector} to be shown")

    def click(self, selector: str) -> None:
        """Click it once it is shown; again if the page put another in its place meanwhile."""
        try:
            self.wait_for(selector).click()
        except StaleElementReferenceException:
            self.wait_for(selector).click()

    def follow(self, selector: str) -> None:
        """Press what leads to another page, and be there."""
        left = self.find("html")
        self.click(selector)
        WebDriverWait(self.driver, PATIENCE).until(lambda _: is_gone(left))

    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.base)

    def glyph_png(self) -> bytes:
        """The previewed glyph, once no newer guess is on its way."""
        self.wait_for("[data-reading][aria-busy=false]")
        return base64.b64decode(
            self.run("return document.querySelector('[data-glyph]').src.split(',')[1]")
        )

    def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        return self.run(
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
        )

    def squeezed(self) -> list[str]:
        """The pictures that are shown wider or higher than they are."""
        return self.run(
            """return [...document.images].filter(picture => {
                 const {width, height} = picture.getBoundingClientRect()
                 const {naturalWidth, naturalHeight} = picture
                 const stretched = (width / height) / (naturalWidth / naturalHeight)
                 return height && naturalWidth && Math.abs(Math.log(stretched)) > 0.05
                   && getComputedStyle(picture).objectFit === "fill"
               }).map(picture => picture.getAttribute("src"))"""
        )

    def cut(self) -> list[str]:
        """The boxes that go on to the right and do not show it; the admin has its own look."""
        return self.run(
            """if (location.pathname.startsWith("/admin/")) return []
               return [...document.querySelectorAll("main *")].filter(box =>
                 ["auto", "scroll"].includes(getComputedStyle(box).overflowX)
                 && box.checkVisibility() && !box.matches("pre, textarea, input")
                 && box.scrollWidth - box.clientWidth - box.scrollLeft > 1
                 && !box.dataset.more?.includes("right")
               ).map(box => box.getAttribute("aria-label") ?? box.className)"""
        )

    def log(self) -> list[str]:
        """What the browser complained about since the last call.

        Refused pages and endpoints are no fault of the page; a missing file of ours is.
        """
        complaints = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in {"SEVERE", "WARNING"}
        ]
        return [
            said
            for said in complaints
            if "Failed to load resource" not in said or "/static/" in said
        ]

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = self.cdp("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def violations(self, *, of_color: bool = False) -> list[str]:
        """What axe-core finds on the page as it is, of any level: WCAG 2.2 AA, best practices.

        By the rules of color alone, where the same page was asked by all in another theme: names,
        roles, order and sizes are the same there. On a phone they are not.
        """
        if not self.run("return 'axe' in window"):  # half a megabyte to send and compile
            self.run(axe_source())
        found = self.driver.execute_async_script(
            "const [standards, ofColor, done] = arguments;"
            "const rules = axe.getRules(standards)"
            "  .filter(rule => rule.tags.includes('cat.color')).map(rule => rule.ruleId);"
            "const runOnly = ofColor ? {type: 'rule', values: rules} : standards;"
            "axe.run(document, {resultTypes: ['violations'], runOnly}).then("
            "  result => done(JSON.stringify(result.violations)), error => done(String(error)))",
            STANDARDS,
            of_color,
        )
        return [
            f"{each['id']} ({each['impact']}): "
            + "; ".join(f"{node['target']} {node['failureSummary']}" for node in each["nodes"])
            for each in json.loads(found)
        ]

    # -- doing ---------------------------------------------------------------------------------

    def draw(self, strokes: Sequence[Sequence[Point]], *, kind: str = "mouse") -> None:
        """Strokes on the paper with real pointer events: mouse, touch or pen."""
        paper = self.find("[data-canvas]")
        self.run("arguments[0].scrollIntoView({block: 'center'})", paper)
        box = self.run("return arguments[0].getBoundingClientRect().toJSON()", paper)
        for stroke in strokes:
            self._stroke([self._on(box, point) for point in stroke], kind)

    def _on(self, box: dict[str, float], point: Point) -> tuple[int, int]:
        x, y = point
        return round(box["x"] + x * box["width"]), round(box["y"] + y * box["height"])

    def _stroke(self, points: Sequence[tuple[int, int]], kind: str) -> None:
        builder = ActionBuilder(self.driver, mouse=PointerInput(kind, kind), duration=12)
        pointer = builder.pointer_action
        pointer.move_to_location(*points[0])
        pointer.pointer_down()
        for start, end in pairwise(points):
            steps = max(1, round(math.dist(start, end) / 20))
            for step in range(1, steps + 1):
                share = step / steps
                pointer.move_to_location(
                    round(start[0] + (end[0] - start[0]) * share),
                    round(start[1] + (end[1] - start[1]) * share),
                )
        pointer.pointer_up()
        builder.perform()

    def press(self, *keys: str, with_control: bool = False) -> None:
        """Keys go where the focus is, as on a keyboard."""
        chain = ActionChains(self.driver, duration=0)
        if with_control:
            chain.key_down(Keys.CONTROL)
        for key in keys:
            chain.send_keys(key)
        if with_control:
            chain.key_up(Keys.CONTROL)
        chain.perform()

    def focus(self) -> str:
        """Where the keyboard is: the element's words, or its name."""
        return self.run(
            "const on = document.activeElement;"
            "return on.getAttribute('aria-label') || on.innerText || on.name || on.tagName"
        )

    def press_point(self, chart: str, at: int) -> None:
        """The point or bar of the chart's first curve, in its place."""
        canvas = self.find(f"[data-chart={chart}]")
        self.run("arguments[0].scrollIntoView({block: 'center'})", canvas)
        x, y = self.run(
            "const { x, y } = Chart.getChart(arguments[0]).getDatasetMeta(0).data[arguments[1]];"
            "return [x - arguments[0].clientWidth / 2, y + 4 - arguments[0].clientHeight / 2];",
            canvas,
            at,
        )
        chain = ActionChains(self.driver)
        chain.move_to_element_with_offset(canvas, int(x), int(y)).click().perform()

    def tab_to(self, selector: str, most: int = 40) -> None:
        """By the Tab key alone."""
        for _ in range(most):
            self.press(Keys.TAB)
            if self.run("return document.activeElement.matches(arguments[0])", selector):
                return
        raise AssertionError(f"{selector} cannot be reached with {most} Tabs; at {self.focus()}")

    def hand_over(self, how: str, content: bytes, kind: str = "image/png") -> None:
        """A file dropped or pasted; the page sees the same event a person's would make."""
        self.run(
            """
            const [how, base64, type] = arguments;
            const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "digit", {type}));
            const heard = {bubbles: true, cancelable: true};
            const event = how === "paste"
              ? new ClipboardEvent(how, {clipboardData: transfer, ...heard})
              : new DragEvent(how, {dataTransfer: transfer, ...heard});
            document.querySelector("[data-canvas]").dispatchEvent(event);
            """,
            how,
            base64.b64encode(content).decode(),
            kind,
        )


def is_gone(element: WebElement) -> bool:
    """It belongs to a page that was left."""
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    except WebDriverException as error:
        # What the driver says when the page is exchanged while it looks.
        if "does not belong to the document" in str(error):
            return True
        raise
    return False

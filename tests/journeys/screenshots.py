"""The README's pictures, made with the real application: python -m tests.journeys.screenshots URL

URL is a running installation, for instance http://127.0.0.1:8000. Nothing is stored in it.
With `dashboard` behind the URL: the dashboard's picture, of an installation with seed_demo's data.
With `pages FOLDER NAME` behind it: every page as the account NAME sees it, on a wide screen in
light and dark and on a phone, into FOLDER; the environment has the account's PASSWORD.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.journeys.browser import LOOKS, Browser, Point, missing

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
Strokes = list[list[Point]]
THREE: Strokes = [
    [(0.32, 0.25), (0.5, 0.17), (0.66, 0.27), (0.61, 0.41), (0.46, 0.47)],
    [(0.46, 0.47), (0.65, 0.54), (0.7, 0.68), (0.57, 0.82), (0.4, 0.82), (0.29, 0.72)],
]
SEVEN: Strokes = [
    [(0.28, 0.23), (0.5, 0.215), (0.72, 0.22)],
    [(0.72, 0.22), (0.61, 0.42), (0.5, 0.64), (0.44, 0.84)],
    [(0.39, 0.52), (0.65, 0.5)],
]


def curved(stroke: list[Point]) -> list[Point]:
    """A smooth line through the points, as a hand would draw it (Catmull and Rom's spline)."""
    padded = [stroke[0], *stroke, stroke[-1]]
    line = [stroke[0]]
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(1, 5):
            line.append(between(before, start, end, after, step / 4))
    return line


def between(before: Point, start: Point, end: Point, after: Point, share: float) -> Point:
    x, y = (
        0.5
        * (
            2 * b
            + (c - a) * share
            + (2 * a - 5 * b + 4 * c - d) * share**2
            + (3 * b - a - 3 * c + d) * share**3
        )
        for a, b, c, d in zip(before, start, end, after, strict=True)
    )
    return x, y


def draw_page(browser: Browser, strokes: Strokes, name: str, *, kind: str = "mouse") -> None:
    browser.open("/")
    browser.draw([curved(stroke) for stroke in strokes], kind=kind)
    browser.wait_for("[data-reading][aria-busy=false]")
    browser.run("scrollTo(0, 0)")
    browser.screenshot(FOLDER / name)


def dashboard_page(browser: Browser, path: str, name: str) -> None:
    """A page once all its charts are drawn, from its top."""
    browser.open(path)
    if browser.run("return document.querySelectorAll('canvas[data-chart]').length"):
        browser.wait_for("canvas[data-drawn]")
    time.sleep(2)  # charts come into being one after the other, and move while they do
    browser.run("scrollTo(0, 0)")
    browser.screenshot(FOLDER / name)


def dashboard(browser: Browser) -> None:
    browser.theme("light")
    browser.window(1280, 1700)
    dashboard_page(browser, "/dashboard/", "dashboard.png")


def every_page(browser: Browser, folder: Path, name: str) -> None:
    """A visitor's pages, then all of the account's."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()  # for the routes
    from tests.journeys import pages

    for path in ("/", "/accounts/login/", "/predictions/", "/dashboard/"):
        browser.open(path)
        in_all_looks(browser, folder, f"visitor{path}")
    browser.log_in(name, os.environ["PASSWORD"])
    for path, _ in pages.walk(browser):
        in_all_looks(browser, folder, path)


def in_all_looks(browser: Browser, folder: Path, path: str) -> None:
    """The whole page that is open: light, dark, phone."""
    file = f"{path.strip('/').replace('/', '.') or 'draw'}.png"
    for look in LOOKS:
        browser.look(look)
        browser.painted()
        browser.screenshot(folder / look / file, whole=True)
    browser.look("light")


def main(url: str, what: str = "drawing", *more: str) -> None:
    if reason := missing():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(Path(profile))
        try:
            browser.forget(url)
            browser.cdp("Emulation.setScrollbarsHidden", hidden=True)
            if what == "dashboard":
                dashboard(browser)
                return
            if what == "pages":
                every_page(browser, Path(more[0]), more[1])
                return
            browser.window(1200, 780)
            draw_page(browser, SEVEN, "draw.png")
            browser.theme("dark")
            browser.phone(scale=2)
            draw_page(browser, THREE, "draw-phone-dark.png", kind="touch")
        finally:
            browser.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])

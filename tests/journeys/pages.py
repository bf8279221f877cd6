"""All pages of the site, found as a person finds them: by links, one address for each route."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve

from tests.architecture import doors
from tests.journeys.browser import Browser

NOWHERE = "/nowhere/"
RESETS = (  # what a mail leads to, where mail is set up
    "/accounts/reset/",
    "/accounts/reset/sent/",
    "/accounts/reset/MQ/set-password/",
    "/accounts/reset/done/",
)
# Where a walk starts: all else is linked from these, within the site and within the admin.
STARTS = (
    "/",
    "/admin/",
    NOWHERE,
    *RESETS,
    "/accounts/password/done/",
    "/admin/password_change/done/",
    "/label/import/",  # the admin alone links to it
)
# What axe says of another project's parts, and why it stays.
ITS_MAIN = "Swagger UI has a <main> of its own, which may have no other role"
EXPLAINED = {
    "/api/": {
        "nested-interactive": "Swagger UI puts a button within a button",
        "landmark-main-is-top-level": ITS_MAIN,
        "landmark-no-duplicate-main": ITS_MAIN,
        "landmark-unique": ITS_MAIN,
    }
}
LINKS = "return [...document.links].map(link => link.href)"
# What the browser has open, if it is a page: the status it came with, else 0.
STATUS = (
    "return document.contentType === 'text/html'"
    "  ? performance.getEntriesByType('navigation')[0].responseStatus : 0"
)


def walk(
    browser: Browser, starts: Iterable[str] = STARTS, *, within: str = ""
) -> Iterator[tuple[str, int]]:
    """The address and status of each page, open in the browser; of the site or the admin alone."""
    waiting, seen = list(starts), set()
    while waiting:
        address = waiting.pop(0)
        path = urlsplit(address).path
        route = route_of(path)
        if route in seen or (within and path.startswith("/admin/") != (within == "admin")):
            continue
        seen.add(route)
        browser.open(path)
        if browser.run(STATUS) == 400:  # it is nothing without what the link asks of it
            browser.open(address)
        if status := browser.run(STATUS):
            links = browser.run(LINKS)
            waiting += [link.removeprefix(browser.base) for link in links if is_page(browser, link)]
            yield path, status


def route_of(path: str) -> str:
    """The route of an address as urls.py spells it. Documents are a page each, decisions one."""
    is_document = path.startswith("/docs/") and "/decisions/" not in path
    return path if is_document else full_route(path)


def full_route(path: str) -> str:
    try:
        return resolve(path).route
    except Resolver404:
        return path


def answering() -> set[str]:
    """The routes that answer an admin's GET with a page, by the reviewed table of all doors."""
    place = doors.CALLERS.index("admin")
    return {
        door.route
        for door, statuses in doors.read().items()
        if door.method == "GET" and statuses[place] == "200"
        if door.route.endswith("/") and not door.route.startswith(doors.API)
    }


def is_page(browser: Browser, link: str) -> bool:
    """It leads to one of our pages, whose paths end with a slash, as those of files do not."""
    path = urlsplit(link).path
    is_ours = link.startswith(browser.base + "/") and not path.startswith("/api/v1/")
    return is_ours and path.endswith("/")

"""The pages of docs/, as this release has them."""

from __future__ import annotations

import functools
from pathlib import PurePosixPath

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from predictions.pages.markdown import as_html

FOLDER = settings.BASE_DIR / "docs"
GROUPS = {
    "Start here": ["tutorial", "explanation"],
    "Look it up": [
        "guides", "commands", "settings", "api", "recognizer", "security", "decisions",
    ],
    "Run it for others": ["deployment", "operation"],
}  # fmt: skip


@functools.cache
def texts() -> dict[str, str]:
    """The Markdown of each page by its name: its path below docs/, without the ending."""
    return {
        file.relative_to(FOLDER).with_suffix("").as_posix(): file.read_text()
        for file in sorted(FOLDER.rglob("*.md"))
    }


def title_of(name: str) -> str:
    return texts()[name].partition("\n")[0].removeprefix("# ").replace("`", "")


@functools.cache
def html_of(name: str) -> SafeString:
    """A page without its title."""
    return as_html(texts()[name].partition("\n")[2], functools.partial(address, name))


def address(name: str, link: str) -> str:
    """Where a link of a page leads; empty if there is no page of that name."""
    if link.startswith(("#", "http://", "https://")):
        return link
    target, _, anchor = link.partition("#")
    page = PurePosixPath(name).parent / target.removesuffix(".md")
    if target.endswith("/"):
        return reverse("predictions:docs")
    if str(page) not in texts():
        return ""
    return reverse("predictions:docs", args=[str(page)]) + (f"#{anchor}" if anchor else "")


@login_not_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The table of contents, grouped by task."""
    groups = [
        (title, [(name, title_of(name)) for name in names if name in texts()])
        for title, names in GROUPS.items()
    ]
    decisions = [(name, title_of(name)) for name in texts() if name.startswith("decisions/")]
    return render(request, "predictions/docs.html", {"groups": groups, "decisions": decisions})


@login_not_required
@require_safe
def page(request: HttpRequest, doc: str) -> HttpResponse:
    if doc not in texts():
        raise Http404
    context = {"title": title_of(doc), "text": html_of(doc)}
    return render(request, "predictions/docs_page.html", context)

"""Numbers and dates on the dashboard's pages are written as docs/writing.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest
from django.test import Client

from dashboard.cube.counting import catch_up
from tests.dashboard.history import Month, make_history

pytestmark = [pytest.mark.django_db, pytest.mark.same_on_any_database]  # of words
PAGES = (
    "",
    "technical/",
    "compare/",
    "compare/?by=versions",
    "replay/",
    "months/2026-11/",
    "?first=2026-10&digit=3",
    "?stream=all",
)
PERCENT = re.compile(r"([\d.,]+)(\s?)%")
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
DAY = rf"({MONTHS}|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s\d{{1,2}}\b"


def wrong_in(text: str) -> Iterator[str]:
    """What is not written as docs/writing.md says."""
    for number, space in PERCENT.findall(text):
        if space or not re.fullmatch(r"\d{1,3}(\.\d)?", number):
            yield f"{number}{space}%"
    yield from re.findall(r"\bn = ", text)  # a line may break there
    yield from re.findall(r"\d (?:drawing|label|point|version)s?\b", text)  # and there
    yield from re.findall(r"\d%–\d", text)  # an interval
    yield from re.findall(r"(?<![\d,.-])\d{4,}(?![\d,-]|\.\d)(?<!20\d\d)", text)  # 12345
    yield from re.findall(r"\b20\d\d-\d\d(?:-\d\d)?\b", text)  # a month or day for programs
    yield from re.findall(rf"\b{DAY}(?!,\s20\d\d)", text)  # a day without its year
    yield from re.findall(r"(?<![\w–-])-\d[\d.]*\spoints", text)  # a minus that is a hyphen
    yield from re.findall(r"\d+\.\d{2,}\s(?:of\s100|points)", text)
    yield from re.findall(r"\b(?:nan|None|inf)\b", text)


def text_of(html: str) -> str:
    body = re.sub(r"<(script|style|template|option)\b.*?</\1>", " ", html, flags=re.DOTALL)
    body = body.split("<main", 1)[1].split("</main>")[0]
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " | ", body))


@pytest.mark.parametrize("page", PAGES)
def test_every_number_and_date_has_its_format(client: Client, page: str) -> None:
    made = make_history(
        [
            Month(date(2026, 9, 1), 90, 0.8, queued=10, unlabeled=5),
            Month(date(2026, 10, 1), 1_020, 0.93, version="tuned-1"),
            Month(date(2026, 11, 1), 90, 0.99, version="tuned-2"),
        ]
    )
    assert len(made) > 1_000
    catch_up(patience=0)
    text = text_of(client.get(f"/dashboard/{page}").content.decode())
    assert re.search(r"\d", text)
    assert list(wrong_in(text)) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("98.1% of 1,204 (95%: 96.2% to 98.1%)", []),
        ("98.12% and 3 %", ["98.12%", "3 %"]),
        ("12345\N{NO-BREAK SPACE}drawings in 2026", ["12345"]),
        ("on 2026-11-30", ["2026-11-30"]),
        ("Nov 30, 2026 and Nov 30", ["Nov"]),
        (
            "-1.2\N{NO-BREAK SPACE}points, −1.2\N{NO-BREAK SPACE}points",
            ["-1.2\N{NO-BREAK SPACE}points"],
        ),
        ("3 labels", ["3 labels"]),
        ("96.2%–98.1%", ["2%–9"]),
        ("84.25 of 100", ["84.25 of 100"]),
    ],
)
def test_a_format_that_is_not_ours_is_found(text: str, wrong: list[str]) -> None:
    assert list(wrong_in(text)) == wrong

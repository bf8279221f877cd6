"""docs/security.md names tests and files; each must be there, or its claim stands on nothing."""

from __future__ import annotations

import re

import pytest

from tests.architecture.repository import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
FOLDERS = "predictions|labeling|training|dashboard|config|deploy|templates|tests"
FILES = sorted(set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+\.\w+)`", PAGE)))
STATES = {"met", "not met", "not applicable", "in part", "yours"}


@pytest.mark.parametrize(("file", "name"), TESTS, ids=lambda each: each or "all")
def test_a_named_test_is_there(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    assert re.search(rf"^\s*def {name or 'test_'}", text, re.M)


@pytest.mark.parametrize("file", FILES)
def test_a_named_file_is_there(file: str) -> None:
    assert (ROOT / file).exists()


def test_every_row_says_how_it_stands_and_a_claim_names_its_evidence() -> None:
    rows = re.findall(r"^\| (\d+[^|]*) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.M)
    assert len(rows) > 90
    for requirement, state, why in rows:
        assert state.split(",")[0] in STATES, requirement
        assert why.strip(), requirement


def test_every_chapter_is_there() -> None:
    named = {int(number) for number in re.findall(r"\bV(\d+)\b", PAGE)}
    assert named == set(range(1, 18))

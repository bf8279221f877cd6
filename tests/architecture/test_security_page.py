"""docs/security.md names tests and files; each must be there, or its claim stands on nothing."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.architecture.repository import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| (\d+[^|]*) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.M)
NODES = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))
FOLDERS = "predictions|labeling|training|dashboard|config|deploy|templates|static"
FILES = sorted(set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+\.\w+)`", PAGE)))
STATES = {"met", "read", "not met", "not applicable", "in part", "yours"}


@cache
def nodes_in(file: str) -> set[str]:
    """What pytest collects there, without parameters."""
    tree = ast.parse((ROOT / file).read_text())
    found = {file}
    for each in tree.body:
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"):
            found.add(f"{file}::{each.name}")
        if isinstance(each, ast.ClassDef) and each.name.startswith("Test"):
            found |= {
                f"{file}::{each.name}::{inner.name}"
                for inner in each.body
                if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test_")
            }
    return found


@pytest.mark.parametrize("node", NODES)
def test_what_is_named_as_a_test_is_one(node: str) -> None:
    file = node.split("::")[0]
    if file.endswith(".py"):
        assert node in nodes_in(file)
    else:
        assert (ROOT / file).exists()


@pytest.mark.parametrize("file", FILES)
def test_a_named_file_is_there(file: str) -> None:
    assert (ROOT / file).exists()


@pytest.mark.parametrize(("requirement", "state", "why"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_met_names_a_test_and_the_rest_says_why(
    requirement: str, state: str, why: str
) -> None:
    kind = state.split(",")[0]
    assert kind in STATES
    assert why.strip()
    if kind == "met":
        assert re.search(r"`tests/[\w/]+\.py(::\w+)+`", why)


def test_every_chapter_is_there_and_each_requirement_once() -> None:
    named = {int(number) for number in re.findall(r"\bV(\d+)\b", PAGE)}
    assert named == set(range(1, 18))
    numbers = [row[0].split(" ")[0].rstrip(",") for row in ROWS]
    assert len(numbers) == len(set(numbers)) > 90

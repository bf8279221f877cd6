"""The reference is whole: nothing is undocumented, and nothing documented is gone."""

from __future__ import annotations

import re

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests import reference
from tests.architecture.repository import ROOT

# Read by the shell, by gunicorn or by the tests, not through config.env.
READ_ELSEWHERE = {"PORT", "HOST"}


def settings_read() -> set[str]:
    """Every variable that the code asks the environment for."""
    found: set[str] = set()
    reader = re.compile(r"\benv\.\w+\(\s*\"([A-Z][A-Z_]+)\"|\benv\.\w+\('([A-Z][A-Z_]+)'")
    own = re.compile(r"(?<![.\w])(?:text|flag|whole|fraction|words|folder)\(\"([A-Z][A-Z_]+)\"")
    for path in (ROOT / "config").rglob("*.py"):
        text = path.read_text()
        found |= {name for pair in reader.findall(text) for name in pair if name}
        found |= set(own.findall(text))
    for app in reference.OURS:
        for path in (ROOT / app).rglob("*.py"):
            found |= set(re.findall(r"\"(INKLOOP_[A-Z_]+)\"", path.read_text()))
    return found


def settings_told() -> set[str]:
    rows = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "docs/settings.md").read_text(), re.M)
    return {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row)}


def endpoints_there() -> set[str]:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return {
        f"{verb.upper()} {re.sub(r'{[^}]+}', '{}', path)}"
        for path, verbs in schema["paths"].items()
        for verb in verbs
    }


def endpoints_told() -> set[str]:
    """From the table: a path alone takes the verb before it, a verb alone the path before it."""
    told: set[str] = set()
    for row in re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs/api.md").read_text(), re.M):
        verb = path = ""
        for span in re.findall(r"`([^`]+)`", row):
            words = span.split()
            verb = words[0] if words[0].isupper() else verb
            path = words[-1] if words[-1].startswith("/") else path
            if path.startswith("/api/v1/"):
                told.add(f"{verb} {re.sub(r'{[^}]+}', '{}', path)}")
    return told


def test_every_setting_is_told_and_no_other() -> None:
    assert settings_read() - READ_ELSEWHERE == settings_told() - READ_ELSEWHERE


def test_every_endpoint_is_told_and_no_other() -> None:
    there, told = endpoints_there(), endpoints_told()
    assert sorted(there - told) == []
    assert sorted(told - there) == []


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    page = reference.COMMANDS.read_text()
    assert page == reference.commands_page(), "python -m tests.reference renews it"


def test_every_command_says_what_it_does() -> None:
    sections = reference.commands_page().split("\n### ")[1:]
    assert len(sections) > 20
    assert not [text.splitlines()[0] for text in sections if len(text.splitlines()[2]) < 20]


@pytest.mark.parametrize("folder", reference.OURS)
def test_every_app_has_its_page(folder: str) -> None:
    assert len((ROOT / folder / "README.md").read_text()) > 500


@pytest.mark.parametrize("app", reference.OURS)
def test_each_verb_of_a_readme_is_defined_where_the_readme_says(app: str) -> None:
    rows = re.findall(
        r"^\| (`.+?) \| (`.+?\.py`.*?) \|", (ROOT / app / "README.md").read_text(), re.M
    )
    assert rows
    for verbs, files in rows:
        paths = [ROOT / app / name for name in re.findall(r"`([\w/]+\.py)`", files)]
        code = "".join(path.read_text() for path in paths)
        for verb in re.findall(r"`(?:\w+\.)?(\w+)`", verbs):
            assert re.search(rf"(def|class) {verb}\b", code), f"{verb} is not in {files}"

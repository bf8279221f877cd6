"""Each app is a few rooms, each room has one subject, and imports run downwards between them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT
from tests.bench.house import at_root, circles, graph_of, modules_in

# Lowest first: a room may import those before it. The root's nouns may be imported by all.
ROOMS = {
    "predictions": [
        *("database", "glyphs", "serving", "access", "capture", "api", "operation", "pages"),
        "admin",
    ],
    "labeling": ["queue", "decisions", "batches", "files", "operation", "api", "pages", "admin"],
    "training": [
        "engine",
        "messages",
        "snapshots",
        "versions",
        "trials",
        "runs",
        "workers",
        "backup",
        "operation",
        "api",
        "pages",
        "admin",
    ],
    "dashboard": ["cube", "figures", "replay", "reports", "operation", "demo", "api", "pages"],
}
GROUND = {"predictions.database"}  # what even the nouns rest on
DOORS = {"urls", "tasks", "apps"}  # at the root, and above all rooms: the framework looks there
MOST_AT_ROOT = 16
MODULES = modules_in(ROOT)
GRAPH = graph_of(MODULES)


def room_of(name: str) -> str | None:
    """labeling.queue.gold is in queue; labeling.models is in no room."""
    app, *rest = name.split(".")
    return rest[0] if rest and rest[0] in ROOMS.get(app, ()) else None


@pytest.mark.parametrize("app", ROOMS)
def test_no_room_imports_one_above_it(app: str) -> None:
    order = ROOMS[app]
    upward = [
        f"{name} imports {other}"
        for name, imported in GRAPH.items()
        for other in imported
        if name.startswith(f"{app}.") and other.startswith(f"{app}.")
        if (room := room_of(name)) and (above := room_of(other))
        if order.index(above) > order.index(room)
    ]
    assert not upward


@pytest.mark.parametrize("app", ROOMS)
def test_the_nouns_at_an_apps_root_import_no_room(app: str) -> None:
    entering = [
        f"{name} imports {other}"
        for name, imported in GRAPH.items()
        for other in imported
        if name.count(".") == 1 and name.startswith(f"{app}.") and room_of(name) is None
        if name.split(".")[1] not in DOORS and room_of(other)
        if not any(other.startswith(f"{ground}.") for ground in GROUND)
    ]
    assert not entering


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(MODULES) == []


@pytest.mark.parametrize("app", ROOMS)
def test_an_apps_root_shows_its_rooms_and_little_else(app: str) -> None:
    entries = at_root(ROOT / app)
    folders = {path.name for path in (ROOT / app).iterdir() if list(path.glob("*.py"))}
    assert len(entries) <= MOST_AT_ROOT, entries
    assert folders & set(entries) == set(ROOMS[app])


@pytest.mark.parametrize(
    "room", [ROOT / app / room for app, rooms in ROOMS.items() for room in rooms], ids=str
)
def test_a_room_says_in_one_sentence_what_it_is_for(room: Path) -> None:
    tree = ast.parse((room / "__init__.py").read_text())
    sentence = ast.get_docstring(tree) or ""
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    rest = tree.body[1:]
    if room.name == "admin":  # Django finds what a module registers by importing it
        assert all(isinstance(node, ast.ImportFrom) for node in rest)
    else:
        assert not rest

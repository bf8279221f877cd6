"""The migrated database that tests copy is never one of other code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import migrated


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for app in migrated.APPS:
        (tmp_path / app / "migrations").mkdir(parents=True)
        (tmp_path / app / "migrations" / "0001_initial.py").write_text("first")
        (tmp_path / app / "roles.py").write_text("first")
    (tmp_path / "constraints.txt").write_text("Django==1")
    monkeypatch.setattr(migrated, "ROOT", tmp_path)
    migrated.copy.cache_clear()
    yield tmp_path
    migrated.copy.cache_clear()


@pytest.mark.parametrize(
    "changed",
    ["labeling/migrations/0001_initial.py", "predictions/roles.py", "constraints.txt"],
)
def test_what_a_migration_uses_makes_another_copy_when_it_changes(tree: Path, changed: str) -> None:
    before = migrated.copy()
    migrated.copy.cache_clear()
    assert migrated.copy() == before
    (tree / changed).write_text("second")
    migrated.copy.cache_clear()
    assert migrated.copy() != before


def test_a_new_migration_makes_another_copy(tree: Path) -> None:
    before = migrated.copy()
    (tree / "training" / "migrations" / "0002_more.py").touch()
    migrated.copy.cache_clear()
    assert migrated.copy() != before

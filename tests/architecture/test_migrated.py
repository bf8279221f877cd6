"""The migrated database that tests copy is never one of other migrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import migrated


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "labeling" / "migrations").mkdir(parents=True)
    first = "from django.db import migrations\nfrom labeling.roles import grant\n"
    (tmp_path / "labeling" / "migrations" / "0001_initial.py").write_text(first)
    (tmp_path / "labeling" / "roles.py").write_text("first")
    (tmp_path / "labeling" / "views.py").write_text("first")
    (tmp_path / "constraints.txt").write_text("Django==1")
    monkeypatch.setattr(migrated, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "makes_another"),
    [
        ("labeling/migrations/0001_initial.py", True),
        ("labeling/migrations/0002_more.py", True),
        ("labeling/roles.py", True),  # a migration calls it
        ("constraints.txt", True),
        ("labeling/views.py", False),
    ],
)
def test_what_migrations_are_made_of_makes_another_copy_when_it_changes(
    tree: Path, changed: str, makes_another: bool
) -> None:
    before = migrated.name_of_copy()
    assert migrated.name_of_copy() == before
    (tree / changed).write_text("second")
    assert (migrated.name_of_copy() != before) is makes_another

"""The migrated database that tests copy is never one of other migrations."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from django.db import connection

from tests import migrated
from tests.operation.installation import database_url


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


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite copies a file")
def test_a_database_on_postgresql_begins_as_the_template_and_leaves_it_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(url: str, statement: str) -> int:
        with closing(psycopg2.connect(url)) as used, used, used.cursor() as cursor:
            cursor.execute(statement)
            return cursor.rowcount

    monkeypatch.delenv(migrated.TEMPLATE, raising=False)
    roles = "SELECT name FROM auth_group"
    with database_url() as server, migrated.postgresql_template(server) as variables:
        monkeypatch.setenv(migrated.TEMPLATE, variables[migrated.TEMPLATE])
        for _ in range(2):
            with database_url() as url:
                assert run(url, roles) > 0
                run(url, "DELETE FROM auth_group_permissions")
                run(url, "DELETE FROM auth_group")
                assert run(url, roles) == 0

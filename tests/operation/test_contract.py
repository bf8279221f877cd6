"""The API keeps what its description promises: schemathesis, all checks, all phases, three people.

The long form is `./run bench contract`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.bench.contract import PEOPLE, judge, platform
from tests.bench.servers import Server
from tests.operation.installation import database_url, scratch_name

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]
EXAMPLES = 3  # an operation and phase; about half a minute a person
# Each on SQLite; on PostgreSQL whoever reaches everything.
ASKED = ["admin"] if connection.vendor == "postgresql" else PEOPLE


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    with (
        database_url(scratch_name()) as url,
        platform(tmp_path_factory.mktemp("contract"), url) as serving,
    ):
        yield serving


@pytest.mark.parametrize("person", ASKED)
def test_no_check_fails(served: tuple[Server, dict[str, str]], person: str, tmp_path: Path) -> None:
    server, tokens = served
    verdict = judge(
        server, person, tokens.get(person, ""), examples=EXAMPLES, seconds=0, folder=tmp_path
    )
    assert verdict.operations > 30, verdict.said
    assert (verdict.code, verdict.failures) == (0, 0), verdict.said

"""The API keeps what its description promises: schemathesis, all checks, all phases, three people.

The long form is `./run bench contract`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.bench.contract import PHASES, judge, platform
from tests.bench.support.servers import Server
from tests.operation.installation import database_url

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]
EXAMPLES = 3  # an operation and phase; about half a minute a person
# An admin reaches everything, also at its boundaries. What the others may is asked of every door
# in tests/architecture/; here, that each answer is described. On PostgreSQL an admin alone.
WITHIN = "examples,fuzzing,stateful"
ASKED = {"admin": PHASES, "visitor": WITHIN, "labeler": WITHIN}
PEOPLE = ["admin"] if connection.vendor == "postgresql" else list(ASKED)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    with (
        database_url() as url,
        platform(tmp_path_factory.mktemp("contract"), url) as serving,
    ):
        yield serving


@pytest.mark.parametrize("person", PEOPLE)
def test_no_check_fails(served: tuple[Server, dict[str, str]], person: str, tmp_path: Path) -> None:
    server, tokens = served
    verdict = judge(
        server, person, tokens.get(person, ""), examples=EXAMPLES, seconds=0, folder=tmp_path,
        phases=ASKED[person],
    )  # fmt: skip
    assert verdict.operations > 30, verdict.said
    assert (verdict.code, verdict.failures) == (0, 0), verdict.said

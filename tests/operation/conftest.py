from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.operation.installation import Installation, database_url


@pytest.fixture(scope="module")
def scratch_database_url() -> Iterator[str]:
    with database_url(f"inkloop_{uuid.uuid4().hex[:12]}") as url:
        yield url


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, scratch_database_url: str
) -> Iterator[Installation]:
    """A server and workers of their own; what a test has killed is back for the next."""
    installation = Installation(tmp_path_factory.mktemp("installation"), scratch_database_url)
    try:
        installation.start()
        yield installation
    finally:
        installation.end()

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.operation.installation import Installation, database_url


@pytest.fixture(scope="package")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """A server and workers for the group "workers"; what one test killed is back for the next."""
    with database_url() as url:
        installation = Installation(tmp_path_factory.mktemp("installation"), url)
        try:
            installation.start()
            yield installation
        finally:
            installation.end()

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.db import connections
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase

from dashboard.cube.counting import watch as counting
from dashboard.demo import presence
from labeling.queue.intake import watch
from predictions import metrics
from predictions.access.limits import quota, slots
from predictions.capture.capture import ranks
from predictions.models import ModelVersion
from predictions.operation import proxy_mismatches
from predictions.serving.recognizer import recognizer
from tests import migrated
from tests.factories import make_live

# No test depends on how fast the machine is, or on what else it does.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
# For `./run bench mutants`, which asks only whether a test fails.
hypothesis.settings.register_profile(
    "first failure",
    parent=hypothesis.settings.get_profile("any machine"),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what no database can change: `./run test` asks it of one database alone."""
    for item in items:
        if not may_need_database(item):
            item.add_marker(pytest.mark.same_on_any_database)
    if hasattr(config, "workerinput"):  # one of several: nobody is to end long after the others
        items.sort(key=lambda item: not may_start_first(item))


def may_start_first(item: pytest.Item) -> bool:
    """It takes long, and empties no table that tests after it need as migrations left it."""
    is_long = item.get_closest_marker("slow") is not None
    return is_long and (item.get_closest_marker("browser") is not None or not empties_tables(item))


def empties_tables(item: pytest.Item) -> bool:
    names, marker = set(getattr(item, "fixturenames", ())), item.get_closest_marker("django_db")
    is_asked = marker is not None and bool(marker.kwargs.get("transaction"))
    return is_asked or bool(names & {"transactional_db", "live_server"})


def may_need_database(item: pytest.Item) -> bool:
    """Tests that ask for none are kept from it, unless they start programs that have their own."""
    names = set(getattr(item, "fixturenames", ()))
    test_class = getattr(item, "cls", None)
    return (
        bool(names & {"db", "transactional_db", "live_server"})
        or any(item.get_closest_marker(name) for name in ("django_db", "slow", "browser"))
        or (test_class is not None and issubclass(test_class, TransactionTestCase))
        or "operation" in item.path.parts
    )


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something at the end of all tests, also from a process whose output nobody sees."""
    return lambda words: request.node.user_properties.append(("told", words))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for words in (said for name, said in report.user_properties if name == "told"):
            terminalreporter.write_line(str(words))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Threads of a live server keep no connection: the test database has to go at the end."""
    connections.settings["default"]["CONN_MAX_AGE"] = 0
    connections.settings["default"]["TEST"]["TEMPLATE"] = os.environ.get(migrated.TEMPLATE)
    connection_created.connect(migrated.fill)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """With what migrations make, copied: see tests/migrated.py."""
    connection_created.disconnect(migrated.fill)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """The process keeps the serving network and its share of quotas; no test sees another's."""
    # Pages look for it now and then, which would make counts of queries vary.
    presence.assume(False)
    yield
    recognizer.forget()
    quota.forget()
    slots.cache_clear()
    ranks.forget()
    watch.forget()
    proxy_mismatches.forget()
    metrics.rows.forget()
    counting.forget()


@pytest.fixture(autouse=True)
def _nothing_by_lot(settings: Any) -> None:
    """No drawing becomes an audit, no item a check or a second opinion, unless a test asks."""
    settings.AUDIT_RATE = settings.GOLD_RATE = settings.SECOND_OPINION_RATE = 0.0


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """Accounts are made by the thousand; to keep a password well takes a third of a second."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def nothing_collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("static")


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Any, nothing_collected: Path) -> None:
    """Tests render pages without a collectstatic before them.

    Nor is what a collectstatic left here looked through anew for every client.
    """
    settings.STATIC_ROOT = nothing_collected
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def live_version(db: None) -> ModelVersion:
    """A toy network that nearly always says seven."""
    return make_live()

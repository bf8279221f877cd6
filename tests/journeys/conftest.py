from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client

from predictions.models import ModelVersion
from predictions.serving.registry import BASE_DIR, install_base
from tests.journeys.browser import Browser, missing

SHOTS = Path(django_settings.BASE_DIR) / "test-results"
PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all journeys: starting it costs more than most of them."""
    if reason := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; here they must run")
        pytest.skip(reason)
    started = Browser(tmp_path_factory.mktemp("chromium"))
    yield started
    started.quit()


@pytest.fixture
def base_version(transactional_db: None) -> ModelVersion:
    """The model version the repository ships: journeys are judged with the real one."""
    if not (BASE_DIR / "card.json").exists():
        pytest.fail("The shipped model version is missing from predictions/base.")
    return install_base()


@pytest.fixture
def browser(
    chromium: Browser,
    live_server: Any,
    base_version: ModelVersion,
    request: pytest.FixtureRequest,
) -> Iterator[Browser]:
    """A stranger's browser; its page must not break the content policy or throw."""
    cache.clear()
    chromium.forget(live_server.url)
    yield chromium
    chromium.screenshot(SHOTS / f"{request.node.name}.png")
    complaints = chromium.log()
    chromium.forget(live_server.url)
    wait_for_requests_under_way()
    assert not complaints, "\n".join(complaints)


def wait_for_requests_under_way() -> None:
    """A page may have asked once more as it was left; its answer must not meet the emptying."""
    if connection.vendor != "postgresql":
        return
    deadline = time.monotonic() + 90
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT COUNT(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.05)


@pytest.fixture
def log_in(browser: Browser) -> Callable[..., User]:
    """Somebody new, signed in by a cookie: the form takes longer, and the menu is tested by it."""

    def as_user(name: str = "ben", **fields: Any) -> User:
        user = User.objects.create_user(name, f"{name}@example.org", PASSWORD, **fields)
        client = Client()
        client.force_login(user)
        cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
        browser.cdp("Network.setCookie", name=cookie.key, value=cookie.value, url=browser.base)
        return user

    return as_user

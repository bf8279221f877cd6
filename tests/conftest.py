from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.counting import watch as counting
from labeling.intake import watch
from predictions.limits import quota
from predictions.models import ModelVersion
from predictions.recognizer import recognizer
from tests.factories import make_live


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """The process keeps the serving network and its share of quotas; no test sees another's."""
    yield
    recognizer.forget()
    quota.forget()
    watch.forget()
    counting.forget()


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Any) -> None:
    """Tests render pages without a collectstatic before them."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def live_version(db: None) -> ModelVersion:
    """A toy network that nearly always says seven."""
    return make_live()

"""The draw page knows which digits have the fewest labels."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from labeling.models import Label, LabelEvent
from tests.factories import make_prediction

pytestmark = pytest.mark.django_db


def labeled(digit: int | None, **fields: Any) -> None:
    prediction = make_prediction(is_audit=fields.pop("is_audit", False))
    said = {"digit": digit, "is_unreadable": digit is None}
    event = LabelEvent.objects.create(prediction=prediction, kind="correct", **said)
    label = {"state": "settled", "opinions": 1, "event": event, **said, **fields}
    Label.objects.create(prediction=prediction, **label)


def needed() -> list[int]:
    cache.clear()
    (found,) = re.findall(r'data-needed="([0-9 ]+)"', Client().get("/").content.decode())
    return [int(digit) for digit in found.split()]


def test_the_digits_with_the_fewest_labels_to_learn_from_come_first(live_version: Any) -> None:
    assert needed() == list(range(10))
    for digit in (0, 1, 1, 2, 3, 4, 5, 7, 8, 9):
        labeled(digit)
    assert needed() == [6, 0, 2, 3, 4, 5, 7, 8, 9, 1]


def test_what_no_run_learns_does_not_count(live_version: Any) -> None:
    labeled(0, is_audit=True)
    labeled(0, state="disputed")
    labeled(None)
    assert needed() == list(range(10))

"""A host that was cut off in the middle of an answer keeps the item locked for some seconds."""

from __future__ import annotations

import uuid
from contextlib import closing

import pytest
from django.db import connection

from labeling.models import Label, LabelEvent
from tests.factories import make_ada
from tests.labeling.door import Door, make_item

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]
LOCK = "SELECT 1 FROM labeling_queueitem WHERE prediction_id = %s FOR UPDATE"


def test_an_answer_waits_for_a_lock_a_moment_and_can_be_sent_again():
    ada, made = Door(make_ada()), make_item()
    item, request_id = ada.item(), str(uuid.uuid4())
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout TO '1s'")  # as web processes ask for 3
    with closing(connection.copy()) as cut_off:
        cut_off.set_autocommit(False)
        with cut_off.cursor() as cursor:
            cursor.execute(LOCK, [made.pk])
        answer = ada.label(item, 3, request_id=request_id)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert answer["Retry-After"]
        assert not LabelEvent.objects.exists()
        cut_off.rollback()
    assert ada.label(item, 3, request_id=request_id).status_code == 200
    assert Label.objects.get().digit == 3
    connection.close()  # its patience was this test's

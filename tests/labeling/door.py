"""The label page's calls as tests make them, and items to call about."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from labeling.batches.bulk import correct_each
from labeling.decisions.decisions import Answer
from labeling.models import Batch, Gold, QueueItem
from labeling.queue.intake import enqueue
from predictions.models import Prediction
from tests.factories import make_prediction

LABELS = "/api/v1/labels/"


class Door:
    """One person's browser."""

    def __init__(self, user: User | None = None) -> None:
        self.client = Client()
        if user is not None:
            self.client.force_login(user)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(LABELS + path, json.dumps(body), content_type="application/json")

    def next(self, count: int = 1, holding: list[str] | None = None, **fields: Any) -> Any:
        return self.post("next/", {"count": count, "holding": holding or [], **fields})

    def items(
        self, count: int = 1, holding: list[str] | None = None, **fields: Any
    ) -> list[dict[str, Any]]:
        answer = self.next(count, holding, **fields)
        assert answer.status_code == 200, answer.content
        return answer.json()["items"]

    def item(self) -> dict[str, Any]:
        (item,) = self.items()
        return item

    def label(self, item: dict[str, Any], digit: int | None = 7, **fields: Any) -> Any:
        body = {"id": item["id"], "token": item["token"], "digit": digit, **fields}
        return self.post("", {"request_id": str(uuid.uuid4()), **body})

    def skip(self, item: dict[str, Any]) -> Any:
        return self.post("skip/", {"id": item["id"], "token": item["token"]})

    def undo(self, request_id: uuid.UUID | None = None, **fields: Any) -> Any:
        return self.post("undo/", {"request_id": str(request_id or uuid.uuid4()), **fields})

    def keep(self, *tokens: str) -> Any:
        return self.post("keep/", {"tokens": tokens})

    def release(self, *ids: str) -> Any:
        return self.post("release/", {"ids": ids})

    def settle(self, public_id: Any, digit: int | None, request_id: Any = None) -> Any:
        body = {"id": str(public_id), "digit": digit, "request_id": str(request_id or uuid.uuid4())}
        return self.post("settle/", body)


def make_item(**fields: Any) -> Prediction:
    """A prediction that is in the queue."""
    prediction = make_prediction(**fields)
    enqueue([prediction])
    return prediction


def let_lease_expire(prediction: Prediction) -> None:
    a_second_ago = timezone.now() - timedelta(seconds=1)
    QueueItem.objects.filter(pk=prediction.pk).update(leased_until=a_second_ago)


def place(prediction: Prediction) -> tuple[bool, str]:
    return QueueItem.objects.values_list("is_open", "stream").get(pk=prediction.pk)


def correct(chosen: QuerySet[Prediction], verdict: Answer, *, by: User) -> Batch:
    """An admin's word on each of these, audits too."""
    verdicts = dict.fromkeys(chosen.values_list("pk", flat=True), verdict)
    return correct_each(verdicts, by=by, kind=Batch.Kind.CORRECTION, chosen_by={})


def make_gold(prediction: Prediction, digit: int) -> Gold:
    """Its answer is known from now on, whatever it was labeled."""
    QueueItem.objects.filter(pk=prediction.pk).update(
        is_parked=True, is_open=False, holder=None, token=None, leased_until=None
    )
    return Gold.objects.create(prediction=prediction, digit=digit)

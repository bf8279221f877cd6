"""Erased drawings: nothing shows or leads to anybody, and everything that was counted still is."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from labeling.batches import review
from labeling.batches.rebuild import rebuild_labels
from labeling.batches.suspicion import suspects
from labeling.decisions.decisions import Answer, decide
from labeling.models import Gold, Label, LabelEvent, QueueItem
from labeling.queue import queue
from labeling.queue.intake import enqueue, enqueue_new, new_predictions
from predictions.models import Drawing, Feedback, Prediction
from tests.factories import data_url, make_ada, make_feedback, make_live, make_prediction, make_user
from tests.labeling.door import Door
from training.snapshots.snapshots import choose, default_rule
from training.tasks import nightly_erasure

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _live() -> None:
    make_live()


def draw(client: Client) -> str:
    """Through the endpoint; the id."""
    answer = client.post(
        "/api/v1/predictions/", {"image": data_url()}, content_type="application/json"
    )
    assert answer.status_code == 201
    public_id: str = answer.json()["id"]
    return public_id


def label_next(labeler: User, digit: int = 3) -> None:
    (held,) = queue.claim(labeler)
    decide(
        held.public_id, Answer(digit), labeler=labeler, token=held.token, request_id=uuid.uuid4()
    )


def erase(client: Client, **said: str) -> Any:
    return client.post("/predictions/erase/", said, follow=True)


def test_a_visitor_erases_everything_of_their_own_and_nothing_of_others(client: Client) -> None:
    mine, other = draw(client), Client()
    theirs = draw(other)
    client.post(f"/api/v1/predictions/{mine}/feedback/", {"digit": 3}, "application/json")
    visitor = str(Prediction.objects.get(public_id=mine).visitor)
    page = erase(client, sure="yes")
    assert "1 drawing erased" in page.content.decode()
    for address in (
        f"/predictions/{mine}/",
        f"/glyphs/{mine}.png",
        f"/drawings/{mine}.png",
        f"/api/v1/predictions/{mine}/",
    ):
        assert client.get(address).status_code == 404
        assert other.get(address.replace(mine, theirs)).status_code == 200
    erased = Prediction.objects.get(erased_at__isnull=False)
    assert bytes(erased.glyph) == b""
    assert client.get(f"/glyphs/{erased.public_id}.png").status_code == 404  # also by its new id
    assert (erased.user_id, erased.visitor) == (None, None)
    assert Drawing.objects.count() == 1
    assert Feedback.objects.get().visitor is None
    assert not Prediction.objects.filter(visitor=visitor).exists()
    assert client.cookies[settings.VISITOR_COOKIE_NAME].value == ""
    assert Prediction.objects.count() == 2  # that something was read stays counted


def test_without_the_tick_nothing_is_erased(client: Client) -> None:
    mine = draw(client)
    assert "Nothing was erased" in erase(client).content.decode()
    assert client.get(f"/glyphs/{mine}.png").status_code == 200
    assert "Erase my drawings" in client.get("/predictions/").content.decode()
    assert Client(enforce_csrf_checks=True).post("/predictions/erase/").status_code == 403
    assert client.get("/predictions/erase/").status_code == 405


def test_an_account_erases_what_it_drew_and_keeps_what_it_labeled(client: Client) -> None:
    ada = make_ada()
    make_prediction(user=ada)
    label_me = make_prediction(digit=3)
    enqueue_new()
    label_next(ada)
    label_next(ada)
    client.force_login(ada)
    erase(client, sure="yes")
    assert Prediction.objects.pictured().get() == label_me
    assert LabelEvent.objects.filter(labeler=ada).count() == 2
    assert Label.objects.count() == 2


def test_labels_and_lineage_survive_and_no_item_comes_back(client: Client) -> None:
    ada = make_ada()
    draw(client)
    draw(client)
    enqueue_new()
    label_next(ada)
    before = list(Label.objects.values_list("digit", "state", "event"))
    erase(client, sure="yes")
    enqueue_new()  # also the one that waited does not come back
    assert list(Label.objects.values_list("digit", "state", "event")) == before
    assert not QueueItem.objects.exists()
    assert queue.claim(ada) == []
    assert len(rebuild_labels(mend=False)) == 0


def test_a_drawing_erased_on_its_way_into_the_queue_does_not_arrive(client: Client) -> None:
    draw(client)
    draw(Client())  # somebody else's
    on_their_way = new_predictions(0)
    erase(client, sure="yes")
    enqueue(on_their_way)
    assert [item.pk for item in QueueItem.objects.all()] == [on_their_way[1].pk]


def test_what_is_erased_teaches_and_is_reviewed_no_more() -> None:
    ada = make_ada()
    visitor = uuid.uuid4()
    made = make_prediction(visitor=visitor, confidence=0.999, digit=7)
    Gold.objects.create(prediction=make_prediction(visitor=visitor), digit=3)
    enqueue_new()
    label_next(ada)
    Label.objects.update(state=Label.State.SETTLED)
    call_command("erase_visitor", str(visitor), yes=True, stdout=StringIO())
    assert choose(default_rule()).left_out == {"erased": 1}
    assert suspects() == []
    assert not Gold.objects.exists()
    Label.objects.update(state=Label.State.DISPUTED)
    assert review.disputes().disputes == []
    assert Label.objects.get().prediction_id == made.pk


def test_the_opinions_of_two_visitors_stay_two() -> None:
    made = make_prediction(visitor=uuid.uuid4())
    first, second = uuid.uuid4(), uuid.uuid4()
    for visitor in (first, second):
        LabelEvent.objects.create(prediction=made, kind="label", digit=3, visitor=visitor)
        make_feedback(make_prediction(), 3)
        Feedback.objects.filter(visitor=None).update(visitor=visitor)
    for visitor in (first, second):
        call_command("erase_visitor", str(visitor), yes=True, stdout=StringIO())
    speakers = set(LabelEvent.objects.values_list("visitor", flat=True))
    assert len(speakers) == 2
    assert not speakers & {first, second, None}
    assert not Feedback.objects.filter(visitor__isnull=False).exists()


def test_the_command_tells_first_and_refuses_strangers() -> None:
    ben = make_user("ben")
    drawn = make_prediction(user=ben)
    said = StringIO()
    call_command("erase_visitor", user="ben", stdout=said)
    assert "1 drawings would be erased" in said.getvalue()
    assert Prediction.objects.pictured().count() == 1
    said = StringIO()
    call_command("erase_visitor", prediction=str(drawn.public_id), yes=True, json=True, stdout=said)
    assert json.loads(said.getvalue()) == {"drawings": 1, "erased": 1}
    for unknown in ({"user": "nobody"}, {"prediction": str(drawn.public_id)}):
        with pytest.raises(CommandError):
            call_command("erase_visitor", yes=True, **unknown)
    with pytest.raises(CommandError, match="No drawing"):
        call_command("erase_visitor", str(uuid.uuid4()), yes=True)


def test_unlabeled_drawings_of_visitors_are_erased_when_their_days_are_over(
    monkeypatch: Any,
) -> None:
    ada, now, today = make_ada(), timezone.now(), timezone.localdate()
    clock = SimpleNamespace(localdate=lambda: today)  # no midnight comes between
    monkeypatch.setattr("labeling.batches.erasure.timezone", clock)
    labeled = make_prediction(visitor=uuid.uuid4(), created_at=now - timedelta(days=40))
    enqueue_new()
    label_next(ada)
    old = make_prediction(visitor=uuid.uuid4(), created_at=now - timedelta(days=40))
    make_prediction(visitor=uuid.uuid4(), created_at=now - timedelta(days=5))
    make_prediction(user=ada, created_at=now - timedelta(days=40))
    on_the_last_day = make_prediction(visitor=uuid.uuid4())
    Prediction.objects.filter(pk=on_the_last_day.pk).update(day=today - timedelta(days=30))
    assert nightly_erasure() == {"declined": "RETENTION_DAYS is not set."}
    settings.RETENTION_DAYS = 30
    assert nightly_erasure() == {"erased": 1}
    assert Prediction.objects.get(erased_at__isnull=False).pk == old.pk
    assert Label.objects.get().prediction_id == labeled.pk
    assert nightly_erasure() == {"erased": 0}


def test_an_answer_taken_back_while_its_drawing_is_erased_is_held_by_nobody(
    client: Client, monkeypatch: Any
) -> None:
    ada, lease = Door(make_ada()), queue.lease
    draw(client)
    ada.label(ada.item())

    def erased_right_after(*asked: Any) -> int:
        leased = lease(*asked)
        erase(client, sure="yes")
        return leased

    monkeypatch.setattr(queue, "lease", erased_right_after)
    answer = ada.undo()
    assert (answer.status_code, answer.json()["item"]) == (200, None)

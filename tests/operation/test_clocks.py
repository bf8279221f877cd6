"""Hosts whose clocks differ write one history: what happened is dated by the database."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.cube.counting import catch_up
from labeling.batches import bulk, gold_items, withdrawal
from labeling.batches.selections import as_shown
from labeling.decisions.decisions import Answer
from labeling.models import LabelEvent, QueueItem
from labeling.queue.intake import enqueue_new
from predictions.models import Feedback, ModelVersion, Prediction
from predictions.serving.recognizer import note_fault
from tests.factories import a_one, data_url, make_ada, make_ben, make_live, make_user, make_version
from tests.labeling.door import Door, make_gold, make_item
from training.messages import outbox
from training.models import Endpoint, Message, Run, Snapshot
from training.runs import retrain
from training.versions.promotion import promote, rollback

pytestmark = pytest.mark.django_db
really = time.time

# Ends that lie ahead, what a host says of itself, and answers kept for a day by each host's clock.
NOT_HISTORY = {"leased_until", "expires_at", "next_at", "seen_at", "worked_at", "busy_until"}
NOT_HISTORY_OF = {("predictions.KeptAnswer", "made_at")}


@pytest.fixture(autouse=True)
def _no_trust(settings: Any) -> None:
    """Feedback is no label unless a test asks for it."""
    settings.TRUST_FEEDBACK = False


@contextmanager
def host(**ahead: float) -> Iterator[None]:
    """On a host whose clock is so far ahead of the database's."""
    skew = timedelta(**ahead)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + skew

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "datetime", Clock)
        patch.setattr(time, "time", lambda: really() + skew.total_seconds())
        yield


def dates() -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    """Every column of ours that says when something happened."""
    for model in apps.get_models():
        if model._meta.app_label in {"predictions", "labeling", "training", "dashboard"}:
            for field in model._meta.concrete_fields:
                is_history = (model._meta.label, field.name) not in NOT_HISTORY_OF
                if isinstance(field, models.DateTimeField) and is_history:
                    yield model, field


def written() -> Iterator[tuple[str, datetime]]:
    """Every date in them, and where it stands."""
    for model, field in dates():
        if field.name not in NOT_HISTORY:
            for at in model._default_manager.values_list(field.name, flat=True):
                if at is not None:
                    yield f"{model._meta.label}.{field.name}", at


def draw(client: Client, **image: Any) -> Prediction:
    body = {"image": data_url(**image)}
    answer = client.post("/api/v1/predictions/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return Prediction.objects.get(public_id=answer.json()["id"])


def say(client: Client, prediction: Prediction, digit: int) -> None:
    address = f"/api/v1/predictions/{prediction.public_id}/feedback/"
    answer = client.post(address, {"digit": digit}, content_type="application/json")
    assert answer.status_code == 200, answer.content


def all_that_is_done() -> None:
    """Each kind of thing that leaves a date."""
    client, ben = Client(), make_ben()
    live = make_live("old")
    drawn, other = draw(client), draw(client, image=a_one())
    say(client, drawn, 3)
    say(client, drawn, 4)
    say(client, other, 1)
    label_in_every_way(ben)
    assert client.post(reverse("labeling:erase"), {"sure": "yes"}).status_code == 302
    assert Prediction.objects.filter(erased_at__isnull=False).count() == 2
    change_versions(live)
    run_and_tell(live)
    note_fault(live.pk, "it fails")
    trusted = Client()
    trusted.force_login(ben)
    trusted.post("/accounts/tokens/", {"name": "lab", "scopes": ["read"], "days": 1})
    catch_up()


def label_in_every_way(ben: Any) -> None:
    ada, reviewer = Door(make_ada()), Door(ben)
    one, two, three, four = (make_item(created_at=datetime.now(UTC)) for _ in range(4))
    items = {item["id"]: item for item in ada.items(6)}
    ada.label(items[str(one.public_id)])
    ada.label(items[str(two.public_id)])
    ada.undo()
    ada.skip(items[str(three.public_id)])
    assert reviewer.settle(one.public_id, 4).status_code == 200
    chosen = Prediction.objects.filter(pk=four.pk)
    batch = bulk.set_verdict(as_shown(chosen), Answer(5), by=ben, chosen_by={}).batch
    assert reviewer.post(f"batches/{batch.pk}/undo/", {}).status_code == 200
    bulk.accept_feedback(as_shown(Prediction.objects.all()), by=ben, chosen_by={})
    gold_items.add_gold(as_shown(Prediction.objects.filter(pk=one.pk)), by=ben)
    withdrawal.withdraw(LabelEvent.objects.order_by("pk")[0].labeler, by=ben)
    found = Door(make_user("bea", role="labeler"))
    grid = found.post("grid/", {"digit": 7}).json()
    body = {"digit": 7, "token": grid["token"], "request_id": str(uuid.uuid4()), "wrong": []}
    shown = [item["id"] for item in grid["items"]]
    assert found.post("grid/confirm/", {**body, "ids": shown}).json()["confirmed"] > 0


def change_versions(live: ModelVersion) -> None:
    promote(make_version("new"), by=None, why="x")
    rollback(by=None, why="x")


def run_and_tell(live: ModelVersion) -> None:
    endpoint = Endpoint.objects.create(name="lab", url="https://example.org/")
    outbox.rotate(endpoint)
    snapshot = Snapshot.objects.create(digest="x", rule={}, count=0, counts={})
    for _ in range(2):
        run = Run.objects.create(trigger="page", snapshot=snapshot, parent=live, recipe={})
        taken = retrain.take(run.pk)
        assert taken is not None
        retrain.keep_epoch(taken, 1, 0.5, 0.5)
        retrain.end(taken, Run.State.DONE)
    assert Message.objects.exists()


def test_no_column_has_the_hosts_clock_for_a_default() -> None:
    asked = [str(field) for _, field in dates() if field.default is timezone.now]
    assert asked == []


@pytest.mark.parametrize("hours", [2, -2])
def test_what_a_host_with_a_wrong_clock_does_is_dated_by_the_database(hours: int) -> None:
    margin = timedelta(seconds=5)  # the two clocks of a test are one; a database elsewhere may lag
    began = datetime.now(UTC) - margin
    with host(hours=hours):
        all_that_is_done()
    found = list(written())
    ended = datetime.now(UTC) + margin
    assert {place for place, at in found if not began < at < ended} == set()
    assert len({place for place, _ in found}) > 20  # it did look


def test_events_of_two_hosts_stand_in_the_order_they_were_made() -> None:
    make_live()
    doors = [Door(make_ada()), Door(make_user("bea", role="labeler"))]
    for _ in range(4):
        make_item()
    for number in range(4):
        with host(hours=-2 if number % 2 else 2):
            door = doors[number % 2]
            door.label(door.item())
    told = list(LabelEvent.objects.order_by("pk").values_list("created_at", flat=True))
    assert len(told) == 4
    assert told == sorted(told)


@pytest.mark.parametrize("ahead", [1, -1])
def test_a_drawing_belongs_to_the_day_it_was_drawn_on(ahead: int, client: Client) -> None:
    make_live()
    with host(days=ahead):
        drawn = draw(client)
    assert drawn.day == timezone.localdate(drawn.created_at)
    assert abs(timezone.now() - drawn.created_at) < timedelta(hours=1)


def test_days_in_a_row_are_counted_by_one_clock() -> None:
    """One day's work on a host that is a day ahead and on one that is right is one day's work."""
    make_live()
    ada = Door(make_ada())
    for days in (1, 0):
        make_item()
        with host(days=days):
            ada.label(ada.item())
    with host(days=1):
        found = ada.client.get("/api/v1/labels/progress/").json()
    assert (found["today"], found["streak"]) == (2, 1)


@pytest.mark.parametrize(("makes", "takes"), [(2, -2), (-2, 2)])
def test_gold_handed_out_by_one_host_is_answered_on_another(
    makes: int, takes: int, settings: Any
) -> None:
    """Were it refused, the labeler would know which item is gold."""
    settings.GOLD_RATE = 1.0
    make_live()
    ada = Door(make_ada())
    make_gold(make_item(), 7)
    for _ in range(3):
        make_item()
    with host(hours=makes):
        items = ada.items(4)
    with host(hours=takes):
        kept = ada.keep(*(item["token"] for item in items)).json()["kept"]
        answers = [ada.label(item).status_code for item in items]
    assert len(kept) == 4
    assert answers == [200] * 4
    assert LabelEvent.objects.filter(is_gold=True).count() == 1


def test_feedback_told_to_a_slow_host_is_taken_in_after_that_of_a_fast_one(client: Client) -> None:
    make_live()
    first, second = make_item(), make_item()
    for prediction, hours in ((first, 2), (second, -2)):
        with host(hours=hours):
            say(client, prediction, 3)
            enqueue_new()
    streams = QueueItem.objects.values_list("stream", flat=True)
    assert list(streams) == ["feedback", "feedback"]
    assert (
        Feedback.objects.get(pk=first.pk).changed_at < Feedback.objects.get(pk=second.pk).changed_at
    )


def test_a_fault_noted_by_a_slow_host_is_one_of_the_version_that_is_live() -> None:
    """Else a version that serves nowhere would stay live."""
    from training.versions.promotion import complaint_about

    make_live("old")
    new = make_version("new")
    with host(hours=2):
        promote(new, by=None, why="x")
    with host(hours=-2):
        note_fault(new.pk, "it fails")
    assert "it fails" in complaint_about(ModelVersion.objects.live().get())


def test_a_command_dates_what_it_does_by_the_database_too(tmp_path: Any) -> None:
    make_live()
    item = make_item()
    file = tmp_path / "labels.csv"
    file.write_text(f"id,digit\n{item.public_id},3\n")
    with host(hours=2):
        call_command("import_labels", str(file), "--yes")
    event = LabelEvent.objects.get()
    assert event.created_at < datetime.now(UTC) + timedelta(minutes=1)

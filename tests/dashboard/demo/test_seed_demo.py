"""The made-up history: consistent, marked, the same for the same seed, and gone without a trace."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import serializers
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from dashboard import tasks
from dashboard.demo import job, presence, seeding
from dashboard.demo.plan import (
    DRAWING,
    LIVING,
    ROLES,
    TEACHING,
    DemoDeclined,
    drawn_at,
    period_until,
)
from dashboard.models import Demo, DemoJob, ReplayCell
from labeling.batches.rebuild import rebuild_labels
from labeling.decisions.trust import labels_to_learn_from, teaching_labels
from labeling.models import Label, LabelEvent, QueueItem
from labeling.queue.intake import enqueue_new
from predictions.models import Feedback, ModelVersion, Prediction
from predictions.operation import json_command
from predictions.serving.registry import install_base
from tests.factories import make_ada, make_prediction, make_user
from training.models import Endpoint, Epoch, Message, Promotion, Run, Snapshot, SnapshotLabel
from training.tasks import every_minute
from training.versions.promotion import live_version

NEW_YORK = ZoneInfo("America/New_York")
UNTIL = date(2026, 11, 20)
DRAWINGS = 300


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions that learn next to nothing, in a moment."""
    for name in ("FIRST", "LATER"):
        monkeypatch.setattr(seeding, name, replace(getattr(seeding, name), epochs=1))
    monkeypatch.setattr(seeding, "KNOWN", 100)
    monkeypatch.setattr(seeding, "LABELS_AN_EPOCH", 1)


def seed(**options: Any) -> str:
    said = StringIO()
    call_command("seed_demo", **{"drawings": DRAWINGS, "until": UNTIL, **options}, stdout=said)
    return said.getvalue()


def contents() -> dict[str, list[str]]:
    """Every row of every table that a person or a program would miss."""
    passing = {"dashboard", "django_q", "sessions", "contenttypes"}
    return {
        model._meta.label: sorted(
            serializers.serialize("json", [row]) for row in model._base_manager.all()
        )
        for model in apps.get_models()
        if model._meta.app_label not in passing
    }


def drawn() -> list[tuple[Any, ...]]:
    """What was drawn and said so far, by everything but keys."""
    fields = ("public_id", "created_at", "digit", "confidence", "is_audit", "glyph_digest")
    said = ("prediction__public_id", "created_at", "kind", "digit", "labeler__username")
    return [
        *Prediction.objects.order_by("pk").values_list(*fields),
        *LabelEvent.objects.order_by("pk").values_list(*said),
    ]


@pytest.mark.slow
@pytest.mark.same_on_any_database  # TestRemoval writes smaller ones into either
class TestHistory:
    """One history, looked at from all sides: making it takes some seconds."""

    @pytest.fixture
    def told(self, db: None, settings: Any) -> str:
        settings.LABELS_PER_RUN = 200
        install_base()
        return seed(drawings=2_000)

    def test_it_is_consistent_marked_put_back_in_time_and_its_versions_get_better(self, told: str):
        self.check_labels()
        self.check_marks()
        self.check_times()
        self.check_runs()
        self.check_progress(told)
        self.check_pages()
        self.check_versions_get_better()

    def check_labels(self) -> None:
        assert Prediction.objects.count() == QueueItem.objects.count() == 2_000
        assert enqueue_new() == 0
        assert len(rebuild_labels(mend=False)) == 0
        kinds = set(LabelEvent.objects.values_list("kind", flat=True))
        assert {"label", "settle"} <= kinds
        assert Label.objects.filter(prediction__is_audit=True).count() > 200
        assert not LabelEvent.objects.filter(
            prediction__is_audit=True, kind="label", guess_shown=True
        ).exists()
        assert Feedback.objects.count() > 300
        assert Label.objects.filter(is_unreadable=True).exists()

    def check_marks(self) -> None:
        assert set(Prediction.objects.values_list("source", flat=True)) == {"demo"}
        people = User.objects.all()
        assert {user.username for user in people} == set(ROLES)
        assert not any(user.has_usable_password() or user.email for user in people)
        used = ModelVersion.objects.filter(predictions__isnull=False).distinct()
        assert [version.name for version in used] == ["demo-3", "demo-2", "demo-1"]
        assert all("demo" in version.card for version in used)

    def check_times(self) -> None:
        first, until = period_until(UNTIL, NEW_YORK)
        for model, field in (
            (Prediction, "created_at"),
            (LabelEvent, "created_at"),
            (Feedback, "changed_at"),
            (Promotion, "made_at"),
            (Snapshot, "created_at"),
            (Run, "asked_at"),
            (Run, "ended_at"),
            (Epoch, "ended_at"),
        ):
            moments = model._base_manager.values_list(field, flat=True)
            assert min(moments) >= first
            assert max(moments) <= until, model
        for row in Prediction.objects.all()[:50]:
            assert row.day == timezone.localdate(row.created_at)
        for event in LabelEvent.objects.select_related("prediction"):
            assert event.created_at > event.prediction.created_at

    def check_runs(self) -> None:
        runs = list(Run.objects.order_by("pk"))
        assert [run.state for run in runs] == ["done", "done"]
        assert all("really on" in run.log for run in runs)
        assert all(run.version and run.version.artifacts.count() == 2 for run in runs)
        with pytest.raises(CommandError, match="with the same seed makes it again"):
            call_command("reproduce", "demo-2")
        for label in SnapshotLabel.objects.select_related("event__prediction", "snapshot"):
            assert not label.event.prediction.is_audit
            assert label.event.created_at <= label.snapshot.created_at + timedelta(minutes=10)
        new = labels_to_learn_from()  # no run starts by itself, and what none learned is new
        assert 0 < new == teaching_labels().count() - runs[-1].snapshot.count < 200
        ledger = list(Promotion.objects.order_by("pk"))
        assert [line.made_at for line in ledger] == sorted(line.made_at for line in ledger)
        assert all("Really on" in line.why for line in ledger)
        assert ledger[-1].after == live_version()
        # Each drawing was read by the version that was live when it was drawn.
        for line, following in zip(ledger, [*ledger[1:], None], strict=True):
            drawn = Prediction.objects.filter(created_at__gte=line.made_at)
            if following is not None:
                drawn = drawn.filter(created_at__lt=following.made_at)
            assert set(drawn.values_list("version", flat=True)) == {line.after_id}

    def check_progress(self, told: str) -> None:
        stages = re.findall(r"^(.+): +(\d+)% of everything is done", told, re.M)
        assert stages[0][0] == "Teaching the first version"
        assert {"Drawing", "Fine-tuning", "Counting and replaying"} <= {name for name, _ in stages}
        shares = [int(share) for _, share in stages]
        assert shares == sorted(shares)
        assert " s left." in told

    def check_pages(self) -> None:
        assert b"data-demo" in Client().get("/").content
        call_command("rebuild_cube", check=True, verbosity=0, stdout=StringIO())
        figure = Client().get("/dashboard/data/accuracy-by-month.json").json()
        months = [f"2026-{month:02}" for month in range(6, 12)]
        assert [row[0] for row in figure["rows"]] == months
        assert len(figure["marks"]) == Promotion.objects.count() == 3

    def check_versions_get_better(self) -> None:
        """Live, on the same drawings, and while they learn."""
        live, replayed = [], []
        for version in ModelVersion.objects.filter(name__startswith="demo-").order_by("pk"):
            read = Label.objects.audited().readable().filter(prediction__version=version)
            right = sum(label.digit == label.prediction.digit for label in read)
            live.append(right / read.count())
            cells = ReplayCell.objects.filter(version=version)
            replayed.append(sum(cell.right for cell in cells) / sum(cell.n for cell in cells))
        assert live[0] + 0.05 < live[2]
        assert replayed[0] + 0.05 < replayed[1] < replayed[2]
        for run in Run.objects.all():
            epochs = list(run.epochs.all())
            assert epochs[-1].loss < epochs[0].loss
            assert epochs[-1].accuracy > epochs[0].accuracy


@pytest.mark.slow
@pytest.mark.django_db
class TestRemoval:
    def test_it_leaves_the_database_as_it_was(self, quick: None):
        install_base()
        kept = make_prediction(user=make_ada())
        enqueue_new()
        before = contents()
        seed(force=True)
        assert contents() != before
        call_command("seed_demo", remove=True, stdout=StringIO())
        assert contents() == before
        assert live_version() == kept.version
        assert not Demo.objects.exists()
        assert b"data-demo" not in Client().get("/").content
        call_command("rebuild_cube", check=True, verbosity=0, stdout=StringIO())

    def test_what_people_drew_since_is_taken_along_only_if_asked_for(self, quick: None):
        base = install_base()
        seed()
        make_prediction(user=make_ada())
        with pytest.raises(CommandError, match="1 drawings and 0 runs of people"):
            call_command("seed_demo", remove=True)
        assert Prediction.objects.count() == DRAWINGS + 1
        call_command("seed_demo", remove=True, with_later=True, stdout=StringIO())
        assert not Prediction.objects.exists()
        assert live_version() == base

    @pytest.mark.parametrize("verb", ["enqueue_new", "catch_up"])  # before and after the commit
    def test_an_interrupted_attempt_leaves_nothing_and_says_so(
        self, quick: None, monkeypatch: pytest.MonkeyPatch, verb: str
    ):
        base = install_base()
        before = contents()

        def interrupted(*args: object, **options: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(seeding, verb, interrupted)
            with pytest.raises(CommandError, match="nothing of the demo is left") as ended:
                seed()
        assert ended.value.returncode == 130
        assert contents() == before
        assert live_version() == base
        assert not Demo.objects.exists()
        assert b"data-demo" not in Client().get("/").content
        seed()  # nor does it stand in the way of another

    def test_the_same_seed_makes_the_same_history(self, quick: None):
        install_base()
        seed()
        first = drawn()
        call_command("seed_demo", remove=True, stdout=StringIO())
        seed()
        assert drawn() == first

    def test_it_is_told_to_nobody_and_starts_no_run(self, quick: None, settings: Any):
        settings.LABELS_PER_RUN = 1
        install_base()
        make_user("tina", role="trainer")
        Endpoint.objects.create(url="https://example.org/hook")
        assert User.objects.exclude(email="").exists()  # somebody would be mailed
        seed()
        every_minute()
        assert not Message.objects.exists()
        assert not OrmQ.objects.exists()
        assert Run.objects.count() == 2  # its own

    def test_there_must_be_one(self):
        with pytest.raises(CommandError, match="no demo here"):
            call_command("seed_demo", remove=True)


@pytest.mark.django_db
class TestRefusals:
    def test_it_does_not_mix_with_what_people_drew(self, quick: None):
        install_base()
        make_prediction()
        with pytest.raises(CommandError, match="1 drawings of people are here"):
            seed()
        assert not Demo.objects.exists()
        assert not User.objects.exists()

    def test_too_few_drawings_teach_nothing(self, quick: None):
        with pytest.raises(CommandError, match="too few"):
            seed(drawings=10)


class TestPlan:
    @pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 3, 16), date(2026, 12, 31)])
    def test_it_begins_with_a_month_about_half_a_year_before(self, day: date):
        first, until = period_until(day, NEW_YORK)
        assert first.day == 1
        assert 165 <= (until.date() - first.date()).days <= 196

    def test_everything_is_drawn_inside_the_time_by_day(self):
        first, until = period_until(UNTIL, NEW_YORK)
        moments = drawn_at(5_000, first, until, np.random.default_rng(0))
        assert first <= min(moments)
        assert max(moments) < until
        assert moments == sorted(moments)
        assert {moment.hour for moment in moments} <= set(range(7, 24))


class TestProgress:
    def test_a_line_comes_with_each_stage_and_every_few_seconds(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        said = StringIO()
        command = json_command.TellingCommand(stdout=said)
        for at, stage, done in (
            (100.0, "Drawing", 0.0),
            (101.0, "Drawing", 0.1),  # too soon
            (103.0, "Drawing", 0.25),
            (103.5, "Reading", 0.5),
        ):
            monkeypatch.setattr(
                "predictions.operation.json_command.time.monotonic", lambda at=at: at
            )
            command.progress(stage, done)
        assert said.getvalue().splitlines() == [
            "Drawing: 0% of everything is done.",
            "Drawing: 25% of everything is done, about 9 s left.",
            "Reading: 50% of everything is done, about 4 s left.",
        ]


def test_presence_is_asked_of_the_database_now_and_then(
    db: None, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(presence, "EVERY", 0.0)
    assert not presence.is_here()
    monkeypatch.setattr(presence, "EVERY", 600.0)
    monkeypatch.setattr(presence, "_seen", (float("-inf"), False))
    with django_assert_num_queries(1):
        assert [presence.is_here() for _ in range(5)] == [False] * 5


BUTTON = "Look at a made-up history"


@pytest.fixture
def trainer(live_version: ModelVersion, quick: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(job, "DRAWINGS", DRAWINGS)
    monkeypatch.setattr(job, "TELL_EVERY", 0.0)
    client = Client()
    client.force_login(make_user("tia", role="trainer"))
    return client


def page(client: Client, path: str = "/dashboard/") -> str:
    return " ".join(client.get(path).content.decode().split())


def test_the_button_of_an_empty_dashboard_has_the_workers_make_the_demo(
    trainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BUTTON not in page(Client())
    assert "Nothing is drawn yet" in page(Client(), "/dashboard/technical/")
    assert BUTTON in page(trainer)
    asked = trainer.post("/dashboard/demo/", follow=True).content.decode()
    assert "Waiting for a training worker." in asked
    assert "No training worker was seen in the last minute" in asked
    assert BUTTON not in asked
    enqueued = OrmQ.objects.get(key="training").task
    assert (enqueued["func"], enqueued["args"]) == ("dashboard.tasks.make_demo", ())

    stages = []
    noted = job.note_stage

    def look(stage: str, share: float) -> None:
        noted(stage, share)
        if stages[-1:] != [stage] and "data-under-way" in page(trainer):
            stages.append(stage)
            assert f"<b>{stage}.</b>" in page(trainer)

    monkeypatch.setattr(job, "note_stage", look)
    assert tasks.make_demo() == {"drawings": DRAWINGS}
    assert stages[:3] == [TEACHING, DRAWING, LIVING]  # the page may show what is counted already
    assert not DemoJob.objects.exists()
    assert "Nothing is drawn yet" not in page(trainer)
    again = trainer.post("/dashboard/demo/", follow=True).content.decode()
    assert "A demo is here already" in again
    assert "A demo is here already" in tasks.make_demo()["declined"]


def test_while_it_is_made_a_second_press_makes_no_second(trainer: Client) -> None:
    trainer.post("/dashboard/demo/")
    again = trainer.post("/dashboard/demo/", follow=True).content.decode()
    assert "A history is being made up already." in again
    assert OrmQ.objects.count() == 1


def test_who_tries_again_at_the_same_moment_as_another_is_told_so(
    trainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.post("/dashboard/demo/")
    job.note_failure("The disk is full.")
    OrmQ.objects.all().delete()
    look = job.why_not_made

    def look_while_another_asks(seen: DemoJob) -> str:
        monkeypatch.setattr(job, "why_not_made", look)
        job.request_demo()
        return look(seen)

    monkeypatch.setattr(job, "why_not_made", look_while_another_asks)
    with pytest.raises(DemoDeclined, match="already"):
        job.request_demo()


def test_a_task_that_is_no_longer_in_the_queue_is_told_and_can_be_asked_for_again(
    trainer: Client,
) -> None:
    trainer.post("/dashboard/demo/")
    assert "Waiting for a training worker." in page(trainer)
    OrmQ.objects.all().delete()
    assert "Its task is no longer in the queue of the training workers." in page(trainer)
    trainer.post("/dashboard/demo/")
    assert "Waiting for a training worker." in page(trainer)
    assert OrmQ.objects.count() == 1


def test_a_failure_is_told_with_its_reason_and_can_be_tried_again(
    trainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.post("/dashboard/demo/")
    with monkeypatch.context() as broken:
        broken.setattr(seeding.Story, "write", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tasks.make_demo()
    told = page(trainer)
    assert "could not be made up. ZeroDivisionError: division by zero." in told
    assert not Prediction.objects.exists()
    assert "Try again" in told
    assert "Waiting for a training worker." in (
        trainer.post("/dashboard/demo/", follow=True).content.decode()
    )
    tasks.make_demo()
    assert "Nothing is drawn yet" not in page(trainer)


def test_a_worker_that_is_lost_is_told_after_a_while(trainer: Client) -> None:
    job.note_stage(DRAWING, 0.2)
    assert "<b>Drawing.</b>" in page(trainer)
    DemoJob.objects.update(changed_at=timezone.now() - job.SILENT - timedelta(seconds=1))
    assert "Its worker has said nothing for ten minutes." in page(trainer)
    assert "Try again" in page(trainer)


def test_where_somebody_drew_the_button_makes_nothing(
    client: Client, live_version: ModelVersion
) -> None:
    make_prediction()
    assert client.post("/dashboard/demo/").status_code == 302  # to the login
    client.force_login(make_ada())
    assert client.post("/dashboard/demo/").status_code == 403
    client.force_login(make_user("tia", role="trainer"))
    page = client.post("/dashboard/demo/", follow=True).content.decode()
    assert "1 drawings of people are here." in page
    assert not OrmQ.objects.exists()

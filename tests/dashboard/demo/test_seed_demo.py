"""The made-up history: consistent, marked, the same for the same seed, and gone without a trace."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
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

from dashboard.demo import learning, presence
from dashboard.demo.plan import PEOPLE, drawn_at, period_until, visitors
from dashboard.models import Demo
from labeling.batches.rebuild import rebuild
from labeling.models import Gold, Label, LabelEvent, QueueItem
from labeling.queue.intake import take_in
from predictions.models import Feedback, ModelVersion, Prediction
from predictions.serving.registry import install_base
from tests.factories import make_ada, make_prediction, make_user
from training.engine.mnist import NoMnist
from training.models import Epoch, GateReport, Promotion, Run, Snapshot
from training.versions.promotion import live_version

NEW_YORK = ZoneInfo("America/New_York")
UNTIL = date(2026, 11, 20)
DRAWINGS = 400


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """Runs of seconds, and no MNIST on this machine."""

    def nowhere(folder: object) -> object:
        raise NoMnist("There is none here.")

    settings.TRAINING_THREADS = 1
    settings.MNIST_DIR = tmp_path / "nowhere"  # nor does the gate find it
    monkeypatch.setattr("dashboard.demo.seeding.fetch", nowhere)
    monkeypatch.setattr("training.runs.retrain.HEARTBEAT", 3600.0)
    small = replace(learning.TUNING, epochs=2, digits_an_epoch=256, validation=64, batch_size=64)
    monkeypatch.setattr(learning, "TUNING", small)
    monkeypatch.setattr("training.engine.standins.MOST_WRITTEN", 200)


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
class TestHistory:
    """One history, looked at from all sides: making it takes some seconds."""

    @pytest.fixture
    def told(self, db: None, quick: None) -> str:
        install_base()
        return seed()

    def test_it_is_consistent_marked_and_put_back_in_time(self, told: str):
        self.check_labels()
        self.check_marks(told)
        self.check_times()
        self.check_runs()
        self.check_pages()

    def check_labels(self) -> None:
        assert Prediction.objects.count() == QueueItem.objects.count() == DRAWINGS
        assert take_in() == 0
        assert len(rebuild(mend=False)) == 0
        kinds = set(LabelEvent.objects.values_list("kind", flat=True))
        assert {"label", "undo", "correct"} <= kinds
        audits = Label.objects.filter(prediction__is_audit=True)
        assert audits.count() > DRAWINGS * 0.15
        assert not LabelEvent.objects.filter(
            prediction__is_audit=True, kind="label", guess_shown=True
        ).exists()
        assert Gold.objects.exists()
        assert not Gold.objects.filter(prediction__is_audit=True).exists()
        assert Feedback.objects.count() > DRAWINGS * 0.2
        assert Label.objects.filter(is_unreadable=True).exists()

    def check_marks(self, told: str) -> None:
        assert "stroke templates" in told
        assert set(Prediction.objects.values_list("source", flat=True)) == {"demo"}
        people = User.objects.filter(username__startswith="demo-")
        assert people.count() == len(PEOPLE)
        assert not any(user.has_usable_password() for user in people)
        used = ModelVersion.objects.filter(predictions__isnull=False).distinct()
        assert all(version.name.startswith("demo-") for version in used)
        assert all("demo" in version.card for version in used)

    def check_times(self) -> None:
        period = period_until(UNTIL, NEW_YORK)
        for model, field in (
            (Prediction, "created_at"),
            (LabelEvent, "created_at"),
            (Feedback, "changed_at"),
            (Promotion, "made_at"),
            (Snapshot, "created_at"),
            (GateReport, "made_at"),
            (Run, "ended_at"),
            (Epoch, "ended_at"),
        ):
            moments = model._base_manager.values_list(field, flat=True)
            assert min(moments) >= period.first
            assert max(moments) <= period.until + timedelta(minutes=1), model
        for row in Prediction.objects.all()[:50]:
            assert row.day == timezone.localdate(row.created_at)
        for event in LabelEvent.objects.select_related("prediction"):
            assert event.created_at > event.prediction.created_at

    def check_runs(self) -> None:
        runs = list(Run.objects.order_by("pk"))
        assert [run.state for run in runs] == ["done", "done"]
        assert all("really took place" in run.log for run in runs)
        assert all(run.version and run.version.artifacts.count() == 2 for run in runs)
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

    def check_pages(self) -> None:
        assert b"data-demo" in Client().get("/").content
        call_command("rebuild_cube", check=True, verbosity=0, stdout=StringIO())
        figure = Client().get("/dashboard/data/accuracy-by-month.json").json()
        assert [row[0] for row in figure["rows"]] == ["2026-09", "2026-10", "2026-11"]
        assert sum(row[1] for row in figure["rows"]) > DRAWINGS * 0.15
        assert len(figure["marks"]) == Promotion.objects.count()


@pytest.mark.slow
@pytest.mark.django_db
class TestRemoval:
    def test_it_leaves_the_database_as_it_was(self, quick: None):
        install_base()
        kept = make_prediction(user=make_ada())
        make_user("tom", role="trainer")  # is mailed what runs do, but not what is made up
        take_in()
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
        with pytest.raises(CommandError, match="1 drawings of people"):
            call_command("seed_demo", remove=True)
        assert Prediction.objects.count() == DRAWINGS + 1
        call_command("seed_demo", remove=True, with_later=True, stdout=StringIO())
        assert not Prediction.objects.exists()
        assert live_version() == base

    def test_what_is_left_of_a_broken_attempt_is_removed_too(
        self, quick: None, monkeypatch: pytest.MonkeyPatch
    ):
        base = install_base()
        before = contents()

        def broken(*args: object, **options: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(learning, "fine_tune", broken)
        with pytest.raises(KeyboardInterrupt):
            seed()
        with pytest.raises(CommandError, match="unfinished"):
            seed()
        first = drawn()
        call_command("seed_demo", remove=True, stdout=StringIO())
        assert contents() == before
        assert live_version() == base
        with pytest.raises(KeyboardInterrupt):
            seed()
        assert drawn() == first  # the same seed, the same history

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
    def test_the_same_seed_makes_the_same_history(self):
        period = period_until(UNTIL, NEW_YORK)

        def made(seed: int) -> tuple[object, ...]:
            dice = np.random.default_rng(seed)
            return visitors(20, period, dice), drawn_at(50, period, NEW_YORK, dice)

        assert made(3) == made(3)
        assert made(3) != made(4)

    @pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 3, 16), date(2026, 12, 31)])
    def test_it_begins_with_a_month_about_a_quarter_of_a_year_before(self, day: date):
        period = period_until(day, NEW_YORK)
        assert period.first.day == 1
        assert 75 <= (period.until.date() - period.first.date()).days <= 106

    def test_everything_is_drawn_inside_the_time_and_nothing_in_the_gap(self):
        period = period_until(UNTIL, NEW_YORK)
        moments = drawn_at(5_000, period, NEW_YORK, np.random.default_rng(0))
        assert period.first <= min(moments)
        assert max(moments) < period.until
        assert moments == sorted(moments)
        days = {moment.date() for moment in moments}
        assert len(days) < (period.until.date() - period.first.date()).days


def test_presence_is_asked_of_the_database_now_and_then(db: None, django_assert_num_queries: Any):
    presence.forget()
    with django_assert_num_queries(1):
        assert [presence.is_here() for _ in range(5)] == [False] * 5

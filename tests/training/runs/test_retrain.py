from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import uuid
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from safetensors.numpy import save as save_safetensors

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.decisions.trust import labels_to_learn_from
from labeling.models import Gold, Label
from labeling.queue import intake
from predictions.models import Artifact, ModelVersion, Owner, Prediction
from predictions.serving.recognizer import load_version
from predictions.serving.registry import BASE, install_base
from tests.factories import make_live, make_prediction, make_user, make_version
from tests.training.lessons import labeled, make_tiny
from tests.training.trials.stage import answer, write_mnist
from training import tasks
from training.errors import AlreadyRunning, NotActive, NotEnoughLabels, NothingLive
from training.models import Run, Snapshot, Trial, TrialReading
from training.runs import retrain
from training.runs.recipe import Tuning, tuning_for
from training.snapshots.snapshots import Rule, choose, default_rule, freeze
from training.trials import guards, trial
from training.versions.promotion import promote
from training.workers.schedules import make_schedules, schedules

pytestmark = pytest.mark.django_db


class TestSnapshots:
    def test_it_takes_settled_labels_and_says_why_others_stay_out(self, live_version: ModelVersion):
        taken = labeled(3)
        labeled(None)
        labeled(4, is_audit=True)
        Gold.objects.create(prediction=labeled(5), digit=5)
        choice = choose(default_rule())
        assert [label.prediction_id for label in choice.labels] == [taken.pk]
        assert choice.left_out == {"unreadable": 1, "audit": 1, "gold": 1}
        assert choice.counts["3"] == 1

    def test_an_unsettled_label_is_not_learned_from(self, live_version: ModelVersion):
        label = Label.objects.get(pk=labeled(3).pk)
        Label.objects.filter(pk=label.pk).update(state=Label.State.DISPUTED)
        assert choose(default_rule()).labels == []

    def test_one_glyph_stands_once_and_one_drawer_has_a_share(
        self, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("training.snapshots.snapshots.LEAST_FOR_SHARES", 2)
        twin = labeled(3)
        other = labeled(3)
        Prediction.objects.filter(pk=other.pk).update(glyph_digest=twin.glyph_digest)
        busy = uuid.uuid4()
        for _ in range(5):
            labeled(4, visitor=busy)
        choice = choose(Rule(source_share=0.2, glyph_copies=1))
        assert choice.left_out == {"repeated glyph": 1, "share of one source": 3}

    def test_withdrawn_labelers_and_sources_are_left_out(self, live_version: ModelVersion):
        ada = make_user()
        prediction = make_prediction()
        decisions.label_by_feedback(prediction, Answer(1), owner=Owner(user_id=ada.pk))
        source = labeled(2)
        rule = default_rule(without_labelers=[ada.pk], without_visitors=[str(source.visitor)])
        choice = choose(rule)
        assert choice.labels == []
        assert choice.left_out == {"withdrawn labeler": 1, "withdrawn source": 1}

    def test_a_frozen_snapshot_does_not_change_with_the_labels(self, live_version: ModelVersion):
        labeled(3)
        choice = choose(default_rule())
        snapshot = freeze(choice, default_rule())
        labeled(4)
        assert choose(default_rule()).digest != snapshot.digest == choice.digest
        assert snapshot.labels.count() == 1

    def test_the_threshold_counts_what_came_after_the_last_snapshot(
        self, live_version: ModelVersion
    ):
        labeled(3)
        assert labels_to_learn_from() == 1
        freeze(choose(default_rule()), default_rule())
        assert labels_to_learn_from() == 0
        labeled(4)
        assert labels_to_learn_from() == 1

    def test_audits_do_not_count_toward_a_run_and_every_author_does(
        self, live_version: ModelVersion
    ):
        labeled(3, is_audit=True)
        assert labels_to_learn_from() == len(choose(default_rule()).labels) == 0
        for author in range(1, 31):  # a release that held authors out would lose some of these
            labeled(3, visitor=uuid.UUID(int=author))
        assert labels_to_learn_from() == len(choose(default_rule()).labels) == 30


class TestAsking:
    def test_a_run_is_queued_with_its_snapshot_and_the_bell_rings(self, live_version: ModelVersion):
        labeled(3)
        run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
        assert (run.state, run.snapshot.count, run.parent) == ("queued", 1, live_version)
        assert run.recipe == asdict(tuning_for(labels=1))
        assert OrmQ.objects.filter(key="training").count() == 1

    def test_a_lesson_is_as_long_as_its_labels_need(self):
        lengths = [tuning_for(labels).digits_an_epoch for labels in (1, 107, 108, 429, 5_000)]
        assert lengths == [4_500, 4_500, 4_536, 18_000, 18_000]
        for labels in (107, 108, 428):
            tuning = tuning_for(labels, seed=3)
            assert tuning.repeats * labels <= tuning.new_share * tuning.digits_an_epoch
            assert tuning == replace(Tuning(), seed=3, digits_an_epoch=tuning.digits_an_epoch)

    def test_too_few_labels_are_declined_with_the_numbers(self, live_version: ModelVersion):
        labeled(3)
        with pytest.raises(NotEnoughLabels, match="1 labels to learn from, 20 needed"):
            retrain.ask(trigger=Run.Trigger.PAGE)
        assert not Snapshot.objects.exists()

    def test_where_nothing_is_live_a_run_is_declined(self):
        make_live()
        labeled(3)
        ModelVersion.objects.update(state=ModelVersion.State.RETIRED)
        with pytest.raises(NothingLive, match="No version is live"):
            retrain.ask(trigger=Run.Trigger.PAGE, least=1)
        assert not Snapshot.objects.exists()

    def test_a_second_run_is_declined_while_one_is_active(self, live_version: ModelVersion):
        labeled(3)
        retrain.ask(trigger=Run.Trigger.PAGE, least=1)
        with pytest.raises(AlreadyRunning):
            retrain.ask(trigger=Run.Trigger.PAGE, least=1)

    def test_a_waiting_run_is_canceled_at_once_and_an_ended_one_not_at_all(
        self, live_version: ModelVersion
    ):
        labeled(3)
        run = retrain.ask(trigger=Run.Trigger.PAGE, least=1)
        retrain.cancel(run)
        run.refresh_from_db()
        assert run.state == Run.State.CANCELED
        with pytest.raises(NotActive):
            retrain.cancel(run)

    def test_the_threshold_starts_one_run(self, live_version: ModelVersion, settings: Any):
        settings.LABELS_PER_RUN = 25
        for _ in range(24):
            labeled(3)
        assert "run" not in tasks.by_threshold()
        labeled(3)
        assert "run" in tasks.by_threshold()
        assert Run.objects.get().trigger == Run.Trigger.THRESHOLD
        assert "run" not in tasks.by_threshold()

    def test_a_run_may_wait_for_more_than_a_page_counts(
        self, live_version: ModelVersion, settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("labeling.decisions.trust.MOST_COUNTED", 1)
        settings.LABELS_PER_RUN = 20
        for _ in range(25):
            labeled(3)
        assert labels_to_learn_from() == 20
        assert tasks.by_threshold()["labels"] == 25
        assert Run.objects.exists()

    def test_the_schedule_learns_nothing_twice(self, live_version: ModelVersion):
        for _ in range(20):
            labeled(3)
        Run.objects.filter(pk=tasks.by_schedule()["run"]).update(state=Run.State.DONE)
        assert "declined" in tasks.by_schedule()
        assert Snapshot.objects.count() == 1
        labeled(4)
        assert "run" in tasks.by_schedule()

    def test_the_schedules_are_made_once_and_their_functions_exist(self):
        from django.utils.module_loading import import_string

        Schedule.objects.all().delete()
        assert make_schedules() == len(schedules()) == Schedule.objects.count()
        assert make_schedules() == 0
        for schedule in schedules():
            assert callable(import_string(str(schedule["func"])))

    def test_a_dry_run_shows_the_snapshot_and_makes_nothing(self, live_version: ModelVersion):
        labeled(3)
        said = StringIO()
        call_command("retrain", "--dry-run", "--json", stdout=said)
        assert json.loads(said.getvalue())["labels"] == 1
        assert not Run.objects.exists()


class TestReaping:
    def running(self, *, attempts: int, silent: bool) -> Run:
        labeled(3)
        run = retrain.ask(trigger=Run.Trigger.PAGE, least=1)
        beat = timezone.now() - (retrain.SILENT * 2 if silent else timedelta(0))
        Run.objects.filter(pk=run.pk).update(
            state=Run.State.RUNNING, attempts=attempts, heartbeat_at=beat
        )
        run.refresh_from_db()
        return run

    def test_a_silent_run_goes_back_to_the_queue_and_the_bell_rings(
        self, live_version: ModelVersion
    ):
        run = self.running(attempts=1, silent=True)
        assert retrain.reap() == [run.pk]
        run.refresh_from_db()
        assert run.state == Run.State.QUEUED
        assert OrmQ.objects.count() == 2

    def test_a_run_that_shows_life_is_left_alone(self, live_version: ModelVersion):
        self.running(attempts=1, silent=False)
        assert retrain.reap() == []

    def test_after_three_lost_attempts_it_is_given_up(self, live_version: ModelVersion):
        run = self.running(attempts=3, silent=True)
        assert retrain.reap() == []
        run.refresh_from_db()
        assert run.state == Run.State.FAILED
        assert "3 times" in run.reason

    def test_a_heartbeat_of_the_databases_own_clock_falls_silent_too(
        self, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ):
        run = self.running(attempts=1, silent=False)
        Run.objects.update(heartbeat_at=Now())
        monkeypatch.setattr(retrain, "SILENT", timedelta(seconds=-1))
        assert retrain.reap() == [run.pk]

    def test_a_run_whose_process_is_gone_for_certain_need_not_fall_silent(
        self, live_version: ModelVersion
    ):
        run = self.running(attempts=1, silent=False)
        # As the run itself shows life: by the database's clock, in the database's digits.
        Run.objects.update(host=socket.gethostname(), process=4_000_000, heartbeat_at=Now())
        assert retrain.lost(run.pk, process=4_000_001) == []
        assert retrain.lost(run.pk, process=4_000_000) == [run.pk]
        assert Run.objects.get().state == Run.State.QUEUED

    def test_a_run_whose_workers_stop_waits_for_the_next_and_loses_no_attempt(
        self, live_version: ModelVersion
    ):
        run = self.running(attempts=3, silent=False)
        Run.objects.update(host=socket.gethostname(), process=4_000_000)
        retrain.put_aside(run.pk, process=4_000_001)
        assert Run.objects.get().state == Run.State.RUNNING
        retrain.put_aside(run.pk, process=4_000_000)
        assert (Run.objects.get().state, Run.objects.get().attempts) == ("queued", 2)
        assert retrain.take(run.pk) is not None

    def test_a_run_that_waits_unheard_is_rung_for_once(self, live_version: ModelVersion):
        self.running(attempts=1, silent=True)
        Run.objects.update(state=Run.State.QUEUED, asked_at=timezone.now() - timedelta(hours=1))
        OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))  # taken, and then lost
        retrain.reap()
        assert OrmQ.objects.filter(lock__lte=timezone.now()).count() == 1
        retrain.reap()
        assert OrmQ.objects.filter(lock__lte=timezone.now()).count() == 1

    def test_a_run_just_asked_for_is_not_rung_for_again(self, live_version: ModelVersion):
        labeled(3)
        retrain.ask(trigger=Run.Trigger.PAGE, least=1)
        OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))
        retrain.reap()
        assert OrmQ.objects.count() == 1

    def test_a_version_that_a_lost_attempt_promoted_ends_the_run_well(
        self, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ):
        run = self.running(attempts=1, silent=False)
        made = make_version("made")
        promote(made, by=None, why="It won its trial.")
        Run.objects.update(state=Run.State.QUEUED, version=made)
        monkeypatch.setattr(retrain, "HEARTBEAT", 3600.0)
        done = retrain.execute(run.pk)
        assert done is not None
        assert (done.state, done.reason) == ("done", "")

    def test_a_database_that_goes_away_ends_no_run(
        self, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ):
        run = self.running(attempts=1, silent=False)
        Run.objects.update(state=Run.State.QUEUED)

        def full(run: Run, watch: object) -> None:
            raise OperationalError("database or disk is full")

        monkeypatch.setattr(retrain, "learn", full)
        monkeypatch.setattr(retrain, "HEARTBEAT", 3600.0)
        monkeypatch.setattr(retrain, "connection", SimpleNamespace(close=lambda: None))
        with pytest.raises(OperationalError):
            retrain.execute(run.pk)
        assert Run.objects.get().state == Run.State.RUNNING

    def test_an_attempt_that_was_given_up_cannot_end_the_run(self, live_version: ModelVersion):
        stale = self.running(attempts=1, silent=True)
        retrain.reap()
        assert retrain.take(stale.pk) is not None
        retrain.end(stale, Run.State.DONE)
        assert Run.objects.get(pk=stale.pk).state == Run.State.RUNNING


REPAIR = r"\. Run `manage.py install_base`: it [a-z ]+\.$"


class Killed(BaseException):
    """The process ends here."""


def said_of(run: Run, what: str) -> list[str]:
    """The lines of its log with this."""
    run.refresh_from_db()
    return [line for line in run.log.splitlines() if what in line]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Tuning:
    return make_tiny(monkeypatch, settings)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestLearning:
    def ask(self) -> Run:
        install_base()
        for digit in range(10):
            labeled(digit)
        return retrain.ask(trigger=Run.Trigger.COMMAND, least=5)

    def test_a_run_ends_in_a_candidate_with_its_lineage(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch
    ):
        run = self.ask()
        done = retrain.execute(run.pk)
        assert done is not None
        assert (done.state, done.attempts, done.progress) == ("done", 1, 1.0)
        assert done.version is not None
        assert done.version.parent == run.parent
        assert done.version.state == ModelVersion.State.CANDIDATE
        begun = Trial.objects.get()
        assert (begun.candidate, begun.against) == (done.version, run.parent)
        assert [epoch.number for epoch in done.epochs.all()] == [1, 2]
        assert done.checkpoint is None

    def test_a_candidate_goes_from_its_birth_to_live_on_the_drawings_it_mended(
        self, tiny: Tuning, tmp_path: Path, settings: Any
    ):
        """With the shipped network, a real fine-tune, and drawings between two digits."""
        from training.engine.strokes import written_digits

        written = written_digits(400, seed=21)
        settings.MNIST_DIR = tmp_path
        images = written.glyphs[:, 0].numpy()
        write_mnist(tmp_path, written.labels.tolist(), images=images)
        run = self.ask()
        done = retrain.execute(run.pk)
        assert done is not None
        mixed = np.maximum(images, images[::-1] // 4 * 3)
        for glyph, said in zip(mixed, load_version(run.parent.pk).network.read(mixed), strict=True):
            make_prediction(
                visitor=uuid.uuid4(), glyph=glyph, digit=said.digit, confidence=said.confidence
            )
        trial.follow()
        assert TrialReading.objects.count() == len(mixed)
        differ = TrialReading.objects.exclude(live_digit=F("candidate_digit")).order_by("pk")
        for reading in differ.select_related("prediction")[:12]:
            answer([reading.prediction], reading.candidate_digit)
        trial.follow()
        assert Trial.objects.get().state == Trial.State.PROMOTED
        assert ModelVersion.objects.live().get() == done.version

    def test_a_run_is_worked_on_once(self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch):
        run = self.ask()
        assert retrain.execute(run.pk) is not None
        assert retrain.execute(run.pk) is None

    def test_the_same_snapshot_and_recipe_give_the_same_weights_also_after_a_kill(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch
    ):
        from training.runs.fine_tune import bundle_of, lesson_of

        run = retrain.take(self.ask().pk)
        assert run is not None
        whole = lesson_of(run)
        assert len(list(whole.course.epochs())) == 2
        cut = lesson_of(run)
        next(cut.course.epochs())
        run.checkpoint = cut.state()
        resumed = lesson_of(run)
        assert [epoch.number for epoch in resumed.course.epochs()] == [2]
        assert bundle_of(run, resumed).weights == bundle_of(run, whole).weights

    def test_new_labels_teach_and_what_was_known_is_held_by_the_parent(self, tiny: Tuning):
        from training.runs.fine_tune import lesson_of

        run = self.ask()
        course = lesson_of(run).course
        for digits in course.rounds:
            assert digits.known is not None
            assert digits.strengths is not None
            new = digits[~digits.known]
            assert len(new) == tiny.repeats * run.snapshot.count
            assert set(digits.strengths[~digits.known].tolist()) == {tiny.new_distortion}
            assert digits.strengths[digits.known].tolist() == pytest.approx(
                [tiny.distortion] * (len(digits) - len(new))
            )
        assert course.anchor is not None
        assert course.anchor.network is not course.network
        assert course.anchor.weight == tiny.anchor_weight

    def test_labels_that_the_parent_doubts_are_repeated_most_and_distorted_least(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch
    ):
        import torch

        from training.runs import fine_tune

        run = self.ask()
        run.recipe["doubted_repeats"] = 30
        doubted = torch.arange(run.snapshot.count) < 2
        monkeypatch.setattr(fine_tune, "doubted_by", lambda *_, **__: doubted)
        (digits, *_) = fine_tune.lesson_of(run).course.rounds
        assert digits.known is not None
        assert digits.strengths is not None
        strengths = [round(each, 3) for each in digits.strengths[~digits.known].tolist()]
        assert Counter(strengths) == {
            tiny.doubted_distortion: 2 * 30,
            tiny.new_distortion: (run.snapshot.count - 2) * tiny.repeats,
        }
        del run.recipe["doubted_repeats"]  # as in older releases
        (digits, *_) = fine_tune.lesson_of(run).course.rounds
        assert digits.known is not None
        assert (~digits.known).sum() == run.snapshot.count * tiny.repeats

    def test_doubted_is_a_first_or_second_guess_that_the_parent_is_not_sure_of(self, tiny: Tuning):
        from training.engine import export
        from training.runs.fine_tune import doubted_by, labels_of, network_of_parent

        run = self.ask()
        network, _ = network_of_parent(run)
        new = labels_of(run)
        logits = export.raw_outputs(network, new).logits
        for place, are_doubted in ((0, True), (1, True), (2, False), (9, False)):
            labeled_so = replace(new, labels=logits.argsort(1, descending=True)[:, place])
            assert set(doubted_by(network, 100.0, labeled_so, below=0.95).tolist()) == {are_doubted}
        named = replace(new, labels=logits.argmax(1))
        assert not doubted_by(network, 1e-6, named, below=0.95).any()  # it is sure of them

    def test_every_epoch_replays_other_digits(self, tiny: Tuning):
        from training.runs.fine_tune import lesson_of

        first, second = (digits.glyphs for digits in lesson_of(self.ask()).course.rounds)
        assert len(first) == len(second)
        assert first.tolist() != second.tolist()

    def test_a_fine_tune_is_as_modest_as_its_parent(self, tiny: Tuning):
        """The parent's temperature was set on people's drawings; the replay would lower it."""
        from training.engine.export import network_from, weights_of
        from training.runs.fine_tune import bundle_of, lesson_of

        run = self.ask()
        lesson = lesson_of(run)
        before = bundle_of(run, lesson).card["temperature"]
        stored = run.parent.artifacts.get(kind=Artifact.Kind.SAFETENSORS)
        network, temperature = network_from(bytes(stored.content))
        stored.content = weights_of(network, 2 * temperature)
        stored.sha256 = hashlib.sha256(stored.content).hexdigest()
        stored.save()
        assert bundle_of(run, lesson).card["temperature"] == pytest.approx(2 * before)
        del run.recipe["keeps_warmth"]  # as in older releases
        lesson = lesson_of(run)
        older = bundle_of(run, lesson).card["temperature"]
        stored.content = weights_of(network, temperature)
        stored.sha256 = hashlib.sha256(stored.content).hexdigest()
        stored.save()
        assert bundle_of(run, lesson).card["temperature"] == pytest.approx(older)

    def test_a_recipe_from_before_is_repeated_as_it_was(self, tiny: Tuning):
        from training.runs.fine_tune import lesson_of

        run = self.ask()
        for name in ("new_distortion", "anchor_weight", "other_replay"):
            del run.recipe[name]
        run.recipe["least_holdout"] = 50
        course = lesson_of(run).course
        assert course.anchor is None
        assert [digits.strengths for digits in course.rounds] == [None]
        assert [digits.known for digits in course.rounds] == [None]

    def test_progress_is_seen_batch_by_batch(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch, client: Client
    ):
        monkeypatch.setattr(retrain, "SHOW_EVERY", 0.0)
        run = self.ask()
        client.force_login(make_user("ben", role="trainer"))
        seen: list[tuple[int, float]] = []

        def look(done: float) -> None:
            shown = client.get(f"/api/v1/runs/{run.public_id}/").json()
            seen.append((len(shown["epochs"]), shown["progress"]))

        retrain.execute(run.pk, watch=look)
        batches = tiny.digits_an_epoch // tiny.batch_size
        steps = [progress for _, progress in seen]
        assert [epochs for epochs, _ in seen].count(0) == batches
        assert steps == sorted(steps)
        assert len(set(steps)) == tiny.epochs * batches
        assert steps[-1] == retrain.LEARNED

    def test_an_unhurried_row_is_written_once_a_second_at_most(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
    ):
        settings.MNIST_DIR = tmp_path  # a developer's files would be read, and shown once more
        monkeypatch.setattr(retrain, "SHOW_EVERY", 3_600.0)
        shown: list[float] = []
        monkeypatch.setattr(retrain, "show", lambda run, progress: shown.append(progress))
        retrain.execute(self.ask().pk)
        assert len(shown) == 1

    def test_a_run_that_is_canceled_stops_at_its_next_batch(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch, client: Client
    ):
        monkeypatch.setattr(retrain, "SHOW_EVERY", 0.0)
        run = self.ask()
        client.force_login(make_user("ben", role="trainer"))
        steps: list[float] = []

        def press(done: float) -> None:
            steps.append(done)
            client.post(f"/training/runs/{run.public_id}/cancel/")

        done = retrain.execute(run.pk, watch=press)
        assert done is not None
        assert (done.state, done.epochs.count(), done.version) == (Run.State.CANCELED, 0, None)
        assert len(steps) == 1

    def test_a_run_that_is_canceled_while_mnist_is_read_begins_no_trial(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
    ):
        monkeypatch.setattr(retrain, "SHOW_EVERY", 0.0)
        settings.MNIST_DIR = tmp_path
        write_mnist(tmp_path, [7] * 20)
        run = self.ask()
        read = guards.probabilities

        def slow(network: Any, glyphs: Any, each_pass: Any) -> Any:
            retrain.cancel(run)
            return read(network, glyphs, each_pass)

        monkeypatch.setattr(guards, "probabilities", slow)
        done = retrain.execute(run.pk)
        assert done is not None
        assert done.state == Run.State.CANCELED
        trial.follow()
        assert not Trial.objects.exists()

    def test_a_database_that_is_away_for_a_moment_does_not_end_the_epoch(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(retrain, "SHOW_EVERY", 0.0)
        run = self.ask()
        wanted, away = retrain.wanted, [OperationalError("away"), InterfaceError("closed")]

        def at_times(run: Run) -> Any:
            if away:
                raise away.pop()
            return wanted(run)

        monkeypatch.setattr(retrain, "wanted", at_times)
        done = retrain.execute(run.pk)
        assert done is not None
        assert (done.state, done.attempts, away) == (Run.State.DONE, 1, [])

    def broken_off(self) -> Run:
        """Queued again after its process was killed behind the first epoch."""
        run = self.ask()

        def kill(done: float) -> None:
            if Run.objects.filter(checkpoint__isnull=False).exists():
                raise Killed

        with pytest.raises(Killed):
            retrain.execute(run.pk, watch=kill)
        retrain.lost(run.pk, process=os.getpid())
        return Run.objects.get(state=Run.State.QUEUED)

    def end_of(self, run: Run) -> tuple[str, str]:
        done = retrain.execute(run.pk)
        assert done is not None
        return done.state, done.reason

    def test_what_an_earlier_attempt_learned_is_taken_up(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch
    ):
        run = self.broken_off()
        assert self.end_of(run) == ("done", "")
        assert [line.split()[1] for line in said_of(run, "Epoch")] == ["Epoch"] * tiny.epochs

    def test_a_damaged_checkpoint_ends_the_run_with_one_sentence(self, tiny: Tuning):
        run = self.broken_off()
        assert run.checkpoint is not None
        content = bytearray(run.checkpoint)
        content[len(content) // 2] ^= 1
        Run.objects.update(checkpoint=bytes(content))
        reason = "What an earlier attempt learned is damaged. Start a new run."
        assert self.end_of(run) == ("failed", reason)

    def test_a_checkpoint_of_another_recipe_ends_the_run_with_one_sentence(self, tiny: Tuning):
        run = self.broken_off()
        Run.objects.update(recipe={**run.recipe, "rate": 0.5})
        state, reason = self.end_of(run)
        assert (state, reason.split(".")[0]) == (
            "failed", "What an earlier attempt learned fits no lesson of this release",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("content", "with_digest", "said"),
        [
            (b"flipped", False, f"^The weights of {BASE} for training [^`.]+ differs" + REPAIR),
            (b"flipped", True, "^The safetensors file cannot be read" + REPAIR),
            (save_safetensors({"w": np.array([np.nan])}), True, "^The weights of w are not finite"),
            (save_safetensors({"w": np.ones(3)}), True, f"^The weights of {BASE} are of another"),
        ],
        ids=["altered", "no file", "no numbers", "another network"],
    )  # fmt: skip
    def test_a_parent_that_went_bad_ends_the_run_with_one_sentence(
        self, tiny: Tuning, content: bytes, with_digest: bool, said: str
    ):
        run = self.ask()
        weights = run.parent.artifacts.filter(kind=Artifact.Kind.SAFETENSORS)
        weights.update(content=content)
        if with_digest:
            weights.update(sha256=hashlib.sha256(content).hexdigest())
        state, reason = self.end_of(run)
        assert state == "failed"
        assert re.search(said, reason)

    def test_a_parent_without_weights_ends_the_run_with_one_sentence(self, tiny: Tuning):
        run = self.ask()
        run.parent.artifacts.all().delete()
        with pytest.raises(CommandError, match=rf"^{BASE} has no weights for training\. Run"):
            call_command("train_run", run.pk)

    def test_a_run_that_breaks_keeps_its_reason(
        self, tiny: Tuning, monkeypatch: pytest.MonkeyPatch
    ):
        run = self.ask()
        monkeypatch.setattr(retrain, "learn", lambda run, watch: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retrain.execute(run.pk)
        run.refresh_from_db()
        assert (run.state, run.reason) == ("failed", "ZeroDivisionError: division by zero")


def test_the_process_id_of_a_run_is_known(live_version: ModelVersion):
    labeled(3)
    intake.enqueue_new()
    run = retrain.take(retrain.ask(trigger=Run.Trigger.PAGE, least=1).pk)
    assert run is not None
    assert run.process == os.getpid()

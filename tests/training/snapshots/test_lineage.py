from __future__ import annotations

import json
import uuid
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from labeling.batches import review
from labeling.batches.selections import as_shown
from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.models import Label, LabelEvent
from predictions.models import ModelVersion, Owner, Prediction
from tests.factories import make_prediction, make_user, make_version
from tests.labeling.door import Door, make_item
from tests.training.lessons import labeled
from training.models import Run, SnapshotEvent
from training.runs import retrain
from training.snapshots.snapshots import choose, default_rule, freeze

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("ada", role="labeler")


@pytest.fixture
def bob() -> User:
    return make_user("bob", role="labeler")


def fine_tuned(name: str, **ask: Any) -> ModelVersion:
    """A version as a run leaves it, without the learning; it goes live."""
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1, **ask)
    version = make_version(name)
    ModelVersion.objects.live().update(state="retired")
    ModelVersion.objects.filter(pk=version.pk).update(parent=run.parent, state="live")
    Run.objects.filter(pk=run.pk).update(state="done", version=version)
    version.refresh_from_db()
    return version


def told(*command: str) -> Any:
    said = StringIO()
    call_command(*command, "--json", stdout=said, stderr=StringIO())
    return json.loads(said.getvalue())


def said(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out, stderr=StringIO())
    return out.getvalue()


# -- lineage -------------------------------------------------------------------------------------


def test_a_prediction_is_walked_back_to_the_labelers_and_on_to_the_versions(
    live_version: ModelVersion, ada: User, bob: User
) -> None:
    taught = labeled(3, by=Owner(user_id=ada.pk))
    labeled(4, by=Owner(user_id=ada.pk))
    labeled(5, by=Owner(user_id=bob.pk))
    first = fine_tuned("toy-2")
    labeled(6)
    second = fine_tuned("toy-3")
    event = LabelEvent.objects.get(prediction=taught)
    asked = make_prediction(version=first)

    lineage = told("lineage", str(asked.public_id))
    by, base = lineage["versions"]
    assert (by["name"], base["name"]) == ("toy-2", "toy-live")
    assert by["run"]["labelers"] == {"ada": 2, "bob": 1}
    assert event.pk in by["run"]["events"]
    assert base["run"] is None
    assert lineage["label"] is None

    lineage = told("lineage", str(taught.public_id))
    assert lineage["label"]["value"] == "3"
    assert [each["labeler"] for each in lineage["label"]["events"]] == ["ada"]
    assert [each["version"] for each in lineage["learned_by"]] == [first.name, second.name]


def test_a_version_made_from_one_that_learned_a_label_contains_it_too(
    live_version: ModelVersion, ada: User
) -> None:
    taken_back = labeled(3)
    labeled(4)
    fine_tuned("toy-2")
    Label.objects.filter(prediction=taken_back).update(state="disputed")  # no later run takes it
    fine_tuned("toy-3")
    assert told("lineage", str(taken_back.public_id))["learned_by"] == [
        {"version": "toy-2", "state": "retired", "labels": 1, "through": "toy-2"},
        {"version": "toy-3", "state": "live", "labels": 0, "through": "toy-2"},
    ]


def test_lineage_is_told_in_words(live_version: ModelVersion, ada: User) -> None:
    taught = labeled(3, by=Owner(user_id=ada.pk))
    first = fine_tuned("toy-2")
    asked = make_prediction(version=first)
    words = said("lineage", str(asked.public_id))
    assert "by toy-2 (live)" in words
    assert "made from toy-live (retired)" in words
    assert "ada: 1" in words
    assert "nobody has labeled it" in words
    words = said("lineage", str(taught.public_id))
    assert "learned by toy-2 (live), itself" in words


def test_an_unknown_prediction_ends_in_an_error() -> None:
    with pytest.raises(CommandError, match="There is no prediction"):
        call_command("lineage", str(uuid.uuid4()))


# -- withdrawing ---------------------------------------------------------------------------------


def test_withdrawing_shows_which_versions_contain_a_labeler_and_deletes_nothing(
    live_version: ModelVersion, ada: User
) -> None:
    labeled(3, by=Owner(user_id=ada.pk))
    labeled(4)
    fine_tuned("toy-2")
    events = LabelEvent.objects.count()
    withdrawn = told("withdraw", "--labeler", "ada")
    assert withdrawn["standing_labels"] == 1
    assert [(each["version"], each["labels"]) for each in withdrawn["versions"]] == [("toy-2", 1)]
    assert withdrawn["run"] is None
    assert (LabelEvent.objects.count(), Run.objects.count()) == (events, 1)
    assert "toy-2 (live): 1 labels" in said("withdraw", "--labeler", "ada")


def test_the_run_without_a_labeler_begins_before_they_were_learned_from(
    live_version: ModelVersion, ada: User
) -> None:
    labeled(4)
    clean = fine_tuned("toy-2")
    labeled(3, by=Owner(user_id=ada.pk))
    fine_tuned("toy-3")
    OrmQ.objects.all().delete()
    run = told("withdraw", "--labeler", "ada", "--retrain", "--least", "1")["run"]
    queued = Run.objects.get(public_id=run["id"])
    assert queued.parent == clean
    assert queued.snapshot.count == 1
    assert queued.snapshot.counts["left_out"] == {"withdrawn labeler": 1}
    assert OrmQ.objects.filter(key="training").count() == 1


def test_whoever_was_withdrawn_stays_out_of_later_runs(
    live_version: ModelVersion, ada: User
) -> None:
    labeled(4)
    labeled(3, by=Owner(user_id=ada.pk))
    fine_tuned("toy-2", without_labelers=[ada.pk])
    labeled(5, by=Owner(user_id=ada.pk))
    labeled(6)
    choice = choose(default_rule())
    assert sorted(label.digit for label in choice.labels) == [4, 6]
    assert choice.left_out == {"withdrawn labeler": 2}


def test_whoever_was_withdrawn_is_let_in_again_on_request_alone(
    live_version: ModelVersion, ada: User
) -> None:
    labeled(4)
    labeled(3, by=Owner(user_id=ada.pk))
    again = ["withdraw", "--labeler", "ada", "--readmit", "--least", "1"]
    with pytest.raises(CommandError, match="Nobody was withdrawn"):
        call_command(*again, stdout=StringIO())
    fine_tuned("toy-2", without_labelers=[ada.pk])
    run = Run.objects.get(public_id=told(*again)["run"]["id"])
    assert run.snapshot.count == 2
    assert sorted(label.digit for label in choose(default_rule()).labels) == [3, 4]


def test_a_visitor_is_withdrawn_with_what_they_drew_and_what_they_said(
    live_version: ModelVersion,
) -> None:
    visitor = uuid.uuid4()
    labeled(3, visitor=visitor)
    labeled(4, by=Owner(visitor=visitor))
    labeled(5)
    fine_tuned("toy-2")
    withdrawn = told("withdraw", "--visitor", str(visitor), "--retrain", "--least", "1")
    assert withdrawn["standing_labels"] == 2
    assert withdrawn["versions"][0]["labels"] == 2
    queued = Run.objects.get(public_id=withdrawn["run"]["id"])
    assert (queued.snapshot.count, queued.parent) == (1, live_version)


def test_unknown_people_and_declined_runs_end_in_an_error(
    live_version: ModelVersion, ada: User
) -> None:
    for who in (["--labeler", "eve"], ["--visitor", str(uuid.uuid4())]):
        with pytest.raises(CommandError, match="There is nobody called"):
            call_command("withdraw", *who)
    with pytest.raises(CommandError, match="0 labels to learn from, 20 needed"):
        call_command("withdraw", "--labeler", "ada", "--retrain", stdout=StringIO())
    assert not Run.objects.exists()


# -- several opinions on one label ---------------------------------------------------------------


class Said:
    """One drawing that several people speak about, through the label page."""

    def __init__(self, digit: int = 3) -> None:
        visitor = uuid.uuid4()
        # Confidently read as something else: the first opinion asks for a second.
        self.drawing = make_item(digit=digit + 1, confidence=0.99, visitor=visitor)

    def by(self, labeler: User, digit: int | None = 3) -> Any:
        door = Door(labeler)
        (item,) = door.items()
        assert item["id"] == str(self.drawing.public_id)
        answer = door.label(item, digit)
        assert answer.status_code in {200, 201}, answer.content
        return self

    def ask_again(self, reviewer: User) -> Any:
        selection = Prediction.objects.filter(pk=self.drawing.pk)
        review.send_to_review(as_shown(selection), by=reviewer, chosen_by={})
        return self


def contained(labeler: User) -> list[tuple[str, int]]:
    versions = told("withdraw", "--labeler", labeler.username)["versions"]
    return [(each["version"], each["labels"]) for each in versions]


def standing_of(labeler: User) -> int:
    found: int = told("withdraw", "--labeler", labeler.username)["standing_labels"]
    return found


@pytest.fixture
def cleo() -> User:
    return make_user("cleo", role="labeler")


def test_whoever_was_confirmed_belongs_to_the_label_as_whoever_confirmed(
    live_version: ModelVersion, ada: User, bob: User
) -> None:
    labeled(4)
    clean = fine_tuned("toy-2")
    Said().by(ada).by(bob)
    third = fine_tuned("toy-3")
    assert contained(ada) == contained(bob) == [("toy-3", 1)]
    assert standing_of(ada) == standing_of(bob) == 1
    made = told("lineage", str(make_prediction(version=third).public_id))["versions"][0]
    assert made["run"]["labelers"] == {"ada": 1, "bob": 1, "visitors": 1}
    for labeler in (ada, bob):
        run = told("withdraw", "--labeler", labeler.username, "--retrain", "--least", "1")["run"]
        queued = Run.objects.get(public_id=run["id"])
        assert queued.parent == clean
        assert queued.snapshot.counts["left_out"]["withdrawn labeler"] == 1
        assert queued.snapshot.count == 1
        queued.delete()


def test_of_three_the_outvoted_one_has_no_part_though_they_spoke_last(
    live_version: ModelVersion, ada: User, bob: User, cleo: User
) -> None:
    said = Said().by(ada).by(bob).ask_again(make_user("rita", role="reviewer"))
    said.by(cleo, 9)
    label = Label.objects.get()
    assert (label.digit, label.state, label.event.labeler) == (3, "settled", cleo)
    fine_tuned("toy-2")
    assert contained(ada) == contained(bob) == [("toy-2", 1)]
    assert contained(cleo) == []
    assert [standing_of(each) for each in (ada, bob, cleo)] == [1, 1, 0]
    assert choose(default_rule(without_labelers=[cleo.pk])).left_out == {}
    assert choose(default_rule(without_labelers=[ada.pk])).left_out == {"withdrawn labeler": 1}


def test_an_opinion_outvoted_in_the_middle_has_no_part(
    live_version: ModelVersion, ada: User, bob: User, cleo: User
) -> None:
    Said().by(ada).by(bob, 9).by(cleo)
    fine_tuned("toy-2")
    assert contained(ada) == contained(cleo) == [("toy-2", 1)]
    assert contained(bob) == []


def test_a_ruling_is_the_reviewers_alone_and_who_confirms_it_later_joins(
    live_version: ModelVersion, ada: User, bob: User, cleo: User
) -> None:
    rita = make_user("rita", role="reviewer")
    said = Said().by(ada).by(bob, 9)
    assert Door(rita).settle(said.drawing.public_id, 3).status_code in {200, 201}
    fine_tuned("toy-2")
    assert contained(rita) == [("toy-2", 1)]
    assert contained(ada) == contained(bob) == []
    said.ask_again(rita).by(cleo)
    fine_tuned("toy-3")
    assert contained(rita) == [("toy-2", 1), ("toy-3", 1)]
    assert contained(cleo) == [("toy-3", 1)]


def test_what_was_taken_back_before_the_freezing_has_no_part_and_afterwards_it_has(
    live_version: ModelVersion, ada: User, bob: User, cleo: User
) -> None:
    said = Said().by(ada).by(bob)
    choice = choose(default_rule())
    assert Door(ada).undo().status_code in {200, 201}
    label = Label.objects.get()
    assert (label.digit, label.state, label.event.labeler) == (3, "settled", bob)
    fine_tuned("toy-2")
    assert contained(ada) == []
    assert contained(bob) == [("toy-2", 1)]
    assert [standing_of(ada), standing_of(bob)] == [0, 1]
    # Chosen while it stood: a run that was being frozen meanwhile learns from it all the same.
    Run.objects.update(snapshot=freeze(choice, default_rule()))
    assert contained(ada) == contained(bob) == [("toy-2", 1)]
    said.ask_again(make_user("rita", role="reviewer")).by(cleo)
    fine_tuned("toy-3")
    assert Door(bob).undo().status_code in {200, 201}
    assert contained(bob)[-1] == ("toy-3", 1)
    assert standing_of(bob) == 0


def test_lineage_asks_as_many_queries_for_20_labels_of_two_as_for_2(
    live_version: ModelVersion, ada: User, bob: User, django_assert_num_queries: Any
) -> None:
    def agreed(number: int) -> None:
        for _ in range(number):
            Said().by(ada).by(bob)

    def asked() -> None:
        rule = default_rule(without_labelers=[cleo_key])
        freeze(choose(rule), rule)
        contained(ada)

    cleo_key = make_user("cleo").pk
    agreed(2)
    fine_tuned("toy-2")
    with CaptureQueriesContext(connection) as few:
        asked()
    as_few = len(few)
    agreed(18)
    with django_assert_num_queries(as_few):
        asked()


def test_two_visitors_who_agree_are_one_label_of_visitors(
    live_version: ModelVersion,
) -> None:
    drawing = labeled(3)
    decisions.label_by_feedback(drawing, Answer(3), owner=Owner(visitor=uuid.uuid4()))
    version = fine_tuned("toy-2")
    made = told("lineage", str(make_prediction(version=version).public_id))["versions"][0]
    assert made["run"]["labelers"] == {"visitors": 1}


def test_labels_frozen_before_others_were_noted_get_them_by_the_migration(
    live_version: ModelVersion, ada: User, bob: User, cleo: User
) -> None:
    Said().by(ada).by(bob)
    taken_back = Said().by(ada).by(bob)
    Door(ada).undo()
    fine_tuned("toy-2")
    taken_back.ask_again(make_user("rita", role="reviewer")).by(cleo)
    Door(bob).undo()
    before = list(SnapshotEvent.objects.values_list("label", "event"))
    assert len(before) == 1
    SnapshotEvent.objects.all().delete()
    migration = import_module("training.migrations.0008_snapshot_events")
    migration.name_the_others(apps, None)
    assert list(SnapshotEvent.objects.values_list("label", "event")) == before

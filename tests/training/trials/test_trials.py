"""Trials: which drawings judge, whom they are asked of, what counts, and what is done then."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule

from labeling.batches import grid
from labeling.models import Gold, Label, QueueItem, Wanted
from labeling.queue import intake, priorities
from predictions.models import Artifact, ModelVersion, Prediction
from predictions.shares import wilson
from tests.factories import make_feedback, make_user, make_version
from tests.labeling.door import Door, make_item
from tests.training.trials.stage import (
    answer,
    draw,
    frozen,
    make_candidate,
    make_pair,
    make_trial,
    write_mnist,
)
from tests.training.versions.test_promotion import at_once
from training.errors import AlreadyLive, NothingLive, Overtaken
from training.models import (
    GateReport,
    Message,
    Promotion,
    Run,
    Snapshot,
    SnapshotLabel,
    Trial,
    TrialReading,
)
from training.trials import guards, shadow
from training.trials.evidence import WORTHWHILE
from training.trials.summary import shown, summary_of
from training.trials.tally import Fate, tally_of
from training.trials.trial import begin, conclude, follow
from training.versions.promotion import promote, rollback
from training.workers.schedules import make_schedules

pytestmark = pytest.mark.django_db
State = Trial.State
ENOUGH = 6  # drawings mended, and none broken, show the first candidate to be better


@pytest.fixture(autouse=True)
def mnist(settings: Any, tmp_path: Path) -> Path:
    """A small MNIST, which both versions of `make_pair` read alike."""
    settings.MNIST_DIR = tmp_path
    write_mnist(tmp_path, [7] * 20)
    return tmp_path


def read() -> list[int]:
    return list(TrialReading.objects.order_by("pk").values_list("prediction", flat=True))


def wanted() -> list[int]:
    return list(Wanted.objects.order_by("rank").values_list("pk", flat=True))


def keys(predictions: list[Prediction]) -> list[int]:
    return [prediction.pk for prediction in predictions]


def state_of(trial: Trial) -> str:
    trial.refresh_from_db()
    return trial.state


def live_name() -> str:
    return ModelVersion.objects.live().get().name


def draw_own(door: Door, number: int, **fields: Any) -> list[Prediction]:
    """Drawings of this signed-in person that the versions read differently."""
    user = User.objects.get(pk=door.client.session["_auth_user_id"])
    return draw(number, user=user, visitor=None, **fields)


def tell(door: Door, drawing: Prediction, digit: int | None) -> None:
    """Give feedback on a drawing."""
    address = f"/api/v1/predictions/{drawing.public_id}/feedback/"
    answered = door.client.post(address, {"digit": digit}, content_type="application/json")
    assert answered.status_code == 200, answered.content


@contextmanager
def an_insert_under_way(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another transaction has taken keys of drawings, and may yet commit them."""
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(intake, "complete_until", lambda log, since, **_: since)
        yield


class TestWhatIsRead:
    def test_each_new_drawing_once_by_both(self):
        make_trial()
        alike, different = draw(2, differ=False), draw(3)
        follow()
        rows = list(
            TrialReading.objects.order_by("pk").values_list("live_digit", "candidate_digit")
        )
        assert read() == keys([*alike, *different])
        assert rows == [(7, 7)] * 2 + [(7, 3)] * 3
        before = list(TrialReading.objects.values_list("pk", flat=True))
        follow()
        assert list(TrialReading.objects.values_list("pk", flat=True)) == before

    def test_nothing_drawn_before_its_labels_were_frozen(self):
        _, new = make_pair()
        Snapshot.objects.update(last_prediction=draw(2)[-1].pk)
        begin(new)
        (later,) = draw(1)
        follow()
        assert read() == [later.pk]

    def test_a_snapshot_of_an_older_release_dates_by_its_time(self):
        make_pair()
        draw(2)
        Snapshot.objects.update(last_prediction=None)
        new = make_candidate("newer")
        Snapshot.objects.update(last_prediction=None)
        begin(new)
        later = draw(1)
        follow()
        assert read() == keys(later)

    def test_neither_imports_nor_copies_nor_what_was_erased(self):
        before = draw(1)
        make_trial()
        kept = draw(1)
        draw(1, source=Prediction.Source.IMPORT)
        draw(1, source=Prediction.Source.DEMO)
        for earlier, is_audit in product((before[0], kept[0]), (False, True)):
            copy = draw(1, is_audit=is_audit)
            Prediction.objects.filter(pk__in=keys(copy)).update(
                glyph=earlier.glyph, glyph_digest=earlier.glyph_digest
            )
        gone = draw(1)
        call_command("erase_visitor", str(gone[0].visitor), yes=True)
        follow()
        assert read() == keys(kept)

    def test_a_drawing_that_becomes_visible_late_is_read_after_the_others(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        make_trial()
        with an_insert_under_way(monkeypatch):
            first, last = draw(1, id=900_000), draw(1, id=900_005)
            follow()
            follow()
            assert read() == keys([*first, *last])
        late = draw(1, id=900_003)
        follow()
        assert read() == keys([*first, *last, *late])

    def test_an_audit_that_becomes_visible_after_its_copy_is_no_second_drawing(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        make_trial()
        with an_insert_under_way(monkeypatch):
            (first,) = draw(1, id=900_005)
            follow()
        late = draw(1, id=900_003, is_audit=True)
        Prediction.objects.filter(pk=late[0].pk).update(
            glyph=first.glyph, glyph_digest=first.glyph_digest
        )
        follow()
        assert read() == [first.pk]

    def test_what_another_version_answered_is_read_by_the_live_one_too(self):
        make_trial()
        draw(1, version=make_version("before"), digit=1)
        follow()
        assert TrialReading.objects.get().live_digit == 7

    def test_a_pass_that_is_killed_repeats_nothing_and_loses_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        trial = make_trial()
        drawn = draw(5)
        monkeypatch.setattr(shadow, "BATCH", 2)
        keep = shadow.store_trial_readings

        def killed_after_one(*args: Any, **kwargs: Any) -> bool:
            if TrialReading.objects.exists():
                raise KeyboardInterrupt
            return keep(*args, **kwargs)

        monkeypatch.setattr(shadow, "store_trial_readings", killed_after_one)
        with pytest.raises(KeyboardInterrupt):
            follow()
        assert (read(), state_of(trial)) == (keys(drawn[:2]), State.UNDER_WAY)
        monkeypatch.setattr(shadow, "store_trial_readings", keep)
        follow()
        assert read() == keys(drawn)

    def test_a_pass_without_time_goes_on_with_the_next(self, monkeypatch: pytest.MonkeyPatch):
        make_trial()
        drawn = draw(5)
        monkeypatch.setattr(shadow, "BATCH", 2)
        follow(seconds=-1)
        assert read() == keys(drawn[:2])
        follow(seconds=-1)
        assert read() == keys(drawn[:4])

    def test_a_trial_that_has_ended_reads_nothing_more(self):
        trial = make_trial()
        (drawn,) = draw(1)
        Trial.objects.update(state=State.OVERTAKEN)
        reading = TrialReading(
            trial=trial, prediction=drawn, live_digit=7,
            candidate_digit=3, live_confidence=1, candidate_confidence=1,
        )  # fmt: skip
        assert not shadow.store_trial_readings(trial, [reading], up_to=drawn.pk)
        follow()
        assert not TrialReading.objects.exists()

    @pytest.mark.skipif(
        connection.vendor != "sqlite", reason="PostgreSQL's plans follow its counts"
    )
    def test_what_a_trial_has_read_is_not_walked_for_each_drawing(self):
        trial = make_trial()
        with CaptureQueriesContext(connection) as asked:
            shadow.unread(trial, after=0)
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + asked[-1]["sql"])
            steps = [row[3] for row in cursor.fetchall()]
        looks = [step for step in steps if "training_trialreading" in step]
        assert looks, steps
        assert all("trial_id=? AND prediction_id=?" in step.replace("(", "") for step in looks)


class TestWhoIsAsked:
    def test_where_both_read_alike_nobody_is_asked(self):
        make_trial()
        draw(3, differ=False)
        follow()
        assert wanted() == []

    def test_where_they_differ_people_are_asked_oldest_first_but_audits_only_at_random(self):
        make_trial()
        first, _, second = (
            draw(1)[0], draw(1, is_audit=True), draw(1)[0],
        )  # fmt: skip
        draw(2, differ=False)
        follow()
        assert wanted() == [first.pk, second.pk]
        answer([first], 3)
        follow()
        assert wanted() == [second.pk]

    def test_of_two_trials_the_drawings_of_both_and_after_them_none(self):
        make_trial()
        drawn = draw(2)
        follow()
        begin(make_candidate("newer", marked=5))
        drawn += draw(1)
        follow()
        assert wanted() == keys(drawn)
        promote(make_version("by hand"), by=None, why="To see.")
        follow()
        assert wanted() == []

    def test_a_labeler_cannot_tell_which_drawings_decide(self, settings: Any):
        settings.QUEUE_MIX = {**settings.QUEUE_MIX, "unsure": 100}
        make_trial()
        (decides,) = draw(1)
        (other,) = draw(1, differ=False)
        ada = Door(make_user("ada", role="labeler"))
        items = {item["id"]: item for item in self.asked(ada)}
        asked, plain = items[str(decides.public_id)], items[str(other.public_id)]
        assert asked.keys() == plain.keys()
        for name in asked.keys() - {"id", "token", "glyph", "drawing_url"}:
            assert asked[name] == plain[name], name

    def test_while_somebody_is_asked_no_guess_is_shown_of_any_drawing(self, settings: Any):
        settings.SHOW_GUESSES = True
        draw(1, differ=False)
        make_trial()
        ada = Door(make_user("ada", role="labeler"))
        assert [item["guess"] for item in self.asked(ada)] == [7]
        draw(1)
        assert [item["guess"] for item in self.asked(ada)] == [None, None]

    def test_the_page_shows_of_a_drawing_that_decides_what_it_shows_of_any(self):
        make_trial()
        (decides,) = draw(1)
        ada = Door(make_user("ada", role="labeler"))
        (asked,) = self.asked(ada)
        page = ada.client.get("/label/", {"item": asked["id"], "token": asked["token"]})
        priorities.want([])
        without = ada.client.get("/label/", {"item": asked["id"], "token": asked["token"]})
        assert self.without_ids(page) == self.without_ids(without)
        assert decides.pk

    def test_the_grid_shows_none_of_them(self):
        make_trial()
        drawn, others = draw(1), draw(1, differ=False)
        follow()
        held = grid.claim_grid(make_user("ada"), digit=7)
        assert [each.prediction_id for each in held] == keys(others)
        assert wanted() == keys(drawn)

    def asked(self, door: Door) -> list[dict[str, Any]]:
        """What the queue hands out after the trials were followed, in any order."""
        follow()
        items = door.items(10)
        door.release(*(item["id"] for item in items))
        return door.items(10)

    def without_ids(self, page: Any) -> str:
        """The page without what is new in every answer."""
        text = page.content.decode()
        for line in text.splitlines():
            if "csrf" in line or "request_id" in line or "nonce" in line:
                text = text.replace(line, "")
        return text


class TestWhatCounts:
    def counts(self, trial: Trial) -> tuple[int, int, int, int]:
        """Mended, broken, waiting and answered behind them."""
        follow()
        tally = tally_of(trial)
        return len(tally.mended), len(tally.broken), len(tally.waiting), tally.behind

    def test_an_answer_counts_once_every_earlier_drawing_is_answered(self):
        trial = make_trial()
        first, second, third = draw(3)
        answer([second], 3)
        assert self.counts(trial) == (0, 0, 2, 1)
        answer([first], 7)
        assert self.counts(trial) == (1, 1, 1, 0)
        answer([third], 3)
        assert self.counts(trial) == (2, 1, 0, 0)

    def test_corrections_while_drawing_count_where_feedback_is_trusted(
        self, settings: Any, client: Client
    ):
        settings.TRUST_FEEDBACK = True
        trial = make_trial()
        first, second = draw(2)
        for drawn, digit in ((first, 3), (second, 7)):
            address = f"/api/v1/predictions/{drawn.public_id}/feedback/"
            said = client.post(address, {"digit": digit}, content_type="application/json")
            assert said.status_code == 200, said.content
        assert self.counts(trial) == (1, 1, 0, 0)

    def test_what_a_visitor_says_does_not_count_where_it_is_not_trusted(
        self, settings: Any, client: Client
    ):
        settings.TRUST_FEEDBACK = False
        trial = make_trial()
        (drawn,) = draw(1)
        address = f"/api/v1/predictions/{drawn.public_id}/feedback/"
        client.post(address, {"digit": 3}, content_type="application/json")
        assert self.counts(trial) == (0, 0, 1, 0)

    def test_audits_hold_nothing_up_and_count_in_an_order_of_their_own(self):
        trial = make_trial()
        audits = draw(2, is_audit=True)
        answer(draw(1), 3)
        assert self.counts(trial) == (1, 0, 0, 0)
        ada = Door(make_user("ada", role="labeler"))
        follow()
        items = {item["id"]: item for item in ada.items(10)}
        first, second = (items[str(audit.public_id)] for audit in audits)
        assert ada.label(second, 3).status_code == 200
        assert self.counts(trial) == (1, 0, 0, 1)
        assert ada.label(first, 7).status_code == 200
        assert self.counts(trial) == (2, 1, 0, 0)

    def test_what_the_only_labeler_says_of_an_own_audit_counts_and_makes_no_label(self):
        ada = Door(make_user("ada", role="labeler"))
        trial = make_trial()
        audits = draw_own(ada, 3, is_audit=True)
        for audit, digit in zip(audits, (3, 7, None), strict=True):
            tell(ada, audit, digit)
        assert self.counts(trial) == (1, 1, 0, 0)
        assert tally_of(trial).left_out == {Fate.UNREADABLE: 1}
        assert not Label.objects.exists()
        assert QueueItem.objects.filter(pk__in=keys(audits), is_open=True).count() == 3
        assert ada.items(10) == []

    def test_an_own_audit_that_the_only_labeler_did_not_correct_is_presumed_broken(self):
        ada = Door(make_user("ada", role="labeler"))
        trial = make_trial()
        (silent,) = draw_own(ada, 1, is_audit=True)
        answer(draw_own(ada, ENOUGH), 3)
        assert self.counts(trial) == (ENOUGH, 0, 0, 0)
        assert (state_of(trial), summary_of(trial).told.presumed) == (State.UNDER_WAY, 1)
        assert "1 more is an audit" in " ".join(shown(trial).sentences)
        tell(ada, silent, 3)
        assert self.counts(trial) == (ENOUGH + 1, 0, 0, 0)
        assert state_of(trial) == State.PROMOTED

    def test_where_another_labels_own_audits_wait_for_a_blind_answer_which_counts(self):
        ada, bea = (Door(make_user(name, role="labeler")) for name in ("ada", "bea"))
        trial = make_trial()
        (audit,) = draw_own(ada, 1, is_audit=True)
        tell(ada, audit, 3)
        assert self.counts(trial) == (0, 0, 0, 0)
        assert tally_of(trial).audits_waiting == 1
        assert bea.label(bea.item(), 7).status_code == 200
        assert self.counts(trial) == (0, 1, 0, 0)
        User.objects.filter(username="bea").update(is_active=False)
        assert self.counts(trial) == (0, 1, 0, 0)  # the label counts, not Ada's word

    @pytest.mark.parametrize("who", ["nobody", "another", "a visitor"])
    def test_nobody_elses_word_on_an_audit_counts(self, who: str):
        ada = Door(make_user("ada", role="labeler"))
        trial = make_trial()
        (audit,) = draw(1, is_audit=True) if who == "a visitor" else draw_own(ada, 1, is_audit=True)
        if who == "another":
            tell(Door(make_user("tia", role="trainer")), audit, 3)
        if who == "a visitor":
            make_feedback(audit, 3)
        assert self.counts(trial) == (0, 0, 0, 0)

    def test_the_word_of_a_labeler_who_was_withdrawn_does_not_count(self):
        user = make_user("ada", role="labeler")
        ada = Door(user)
        trial = make_trial()
        (audit,) = draw_own(ada, 1, is_audit=True)
        tell(ada, audit, 3)
        Snapshot.objects.filter(pk=frozen().pk).update(
            rule={"without_labelers": [user.pk], "without_visitors": []}
        )
        assert self.counts(trial) == (0, 0, 0, 0)
        assert tally_of(trial).audits_waiting == 1

    def test_no_report_shows_what_was_read_in_an_audit_that_has_no_label(self, client: Client):
        ada = Door(make_user("ada", role="labeler"))
        trial = make_trial()
        mended = draw_own(ada, ENOUGH, is_audit=True)
        for audit in mended:
            tell(ada, audit, 3)
        (other,) = draw_own(ada, 1)
        answer([other], 3)
        follow()
        assert state_of(trial) == State.PROMOTED
        figures = GateReport.objects.get().figures
        assert figures["weighed"]["better"] == ENOUGH + 1
        assert [row["id"] for row in figures["changed"]["better"]] == [str(other.public_id)]
        client.force_login(make_user("tia", role="trainer"))
        page = " ".join(client.get("/versions/new/").content.decode().split())
        assert other.glyph_url in page
        assert not any(audit.glyph_url in page for audit in mended)
        assert f"{ENOUGH} more are audits without a label" in page

    def test_a_label_that_waits_for_a_second_opinion_counts_and_two_that_differ_do_not(
        self,
    ):
        trial = make_trial()
        draw(1, confidence=0.99)
        follow()
        ada, bea = (Door(make_user(name, role="labeler")) for name in ("ada", "bea"))
        ada.label(ada.item(), 3)
        assert Label.objects.get().state == Label.State.AWAITING
        assert self.counts(trial) == (1, 0, 0, 0)
        bea.label(bea.item(), 7)
        assert self.counts(trial) == (0, 0, 0, 0)
        assert tally_of(trial).left_out == {Fate.DISPUTED: 1}

    def test_what_cannot_count_is_left_out_by_reason_and_holds_nothing_up(self):
        trial = make_trial()
        erased, unreadable, of_eve, by_eve, skipped = draw(5)
        answer(draw(1), 3)
        answer([unreadable], None)
        answer([by_eve], 3)
        follow()
        call_command("erase_visitor", str(erased.visitor), yes=True)
        eve = make_user("eve")
        of_label = Label.objects.get(pk=by_eve.pk).event
        type(of_label).objects.filter(pk=of_label.pk).update(labeler=eve, visitor=None)
        Snapshot.objects.filter(pk=frozen().pk).update(
            rule={"without_labelers": [eve.pk], "without_visitors": [str(of_eve.visitor)]}
        )
        QueueItem.objects.filter(pk=skipped.pk).update(skips=2)
        assert self.counts(trial) == (1, 0, 0, 0)
        assert tally_of(trial).left_out == {
            Fate.ERASED: 1, Fate.UNREADABLE: 1, Fate.WITHDRAWN: 2, Fate.SKIPPED: 1,
        }  # fmt: skip
        assert shown(trial).told.left_out == 5

    def test_what_the_only_labeler_skips_holds_nothing_up(self):
        trial = make_trial()
        draw(1)
        answer(draw(1), 3)
        follow()
        ada = Door(make_user("ada", role="labeler"))
        ada.skip(ada.item())
        assert self.counts(trial) == (1, 0, 0, 0)

    def test_gold_counts_as_the_answer_it_is(self):
        trial = make_trial()
        drawn = draw(1)
        answer(drawn, 3)
        Gold.objects.create(prediction=drawn[0], digit=3)
        QueueItem.objects.filter(pk=drawn[0].pk).update(is_parked=True, is_open=False)
        assert self.counts(trial) == (1, 0, 0, 0)

    def test_an_answer_that_is_taken_back_counts_no_more(self):
        trial = make_trial()
        draw(1)
        follow()
        ada = Door(make_user("ada", role="labeler"))
        ada.label(ada.item(), 3)
        assert self.counts(trial) == (1, 0, 0, 0)
        ada.undo()
        assert self.counts(trial) == (0, 0, 1, 0)

    def test_people_it_learned_from_are_told_from_others(self):
        _, new = make_pair()
        known, later = uuid.uuid4(), draw(1)
        learned = draw(1, visitor=known)
        answer(learned, 3)
        event = Label.objects.get(pk=learned[0].pk).event
        snapshot = new.run.snapshot
        SnapshotLabel.objects.create(snapshot=snapshot, event=event, digit=3)
        Snapshot.objects.filter(pk=snapshot.pk).update(last_prediction=learned[0].pk)
        trial = begin(new)
        answer(draw(2, visitor=known), 3)
        answer(draw(1), 7)
        follow()
        assert shown(trial).figures["people"] == {
            "known": {"mended": 2, "broken": 0}, "unknown": {"mended": 0, "broken": 1},
        }  # fmt: skip
        assert later

    def test_the_live_versions_errors_are_what_its_audits_show_at_least(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(guards, "LEAST_AUDITS", 5)
        trial = make_trial()
        draw(5, differ=False, is_audit=True, audit_probability=0.05, version=trial.against)
        follow()
        ada = Door(make_user("ada", role="labeler"))
        items = ada.items(10)
        for item, digit in zip(items[:4], [3, 7, 7, 7], strict=True):
            assert ada.label(item, digit).status_code == 200
        assert summary_of(trial).weighed.worthwhile == 0  # MNIST was read without an error
        assert ada.label(items[4], 7).status_code == 200
        assert summary_of(trial).weighed.worthwhile == pytest.approx(WORTHWHILE * wilson(1, 5)[0])


class TestWhatIsDone:
    def test_a_candidate_that_mends_enough_goes_live_by_itself(self, settings: Any):
        trial = make_trial()
        drawn = draw(ENOUGH)
        answer(drawn[:-1], 3)
        draw(4, differ=False)
        follow()
        assert (state_of(trial), live_name()) == (State.UNDER_WAY, "live")
        answer(drawn[-1:], 3)
        follow()
        assert (state_of(trial), live_name()) == (State.PROMOTED, "new")
        report, entry = GateReport.objects.get(), Promotion.objects.get()
        assert (trial.report, entry.report, entry.by) == (report, report, None)
        assert report.verdict == "promote"
        assert report.reasons[0] == "On 10 new drawings new mended 6 and broke 0."
        assert entry.why == report.reasons[0]
        assert [row["id"] for row in report.figures["changed"]["better"]] == [
            str(each.public_id) for each in drawn
        ]

    def test_what_is_decided_is_told_in_a_sentence_with_a_link(
        self, settings: Any, mailoutbox: Any
    ):
        settings.CSRF_TRUSTED_ORIGINS = ["https://ink.example.org"]
        make_user("tia", role="trainer")
        make_trial()
        draw(1, differ=False)
        answer(draw(ENOUGH), 3)
        follow()
        verdict = Message.objects.get(kind="gate.verdict").data
        assert verdict["sentence"] == "On 7 new drawings new mended 6 and broke 0. It went live."
        assert verdict["link"] == "https://ink.example.org/versions/new/"
        import_string("training.tasks.deliver")()
        first = next(mail for mail in mailoutbox if "trial" in mail.subject)
        assert first.body == f"{verdict['sentence']}\n\n{verdict['link']}"

    def test_where_promotions_need_a_person_it_waits_for_a_press_without_a_reason(
        self, settings: Any, client: Client
    ):
        settings.AUTO_PROMOTE = False
        trial = make_trial()
        answer(draw(ENOUGH), 3)
        follow()
        assert (state_of(trial), live_name()) == (State.WON, "live")
        client.force_login(make_user("tia", role="trainer"))
        client.post("/versions/new/promote/", {"over": "live"})
        assert (state_of(trial), live_name()) == (State.PROMOTED, "new")
        assert Promotion.objects.get().why == "On 6 new drawings new mended 6 and broke 0."

    def test_one_that_breaks_a_digit_is_rejected_with_the_digit(self):
        trial = make_trial()
        answer(draw(14), 7)
        follow()
        assert (state_of(trial), live_name()) == (State.HARM, "live")
        assert "of 14 drawings of the digit 7 it mended 0 and broke 14" in trial.reason
        assert GateReport.objects.get().verdict == "reject"
        assert ModelVersion.objects.get(name="new").state == ModelVersion.State.REJECTED

    def test_one_that_cannot_become_worth_having_ends_as_no_better(self):
        trial = make_trial()
        for digit in (0, 1, 2, 4, 5, 6, 8, 9):
            answer(draw(7), digit)  # both are wrong about all of them
        follow()
        assert state_of(trial) == State.NO_BETTER
        assert "is ruled out" in trial.reason
        assert ModelVersion.objects.get(name="new").state == ModelVersion.State.REJECTED

    def test_one_that_forgot_mnist_is_rejected_before_anybody_is_asked(self, mnist: Path):
        write_mnist(mnist, [7] * 40, marked=11)
        trial = make_trial()
        draw(3)
        follow()
        assert state_of(trial) == State.HARM
        assert "it loses 11 of MNIST's images of 7" in trial.reason
        assert wanted() == []

    def test_what_it_mends_of_mnist_makes_up_for_what_it_breaks(self, mnist: Path):
        write_mnist(mnist, [7] * 10 + [3] * 16 + [2] * 20, marked=26)
        trial = make_trial()
        follow()
        assert trial.base is None  # as it was before
        assert (state_of(trial), trial.base["broken"], trial.base["mended"]) == (
            State.UNDER_WAY, 10, 16,
        )  # fmt: skip

    def test_one_whose_mnist_nobody_read_is_held_and_says_so(self, mnist: Path):
        files = [path.rename(path.with_suffix(".away")) for path in mnist.iterdir()]
        trial = make_trial()
        answer(draw(ENOUGH), 3)
        follow()
        assert (state_of(trial), live_name()) == (State.UNDER_WAY, "live")
        assert "manage.py fetch_mnist" in " ".join(shown(trial).sentences)
        for path in files:
            path.unlink()
        write_mnist(mnist, [7] * 20)
        follow()
        assert (state_of(trial), live_name()) == (State.PROMOTED, "new")

    def test_one_with_unsound_weights_ends(self):
        trial = make_trial()
        draw(1)
        Artifact.objects.filter(version=trial.candidate, kind="onnx").update(content=b"broken")
        follow()
        assert state_of(trial) == State.HARM
        assert "new" in trial.reason

    def test_it_is_decided_once(self):
        trial = make_trial()
        answer(draw(ENOUGH), 3)
        shadow.read_unread(trial, shadow.Networks(trial.candidate_id, trial.against_id), until=1e12)
        summary = summary_of(trial)
        conclude(summary, State.WON)
        with pytest.raises(Overtaken):
            conclude(summary, State.WON)
        assert GateReport.objects.count() == 1

    def test_what_was_taken_back_may_win_and_waits_for_a_person(self):
        trial = make_trial()
        answer(draw(ENOUGH), 3)
        follow()
        rollback(by=None, why="To see.")
        trial = begin(ModelVersion.objects.get(name="new"))
        assert trial.number == 2
        answer(draw(4), 3)
        follow()
        assert (state_of(trial), live_name()) == (State.WON, "live")


class TestSeveral:
    def test_a_newer_candidate_ends_no_undecided_trial_and_needs_more_evidence(self):
        first = make_trial()
        second = begin(make_candidate("newer"))
        follow()
        assert (state_of(first), state_of(second)) == (State.UNDER_WAY, State.UNDER_WAY)
        assert (first.number, second.number) == (1, 2)
        assert summary_of(second).weighed.needed > 3 * summary_of(first).weighed.needed

    def test_a_fourth_sets_aside_the_one_with_the_least_evidence(self):
        trials = [make_trial(), *(begin(make_candidate(f"v{n}", marked=n)) for n in (4, 5))]
        answer(draw(2), 4)
        follow()
        fourth = begin(make_candidate("v6"))
        states = [state_of(trial) for trial in [*trials, fourth]]
        assert states == [State.OVERTAKEN, State.UNDER_WAY, State.UNDER_WAY, State.UNDER_WAY]
        assert trials[0].reason.startswith("v6 is newer")

    def test_a_trial_begins_once(self):
        trial = make_trial()
        assert begin(trial.candidate) == trial
        assert Trial.objects.count() == 1

    def test_a_promotion_by_hand_ends_them_all(self):
        trials = [make_trial(), begin(make_candidate("newer"))]
        promote(trials[0].candidate, by=None, why="To see.")
        assert [state_of(trial) for trial in trials] == [State.OVERTAKEN] * 2
        assert trials[0].reason == "new went live."
        assert trials[0].ended_at

    def test_so_does_a_rollback(self):
        promote(make_version("b"), by=None, why="x", over=make_pair()[0])
        trial = begin(make_candidate("c"))
        rollback(by=None, why="x")
        assert (state_of(trial), live_name()) == (State.OVERTAKEN, "live")

    def test_after_a_promotion_the_newest_undecided_candidate_is_tried_against_the_new_one(self):
        first = make_trial()
        second = begin(make_candidate("newer"))
        answer(draw(ENOUGH), 3)
        follow()
        assert (state_of(first), state_of(second)) == (State.PROMOTED, State.OVERTAKEN)
        follow()
        third = Trial.objects.get(candidate=second.candidate, against=first.candidate)
        assert (third.state, third.number) == (State.UNDER_WAY, 1)
        assert third.readings.count() == ENOUGH
        follow()
        assert Trial.objects.count() == 3

    def test_a_candidate_of_an_older_release_is_tried_and_one_of_a_canceled_run_is_not(self):
        live, undecided = make_pair()
        GateReport.objects.create(
            candidate=undecided, against=live, verdict="more", labels_needed=900, reasons=["…"],
            figures={}, look=1,
        )  # fmt: skip
        Snapshot.objects.update(last_prediction=None)
        canceled = make_candidate("canceled")
        canceled.run.state = Run.State.CANCELED
        canceled.run.save()
        follow()
        assert list(Trial.objects.values_list("candidate__name", flat=True)) == ["new"]

    def test_without_a_live_version_or_against_itself_nothing_is_tried(self):
        version = make_version("only")
        with pytest.raises(NothingLive):
            begin(version)
        assert follow() == {}
        live, _ = make_pair()
        with pytest.raises(AlreadyLive):
            begin(live)


class TestTheCommand:
    def gate(self, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
        try:
            call_command("gate", "new", *options)
        except SystemExit as ended:
            return int(ended.code or 0), capsys.readouterr().out
        return 0, capsys.readouterr().out

    @pytest.mark.parametrize(
        ("drawings", "digit", "code", "said"),
        [
            (ENOUGH, 3, 0, "On 6 new drawings new mended 6 and broke 0."),
            (14, 7, 3, "On 14 new drawings new mended 0 and broke 14."),
            (2, 3, 4, "On 2 new drawings new mended 2 and broke 0."),
        ],
    )
    def test_it_begins_a_trial_follows_it_and_its_exit_code_is_the_verdict(
        self,
        drawings: int,
        digit: int,
        code: int,
        said: str,
        capsys: pytest.CaptureFixture[str],
    ):
        make_pair()
        answer(draw(drawings), digit)
        ended, printed = self.gate(capsys)
        assert ended == code
        assert "new against live" in printed
        assert said in printed
        assert self.gate(capsys)[0] == code  # the same trial, again
        assert Trial.objects.count() == 1

    def test_as_json_it_names_what_is_missing(self, capsys: pytest.CaptureFixture[str]):
        make_pair()
        draw(3)
        code, printed = self.gate(capsys, "--json")
        told = json.loads(printed)
        assert (code, told["verdict"], told["waiting"]) == (4, "more", 3)
        assert told["labels_needed"] > 0
        assert not GateReport.objects.exists()

    def test_the_live_version_is_declined(self):
        make_pair()
        with pytest.raises(CommandError, match="live is live"):
            call_command("gate", "live")


class TestTheApi:
    def test_a_trial_is_read_with_its_counts_its_sentences_and_its_drawings(self, client: Client):
        client.force_login(make_user("ann", role="analyst"))
        assert client.get("/api/v1/versions/new/trial/").status_code == 404
        make_trial()
        assert client.get("/api/v1/versions/live/trial/").status_code == 404
        mended, broken, _ = drawn = draw(3)
        answer([mended], 3)
        answer([broken], 7)
        follow()
        told = client.get("/api/v1/versions/new/trial/").json()
        assert {name: told[name] for name in ("better", "worse", "waiting", "drawings")} == {
            "better": 1, "worse": 1, "waiting": 1, "drawings": len(drawn),
        }  # fmt: skip
        assert told["sentences"][0] == "On 3 new drawings new mended 1 and broke 1 so far."
        assert told["sentences"][1].startswith("1 drawing waits for an answer.")
        assert told["changed"]["worse"] == [
            {"id": str(broken.public_id), "digit": 7, "before": 7, "after": 3}
        ]

    def test_to_judge_begins_a_trial_and_has_it_followed(self, client: Client):
        make_pair()
        client.force_login(make_user("tia", role="trainer"))
        told = client.post("/api/v1/versions/new/judge/").json()
        assert (told["state"], told["sentences"][0]) == (
            "under_way", "No new drawing has been read by both versions yet.",
        )  # fmt: skip
        assert OrmQ.objects.count() == 1
        assert client.post("/api/v1/versions/live/judge/").status_code == 409

    def test_who_may_not_promote_may_not_judge(self, client: Client):
        make_pair()
        client.force_login(make_user("ann", role="analyst"))
        assert client.post("/api/v1/versions/new/judge/").status_code == 403
        assert not Trial.objects.exists()


class TestThePages:
    def visit(self, client: Client, path: str) -> str:
        answered = client.get(path)
        assert answered.status_code == 200, path
        return " ".join(answered.content.decode().split())

    def test_a_trial_is_told_first_with_the_drawings_that_changed(self, client: Client):
        client.force_login(make_user("tia", role="trainer"))
        make_trial()
        mended, broken, _ = draw(3)
        answer([mended], 3)
        answer([broken], 7)
        follow()
        said = "<b>On 3 new drawings new mended 1 and broke 1 so far.</b>"
        page = self.visit(client, "/versions/new/")
        assert said in page
        assert mended.glyph_url in page
        assert broken.glyph_url in page
        assert "From right to wrong: 1" in page
        assert "Decide now" not in page  # a trainer does not label
        assert said in self.visit(client, "/training/")
        assert "under way" in self.visit(client, "/versions/")

    def test_who_labels_is_led_to_the_queue(self, client: Client):
        client.force_login(make_user("ben", role="admin"))
        make_trial()
        draw(2)
        draw(1, is_audit=True)
        follow()
        assert "Decide now: 2 drawings" in self.visit(client, "/versions/new/")
        assert "2, and 1 audit<" in self.visit(client, "/versions/new/")

    def test_the_page_says_that_it_is_live_until_it_is_not(self, client: Client):
        client.force_login(make_user("tia", role="trainer"))
        make_trial()
        answer(draw(ENOUGH), 3)
        follow()
        assert "It is live since" in self.visit(client, "/versions/new/")
        rollback(by=None, why="To see.")
        assert "It is live since" not in self.visit(client, "/versions/new/")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestManyHosts:
    def test_who_follow_at_once_read_each_drawing_once_and_decide_once(self):
        trial = make_trial()
        drawn = draw(ENOUGH)
        answer(drawn, 3)
        at_once(*[follow] * 4)
        assert sorted(read()) == keys(drawn)
        assert (state_of(trial), live_name()) == (State.PROMOTED, "new")
        assert (GateReport.objects.count(), Promotion.objects.count()) == (1, 1)

    def test_who_begin_at_once_begin_one_trial(self):
        _, new = make_pair()
        found = at_once(*[partial(begin, new)] * 4)
        assert len({trial.pk for trial in found}) == Trial.objects.count() == 1

    def test_a_promotion_by_hand_and_a_decision_do_not_both_happen(self):
        trial = make_trial()
        answer(draw(ENOUGH), 3)
        other = make_version("by hand")
        at_once(follow, lambda: promote(other, by=None, why="x", over=trial.against))
        assert Promotion.objects.filter(before=trial.against).count() == 1
        assert state_of(trial) == (State.PROMOTED if live_name() == "new" else State.OVERTAKEN)


def test_it_happens_every_minute():
    trial = make_trial()
    draw(1)
    make_schedules()
    schedule = Schedule.objects.get(name="trials")
    assert (schedule.schedule_type, schedule.minutes) == (Schedule.MINUTES, 1)
    assert import_string(schedule.func)() == {"new": "under_way"}
    assert trial.readings.count() == 1


def test_following_changes_no_drawing():
    make_trial()
    draw(2)
    before = list(Prediction.objects.values())
    follow()
    assert list(Prediction.objects.values()) == before


def test_an_item_that_is_wanted_by_nobody_is_handed_out_as_ever():
    item = make_item()
    assert Door(make_user("ada", role="labeler")).item()["id"] == str(item.public_id)

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from predictions.models import Artifact, ModelVersion, ServingFault
from predictions.serving.network import UnsoundWeights
from predictions.serving.recognizer import Recognizer, note_fault
from predictions.serving.registry import BASE
from tests.factories import make_live, make_user, make_version, some_glyph, toy_onnx
from training.errors import AlreadyLive, NeedsReason, NothingBefore, Overtaken
from training.models import GateReport, Promotion
from training.versions import promotion
from training.versions.promotion import (
    live_at,
    promote,
    roll_back_unserved,
    rollback,
    versions_below,
)
from training.workers.schedules import make_schedules

pytestmark = pytest.mark.django_db
State = ModelVersion.State


def make_report(
    candidate: ModelVersion, against: ModelVersion, verdict: str = "promote"
) -> GateReport:
    return GateReport.objects.create(
        candidate=candidate, against=against, verdict=verdict, reasons=["…"], figures={}, look=1
    )


def live_names() -> list[str]:
    return list(ModelVersion.objects.live().values_list("name", flat=True))


def damage(version: ModelVersion, content: bytes, kind: str = Artifact.Kind.ONNX) -> None:
    version.artifacts.filter(kind=kind).update(content=content)


class TestPromoting:
    def test_the_candidate_answers_and_the_other_retires(self):
        old, new = make_live("old"), make_version("new", favorite=3)
        ben = make_user("ben")
        done = promote(new, by=ben, why="It reads better.")
        assert live_names() == ["new"]
        assert ModelVersion.objects.get(name="old").state == State.RETIRED
        assert (done.before, done.after, done.by, done.why) == (old, new, ben, "It reads better.")
        assert new.live_since == done.made_at

    def test_the_first_version_needs_nothing_live_before_it(self):
        first = make_version("first")
        assert promote(first, by=None, why="first").before is None
        assert live_names() == ["first"]

    def test_promoting_twice_leaves_one_live_model(self):
        make_live("old")
        new = make_version("new")
        promote(new, by=None, why="better")
        with pytest.raises(AlreadyLive):
            promote(new, by=None, why="again")
        assert live_names() == ["new"]
        assert Promotion.objects.count() == 1

    def test_who_saw_another_live_version_changes_nothing(self):
        old = make_live("old")
        first, second = make_version("first"), make_version("second")
        promote(first, by=None, why="better", over=old)
        with pytest.raises(Overtaken, match="old is no longer live; first is"):
            promote(second, by=None, why="better too", over=old)
        assert live_names() == ["first"]

    @pytest.mark.parametrize(
        "content", [b"", b"no network", toy_onnx()[:-50], toy_onnx(favorite=1)]
    )
    @pytest.mark.parametrize("with_digest", [False, True])
    def test_unsound_weights_never_go_live(self, content: bytes, with_digest: bool):
        make_live("old")
        bad = make_version("bad", favorite=3)
        damage(bad, content)
        if with_digest:
            digest = hashlib.sha256(content).hexdigest()
            bad.artifacts.filter(kind=Artifact.Kind.ONNX).update(sha256=digest)
        with pytest.raises(UnsoundWeights):
            promote(bad, by=None, why="hurry")
        assert live_names() == ["old"]
        assert not Promotion.objects.exists()

    def test_weights_to_train_from_are_checked_too(self):
        make_live("old")
        bad = make_version("bad")
        damage(bad, b"flipped", Artifact.Kind.SAFETENSORS)
        with pytest.raises(UnsoundWeights, match="not those that were registered"):
            promote(bad, by=None, why="hurry")
        assert live_names() == ["old"]

    def test_the_ledgers_times_never_go_back(self):
        make_live("old")
        later = timezone.now() + timedelta(hours=2)
        promote(make_version("new"), by=None, why="x")
        Promotion.objects.update(made_at=later)  # by a host whose clock was ahead
        assert promote(make_version("newer"), by=None, why="x").made_at == later


class TestReasons:
    def test_what_won_its_trial_needs_no_reason(self):
        old, new = make_live("old"), make_version("new")
        report = make_report(new, old)
        assert promote(new, by=None).report == report

    @pytest.mark.parametrize("verdict", ["reject", "more"])
    def test_what_did_not_win_does(self, verdict: str):
        old, new = make_live("old"), make_version("new")
        report = make_report(new, old, verdict)
        with pytest.raises(NeedsReason, match="The verdict on new"):
            promote(new, by=make_user(), why="  ")
        assert live_names() == ["old"]
        assert promote(new, by=None, why="I looked at the drawings.").report == report

    def test_what_was_never_on_trial_does(self):
        make_live("old")
        with pytest.raises(NeedsReason, match="has won no trial"):
            promote(make_version("new"), by=None)

    def test_an_older_verdict_does_not_outweigh_the_latest(self):
        old, new = make_live("old"), make_version("new")
        make_report(new, old, "promote")
        make_report(new, old, "reject")
        with pytest.raises(NeedsReason):
            promote(new, by=None)

    def test_a_trial_against_what_is_no_longer_live_does_not_count(self):
        old, new, newer = make_live("old"), make_version("new"), make_version("newer")
        make_report(newer, old)
        promote(new, by=None, why="better")
        with pytest.raises(NeedsReason, match="no longer live"):
            promote(newer, by=None)


class TestRollingBack:
    def test_the_one_before_answers_again_and_what_was_taken_back_is_rejected(self):
        make_live("a")
        b = make_version("b")
        promote(b, by=None, why="x")
        done = rollback(by=make_user(), why="It misreads sevens.")
        assert (done.kind, done.before.name, done.after.name) == ("rollback", "b", "a")
        assert live_names() == ["a"]
        assert ModelVersion.objects.get(name="b").state == State.REJECTED

    def test_two_rollbacks_lead_two_promotions_back(self):
        make_live("a")
        for name in "bc":
            promote(make_version(name), by=None, why="x")
        assert rollback(by=None, why="x").after.name == "b"
        assert rollback(by=None, why="x").after.name == "a"
        with pytest.raises(NothingBefore):
            rollback(by=None, why="x")
        assert live_names() == ["a"]

    def test_after_a_rollback_and_a_promotion_it_leads_to_what_was_live_between(self):
        make_live("a")
        promote(make_version("b"), by=None, why="x")
        promote(make_version("c"), by=None, why="x")
        rollback(by=None, why="x")
        promote(make_version("d"), by=None, why="x")
        assert rollback(by=None, why="x").after.name == "b"

    def test_what_was_taken_back_can_be_promoted_again_with_a_reason(self):
        old = make_live("a")
        b = make_version("b")
        make_report(b, old)
        promote(b, by=None)
        rollback(by=None, why="a mistake")
        promote(b, by=None, why="it was none")
        assert live_names() == ["b"]
        assert rollback(by=None, why="x").after.name == "a"

    def test_none_leads_to_what_was_taken_back_later(self):
        a, b = make_live("a"), make_version("b")
        promote(b, by=None, why="x")
        promote(a, by=None, why="x")
        assert rollback(by=None, why="x").after.name == "b"
        with pytest.raises(NothingBefore):
            rollback(by=None, why="x")
        assert live_names() == ["b"]

    def test_an_unsound_one_is_passed_over_and_the_ledger_says_so(self):
        make_live("a")
        b = make_version("b")
        promote(b, by=None, why="x")
        promote(make_version("c"), by=None, why="x")
        damage(b, b"broken")
        done = rollback(by=None, why="c is bad")
        assert done.after.name == "a"
        assert "b was passed over" in done.why

    def test_a_live_version_whose_weights_went_bad_is_taken_back(self):
        make_live("a")
        b = make_version("b")
        promote(b, by=None, why="x")
        damage(b, b"broken")
        assert rollback(by=None, why="b is broken").after.name == "a"

    @pytest.mark.parametrize(
        ("name", "todo"),
        [
            (BASE, "Run `manage.py install_base`: it repairs"),
            ("b", "Run `manage.py install_base`, then"),
        ],
    )
    def test_where_nothing_is_below_a_broken_one_it_says_what_to_do(self, name: str, todo: str):
        damage(make_live(name), b"broken")
        with pytest.raises(CommandError, match="No sound version was live before") as refused:
            call_command("rollback", why="x")
        assert todo in str(refused.value)

    def test_where_all_below_is_broken_it_says_what_to_do(self):
        damage(make_live(BASE), b"broken")
        promote(make_version("b"), by=None, why="x")
        todo = rf"{BASE}: .*Run `manage.py install_base`: it repair"
        with pytest.raises(CommandError, match=todo):
            call_command("rollback", why="x")

    def test_it_takes_no_reason_and_the_ledger_says_that_none_was_given(self):
        make_live("a")
        promote(make_version("b"), by=None, why="x")
        assert rollback(by=None, why=" ").why == "Rolled back by hand, without a reason."
        assert live_names() == ["a"]

    def test_whoever_saw_another_version_as_live_changes_nothing(self):
        a = make_live("a")
        promote(make_version("b"), by=None, why="x")
        with pytest.raises(Overtaken):
            rollback(by=None, why="x", over=a)
        assert live_names() == ["b"]


class TestTheRules(TestCase):
    """Whatever is promoted and rolled back in whatever order."""

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.sampled_from(["a", "b", "c", "d", "back"]), max_size=12))
    def test_one_version_is_live_and_the_ledger_tells_the_story(self, acts: list[str]):
        versions = {"a": make_live("a"), **{name: make_version(name) for name in "bcd"}}
        stack, rejected, began = ["a"], set(), timezone.now()
        for act in acts:
            current = stack[-1]
            if act == "back":
                below = [name for name in reversed(stack) if name != current]
                below = [name for name in below if name not in rejected]
                if not below:
                    with pytest.raises(NothingBefore):
                        rollback(by=None, why="x")
                    continue
                assert rollback(by=None, why="x").after.name == below[0]
                rejected.add(current)
                while stack[-1] != below[0]:
                    stack.pop()
            elif act == current:
                with pytest.raises(AlreadyLive):
                    promote(versions[act], by=None, why="x")
            else:
                promote(versions[act], by=None, why="x")
                rejected.discard(act)
                stack.append(act)
            assert live_names() == [stack[-1]]
        ledger = list(Promotion.objects.order_by("pk").select_related("before", "after"))
        for earlier, later in pairwise(ledger):
            assert later.before == earlier.after
            assert later.made_at >= earlier.made_at
        for row in ledger:
            then = [each for each in ledger if each.made_at <= row.made_at]
            assert live_at(row.made_at) == then[-1].after
        assert live_at(began).name == "a"
        assert live_at(timezone.now()).name == stack[-1]


class TestWhatWasLive:
    def test_at_any_moment(self):
        a = make_live("a")
        before = timezone.now()
        first = promote(make_version("b"), by=None, why="x")
        second = rollback(by=None, why="x")
        assert live_at(before) == a
        assert live_at(first.made_at).name == "b"
        assert live_at(second.made_at - timedelta(microseconds=1)).name == "b"
        assert live_at(second.made_at).name == "a"
        assert live_at(a.created_at - timedelta(days=1)) is None

    def test_where_nothing_was_ever_promoted(self):
        now = timezone.now()
        assert live_at(now) is None
        a = make_live("a")
        assert live_at(timezone.now()) == a
        assert live_at(now - timedelta(days=1)) is None


class TestWatching:
    def test_a_version_that_hosts_gave_up_is_taken_back_once(self):
        make_live("good")
        bad = make_version("bad", favorite=3)
        promote(bad, by=None, why="x")
        assert roll_back_unserved() is None
        note_fault(bad.pk, "The network fails: Fail.")
        done = roll_back_unserved()
        assert done is not None
        assert (done.kind, done.by, done.after.name) == ("automatic", None, "good")
        assert "The network fails" in done.why
        assert roll_back_unserved() is None
        assert live_names() == ["good"]

    def test_a_version_whose_stored_weights_went_bad_is_taken_back_without_a_request(self):
        make_live("good")
        bad = make_version("bad", favorite=3)
        promote(bad, by=None, why="x")
        damage(bad, toy_onnx(favorite=3)[:-9])
        assert roll_back_unserved() is not None
        assert live_names() == ["good"]

    def test_faults_of_an_earlier_time_live_do_not_count(self):
        make_live("good")
        mended = make_version("mended")
        promote(mended, by=None, why="x")
        note_fault(mended.pk, "The network fails.")
        roll_back_unserved()
        promote(mended, by=None, why="The host was at fault.")
        assert roll_back_unserved() is None
        assert live_names() == ["mended"]

    def test_a_host_that_fails_with_every_version_does_not_unroll_the_ledger(self):
        versions = [make_live("a"), make_version("b"), make_version("c")]
        for version in versions[1:]:
            promote(version, by=None, why="x")
        note_fault(versions[2].pk, "fails")
        assert roll_back_unserved() is not None
        note_fault(versions[1].pk, "fails too")
        assert roll_back_unserved() is None
        assert live_names() == ["b"]

    def test_with_nothing_before_it_stays_and_nothing_breaks(self):
        only = make_live("only")
        note_fault(only.pk, "fails")
        assert roll_back_unserved() is None
        assert live_names() == ["only"]
        ModelVersion.objects.update(state=State.RETIRED)
        assert roll_back_unserved() is None

    def test_a_host_has_one_row_a_version(self):
        only = make_live("only")
        for _ in range(3):
            note_fault(only.pk, "fails")
        assert ServingFault.objects.get().count == 3

    def test_it_happens_every_minute(self):
        make_live("good")
        bad = make_version("bad", favorite=3)
        promote(bad, by=None, why="x")
        note_fault(bad.pk, "fails")
        make_schedules()
        schedule = Schedule.objects.get(name="every minute")
        assert (schedule.schedule_type, schedule.minutes) == (Schedule.MINUTES, 1)
        import_string(schedule.func)()
        assert live_names() == ["good"]


class TestServing:
    """What a process does between a bad promotion and the rollback."""

    @pytest.fixture
    def recognizer(self, monkeypatch: pytest.MonkeyPatch) -> Recognizer:
        monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 0)
        return Recognizer()

    def break_reading(self, recognizer: Recognizer) -> None:
        """The network it serves fails from now on, as one does whose memory is gone."""

        class Broken:
            def run(self, *_: Any) -> Any:
                raise RuntimeError("bad allocation")

        object.__setattr__(recognizer.serving().network, "session", Broken())

    @pytest.mark.parametrize("in_memory", [True, False])
    def test_a_version_that_errors_is_replaced_without_a_failed_request(
        self, recognizer: Recognizer, in_memory: bool
    ):
        make_live("good", favorite=7)
        if in_memory:
            recognizer.serving()
        bad = make_version("bad", favorite=3)
        promote(bad, by=None, why="x")
        assert recognizer.read(glyphs()).version.name == "bad"
        self.break_reading(recognizer)
        answered = []
        for _ in range(20):
            answer = recognizer.read(glyphs())
            answered.append(answer.version.name)
            assert answer.readings[0].digit == 7
            roll_back_unserved()
        assert set(answered) == {"good"}
        assert live_names() == ["good"]

    def test_one_failure_alone_gives_nothing_up(self, recognizer: Recognizer):
        make_live("good", favorite=7)
        recognizer.serving()
        promote(make_version("new", favorite=3), by=None, why="x")
        sound = recognizer.serving().network.session
        self.break_reading(recognizer)
        assert recognizer.read(glyphs()).version.name == "good"
        object.__setattr__(recognizer.serving().network, "session", sound)
        assert recognizer.read(glyphs()).version.name == "new"
        assert not ServingFault.objects.exists()

    def test_a_version_that_does_not_load_is_noted_and_the_last_good_one_answers(
        self, recognizer: Recognizer
    ):
        make_live("good", favorite=7)
        recognizer.serving()
        bad = make_version("bad", favorite=3)
        promote(bad, by=None, why="x")
        damage(bad, b"broken")
        for _ in range(3):
            assert recognizer.read(glyphs()).version.name == "good"
        assert ServingFault.objects.get().version == bad
        assert ServingFault.objects.get().count == 1  # not one row a request
        roll_back_unserved()
        assert recognizer.read(glyphs()).version.name == "good"
        assert not recognizer.faults()

    def test_a_mended_version_serves_after_its_next_promotion(self, recognizer: Recognizer):
        make_live("good", favorite=7)
        recognizer.serving()
        bad = make_version("bad", favorite=3)
        content = bytes(bad.artifacts.get(kind=Artifact.Kind.ONNX).content)
        promote(bad, by=None, why="x")
        damage(bad, b"broken")
        assert recognizer.read(glyphs()).version.name == "good"
        roll_back_unserved()
        damage(bad, content)
        promote(bad, by=None, why="mended")
        assert recognizer.read(glyphs()).version.name == "bad"


def glyphs() -> np.ndarray:
    return some_glyph()[np.newaxis]


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Call them in threads that start together; what each returned or raised."""
    barrier = threading.Barrier(len(acts))
    found: list[Any] = [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            found[place] = act()
        except (Overtaken, AlreadyLive, NothingBefore) as declined:
            found[place] = declined
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestRaces:
    def test_of_promotions_over_the_same_version_exactly_one_wins(self):
        live = make_live("v0")
        for round_ in range(10):
            rivals = [make_version(f"r{round_}-{number}") for number in range(4)]
            acts = [partial(promote, rival, by=None, why="x", over=live) for rival in rivals]
            found = at_once(*acts)
            winners = [each for each in found if isinstance(each, Promotion)]
            assert len(winners) == 1
            assert sum(isinstance(each, Overtaken) for each in found) == 3
            assert live_names() == [winners[0].after.name]
            live = winners[0].after
        assert Promotion.objects.count() == 10

    def test_where_nothing_is_live_one_version_goes_live(self):
        rivals = [make_version(f"r{number}") for number in range(4)]
        found = at_once(*[partial(promote, rival, by=None, why="x") for rival in rivals])
        assert all(isinstance(each, Promotion | Overtaken) for each in found)
        assert len(live_names()) == 1

    def test_a_rollback_and_a_promotion_from_the_same_version_do_not_both_happen(self):
        make_live("a")
        b, c = make_version("b"), make_version("c")
        promote(b, by=None, why="x")
        found = at_once(
            lambda: promote(c, by=None, why="x", over=b), lambda: rollback(by=None, why="x", over=b)
        )
        assert sum(isinstance(each, Promotion) for each in found) == 1
        assert len(live_names()) == 1
        assert len({row.pk for row in versions_below(promotion.live_version())}) <= 2

    def test_every_promotion_is_noticed_by_many_who_ask_and_no_name_stands_on_anothers_answer(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 0.02)
        make_live("a", favorite=1)
        promote(make_version("b", favorite=2), by=None, why="x")
        digit_of = {"a": 1, "b": 2}
        recognizer, answers, stop = Recognizer(), [], threading.Event()
        answered = threading.Condition()

        def client() -> None:
            while not stop.is_set():
                answer = recognizer.read(glyphs())
                with answered:
                    answers.append((answer.version.name, answer.readings[0].digit))
                    answered.notify()
            connection.close()

        def is_noticed(name: str) -> bool:
            since = len(answers)
            with answered:
                return answered.wait_for(lambda: name in dict(answers[since:]), 60)

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(15):
                rollback(by=None, why="x")
                assert is_noticed("a")
                promote(ModelVersion.objects.get(name="b"), by=None, why="x")
                assert is_noticed("b")
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        assert Promotion.objects.count() == 31
        assert all(digit == digit_of[name] for name, digit in answers)


class TestCommands:
    def test_promote_and_rollback_say_what_is_live(self, capsys: pytest.CaptureFixture[str]):
        make_live("old")
        make_version("new")
        ben = make_user("ben")
        call_command("promote", "new", "--why", "It reads better.", "--by", "ben")
        assert "new is live; before it was old." in capsys.readouterr().out
        assert Promotion.objects.get().by == ben
        call_command("rollback", "--why", "It does not.", "--json")
        assert '"after": "old"' in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["promote", "nothing"], "no model version"),
            (["promote", "new"], "Say why"),
            (["promote", "new", "--why", "x", "--by", "nobody"], "no account"),
            (["rollback", "--why", "x"], "No sound version"),
        ],
    )
    def test_what_is_declined_ends_with_an_error_and_changes_nothing(
        self, arguments: list[str], said: str
    ):
        make_live("old")
        make_version("new")
        with pytest.raises(CommandError, match=said):
            call_command(*arguments)
        assert live_names() == ["old"]

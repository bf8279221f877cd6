from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django_q.models import OrmQ
from numpy.typing import NDArray

from dashboard import tasks
from dashboard.models import Replay, ReplayCell, ReplayItem, ReplayPair, ReplayReading
from dashboard.replay import replay
from labeling.batches.batches import undo_batch
from labeling.batches.erasure import erase
from labeling.decisions.decisions import Answer
from labeling.models import Label, LabelEvent, QueueItem
from predictions.models import Artifact, ModelVersion, Prediction
from tests.dashboard.audits import NOVEMBER, OCTOBER, SEPTEMBER, audited, label, learn
from tests.factories import make_ben, make_live, make_prediction, make_version, some_glyph
from tests.labeling.door import correct

pytestmark = pytest.mark.django_db


@pytest.fixture
def sevens() -> ModelVersion:
    """Says seven to everything."""
    return make_live("sevens", favorite=7)


@pytest.fixture
def threes(sevens: ModelVersion) -> ModelVersion:
    return make_version("threes", favorite=3)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many glyphs went through a network, pass by pass."""
    seen: list[int] = []
    read = replay.probabilities

    def counting(network: Any, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(len(glyphs))
        return read(network, glyphs)

    monkeypatch.setattr(replay, "probabilities", counting)
    return seen


def cells() -> dict[tuple[str, str, int], tuple[int, int]]:
    """(version, month, digit) to (right, n), where anything counts."""
    rows = ReplayCell.objects.filter(n__gt=0).values_list(
        "version__name", "month", "digit", "right", "n"
    )
    return {(name, f"{month:%Y-%m}", digit): (right, n) for name, month, digit, right, n in rows}


def test_every_version_reads_every_month(sevens: ModelVersion, threes: ModelVersion) -> None:
    for _ in range(3):
        audited(7, at=SEPTEMBER)
    audited(3, at=NOVEMBER)
    done = replay.replay_for()
    assert (done.done, done.wanted) == (8, 8)
    assert cells() == {
        ("sevens", "2026-09", 7): (3, 3),
        ("sevens", "2026-11", 3): (0, 1),
        ("threes", "2026-09", 7): (0, 3),
        ("threes", "2026-11", 3): (1, 1),
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_prediction(created_at=NOVEMBER, is_audit=True),
        lambda: label(make_prediction(created_at=NOVEMBER), 7),
        lambda: audited(None),
    ],
    ids=["unlabeled", "picked by the queue", "unreadable"],
)
def test_only_readable_audits_count(
    sevens: ModelVersion, make: Callable[[], Any], passes: list[int]
) -> None:
    audited(7)
    make()
    replay.replay_for()
    assert cells() == {("sevens", "2026-11", 7): (1, 1)}
    assert passes == [1]


def test_an_erased_drawing_measures_no_version_any_more(sevens: ModelVersion) -> None:
    audited(7, at=SEPTEMBER)
    gone = audited(7, at=SEPTEMBER)
    replay.replay_for()
    replay.replay_for()  # the second time finds that nothing is left to do
    assert not replay.is_due()
    erase(Prediction.objects.filter(pk=gone.pk))
    assert replay.is_due()
    make_version("threes", favorite=3)  # could not read it
    replay.replay_for()
    done = replay.replay_for()
    assert (done.done, done.wanted) == (2, 2)
    assert cells() == {
        ("sevens", "2026-09", 7): (1, 1),
        ("threes", "2026-09", 7): (0, 1),
    }
    assert ReplayReading.objects.count() == 2
    assert not replay.is_due()


def test_nothing_new_costs_no_forward_pass(sevens: ModelVersion, passes: list[int]) -> None:
    audited(7)
    replay.replay_for()
    replay.replay_for()
    replay.replay_for()
    assert passes == [1]
    assert not replay.is_due()


def test_a_corrected_label_changes_the_figure_without_a_forward_pass(
    sevens: ModelVersion, passes: list[int]
) -> None:
    drawn = audited(7)
    replay.replay_for()
    replay.replay_for()
    batch = correct(Prediction.objects.filter(pk=drawn.pk), Answer(3), by=make_ben())
    assert replay.is_due()
    replay.replay_for()
    assert cells() == {("sevens", "2026-11", 3): (0, 1)}
    undo_batch(batch, by=batch.made_by)
    replay.replay_for()
    assert cells() == {("sevens", "2026-11", 7): (1, 1)}
    assert passes == [1]


def test_a_drawing_found_unreadable_later_is_left_out(sevens: ModelVersion) -> None:
    drawn = audited(7)
    replay.replay_for()
    correct(Prediction.objects.filter(pk=drawn.pk), Answer(None), by=make_ben())
    replay.replay_for()
    assert cells() == {}
    assert ReplayItem.objects.count() == 0


def test_a_new_version_reads_what_is_there_and_others_nothing_again(
    sevens: ModelVersion, passes: list[int]
) -> None:
    audited(7)
    audited(3)
    replay.replay_for()
    replay.replay_for()
    make_version("threes", favorite=3)
    assert replay.is_due()
    replay.replay_for()
    assert passes == [2, 2]
    assert cells()["threes", "2026-11", 3] == (1, 1)


def test_equal_glyphs_are_read_once_and_count_each(sevens: ModelVersion, passes: list[int]) -> None:
    audited(7, glyph=some_glyph(1), at=SEPTEMBER)
    audited(7, glyph=some_glyph(1), at=NOVEMBER)
    replay.replay_for()
    assert passes == [1]
    assert cells() == {("sevens", "2026-09", 7): (1, 1), ("sevens", "2026-11", 7): (1, 1)}


def test_what_a_version_or_its_ancestor_learned_is_left_out(
    sevens: ModelVersion, threes: ModelVersion
) -> None:
    """Audits are never learned from, but the same glyph may have come another way."""
    child = make_version("child", favorite=7)
    ModelVersion.objects.filter(pk=child.pk).update(parent=threes)
    kept, twin = audited(7), audited(7, glyph=some_glyph(1))
    copy = make_prediction(glyph=some_glyph(1))
    label(copy, 7)
    learn(threes, copy)
    replay.replay_for()
    assert cells()["sevens", "2026-11", 7] == (2, 2)
    assert cells()["threes", "2026-11", 7] == (0, 1)
    assert cells()["child", "2026-11", 7] == (1, 1)
    left_out = ReplayCell.objects.get(version=child)
    assert (left_out.n, left_out.learned) == (1, 1)
    assert twin.glyph_digest == copy.glyph_digest != kept.glyph_digest


def test_two_versions_are_compared_on_what_neither_learned(
    sevens: ModelVersion, threes: ModelVersion
) -> None:
    for digit in (7, 7, 3):
        audited(digit)
    replay.replay_for()
    found = ReplayPair.objects.values_list("digit", "n", "better", "worse").order_by("digit")
    assert list(found) == [(3, 1, 1, 0), (7, 2, 0, 2)]


def test_the_last_minute_of_october_counts_in_october(sevens: ModelVersion) -> None:
    """November began in UTC hours before."""
    audited(7, at=NOVEMBER.replace(day=1, hour=3, minute=59))
    replay.replay_for()
    assert list(cells()) == [("sevens", "2026-10", 7)]


def test_each_chance_of_being_audited_is_counted_by_itself(
    sevens: ModelVersion, threes: ModelVersion
) -> None:
    audited(7, audit_probability=0.1)
    audited(3, audit_probability=0.5)
    audited(7, audit_probability=0.5)
    replay.replay_for()
    cells = ReplayCell.objects.filter(version=sevens).order_by("digit", "chance")
    counted = [(3, 500_000, 1, 0), (7, 100_000, 1, 1), (7, 500_000, 1, 1)]
    assert list(cells.values_list("digit", "chance", "n", "right")) == counted
    pairs = ReplayPair.objects.order_by("digit", "chance")
    counted = [(3, 500_000, 1, 0), (7, 100_000, 0, 1), (7, 500_000, 0, 1)]
    assert list(pairs.values_list("digit", "chance", "better", "worse")) == counted


def test_the_release_before_reads_the_same_cells(sevens: ModelVersion) -> None:
    """It adds up the weights of a digit's cells."""
    audited(7, audit_probability=0.1)
    audited(7, audit_probability=0.5)
    audited(7, audit_probability=0.5, read=3)
    replay.replay_for()
    fields = ("weight", "weight_right", "weight_squares")
    rows = ReplayCell.objects.values_list(*fields)
    assert [sum(column) for column in zip(*rows, strict=True)] == [14, 14, 108]


def test_the_work_stops_at_its_time_and_goes_on(
    sevens: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "GLYPHS_AT_ONCE", 2)
    for _ in range(5):
        audited(7)
    first = replay.replay_for(seconds=0)
    assert (first.done, first.wanted) == (0, 5)
    assert ReplayCell.objects.get().unread == 5
    while not replay.replay_for(seconds=0.01).is_complete:
        pass
    assert cells() == {("sevens", "2026-11", 7): (5, 5)}


def test_a_crash_between_reading_and_counting_loses_nothing(
    sevens: ModelVersion, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    audited(7)
    with monkeypatch.context() as broken:
        broken.setattr(replay, "recount", crash)
        with pytest.raises(RuntimeError):
            replay.replay_for()
    assert ReplayReading.objects.count() == 1
    replay.replay_for()
    assert cells() == {("sevens", "2026-11", 7): (1, 1)}
    assert passes == [1]


def crash() -> None:
    message = "the machine went away"
    raise RuntimeError(message)


def test_an_event_that_shows_late_is_taken_in(
    sevens: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction took its number before another's, and ended after it."""
    late, soon = audited(7), audited(7)
    event, standing = LabelEvent.objects.get(prediction=late), Label.objects.get(pk=late.pk)
    Label.objects.filter(pk=late.pk).delete()
    LabelEvent.objects.filter(pk=event.pk).delete()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(replay, "complete_until", lambda log, since: since)
        replay.replay_for()
        assert replay.is_due()
    event.save(force_insert=True)
    standing.save(force_insert=True)
    assert event.pk < LabelEvent.objects.get(prediction=soon).pk
    replay.replay_for()
    assert cells() == {("sevens", "2026-11", 7): (2, 2)}


def test_a_version_with_damaged_weights_is_named_and_the_others_go_on(
    sevens: ModelVersion, threes: ModelVersion
) -> None:
    Artifact.objects.filter(version=threes, kind="onnx").update(content=b"damaged")
    audited(7)
    done = replay.replay_for()
    assert done.is_complete
    assert cells() == {("sevens", "2026-11", 7): (1, 1)}
    assert "SHA-256 differs" in Replay.objects.get().problems["threes"]


def test_a_rebuild_counts_the_same_without_a_forward_pass(
    sevens: ModelVersion, threes: ModelVersion, passes: list[int]
) -> None:
    audited(7, at=SEPTEMBER)
    audited(3, at=OCTOBER)
    call_command("replay")
    before = cells()
    assert before
    call_command("replay", rebuild=True)
    assert cells() == before
    assert passes == [2, 2]


def test_a_recount_forgets_what_was_deleted(sevens: ModelVersion) -> None:
    drawn = audited(7)
    audited(3, at=SEPTEMBER)
    replay.replay_for()
    Label.objects.filter(pk=drawn.pk).delete()
    LabelEvent.objects.filter(prediction=drawn).delete()
    QueueItem.objects.filter(pk=drawn.pk).delete()
    drawn.delete()
    tasks.recount_replay()
    assert cells() == {("sevens", "2026-09", 3): (0, 1)}


def jobs() -> int:
    return OrmQ.objects.count()


def test_the_bell_rings_once_until_a_job_begins(sevens: ModelVersion) -> None:
    audited(7)
    assert replay.enqueue_part()
    assert not replay.enqueue_part()
    assert jobs() == 1
    assert tasks.replay() == {"done": 1, "wanted": 1}
    assert jobs() == 1  # nothing is left, so no other was asked for
    assert replay.enqueue_part()


def test_a_job_that_ends_early_asks_for_the_next(
    sevens: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited(7)
    monkeypatch.setattr(replay, "SLICE", 0.0)
    monkeypatch.setattr(replay.replay_for, "__defaults__", (0.0,))
    assert tasks.replay()["done"] == 0
    assert jobs() == 1

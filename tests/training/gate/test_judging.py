from __future__ import annotations

import gzip
import json
import struct
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from labeling.models import Gold, Label, LabelEvent
from predictions.capture.sides import Side, judges, side_of, steers
from predictions.models import ModelVersion, Prediction
from tests.factories import make_live, make_prediction, make_user, make_version, some_glyph
from tests.labeling.door import Door, make_item
from training.errors import AlreadyLive, NothingLive
from training.gate import judging
from training.gate.checks import Bounds
from training.gate.comparison import Kind
from training.gate.judging import Judged, collect, judge_version
from training.models import GateReport, Run, Snapshot, SnapshotLabel

pytestmark = pytest.mark.django_db
FIVE_A_MONTH = datetime(2026, 9, 5, 12, tzinfo=UTC)
# Toy versions say their favorite digit to everything: few drawings tell them apart.
LAX = Bounds(digit_margin=2.0, cell_margin=1.0, base_margin=1.0, calibration_margin=1.0)


def visitors(who: Callable[[Prediction], bool]) -> Iterator[uuid.UUID]:
    """Visitors of whom this is true, endlessly."""
    for number in count(1):
        visitor = uuid.UUID(int=number)
        if who(Prediction(visitor=visitor)):
            yield visitor


JUDGE, STEERER = next(visitors(judges)), next(visitors(steers))
LEARNED = next(visitors(lambda drawn: side_of(drawn) is Side.TRAIN))


def make_label(
    digit: int | None = 3,
    *,
    visitor: uuid.UUID | None = JUDGE,
    state: str = Label.State.SETTLED,
    is_gold: bool = False,
    **fields: Any,
) -> Label:
    prediction = make_prediction(visitor=visitor, **fields)
    unreadable = digit is None
    event = LabelEvent.objects.create(
        prediction=prediction, kind="label", digit=digit, is_unreadable=unreadable
    )
    if is_gold:
        Gold.objects.create(prediction=prediction, digit=digit)
    return Label.objects.create(
        prediction=prediction, digit=digit, is_unreadable=unreadable, state=state, opinions=1,
        event=event,
    )  # fmt: skip


def make_labels(number: int, digit: int, **fields: Any) -> None:
    for _ in range(number):
        make_label(digit, **fields)


def learn(label: Label, version: ModelVersion) -> None:
    snapshot = Snapshot.objects.create(digest="x", rule={}, count=1, counts={})
    SnapshotLabel.objects.create(snapshot=snapshot, event=label.event, digit=3)
    Run.objects.create(
        state=Run.State.DONE, trigger="page", snapshot=snapshot, parent=version, version=version,
        recipe={},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def mnist(settings: Any, tmp_path: Path) -> Path:
    """A folder of its own, empty at first."""
    settings.MNIST_DIR = tmp_path
    return tmp_path


def write_mnist(folder: Path, labels: list[int]) -> None:
    """In the format MNIST's makers gave it, one file gzipped."""
    images = np.stack([some_glyph(number) for number in range(len(labels))])
    head = struct.pack(">HBBIII", 0, 8, 3, *images.shape)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    head = struct.pack(">HBBI", 0, 8, 1, len(labels))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(head + bytes(labels))


def collected(*versions: ModelVersion) -> dict[str, Judged]:
    return {each.name: each for each in collect(versions)}


class TestWhatJudges:
    def test_readable_labels_of_held_out_people(self):
        kept = make_label(3)
        make_label(3, visitor=LEARNED)
        make_label(3, visitor=STEERER)
        make_label(None)
        make_label(None, state=Label.State.AWAITING)
        make_label(3, is_gold=True)
        holdout = collected()["holdout"]
        assert holdout.ids == (kept.prediction.public_id,)
        assert holdout.labels.tolist() == [3]

    @pytest.mark.parametrize("is_audit", [True, False])
    def test_labels_as_they_stand_whether_settled_or_not(self, is_audit: bool):
        for digit, state in enumerate(Label.State.values):
            make_label(digit, state=state, is_audit=is_audit)
        judging = [each for each in collected().values() if len(each.labels)]
        assert [sorted(each.labels.tolist()) for each in judging] == [[0, 1, 2]]

    @pytest.mark.parametrize("is_audit", [True, False])
    def test_a_first_label_that_contradicts_a_confident_model_judges_it(
        self, settings: Any, is_audit: bool
    ):
        settings.SECOND_OPINION_RATE = 0
        make_live(favorite=7)
        make_item(digit=7, confidence=0.99, visitor=JUDGE, is_audit=is_audit)
        ada, bea = (Door(make_user(name, role="labeler")) for name in ("ada", "bea"))
        ada.label(ada.item(), 1)
        assert Label.objects.get().state == Label.State.AWAITING
        report = judge_version(make_version("new", favorite=1))
        assert [report.figures["drawings"][name] for name in ("n", "better")] == [1, 1]
        # Contradicted in its turn it still is what it was first said to be, and counts once.
        bea.label(bea.item(), 7)
        report = judge_version(ModelVersion.objects.get(name="new"))
        assert [report.figures["drawings"][name] for name in ("n", "better")] == [1, 1]

    def test_an_audit_that_became_gold_counts_as_on_the_dashboard(self):
        label = make_label(3, is_audit=True, is_gold=True)
        (audits,) = (each for each in collected().values() if each.kind is Kind.AUDIT)
        assert audits.ids == (label.prediction.public_id,)

    def test_nobody_who_was_withdrawn(self):
        eve, ada = make_user("eve"), make_user("ada")
        drawer = next(visitors(lambda drawn: judges(drawn) and drawn.visitor != JUDGE))
        rule = {"without_labelers": [eve.pk], "without_visitors": [str(drawer)]}
        Snapshot.objects.create(digest="x", rule=rule, count=0, counts={})
        for label, labeler in ((make_label(1), eve), (make_label(2), ada), (make_label(4), None)):
            LabelEvent.objects.filter(pk=label.event_id).update(labeler=labeler)
        make_label(5, visitor=drawer)
        assert sorted(collected()["holdout"].labels.tolist()) == [2, 4]

    @pytest.mark.parametrize("is_audit", [True, False])
    def test_nobody_who_was_withdrawn_though_others_agreed_with_them(self, is_audit: bool):
        eve, ada = make_user("eve"), make_user("ada")
        rule = {"without_labelers": [eve.pk], "without_visitors": []}
        Snapshot.objects.create(digest="x", rule=rule, count=0, counts={})
        shared, refuted = (make_label(digit, is_audit=is_audit) for digit in (1, 2))
        LabelEvent.objects.update(labeler=eve)
        for label, digit in ((shared, 1), (refuted, 4)):
            label.event = LabelEvent.objects.create(
                prediction=label.prediction, kind="label" if digit == 1 else "settle",
                digit=digit, labeler=ada,
            )  # fmt: skip
            label.digit = digit
            label.save()
        judging = [each for each in collected().values() if len(each.labels)]
        assert [each.labels.tolist() for each in judging] == [[4]]

    def test_the_glyphs_are_those_that_were_captured(self):
        wanted = some_glyph(5)
        make_label(3, glyph=wanted)
        assert (collected()["holdout"].glyphs[0] == wanted).all()

    def test_audits_by_month_whoever_drew_them(self):
        make_label(1, is_audit=True, visitor=LEARNED, created_at=FIVE_A_MONTH)
        make_label(2, is_audit=True, created_at=FIVE_A_MONTH)
        # In New York the last hours of October are November in Greenwich.
        make_label(3, is_audit=True, created_at=datetime(2026, 11, 1, 2, tzinfo=UTC))
        found = collected()
        assert sorted(found["audits of 2026-09"].labels.tolist()) == [1, 2]
        assert found["audits of 2026-10"].labels.tolist() == [3]
        assert found["holdout"].labels.tolist() == []
        assert list(found) == ["holdout", "audits of 2026-09", "audits of 2026-10"]

    def test_a_drawing_stays_in_its_month_when_the_time_zone_is_changed(self):
        make_label(3, is_audit=True, created_at=datetime(2026, 11, 1, 2, tzinfo=UTC))
        with timezone.override("Asia/Tokyo"):
            assert list(collected()) == ["holdout", "audits of 2026-10"]

    def test_copies_of_a_glyph_count_once(self):
        for visitor, _ in zip(visitors(judges), range(3), strict=False):
            make_label(3, visitor=visitor, glyph=some_glyph(1))
        make_label(3, is_audit=True, glyph=some_glyph(1))
        found = collected()
        assert len(found["holdout"].labels) == 1
        assert not any(name.startswith("audits") for name in found)

    def test_a_glyph_that_an_ancestor_learned_from_never_judges(self):
        base = make_live("base")
        child = make_version("child")
        ModelVersion.objects.filter(pk=child.pk).update(parent=base)
        learn(make_label(3, visitor=LEARNED, glyph=some_glyph(1)), base)
        make_label(3, glyph=some_glyph(1))
        other = make_label(3, glyph=some_glyph(2))
        assert collected(child)["holdout"].ids == (other.prediction.public_id,)

    def test_mnist_where_it_is_at_hand(self, mnist: Path):
        assert "MNIST" not in collected()
        write_mnist(mnist, [7, 2, 1])
        found = collected()["MNIST"]
        assert found.kind is Kind.BASE
        assert found.labels.tolist() == [7, 2, 1]
        assert (found.glyphs[1] == some_glyph(1)).all()

    def test_it_asks_as_many_queries_for_20_drawings_as_for_2(
        self, django_assert_num_queries: Any, django_assert_max_num_queries: Any
    ):
        live = make_live()
        make_labels(2, 3)
        with django_assert_max_num_queries(10) as few:
            collected(live)
        make_labels(18, 3)
        with django_assert_num_queries(len(few.captured_queries)):
            collected(live)


class TestTheReport:
    def test_a_better_version_is_promoted_with_every_figure_kept(self, mnist: Path):
        live, new = make_live("live", favorite=7), make_version("new", favorite=3)
        make_labels(12, 3)
        write_mnist(mnist, [3] * 20)
        report = judge_version(new, bounds=LAX)
        assert report.verdict == "promote"
        assert (report.candidate, report.against, report.look) == (new, live, 1)
        assert any("12 better, 0 worse of 12 drawings" in reason for reason in report.reasons)
        drawings = report.figures["drawings"]
        assert (drawings["better"], drawings["worse"], drawings["n"]) == (12, 0, 12)
        assert drawings["confusion_before"][3][7] == 12
        assert drawings["confusion_after"][3][3] == 12
        assert [each["name"] for each in report.figures["sets"]] == ["holdout", "MNIST"]

    def test_a_worse_one_is_rejected_and_a_draw_asks_for_more(self, mnist: Path):
        make_live("live", favorite=7)
        worse, like = make_version("worse", favorite=3), make_version("like", favorite=4)
        make_labels(12, 7)
        write_mnist(mnist, [7] * 20)
        assert judge_version(worse, bounds=LAX).verdict == "reject"
        worse.refresh_from_db()
        assert worse.state == ModelVersion.State.REJECTED
        Label.objects.update(digit=1)
        (mnist / "t10k-labels-idx1-ubyte").unlink()
        report = judge_version(like, bounds=LAX)
        assert report.verdict == "more"
        assert report.labels_needed
        like.refresh_from_db()
        assert like.state == ModelVersion.State.CANDIDATE

    def test_what_was_rolled_back_stays_rejected_whatever_a_later_report_says(self):
        make_live("live", favorite=7)
        back = make_version("back", favorite=3)
        ModelVersion.objects.filter(pk=back.pk).update(
            state=ModelVersion.State.REJECTED, live_since=timezone.now()
        )
        make_labels(12, 3)
        assert judge_version(back, bounds=LAX).verdict != "reject"
        back.refresh_from_db()
        assert back.state == ModelVersion.State.REJECTED

    def test_with_the_real_bounds_a_handful_of_drawings_promotes_nothing(self, mnist: Path):
        make_live("live", favorite=7)
        make_labels(12, 3)
        write_mnist(mnist, [3] * 20)
        assert judge_version(make_version("new", favorite=3)).verdict != "promote"

    def test_it_names_the_drawings_that_changed(self):
        make_live("live", favorite=7)
        better, worse = make_label(3), make_label(7)
        make_label(5)
        changed = judge_version(make_version("new", favorite=3)).figures["changed"]
        assert changed["better"] == [
            {"id": str(better.prediction.public_id), "digit": 3, "before": 7, "after": 3}
        ]
        assert [row["id"] for row in changed["worse"]] == [str(worse.prediction.public_id)]

    def test_reading_in_passes_says_the_same(self, monkeypatch: pytest.MonkeyPatch):
        network = judging.load_version(make_live().pk).network
        glyphs = np.stack([some_glyph(number) for number in range(25)])
        whole = judging.probabilities(network, glyphs)
        monkeypatch.setattr(judging, "BATCH", 10)
        assert np.allclose(judging.probabilities(network, glyphs), whole, atol=1e-6)

    def test_the_live_version_and_an_empty_house_are_declined(self):
        version = make_version("only")
        with pytest.raises(NothingLive):
            judge_version(version)
        live = make_live()
        with pytest.raises(AlreadyLive):
            judge_version(live)
        assert not GateReport.objects.exists()


class TestLooks:
    def test_every_candidate_against_the_same_live_version_is_a_look(self):
        make_live("live")
        make_label(3)
        looks = [judge_version(make_version(name)).look for name in ("a", "b", "c")]
        assert looks == [1, 2, 3]

    def test_the_same_comparison_again_is_none_and_new_labels_make_one(self):
        make_live("live")
        make_label(3)
        a = make_version("a")
        assert [judge_version(a).look, judge_version(a).look] == [1, 1]
        make_label(4)
        assert judge_version(a).look == 2

    def test_a_corrected_label_makes_one(self):
        make_live("live")
        make_label(3)
        a = make_version("a")
        judge_version(a)
        Label.objects.update(digit=5)
        assert judge_version(a).look == 2

    def test_a_new_live_version_starts_the_count_again(self):
        make_live("live")
        make_label(3)
        judge_version(make_version("a"))
        make_live("next")
        assert judge_version(make_version("b")).look == 1


class TestTheCommand:
    @pytest.mark.parametrize(
        ("favorite", "bounds", "code"),
        [(3, LAX, 0), (5, LAX, 3), (3, Bounds(), 4)],
    )
    def test_its_exit_code_is_the_verdict(
        self,
        favorite: int,
        bounds: Bounds,
        code: int,
        mnist: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ):
        monkeypatch.setattr(judging, "Bounds", lambda **_: bounds)
        make_live("live", favorite=7)
        make_labels(12, 3 if favorite == 3 else 7)
        write_mnist(mnist, [3 if favorite == 3 else 7] * 20)
        make_version("new", favorite=favorite)
        if code:
            with pytest.raises(SystemExit) as ended:
                call_command("gate", "new")
            assert ended.value.code == code
        else:
            call_command("gate", "new")
        said = capsys.readouterr().out
        assert "new against live, look 1" in said
        assert "Verdict:" in said
        assert "of 12 drawings" in said

    def test_as_json(self, capsys: pytest.CaptureFixture[str]):
        make_live("live")
        make_version("new", favorite=3)
        with pytest.raises(SystemExit):
            call_command("gate", "new", "--json")
        assert json.loads(capsys.readouterr().out)["verdict"] == "more"


def test_nothing_it_writes_touches_the_drawings():
    make_live("live")
    make_label(3)
    before = list(Prediction.objects.values())
    judge_version(make_version("new"))
    assert list(Prediction.objects.values()) == before

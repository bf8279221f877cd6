from __future__ import annotations

import json
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from dashboard import tasks
from dashboard.models import DigitMap, MapPoint
from dashboard.replay import clusters
from labeling.models import Batch, QueueItem, Stream
from labeling.queue.intake import enqueue_new
from predictions.capture.erasure import erase_pictures
from predictions.glyphs.glyph import Glyph, glyph_of
from predictions.models import ModelVersion, Prediction
from predictions.serving.registry import install_base
from tests.dashboard.audits import audited, label
from tests.factories import canvas, make_live, make_prediction, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def base() -> ModelVersion:
    """The shipped version: toy networks have no features."""
    return install_base()


def written(number: int) -> Glyph:
    """A leaning one or a wide zero, no two alike."""
    off = number % 16
    one = [(120 + 2 * off, 50), (140 - off, 230)]
    zero = [(140, 50), (80 + off, 140), (140, 230), (210 - off, 140), (140, 50)]
    return glyph_of(canvas(zero if number % 2 == 0 else one))


@pytest.fixture
def drawings(base: ModelVersion) -> None:
    for number in range(20):
        audited(number % 2, glyph=written(number))
    for number in range(20, 32):
        label(make_prediction(glyph=written(number)), number % 2)


def test_equal_drawings_lie_together_and_different_ones_apart() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (60, 8))
    features = (np.repeat(np.eye(3, 8), 20, axis=0) + noise).astype(np.float32)
    places, method = clusters.project(features)
    assert "t-SNE" in method
    assert places.shape == (60, 2)
    assert np.abs(places).max() == pytest.approx(1)
    groups = places.reshape(3, 20, 2)
    within = max(np.linalg.norm(group - group.mean(0), axis=1).max() for group in groups)
    means = groups.mean(1)
    between = min(np.linalg.norm(means[a] - means[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert between > 2 * within
    assert np.array_equal(places, clusters.project(features)[0])


def test_a_map_is_stored_with_its_version_and_sample(base: ModelVersion, drawings: None) -> None:
    said = StringIO()
    call_command("digit_map", stdout=said)
    assert said.getvalue().startswith(f"32 drawings as {base.name} sees them: ")
    made = DigitMap.objects.get()
    assert (made.version, made.audits, made.others) == (base, 20, 12)
    assert made.points.count() == 32
    assert set(made.points.values_list("label", flat=True)) == {0, 1}


def test_unreadable_drawings_are_on_no_map(base: ModelVersion, drawings: None) -> None:
    audited(None)
    assert clusters.make_map(base).points.count() == 32


def test_a_network_without_features_says_so(drawings: None) -> None:
    toy = make_live("toy")
    with pytest.raises(CommandError, match="does not give its features"):
        call_command("digit_map", "toy")
    assert DigitMap.objects.get().version == toy
    assert not clusters.is_map_due()  # it is not tried again every minute


def test_too_few_drawings_make_no_map(base: ModelVersion) -> None:
    audited(3)
    assert not clusters.is_map_due()
    with pytest.raises(CommandError, match="1 labeled drawings, 30 needed"):
        call_command("digit_map")


def test_a_map_is_due_once_and_again_when_labels_came_and_a_day_went(
    base: ModelVersion, drawings: None
) -> None:
    assert clusters.is_map_due()
    clusters.make_map(base)
    assert not clusters.is_map_due()
    DigitMap.objects.update(made_at=timezone.now() - clusters.AGAIN_AFTER)
    assert not clusters.is_map_due()
    audited(3)
    assert clusters.is_map_due()


def test_every_minute_the_jobs_are_asked_for_that_find_something(
    base: ModelVersion, drawings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tasks.look_after_replay() == {"replay": True, "map": True}
    assert OrmQ.objects.count() == 2
    monkeypatch.setattr(
        clusters, "make_apart", lambda version: bool(clusters.make_map(version)) - 1
    )
    assert tasks.digit_map() == {"made": True, "version": base.name, "exit": 0}
    assert tasks.digit_map() == {"made": False}
    while tasks.replays.is_due():
        tasks.replay()
    assert tasks.look_after_replay() == {"replay": False, "map": False}


def test_old_maps_are_thrown_away(base: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "KEPT", 1)
    clusters.make_map(base)
    last = clusters.make_map(base)
    assert DigitMap.objects.get() == last


def body(client: Client, query: str = "") -> Any:
    return client.get(f"/dashboard/data/clusters.json{query}").json()


def test_the_figure_names_its_sample_and_shows_no_drawing(
    client: Client, base: ModelVersion, drawings: None
) -> None:
    clusters.make_map(base)
    found = body(client)
    assert len(found["rows"]) == 32
    assert found["sampled_from"].startswith(
        "From 20 drawings chosen at random and 12 labeled for another reason; t-SNE"
    )
    shown = str(found)
    assert not any(
        str(each) in shown for each in Prediction.objects.values_list("public_id", flat=True)
    )
    assert len(body(client, "?digit=1")["rows"]) == 16
    assert len(body(client, "?stream=audit")["rows"]) == 20


def test_an_erased_drawing_leaves_the_map(
    base: ModelVersion, drawings: None, client: Client
) -> None:
    clusters.make_map(base)
    before = body(client)["rows"]
    erased = MapPoint.objects.order_by("pk")[3].prediction
    erase_pictures([erased.pk])
    assert body(client)["rows"] == [*before[:3], *before[4:]]
    rows = [json.dumps(row, default=str) for row in MapPoint.objects.values()]
    assert not any(str(erased.public_id) in row for row in rows)


def test_without_a_map_there_are_words(client: Client, db: None) -> None:
    assert body(client)["sentence"].startswith("No drawing of this kind is on a map.")


# -- a selection on the map ------------------------------------------------------------------------

REVIEW = "/dashboard/clusters/review/"


def enqueue_audits() -> None:
    enqueue_new()
    QueueItem.objects.filter(prediction__is_audit=True).update(origin=Stream.AUDIT)


def ids(**wanted: Any) -> str:
    found = Prediction.objects.filter(**wanted).order_by("pk")
    return " ".join(str(each) for each in found.values_list("public_id", flat=True))


def test_what_a_lasso_holds_goes_to_review_and_audits_are_left_alone(
    client: Client, drawings: None
) -> None:
    enqueue_audits()
    client.force_login(make_user("rosa", role="reviewer"))
    answer = client.post(f"{REVIEW}?digit=1", {"drawings": ids()}, follow=True)
    assert answer.redirect_chain[-1][0] == "/dashboard/clusters/?digit=1"
    assert "Sent to review: 12 done. 20 left alone: audits" in answer.content.decode()
    batch = Batch.objects.get()
    assert (batch.kind, batch.count) == (Batch.Kind.REVIEW, 12)
    asked = QueueItem.objects.filter(stream=Stream.REVIEW, is_open=True)
    assert set(asked.values_list("prediction__is_audit", flat=True)) == {False}
    assert asked.count() == 12


def test_a_selection_of_audits_alone_is_refused(client: Client, drawings: None) -> None:
    enqueue_audits()
    client.force_login(make_user("rosa", role="reviewer"))
    answer = client.post(REVIEW, {"drawings": ids(is_audit=True)}, follow=True)
    assert "Nothing selected can be sent to review" in answer.content.decode()
    assert not Batch.objects.exists()
    assert client.post(REVIEW, {"drawings": "1 2"}).status_code == 400
    assert client.post(f"{REVIEW}?years=1", {"drawings": ""}).status_code == 400


def test_only_reviewers_select_and_send(client: Client, base: ModelVersion, drawings: None) -> None:
    clusters.make_map(base)
    for role, may in (("reviewer", True), ("analyst", False)):
        client.force_login(make_user(role, role=role))
        page = client.get("/dashboard/clusters/").content.decode()
        assert ("data-map-lasso" in page, REVIEW in page) == (may, may)
        assert client.post(REVIEW, {"drawings": ids()}).status_code == (302 if may else 403)

"""Which drawings are audited: by lot, more often where the version was unsure."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from predictions.capture.audits import (
    BANDS,
    FEWEST,
    FIRST_EDGES,
    Ranks,
    band_probabilities,
    is_drawn,
)
from predictions.capture.capture import ranks
from predictions.models import ModelVersion, Prediction
from tests.factories import make_prediction, png

PREDICTIONS = "/api/v1/predictions/"
RATE = 0.05
LEAST, MIDDLE, MOST = band_probabilities(RATE)


def post_one(client: Client) -> Prediction:
    client.post(PREDICTIONS, {"image": SimpleUploadedFile("x.png", png())})
    return Prediction.objects.latest("pk")


def post_batch(client: Client) -> Prediction:
    client.post(PREDICTIONS + "batch/", {"images": [SimpleUploadedFile("x.png", png())]})
    return Prediction.objects.latest("pk")


def others(confidence: float, count: int = FEWEST, **fields: Any) -> None:
    """Drawings that were read here before."""
    like = make_prediction(confidence=confidence, **fields)
    copies = []
    for _ in range(count - 1):
        copy = Prediction.objects.get(pk=like.pk)
        copy.pk, copy.public_id = None, uuid.uuid4()
        copies.append(copy)
    Prediction.objects.bulk_create(copies)
    ranks.forget()


@pytest.mark.django_db
@pytest.mark.parametrize("post", [post_one, post_batch])
class TestAtTheDoors:
    @pytest.fixture(autouse=True)
    def _audited(self, settings: Any) -> None:
        settings.AUDIT_RATE = RATE

    def test_the_probability_is_that_of_the_rank_among_the_last_drawings(
        self, client: Client, live_version: ModelVersion, post: Any
    ) -> None:
        others(0.99999)
        unsure = post(client)
        Prediction.objects.all().delete()
        others(0.1)
        sure = post(client)
        assert unsure.confidence == sure.confidence  # the same drawing, among others
        assert (unsure.audit_probability, sure.audit_probability) == (LEAST, MOST)

    def test_a_site_may_draw_all_with_one_probability(
        self, client: Client, live_version: ModelVersion, settings: Any, post: Any
    ) -> None:
        settings.AUDIT_BY_CONFIDENCE = False
        others(0.99999)
        assert post(client).audit_probability == RATE

    def test_imports_and_the_demo_are_not_compared_with(
        self, client: Client, live_version: ModelVersion, post: Any
    ) -> None:
        others(0.1, source=Prediction.Source.IMPORT)
        others(0.1, source=Prediction.Source.DEMO)
        made = post(client)
        assert made.confidence < FIRST_EDGES[0]
        assert made.audit_probability == LEAST

    def test_before_enough_is_known_the_shipped_models_edges_hold(
        self, client: Client, live_version: ModelVersion, post: Any
    ) -> None:
        others(0.1, FEWEST - 1)
        assert post(client).audit_probability == LEAST


@given(st.floats(0, 1))
def test_the_bands_together_audit_the_share_that_was_asked_for(rate: float) -> None:
    found = band_probabilities(rate)
    shares = [share for share, _ in BANDS]
    assert sum(shares) == pytest.approx(1)
    assert np.dot(shares, found) == pytest.approx(rate, abs=2e-6)
    assert all(0 <= each <= 1 for each in found)
    assert list(found) == sorted(found, reverse=True)


def test_a_version_that_is_surer_of_everything_is_audited_as_often() -> None:
    doubts = np.random.default_rng(1).beta(0.1, 3.0, 6_000)
    for confidences in (1 - doubts, 1 - doubts**3):
        some = Ranks(lambda most: [])
        bands = [some.band_of(float(each)) for each in confidences][1_000:]
        found = np.bincount(bands, minlength=len(BANDS)) / 5_000
        assert found == pytest.approx([share for share, _ in BANDS], rel=0.35)


def test_a_drawing_is_chosen_by_its_id_alone() -> None:
    ids = [uuid.UUID(int=at) for at in range(4_000)]
    chosen = [{each for each in ids if is_drawn(each, share)} for share in (0.0, 0.1, 0.4, 1.0)]
    assert [len(each) for each in chosen[::3]] == [0, 4_000]
    assert chosen[1] < chosen[2]
    assert len(chosen[1]) == pytest.approx(400, abs=80)

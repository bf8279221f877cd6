from __future__ import annotations

import itertools
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from predictions.capture.sides import Side, judges, side_of, side_of_drawer, steers
from predictions.models import Prediction
from tests.factories import data_url, make_prediction, make_user

users = st.none() | st.integers(1, 2**31)
visitors = st.none() | st.uuids()


def drawn(user: int | None, visitor: uuid.UUID | None, glyph: uuid.UUID) -> Prediction:
    return Prediction(user_id=user, visitor=visitor, glyph_digest=glyph)


@given(users, visitors, st.uuids(), st.uuids())
def test_one_drawers_drawings_stand_on_one_side(
    user: int | None, visitor: uuid.UUID | None, glyph: uuid.UUID, other: uuid.UUID
):
    if user is None and visitor is None:
        other = glyph  # nobody is known: copies of one glyph stay together
    assert side_of(drawn(user, visitor, glyph)) is side_of(drawn(user, visitor, other))


@given(st.integers(1, 2**31), visitors, visitors, st.uuids())
def test_a_signed_in_person_keeps_their_side_in_every_browser(
    user: int, here: uuid.UUID | None, there: uuid.UUID | None, glyph: uuid.UUID
):
    assert side_of(drawn(user, here, glyph)) is side_of(drawn(user, there, glyph))


@pytest.mark.parametrize(
    "drawer", ["user {}", "visitor 00000000-0000-0000-0000-{:012}", "glyph {:08x}"]
)
def test_a_fifth_is_held_out(drawer: str):
    sides = [side_of_drawer(drawer.format(number)) for number in range(20_000)]
    # Three standard deviations of a fair draw are .0085.
    assert sides.count(Side.HOLDOUT) / len(sides) == pytest.approx(0.2, abs=0.0085)


def test_sides_are_the_same_in_every_release():
    """Moving one of these moves people who were learned from into the holdout."""
    held = [number for number in range(1, 31) if side_of_drawer(f"user {number}") is Side.HOLDOUT]
    assert held == [15, 19, 23, 28]
    assert side_of_drawer("visitor 00000000-0000-0000-0000-000000000001") is Side.TRAIN


def test_of_those_held_out_a_quarter_steers_and_the_rest_judges():
    people = [Prediction(user_id=number) for number in range(1, 20_001)]
    held = [person for person in people if side_of(person) is Side.HOLDOUT]
    assert sum(map(steers, held)) / len(held) == pytest.approx(0.25, abs=0.02)
    assert sum(map(judges, held)) == len(held) - sum(map(steers, held))


@given(users, visitors, st.uuids())
def test_nobody_does_more_than_one_of_teach_steer_and_judge(
    user: int | None, visitor: uuid.UUID | None, glyph: uuid.UUID
):
    drawing = drawn(user, visitor, glyph)
    assert (side_of(drawing) is Side.TRAIN) + steers(drawing) + judges(drawing) == 1


@pytest.mark.django_db
def test_a_stored_prediction_stands_where_its_drawer_does():
    ada = make_user("ada")
    first, second = make_prediction(user=ada), make_prediction(user=ada)
    stored = Prediction.objects.only("user_id", "visitor", "glyph_digest")
    assert side_of(stored.get(pk=first.pk)) is side_of(second)


@pytest.mark.django_db
def test_whoever_is_alone_on_an_installation_teaches(
    live_version: object, drawn_for_holdout: None, settings: Any
):
    settings.TRUST_FEEDBACK = True
    assert side_of_drawer("user 1") is Side.TRAIN  # the account that the first start makes
    assert side_of(drawn_by(Client())) is Side.TRAIN


@pytest.mark.django_db
@pytest.mark.parametrize("trusted", [True, False])
def test_the_others_are_on_the_side_that_is_drawn_for_them(
    live_version: object, drawn_for_holdout: None, settings: Any, trusted: bool
):
    make_prediction()
    settings.TRUST_FEEDBACK = trusted
    assert side_of(drawn_by(Client())) is Side.HOLDOUT


@pytest.fixture
def drawn_for_holdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their new id alone, visitors would be held out."""
    ids = (uuid.uuid4() for _ in itertools.count())
    held_out = next(each for each in ids if side_of_drawer(f"visitor {each}") is Side.HOLDOUT)
    drawing = SimpleNamespace(uuid4=lambda: held_out, UUID=uuid.UUID)
    monkeypatch.setattr("predictions.capture.visitors.uuid", drawing)


def drawn_by(client: Client) -> Prediction:
    answer = client.post("/api/v1/predictions/", {"image": data_url()})
    return Prediction.objects.get(public_id=answer.json()["id"])

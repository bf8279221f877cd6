"""The draw page tells people what a trial brought them, and labelers which one is under way."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.core.signing import get_cookie_signer
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labeling.models import Label
from predictions.models import Feedback, Prediction
from predictions.serving import recognizer
from tests.factories import make_ada, make_cy, make_user
from tests.labeling.door import Door
from tests.training.trials.stage import answer, draw, make_trial, write_mnist
from training.models import Trial
from training.trials.trial import follow
from training.versions.promotion import promote, rollback

pytestmark = pytest.mark.django_db
ENOUGH = 6  # drawings mended, and none broken, promote the first candidate
GAIN, UNDER_WAY = "data-gain", "data-under-way"


@pytest.fixture(autouse=True)
def _mnist(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MNIST_DIR = tmp_path
    write_mnist(tmp_path, [7] * 20)
    monkeypatch.setattr(recognizer, "LOOK_EVERY", 3600)


def page(client: Client) -> str:
    return " ".join(client.get("/").content.decode().split())


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def as_visitor(visitor: uuid.UUID) -> Client:
    """A browser in which this visitor drew."""
    client = Client()
    name = configured.VISITOR_COOKIE_NAME
    client.cookies[name] = get_cookie_signer(salt=name).sign(str(visitor))
    return client


def queries(client: Client) -> int:
    client.get("/")
    with CaptureQueriesContext(connection) as asked:
        client.get("/")
    return len(asked)


def test_a_person_is_told_what_the_live_version_mended_and_broke_of_theirs() -> None:
    cy = make_cy()
    make_trial()
    answer(draw(2, user=cy, visitor=None), 3)
    answer(draw(1, user=cy, visitor=None), 7)
    draw(3, user=cy, visitor=None, differ=False)
    answer(draw(12), 3)
    follow()
    assert Trial.objects.get().state == Trial.State.PROMOTED
    said = page(as_user(cy))
    assert "Of your 6 drawings that both versions read," in said
    assert "read 2 right that live did not, and 1 wrong that live read right." in said
    assert "/versions/new/" not in said  # Cy may not open it
    cy.groups.set(make_user("tia", role="trainer").groups.all())
    assert "/versions/new/" in page(as_user(cy))


def test_a_browser_is_told_of_its_own_drawings_and_nobody_of_others() -> None:
    make_trial()
    (own,) = draw(1)
    answer([own], 3)
    answer(draw(ENOUGH), 3)
    follow()
    assert own.visitor is not None
    assert "read 1 right that live did not." in page(as_visitor(own.visitor))
    assert "Of your 1 drawing that both" in page(as_visitor(own.visitor))
    for other in (Client(), as_visitor(uuid.uuid4()), as_user(make_cy())):
        assert GAIN not in page(other)


def test_what_a_person_said_of_a_drawing_without_a_label_counts_for_them() -> None:
    cy = make_cy()
    make_trial()
    answer(draw(ENOUGH), 3)
    own = draw(3, user=cy, visitor=None)
    for drawing, digit in zip(own, (3, 7, 5), strict=True):
        Feedback.objects.create(prediction=drawing, digit=digit, user=cy)
    (audit,), (others,) = draw(1, user=cy, visitor=None, is_audit=True), draw(1)
    Feedback.objects.create(prediction=audit, digit=3, user=cy)
    Feedback.objects.create(prediction=others, digit=3, user=cy)
    follow()
    said = page(as_user(cy))
    assert "read 2 right that live did not, and 1 wrong that live read right." in said


def test_without_a_mended_drawing_nothing_is_said() -> None:
    make_trial()
    (broken,), (disputed,), (unanswered,) = draw(1), draw(1), draw(1)
    answer([broken], 7)
    answer([disputed], 3)
    Label.objects.filter(prediction=disputed).update(state=Label.State.DISPUTED)
    answer(draw(12), 3)
    Trial.objects.update(state=Trial.State.PROMOTED)
    for each in (broken, disputed, unanswered):
        assert each.visitor is not None
        assert GAIN not in page(as_visitor(each.visitor))


def test_what_a_version_brought_is_said_only_while_it_is_live() -> None:
    trial = make_trial()
    (own,) = draw(1)
    answer([own], 3)
    answer(draw(ENOUGH), 3)
    follow()
    assert own.visitor is not None
    reader = as_visitor(own.visitor)
    assert GAIN in page(reader)
    rollback(by=None, why="to see")
    assert GAIN not in page(reader)
    promote(trial.candidate, by=None, why="after all")
    assert GAIN in page(reader)


def test_labelers_are_told_of_the_trial_under_way_and_how_many_drawings_wait_for_them() -> None:
    ada = make_ada()
    make_trial()
    answer(draw(2), 3)
    draw(3)
    assert UNDER_WAY not in page(as_user(ada))  # it was never weighed
    follow()
    said = page(as_user(ada))
    assert "On 5 new drawings new mended 2 and broke 0 so far." in said
    assert 'href="/label/?priority_first=1">Decide now: 3 drawings' in said
    for other in (Client(), as_user(make_cy())):
        assert UNDER_WAY not in page(other)
    door, bea = Door(ada), as_user(make_user("bea", role="labeler"))
    door.skip(door.item())  # Bea may still answer it
    door.label(door.item(), 3)
    assert "Decide now: 1 drawing<" in page(as_user(ada))
    assert "Decide now: 2 drawings" in page(bea)
    door.item()
    assert "Decide now: 1 drawing<" in page(as_user(ada))  # she holds it
    assert "Decide now: 1 drawing<" in page(bea)


def test_strangers_cost_no_query_and_those_concerned_two_at_most() -> None:
    cy, ada = make_cy(), make_ada()
    make_trial()
    stranger = queries(Client())
    signed_in, labeler = queries(as_user(cy)), queries(as_user(ada))
    (own,) = draw(1, user=cy, visitor=None)
    draw(1)
    follow()
    assert UNDER_WAY in page(as_user(ada))
    assert queries(as_user(ada)) == labeler + 1  # the drawings that wait
    answer(Prediction.objects.all(), 3)
    answer(draw(ENOUGH), 3)
    follow()
    assert GAIN in page(as_user(cy))
    assert queries(as_user(cy)) == signed_in + 1  # her drawings
    assert queries(Client()) == stranger == 2
    assert own.user_id == cy.pk


def test_what_a_person_erased_is_not_counted() -> None:
    cy = make_cy()
    make_trial()
    answer(draw(2, user=cy, visitor=None), 3)
    answer(draw(ENOUGH), 3)
    follow()
    reader = as_user(cy)
    assert GAIN in page(reader)
    reader.post("/predictions/erase/", {"sure": "yes"})
    assert GAIN not in page(reader)

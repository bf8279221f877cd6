"""The story on a drawing's page: what people said, for those who may know, and what learned it."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.batches.rebuild import rebuild_labels
from labeling.models import LabelEvent, QueueItem
from labeling.queue.intake import enqueue_new
from predictions.models import ModelVersion, Prediction
from tests.factories import make_ada, make_prediction, make_user, make_version
from tests.labeling.door import Door
from training.models import Run, Snapshot

pytestmark = pytest.mark.django_db


def as_user(user: User | None = None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def story(client: Client, prediction: Prediction, **headers: str) -> str:
    """The page's words, without tags."""
    answer = client.get(prediction.get_absolute_url(), **headers)
    assert answer.status_code == 200
    text = answer.content.decode().partition('<div class="desk-reading">')[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def opinion(prediction: Prediction, who: User, digit: int, **fields: Any) -> LabelEvent:
    event = LabelEvent.objects.create(
        prediction=prediction, kind="label", labeler=who, digit=digit, **fields
    )
    rebuild_labels()
    return event


@pytest.fixture
def drawing(live_version: Any) -> Prediction:
    made = make_prediction(digit=7, confidence=0.6)
    enqueue_new()
    return made


def make_child(name: str, parent: ModelVersion) -> ModelVersion:
    version = make_version(name)
    ModelVersion.objects.filter(pk=version.pk).update(parent=parent)
    return version


def learned_by(event: LabelEvent, name: str) -> Run:
    """A run that learned this event, and made this version."""
    parent = event.prediction.version
    made = Snapshot.objects.create(digest=uuid.uuid4().hex, rule={}, count=1, counts={})
    made.labels.create(event=event, digit=event.digit)
    version = make_child(name, parent)
    return Run.objects.create(
        trigger="command", snapshot=made, parent=parent, version=version, recipe={}, state="done"
    )


class TestWhoMayKnow:
    def test_a_reviewer_sees_who_said_what(self, drawing: Prediction):
        opinion(drawing, make_ada(), 3, guess_shown=True)
        told = story(as_user(make_user("rita", role="reviewer")), drawing)
        assert "Its label: 3 , from 1&nbsp;opinion." in told
        assert "ada 3 opinion, saw the guess" in told

    def test_a_label_that_a_reviewer_ruled_is_not_said_to_be_everybodys(self, drawing: Prediction):
        rita = make_user("rita", role="reviewer")
        for who, digit in ((make_ada(), 3), (make_user("bea", role="labeler"), 5)):
            opinion(drawing, who, digit)
        LabelEvent.objects.create(prediction=drawing, kind="settle", labeler=rita, digit=5)
        rebuild_labels()
        assert "Its label: 5 , by a reviewer&#x27;s ruling." in story(as_user(rita), drawing)

    def test_a_labeler_sees_their_own_answer_and_nobody_elses(self, drawing: Prediction):
        ada, bea = make_ada(), make_user("bea", role="labeler")
        opinion(drawing, ada, 3)
        opinion(drawing, bea, 3)
        told = story(as_user(ada), drawing)
        assert "You 3" in told
        assert "bea" not in told
        assert "Its label" not in told
        assert "What was learned" not in told

    def test_an_answer_to_a_gold_item_is_not_told(self, drawing: Prediction):
        opinion(drawing, make_ada(), 3, is_gold=True)
        rita = make_user("rita", role="reviewer")
        assert "Nobody has labeled it yet" in story(as_user(rita), drawing)

    def test_a_visitor_sees_a_final_label_without_names(self, drawing: Prediction):
        visitor = as_user()
        assert "No label is final yet" in story(visitor, drawing)
        opinion(drawing, make_ada(), 3)
        told = story(visitor, drawing)
        assert "Its label: 3 , from 1&nbsp;opinion." in told
        assert "ada" not in told

    @pytest.mark.parametrize("why", ["second opinion", "another look"])
    def test_a_visitor_sees_no_label_that_is_still_asked_about(self, drawing: Prediction, why: str):
        """A labeler may sign out to look."""
        opinion(drawing, make_ada(), 3, wants_second=why == "second opinion")
        if why == "another look":
            QueueItem.objects.update(is_open=True, stream="review")
        assert QueueItem.objects.get().is_open
        told = story(as_user(), drawing)
        assert "No label is final yet" in told
        assert "Its label" not in told


class TestWhatWasLearned:
    def test_the_run_and_its_version_are_named_and_linked(self, drawing: Prediction):
        run = learned_by(opinion(drawing, make_ada(), 3), "mine-b")
        tara = as_user(make_user("tara", role="trainer"))
        assert f"mine-b learned it in run {run.pk}" in story(tara, drawing)
        page = tara.get(drawing.get_absolute_url()).content.decode()
        for address in ("/versions/mine-b/", f"/training/runs/{run.public_id}/"):
            assert f'href="{address}"' in page
        assert f'href="/versions/{drawing.version.name}/"' in page
        visitor = as_user()
        assert f"mine-b learned it in run {run.pk}" in story(visitor, drawing)
        assert "/versions/" not in visitor.get(drawing.get_absolute_url()).content.decode()

    def test_a_version_made_from_that_one_has_it_too(self, drawing: Prediction):
        run = learned_by(opinion(drawing, make_ada(), 3), "mine-b")
        assert run.version
        make_child("mine-c", run.version)
        told = story(as_user(make_user("tara", role="trainer")), drawing)
        assert "Made from these, and so with it too: mine-c" in told

    def test_a_label_that_no_run_has_used_waits_for_the_next(self, drawing: Prediction):
        opinion(drawing, make_ada(), 3)
        assert "the next fine-tune takes it" in story(as_user(), drawing)

    def test_an_audit_is_called_one_when_it_is_labeled_or_to_those_who_may_know(
        self, live_version: Any
    ):
        audit = make_prediction(digit=7, confidence=0.6, is_audit=True)
        enqueue_new()
        rita, visitor = as_user(make_user("rita", role="reviewer")), as_user()
        assert "it is an audit" not in story(visitor, audit)
        assert "it is an audit" in story(rita, audit)
        ada = make_ada()
        opinion(audit, ada, 3)
        assert "it is an audit" in story(visitor, audit)

    @pytest.mark.parametrize("role", ["labeler", "reviewer", "admin"])
    def test_whoever_holds_an_open_audit_learns_nothing_of_it(self, live_version: Any, role: str):
        audit = make_prediction(digit=7, confidence=0.6, is_audit=True)
        enqueue_new()
        holder = Door(make_user("hal", role=role))
        assert holder.item()["id"] == str(audit.public_id)
        for client in (holder.client, as_user()):  # also if they sign out to look
            answer = client.get(audit.get_absolute_url())
            assert answer.status_code == 403
            for words in ("What people said", "What was learned", "audit", "og:title"):
                assert words not in answer.content.decode()


class TestWhereOneCameFrom:
    def crumb(self, client: Client, prediction: Prediction, **query: str) -> str:
        headers = {"HTTP_REFERER": query.pop("referer", "")}
        page = client.get(prediction.get_absolute_url(), query, **headers).content.decode()
        return re.findall(r'class="crumb"><a href="([^"]*)">([^<]*)<', page)[0]

    def test_the_crumb_leads_back_to_the_list_with_its_filter(self, drawing: Prediction):
        for path, title in (
            ("/versions/base-1/", "Version base-1"),
            ("/dashboard/drawings/?digit=3", "Drawings"),
            ("/review/", "Disputes"),
            ("/label/answers/", "My answers"),
        ):
            came = self.crumb(as_user(), drawing, referer=f"http://testserver{path}")
            assert came == (path, title)
            assert self.crumb(as_user(), drawing, back=path) == (path, title)

    @pytest.mark.parametrize(
        "elsewhere",
        ["", "http://elsewhere.example.org/review/", "http://testserver/label/", "nonsense",
         "http://testserver/admin/predictions/nowhere/"],
    )  # fmt: skip
    def test_any_other_page_is_no_crumb(self, drawing: Prediction, elsewhere: str):
        history = ("/predictions/", "History")
        assert self.crumb(as_user(), drawing, referer=elsewhere) == history
        assert self.crumb(as_user(), drawing, back=elsewhere) == history

    def test_an_answer_keeps_the_crumb(self, drawing: Prediction):
        form = {"said": "right", "back": "/review/"}
        there = as_user().post(drawing.get_absolute_url(), form)["Location"]
        assert there == f"{drawing.get_absolute_url()}?back=%2Freview%2F"
        assert self.crumb(as_user(), drawing, back="/review/") == ("/review/", "Disputes")


def test_a_shared_link_shows_the_drawing(drawing: Prediction):
    page = as_user().get(drawing.get_absolute_url()).content.decode()
    (image,) = re.findall(r'property="og:image" content="([^"]+)"', page)
    assert image == f"http://testserver{drawing.drawing_url}"
    assert as_user().get(image).headers["Content-Type"] == "image/png"
    assert 'property="og:title" content="Read as 7, 60.0% confidence"' in page

"""Notes on items, guidelines beside them, and how much and how fast people label."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling.batches.erasure import erase_some
from labeling.decisions.pace import paces
from labeling.models import Guidelines, LabelEvent, Note, QueueItem
from labeling.queue.intake import enqueue_new
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_prediction, make_user
from tests.labeling.door import Door

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(live_version: Any) -> Prediction:
    made = make_prediction(confidence=0.6)
    enqueue_new()
    return made


class TestNotes:
    def note(self, door: Door, item: dict[str, Any], text: str = "Is it a barred seven?") -> Any:
        return door.post("notes/", {"id": item["id"], "token": item["token"], "text": text})

    def test_a_note_on_an_item_one_holds_is_seen_by_reviewers(self, item: Prediction):
        ada, rita = Door(make_ada()), Door(make_user("rita", role="reviewer"))
        held = ada.item()
        assert self.note(ada, held).status_code == 201
        page = rita.client.get("/review/notes/").content.decode()
        assert "Is it a barred seven?" in page
        assert item.get_absolute_url() not in page  # nobody has labeled it: no way to the guess
        ada.label(held, 7)
        assert item.get_absolute_url() in rita.client.get("/review/notes/").content.decode()

    def test_a_note_on_a_dispute_stands_beside_what_was_said(self, item: Prediction, settings: Any):
        settings.SECOND_OPINION_RATE = 1.0
        ada, bea = Door(make_ada()), Door(make_user("bea", role="labeler"))
        held = ada.item()
        self.note(ada, held, "Could be a four.")
        ada.label(held, 4)
        bea.label(bea.item(), 9)
        gus = Door(make_user("gus", role="labeler"))
        gus.label(gus.item(), 1)
        rita = Client()
        rita.force_login(make_user("rita", role="reviewer"))
        assert "Could be a four." in rita.get("/review/").content.decode()

    @pytest.mark.parametrize("how", ["another's token", "run out", "no words", "too long"])
    def test_a_note_is_refused(self, item: Prediction, how: str):
        ada, bea = Door(make_ada()), Door(make_user("bea", role="labeler"))
        held, text = ada.item(), "words"
        if how == "run out":
            QueueItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        if how in {"no words", "too long"}:
            text = {"no words": " ", "too long": "x" * 501}[how]
        door = bea if how == "another's token" else ada
        assert self.note(door, held, text).status_code in {400, 409}
        assert not Note.objects.exists()

    def test_a_labeler_reads_no_notes(self, item: Prediction):
        assert Door(make_ada()).client.get("/review/notes/").status_code == 403

    def test_without_javascript_a_note_keeps_the_item(self, item: Prediction):
        client = Client()
        client.force_login(make_ada())
        shown = client.post("/label/", {"said": "next"})["Location"]
        fields = dict(pair.split("=") for pair in shown.partition("?")[2].split("&"))
        form = {**fields, "request_id": str(uuid.uuid4()), "said": "note"}
        assert client.post("/label/", {**form, "note": "Smudged."})["Location"] == shown
        assert Note.objects.get().text == "Smudged."
        client.post("/label/", form)
        assert Note.objects.count() == 1

    def test_an_erased_drawing_loses_its_notes(self, item: Prediction):
        ada = Door(make_ada())
        self.note(ada, ada.item())
        erase_some([item.pk])
        assert not Note.objects.exists()


class TestGuidelines:
    def test_an_admin_writes_them_and_everybody_sees_them_beside_the_item(self, item: Prediction):
        ben, ada = Door(make_ben()).client, Door(make_ada()).client
        assert "Guidelines" not in ada.get("/label/").content.decode()
        ben.post("/label/guidelines/", {"text": "A seven may have a bar.\n\n<b>Ones</b> not."})
        page = ada.get("/label/").content.decode()
        assert "A seven may have a bar." in page
        assert "&lt;b&gt;Ones&lt;/b&gt; not." in page
        assert "A seven may have a bar." in ada.get("/label/guidelines/").content.decode()
        ben.post("/label/guidelines/", {"text": ""})
        assert "A seven may have a bar." not in ada.get("/label/").content.decode()

    @pytest.mark.parametrize("path", ["/label/", "/label/grid/", "/review/"])
    def test_they_stand_on_every_page_where_people_decide(self, item: Prediction, path: str):
        ron = Door(make_user("ron", role="reviewer")).client
        assert "Guidelines" not in ron.get(path).content.decode()
        Door(make_ben()).client.post("/label/guidelines/", {"text": "A seven may have a bar."})
        assert "A seven may have a bar." in ron.get(path).content.decode()

    def test_a_labeler_may_not_change_them(self, item: Prediction):
        ada = Door(make_ada()).client
        assert ada.post("/label/guidelines/", {"text": "Mine."}).status_code == 403
        assert "<textarea" not in ada.get("/label/guidelines/").content.decode()
        assert not Guidelines.objects.exists()

    def test_a_text_that_is_too_long_is_refused(self, item: Prediction):
        answer = Door(make_ben()).client.post("/label/guidelines/", {"text": "x" * 4_001})
        assert "4000" in answer.content.decode().replace(",", "")
        assert not Guidelines.objects.exists()


class TestPace:
    def test_reviewers_see_labels_and_seconds_of_each_person(self, item: Prediction):
        ada, now = make_ada(), timezone.now()
        for days, seconds in ((1, 2.0), (2, 4.0), (20, 9.0), (40, None)):
            event = LabelEvent.objects.create(
                prediction=item, kind="label", digit=7, labeler=ada, seconds=seconds
            )
            LabelEvent.objects.filter(pk=event.pk).update(created_at=now - timedelta(days=days))
        (pace,) = paces()
        assert (pace.labeler, pace.last_week, pace.last_four_weeks) == ("ada", 2, 3)
        assert pace.seconds == 4.0
        rita = Door(make_user("rita", role="reviewer")).client
        page = rita.get("/review/agreement/").content.decode()
        assert "How much and how fast" in page
        assert "<td>4.0</td>" in page


def test_after_a_reload_the_last_answers_are_there_again(item: Prediction):
    ada = Door(make_ada())
    ada.label(ada.item(), 3)
    page = ada.client.get("/label/").content.decode()
    assert f'<li data-item="{item.public_id}" data-differs>' in page
    assert "<span>3</span>" in page
    ada.undo()
    assert f'<li data-item="{item.public_id}"' not in ada.client.get("/label/").content.decode()

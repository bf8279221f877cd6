"""Versions on the page: taken back and not rejected, side by side, with files, notes and tags."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from predictions.models import Artifact, ModelVersion
from predictions.serving.registry import BASE, install_base
from tests.factories import make_ada, make_cy, make_user, make_version
from tests.training.pages.test_pages import press, visit
from tests.training.trials.stage import make_trial
from training.models import Promotion
from training.versions import promotion

pytestmark = pytest.mark.django_db


@pytest.fixture
def trainer(client: Client) -> Client:
    client.force_login(make_user("tia", role="trainer"))
    return client


@pytest.fixture
def made(live_version: ModelVersion) -> ModelVersion:
    return make_version("toy-2")


# -- rolling back ---------------------------------------------------------------------------------


def test_the_button_names_what_will_answer_and_asks_once_more(
    trainer: Client, live_version: ModelVersion, made: ModelVersion
) -> None:
    assert "roll-back" not in visit(trainer, "/versions/")  # nothing is below the first version
    promotion.promote(made, by=None, why="To see.")
    for path in ("/versions/", "/versions/toy-2/"):
        page = visit(trainer, path)
        assert '<summary class="button">Make toy-live live again</summary>' in page
        assert "<b>toy-2</b> → <b>toy-live</b>" in page
        assert "Yes, toy-live answers from now on" in page
    assert "roll-back" not in visit(trainer, "/versions/toy-live/")


def test_what_was_rolled_back_is_taken_back_and_what_lost_its_trial_is_rejected(
    trainer: Client, live_version: ModelVersion, made: ModelVersion
) -> None:
    promotion.promote(made, by=None, why="To see.")
    press(trainer, "/training/roll-back/", over="toy-2")
    ModelVersion.objects.create(name="toy-3", state="rejected", canary=made.canary)
    page = visit(trainer, "/versions/")
    assert page.count('<span class="tag taken-back">taken back</span>') == 1
    assert page.count('<span class="tag rejected">rejected</span>') == 1
    assert "taken back" in visit(trainer, "/versions/toy-2/")
    assert "Make toy-2 live again" in visit(trainer, "/versions/toy-2/")
    assert "Promote toy-3" in visit(trainer, "/versions/toy-3/")


def test_every_date_of_a_version_has_its_year(
    trainer: Client, live_version: ModelVersion, made: ModelVersion
) -> None:
    promotion.promote(made, by=None, why="To see.")
    Promotion.objects.update(made_at="2025-03-04T17:00:00Z")
    for path in ("/versions/", "/versions/toy-2/"):
        assert "Mar 4, 2025, 12:00 PM" in visit(trainer, path)


@pytest.mark.parametrize("path", ["/training/", "/versions/"])
def test_what_a_release_came_with_is_named_until_somebody_promotes_it(
    trainer: Client, live_version: ModelVersion, path: str
) -> None:
    said = f'<a href="/versions/{BASE}/">{BASE}</a> came with this release'
    assert said not in visit(trainer, path)
    install_base()
    assert said in visit(trainer, path)
    press(trainer, f"/versions/{BASE}/promote/", over="toy-live", why="It reads better.")
    assert said not in visit(trainer, path)
    promotion.rollback(by=None)
    assert said not in visit(trainer, path)  # it was tried


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "file"), [("onnx", "network.onnx"), ("safetensors", "weights.safetensors")]
)
def test_the_weights_can_be_downloaded_as_they_were_registered(
    trainer: Client, made: ModelVersion, kind: str, file: str
) -> None:
    assert f'href="/versions/toy-2/{file}"' in visit(trainer, "/versions/toy-2/")
    answer = trainer.get(f"/versions/toy-2/{file}")
    assert answer.content == bytes(made.artifacts.get(kind=kind).content)
    assert answer["Content-Disposition"] == f'attachment; filename="toy-2-{file}"'
    Artifact.objects.filter(version=made, kind=kind).update(content=b"changed")
    answer = trainer.get(f"/versions/toy-2/{file}")
    assert (answer.status_code, b"changed" in answer.content) == (409, False)
    assert trainer.get(f"/versions/nothing/{file}").status_code == 404


# -- notes and tags -------------------------------------------------------------------------------


def test_a_note_and_tags_are_kept_and_shown(trainer: Client, made: ModelVersion) -> None:
    page = press(
        trainer, "/versions/toy-2/note/", note="Of the <tablets>.", tags="Tablet, 2026 tablet"
    )
    assert "The note and tags of toy-2 are saved." in page
    assert "Of the &lt;tablets&gt;." in page
    made.refresh_from_db()
    assert (made.note, made.tag_list) == ("Of the <tablets>.", ["tablet", "2026"])
    assert '<span class="tag">tablet</span>' in visit(trainer, "/versions/")
    press(trainer, "/versions/toy-2/note/", note="", tags="")
    made.refresh_from_db()
    assert (made.note, made.tags) == ("", "")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tags": "a/b"}, "&#x27;a/b&#x27; is no tag"),
        ({"tags": "x" * 25}, "is no tag"),
        ({"tags": "a b c d e f g h i"}, "9 tags; a version has at most 8."),
        ({"note": "x" * 2_001}, "A note has at most 2,000 characters."),
    ],
)
def test_what_is_no_tag_or_too_long_is_refused(
    trainer: Client, made: ModelVersion, fields: dict[str, str], words: str
) -> None:
    ModelVersion.objects.filter(pk=made.pk).update(note="Kept.")
    assert words in press(trainer, "/versions/toy-2/note/", **fields)
    made.refresh_from_db()
    assert (made.note, made.tags) == ("Kept.", "")


# -- side by side ---------------------------------------------------------------------------------


def test_two_versions_stand_side_by_side_with_their_trial(trainer: Client) -> None:
    trial = make_trial()
    one, other = trial.against.name, trial.candidate.name
    ModelVersion.objects.filter(name=one).update(card={"labels": 10, "seed": 1})
    ModelVersion.objects.filter(name=other).update(card={"labels": 30, "kind": "fine-tune"})
    page = visit(trainer, f"/versions/compare/?one={one}&other={other}")
    assert '<tr class="differ"><th scope="row">Labels learned</th><td>10</td><td>30</td>' in page
    assert '<th scope="row">Seed</th><td>1</td><td>–</td>' in page
    assert "Trial of" in page
    assert "never on trial against each other" in visit(
        trainer, f"/versions/compare/?one={one}&other={one}"
    )


@pytest.mark.parametrize("query", ["", "one=toy-live", "one=toy-live&other=nothing", "one=%00"])
def test_without_two_versions_there_is_nothing_to_show(
    trainer: Client, live_version: ModelVersion, query: str
) -> None:
    assert trainer.get(f"/versions/compare/?{query}").status_code == 400


# -- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_ada, make_cy])
def test_others_neither_see_nor_change_any_of_it(
    client: Client, made: ModelVersion, make: Any
) -> None:
    client.force_login(make())
    compare = "/versions/compare/?one=toy-2&other=toy-live"
    pages = ["/versions/toy-2/network.onnx", "/versions/toy-2/weights.safetensors", compare]
    assert {client.get(path).status_code for path in pages} == {403}
    assert client.post("/versions/toy-2/note/", {"note": "Mine."}).status_code == 403
    made.refresh_from_db()
    assert made.note == ""

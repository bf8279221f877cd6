"""From a version to the drawings it learned."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from labeling.models import LabelEvent
from predictions.models import ModelVersion, Prediction
from tests.factories import make_ada, make_prediction, make_user, make_version
from training.models import Run, Snapshot
from training.pages import drawings

pytestmark = pytest.mark.django_db
PAGE = "/versions/mine-b/drawings/"


def as_role(role: str) -> Client:
    client = Client()
    client.force_login(make_user(role, role=role))
    return client


def learned(count: int) -> list[Prediction]:
    """Drawings in the snapshot of the run that made mine-b."""
    made = [make_prediction(digit=7) for _ in range(count)]
    snapshot = Snapshot.objects.create(digest=uuid.uuid4().hex, rule={}, count=count, counts={})
    ada = make_ada()
    for prediction in made:
        event = LabelEvent.objects.create(prediction=prediction, kind="label", digit=3, labeler=ada)
        snapshot.labels.create(event=event, digit=3)
    parent = ModelVersion.objects.live().get()
    Run.objects.create(
        trigger="command", snapshot=snapshot, parent=parent, recipe={"epochs": 1}, state="done",
        version=make_version("mine-b"),
    )  # fmt: skip
    return made


def test_the_version_leads_to_the_drawings_and_they_lead_back(live_version: Any) -> None:
    (drawing,) = learned(1)
    tara = as_role("trainer")
    assert f'href="{PAGE}"' in tara.get("/versions/mine-b/").content.decode()
    page = tara.get(PAGE).content.decode()
    assert f'href="{drawing.get_absolute_url()}"' in page
    assert "learned as 3" in page
    assert "read as 7" in page
    story = tara.get(
        drawing.get_absolute_url(), HTTP_REFERER=f"http://testserver{PAGE}"
    ).content.decode()
    assert f'<a href="{PAGE}">Drawings of mine-b</a>' in story


def test_pages_follow_each_other(live_version: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings, "AT_ONCE", 2)
    newest_last = learned(3)
    tara = as_role("trainer")
    first = tara.get(PAGE)
    assert [row.event.prediction for row in first.context["rows"]] == newest_last[:0:-1]
    second = tara.get(PAGE, {"before": first.context["older"]})
    assert [row.event.prediction for row in second.context["rows"]] == newest_last[:1]
    assert second.context["older"] is None
    assert tara.get(PAGE, {"before": "x"}).status_code == 400


def test_a_version_that_no_run_made_has_none(live_version: ModelVersion) -> None:
    page = as_role("trainer").get(f"/versions/{live_version.name}/drawings/").content.decode()
    assert "no run of this installation made it" in page


def test_an_erased_drawing_is_not_shown(live_version: Any) -> None:
    first, _ = learned(2)
    Prediction.objects.filter(pk=first.pk).update(erased_at=first.created_at)
    assert len(as_role("trainer").get(PAGE).context["rows"]) == 1


def test_a_labeler_is_shown_no_labels(live_version: Any) -> None:
    learned(1)
    assert as_role("labeler").get(PAGE).status_code == 403
    assert Client().get(PAGE).status_code == 302

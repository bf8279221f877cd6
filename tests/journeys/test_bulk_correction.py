"""An admin corrects everything a filter shows, ten thousand drawings, and takes it back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Batch, Label, LabelEvent
from labeling.queue.intake import enqueue_new
from predictions.glyphs.glyph import encode_glyph
from predictions.models import ModelVersion, Prediction
from tests.factories import some_glyph, spread
from tests.journeys.browser import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MANY = 10_000


def make_many(count: int, version: ModelVersion, *, digit: int) -> None:
    glyph, now = encode_glyph(some_glyph()), timezone.now()
    Prediction.objects.bulk_create(
        [
            Prediction(
                version=version,
                digit=digit,
                confidence=0.9,
                probabilities=spread(digit, 0.9),
                strangeness=0.0,
                glyph=glyph,
                glyph_digest=uuid.uuid4(),
                source=Prediction.Source.API,
                audit_probability=0.05,
                created_at=now,
                day=timezone.localdate(now),
            )
            for _ in range(count)
        ],
        batch_size=2_000,
    )


def test_everything_a_filter_shows_is_corrected_and_taken_back(
    browser: Browser, log_in: Callable[..., Any], base_version: ModelVersion
) -> None:
    make_many(MANY, base_version, digit=1)
    make_many(50, base_version, digit=3)
    enqueue_new()
    log_in(is_staff=True, is_superuser=True)
    browser.open("/admin/predictions/prediction/?digit__exact=1")
    browser.click("#action-toggle")
    browser.click(".question a")  # select all matching, not this page alone
    browser.run("document.querySelector('select[name=action]').value = 'decide_in_bulk'")
    browser.run("document.querySelector('#changelist-form').requestSubmit()")
    browser.wait(lambda: "10,000" in browser.text("body"), "the count is shown first")
    assert not LabelEvent.objects.exists()

    browser.click("input[name=act][value='7']")
    browser.run("document.querySelector('input[name=act]').form.requestSubmit()")
    browser.wait(lambda: Batch.objects.filter(count=MANY).exists(), "the batch is written")
    browser.wait_for(".messagelist, [role=alert], #changelist-form")
    assert Label.objects.filter(digit=7, prediction__digit=1).count() == MANY
    assert not Label.objects.filter(prediction__digit=3).exists()

    browser.open("/admin/labeling/batch/")
    browser.click("input[name=_selected_action]")
    browser.run("document.querySelector('select[name=action]').value = 'undo'")
    browser.run("document.querySelector('#changelist-form').requestSubmit()")
    browser.wait(lambda: not Label.objects.exists(), "every label is taken back")
    assert LabelEvent.objects.count() == 2 * MANY

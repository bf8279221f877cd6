"""How sqlite.backup and postgresql.backup were made, in a checkout of aea1ab7 with this file.

    SECRET_KEY=… DATA_DIR=$(mktemp -d) DATABASE_URL=… python make.py FILE

Weights and glyphs are regular, so that the files stay small.
"""

# ruff: noqa: E402, I001
from __future__ import annotations

import os
import sys
import uuid
from datetime import timedelta
from io import StringIO
from typing import Any

import django
import numpy as np

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule

from dashboard.rebuild import rebuild as rebuild_cube
from labeling import queue
from labeling.asks import ask
from labeling.batches import correct, undo_batch
from labeling.decisions import Verdict, decide, undo
from labeling.gold_items import add_gold
from labeling.intake import take_in
from labeling.models import Batch, LabelEvent
from predictions.models import Prediction
from predictions.tokens import make_token
from tests import factories
from training import promotion, retrain
from training.models import Endpoint, Epoch, GateReport, Run
from training.schedules import make_schedules


class Regular:
    """In the place of a generator of random numbers."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def normal(self, mean: float, deviation: float, shape: tuple[int, ...]) -> Any:
        return np.zeros(shape)

    def integers(self, low: int, high: int, shape: tuple[int, ...], dtype: Any) -> Any:
        drawn = np.zeros(shape, np.uint8)
        drawn[8:20, 13:15] = 255
        drawn[20, :4] = list(self.seed.to_bytes(8, "little")[:4])
        return drawn


np.random.default_rng = Regular  # type: ignore[assignment]
settings.ALLOWED_HOSTS = ["*"]
settings.AUDIT_RATE = 0.5


def claim_and_decide(labeler: Any, digits: list[int | None], *, then_undo: bool = False) -> None:
    for digit in digits:
        (held,) = queue.claim(labeler)
        request = uuid.uuid4()
        decide(
            held.public_id, Verdict(digit), labeler=labeler, token=held.token,
            request_id=request, seconds=1.5,
        )  # fmt: skip
        if then_undo:
            undo(labeler, request_id=uuid.uuid4(), of=request)


def make() -> None:
    call_command("migrate", verbosity=0)
    make_schedules()
    Schedule.objects.filter(name="nightly erasure").update(cron="30 4 * * *")
    ada, ben = factories.make_ada(), factories.make_ben()
    eve = factories.make_user("eve", role="labeler")
    first = factories.make_live("first")
    second = factories.make_version("second", favorite=3)

    visitor = Client()
    for _ in range(3):  # drawn by hand, and one of them said to be wrong
        drawn = visitor.post(
            "/api/v1/predictions/", {"image": factories.data_url()}, content_type="application/json"
        )
    address = f"/api/v1/predictions/{drawn.json()['id']}/feedback/"
    assert visitor.post(address, {"digit": 1}, content_type="application/json").status_code < 300
    for number in range(40):
        factories.make_prediction(
            digit=number % 10,
            confidence=0.5 + number / 100,
            is_audit=number % 4 == 0,
            visitor=uuid.UUID(int=number % 7),
            created_at=timezone.now() - timedelta(days=20 + number),
        )
    take_in()
    claim_and_decide(ada, [3, None, 7, 7, 0, 1, 2, 4, 5, 6, 8, 9])
    claim_and_decide(eve, [3, 7, 1])
    claim_and_decide(ada, [5], then_undo=True)
    queue.claim(eve)  # a hold
    (held,) = queue.claim(ada)
    queue.skip(ada, held.public_id, token=held.token)
    labeled = Prediction.objects.filter(label__isnull=False)
    stands = correct(
        labeled.filter(digit__in=[2, 4]), Verdict(4), by=ben, chosen_by={"digit": "2, 4"}
    )
    undo_batch(correct(labeled, Verdict(0), by=ben, chosen_by={}), by=ben)
    assert stands.count
    asking = Batch.objects.create(kind=Batch.Kind.REVIEW, made_by=ben, chosen_by={}, count=1)
    ask([labeled.order_by("pk").first().pk], batch=asking)
    add_gold(labeled.filter(digit__in=[7, 8]), by=ben)
    make_token(ada, name="notebook ü\t\\", scopes=["predict"])

    Endpoint.objects.create(name="chat", url="https://example.org/hook")
    run = retrain.ask(trigger=Run.Trigger.COMMAND, by=ben, least=1)
    now = timezone.now()
    Run.objects.filter(pk=run.pk).update(
        state=Run.State.DONE, version=second, started_at=now, ended_at=now, log="läuft\nfertig"
    )
    Epoch.objects.create(run=run, number=1, loss=0.25, accuracy=0.875)
    report = GateReport.objects.create(
        candidate=second, against=first, verdict=GateReport.Verdict.PROMOTE, look=1,
        reasons=["Better by 0.5 points."], figures={"p": 1e-07, "sets": [{"n": 1}]},
    )  # fmt: skip
    promotion.promote(second, by=ben, report=report)
    promotion.rollback(by=ben, why="a test")
    retrain.ask(trigger=Run.Trigger.PAGE, by=ben, least=1)  # waits
    rebuild_cube()
    assert LabelEvent.objects.exclude(batch=None).exists()


make()
call_command("backup", sys.argv[1], json=True, verbosity=0, stdout=StringIO())

"""Takes the demo out again: its rows, and every row that refers to them."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError, Q, QuerySet

from dashboard.cube.counting import catch_up
from dashboard.cube.rebuild import count_from_nothing
from dashboard.demo import presence
from dashboard.demo.plan import PREFIX, ROLES, DemoDeclined
from dashboard.models import Demo, DigitMap, RReport
from dashboard.replay import replay
from labeling.models import Intake
from predictions.models import ModelVersion, Prediction
from training.models import Promotion, Run, Snapshot


def remove_demo(*, with_later: bool = False) -> Counter[str]:
    """Leave the database as it was before; how many rows of which kind are gone.

    What people drew since was read by the demo's versions and cannot stay without them; it is
    removed only where that was asked for.
    """
    with transaction.atomic():
        demo = Demo.objects.select_for_update().first()
        if demo is None:
            raise DemoDeclined("There is no demo here.")
        people = User.objects.filter(username__in=ROLES)
        versions = ModelVersion.objects.filter(name__startswith=PREFIX)
        drawn = Prediction.objects.filter(source=Prediction.Source.DEMO)
        taught = Q(parent__in=versions) | Q(snapshot__labels__event__prediction__in=drawn)
        runs = list(Run.objects.filter(taught).distinct().select_related("asked_by"))
        later = Prediction.objects.filter(version__in=versions).difference(drawn)
        asked = [run for run in runs if run.asked_by and run.asked_by not in people]
        if not with_later:
            check_unused(later.count(), len(asked))
        versions |= ModelVersion.objects.filter(pk__in=[run.version_id for run in runs])
        snapshots = Snapshot.objects.filter(pk__in=[run.snapshot_id for run in runs])
        ledger = Promotion.objects.filter(after__in=versions).order_by("pk")
        live = ledger.values_list("before", flat=True).first()
        count_from_nothing()
        removed = sum(map(delete, (snapshots, drawn, versions, people)), Counter[str]())
        if not ModelVersion.objects.live().exists():
            ModelVersion.objects.filter(pk__in=[live]).update(state=ModelVersion.State.LIVE)
        intake = Intake.objects.filter(pk=1)
        intake.update(**demo.before["intake"]) if demo.before["intake"] else intake.delete()
        replay.rebuild_items()
        DigitMap.objects.filter(made_at__gte=demo.made_at).delete()
        RReport.objects.filter(asked_at__gte=demo.made_at).delete()
        demo.delete()
    presence.assume(False)
    catch_up()
    return removed


def check_unused(drawings: int, runs: int) -> None:
    if drawings or runs:
        said = f"{drawings:,} drawings and {runs:,} runs of people depend on the demo"
        raise DemoDeclined(f"{said}; --with-later removes them too.")


def delete(rows: QuerySet[Any]) -> Counter[str]:
    """Delete rows, and before them whatever Django protects them for."""
    removed = Counter[str]()
    while True:
        try:
            with transaction.atomic():
                return removed + Counter(rows.all().delete()[1])
        except ProtectedError as protected:
            by_model = sorted(protected.protected_objects, key=lambda row: row._meta.label)
            for label, some in groupby(by_model, key=lambda row: row._meta.label):
                rows_of = apps.get_model(label)._base_manager
                removed += delete(rows_of.filter(pk__in=[row.pk for row in some]))

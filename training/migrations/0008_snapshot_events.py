from __future__ import annotations

from collections import defaultdict
from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Exists, OuterRef

from labeling.standing import REVERSALS, Past, supporting_events

AT_ONCE = 1_000


def name_the_others(apps: Any, schema_editor: Any) -> None:
    """Who else stood behind the labels that are frozen already, as it was when they were."""
    frozen_label = apps.get_model("training", "SnapshotLabel")
    event = apps.get_model("labeling", "LabelEvent")
    earlier = event.objects.filter(
        prediction=OuterRef("event__prediction"), pk__lt=OuterRef("event")
    )
    rows = (
        frozen_label.objects.filter(Exists(earlier))
        .order_by("pk")
        .values_list("pk", "event", "digit", "event__prediction", "snapshot__created_at")
    )
    last = 0
    while some := list(rows.filter(pk__gt=last)[:AT_ONCE]):
        last = some[-1][0]
        said = said_about(event, {row[3] for row in some})
        apps.get_model("training", "SnapshotEvent").objects.bulk_create(
            [
                apps.get_model("training", "SnapshotEvent")(label_id=key, event_id=other)
                for key, event_id, digit, prediction, frozen_at in some
                for other in others(said[prediction], event_id, digit, frozen_at)
            ],
            batch_size=5_000,
        )


def said_about(event: Any, predictions: set[int]) -> dict[int, list[tuple[Any, Past]]]:
    """Every event on these, with when it was made, oldest first."""
    found = defaultdict(list)
    rows = event.objects.filter(prediction__in=predictions).order_by("pk")
    for made_at, *fields in rows.values_list("created_at", *Past._fields):
        past = Past._make(fields)
        found[past.prediction_id].append((made_at, past))
    return found


def others(said: list[tuple[Any, Past]], event_id: int, digit: int, frozen_at: Any) -> list[int]:
    """What had been said up to the frozen event, less what was taken back before the freezing."""
    then = [
        past
        for made_at, past in said
        if (made_at <= frozen_at if past.kind in REVERSALS else past.pk <= event_id)
    ]
    last = {
        (past.labeler_id, past.visitor): past.pk
        for past in supporting_events(then)
        if past.digit == digit
    }
    return sorted(set(last.values()) - {event_id})


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0007_withdrawals"),
        ("training", "0007_handed_labels"),
    ]

    operations = [
        migrations.CreateModel(
            name="SnapshotEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="labeling.labelevent",
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="others",
                        to="training.snapshotlabel",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("label", "event"), name="one_place_an_event_behind_a_label"
                    )
                ],
            },
        ),
        migrations.RunPython(name_the_others, migrations.RunPython.noop, elidable=True),
    ]

from __future__ import annotations

from django.db import migrations

from predictions.access.roles import grant

LOOK = ["labeling.view_label", "labeling.view_labelevent", "labeling.view_batch"]
ALLOWED = {
    "labeler": ["labeling.label_items"],
    "reviewer": ["labeling.label_items", "labeling.review_items", *LOOK],
    "trainer": LOOK,
    "analyst": LOOK,
    "admin": [
        "labeling.label_items",
        "labeling.review_items",
        "labeling.correct_in_bulk",
        "labeling.add_gold",
        "labeling.delete_gold",
        "labeling.view_gold",
        *LOOK,
    ],
}


def make_roles(apps, schema_editor):
    grant(apps, ALLOWED)


class Migration(migrations.Migration):
    dependencies = [("labeling", "0001_initial"), ("predictions", "0002_roles")]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]

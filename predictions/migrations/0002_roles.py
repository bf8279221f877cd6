from __future__ import annotations

from django.db import migrations

from predictions.access.roles import grant

LOOK = ["predictions.view_prediction", "predictions.view_modelversion"]
ALLOWED = {
    "labeler": ["predictions.view_prediction"],
    "reviewer": [*LOOK, "predictions.view_feedback"],
    "trainer": LOOK,
    "analyst": [*LOOK, "predictions.view_feedback"],
    "admin": [
        *LOOK,
        "predictions.view_feedback",
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "auth.view_group",
    ],
}


def make_roles(apps, schema_editor):
    grant(apps, ALLOWED)


class Migration(migrations.Migration):
    dependencies = [
        ("predictions", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]

from __future__ import annotations

from django.db import migrations

from predictions.database.clock import dated


class Migration(migrations.Migration):
    dependencies = [("predictions", "0009_password_resets")]
    operations = [
        dated("feedback", "changed_at"),
        dated("feedback", "created_at"),
        dated("modelversion", "created_at"),
        dated("passwordreset", "asked_at"),
        dated("passwordreset", "next_at"),
        dated("prediction", "created_at"),
        dated("servingfault", "first_at"),
        dated("token", "created_at"),
    ]

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    """Erasure removes the digests of erased glyphs, so a trial must keep none."""

    dependencies = [("training", "0012_labeler_below")]
    operations = [
        migrations.RemoveConstraint(model_name="trialreading", name="glyph_read_once_a_trial"),
        migrations.RemoveField(model_name="trialreading", name="glyph_digest"),
    ]

"""What people write on a version: a note and tags."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from django.contrib.auth.models import User

from predictions.models import ModelVersion

logger = logging.getLogger(__name__)

LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 2_000, 24, 8
TAG = re.compile(rf"[\w.-]{{1,{LONGEST_TAG}}}")


def annotate(version: ModelVersion, *, note: str, tags: Iterable[str], by: User) -> None:
    """Replace the note and the tags of a version."""
    ModelVersion.objects.filter(pk=version.pk).update(note=note, tags=" ".join(tags))
    logger.info("model version %s: account %s changed its note and tags", version.pk, by.pk)

"""Notes that labelers leave on items they hold, for reviewers; and the guidelines they follow."""

from __future__ import annotations

import uuid
from collections import defaultdict

from django.contrib.auth.models import User
from django.db.models import QuerySet

from labeling.errors import LeaseLost
from labeling.models import Guidelines, Note
from labeling.queue import queue
from predictions.database import clock

LONGEST_NOTE = 500  # characters
LONGEST_GUIDELINES = 4_000


def leave_note(labeler: User, public_id: uuid.UUID, *, token: uuid.UUID, text: str) -> Note:
    """Keep a note on an item that this labeler holds; gold items take notes like any other."""
    held = queue.still_held(labeler, public_id, token)
    if held is None:
        raise LeaseLost("Not noted: this item is no longer yours.")
    return Note.objects.create(prediction_id=held.prediction_id, labeler=labeler, text=text.strip())


def newest_notes() -> QuerySet[Note]:
    """Notes, newest first, each with its drawing and its author."""
    notes = Note.objects.select_related("prediction", "labeler", "prediction__label")
    return notes.defer("prediction__glyph", "prediction__probabilities").order_by("-pk")


def notes_on(keys: list[int]) -> dict[int, list[Note]]:
    """The notes on each of these items, oldest first."""
    found: dict[int, list[Note]] = defaultdict(list)
    for note in Note.objects.filter(prediction__in=keys).select_related("labeler").order_by("pk"):
        found[note.prediction_id].append(note)
    return found


def guidelines() -> Guidelines | None:
    """What labelers should go by, if an admin has written it."""
    return Guidelines.objects.select_related("changed_by").exclude(text="").first()


def set_guidelines(text: str, *, by: User) -> None:
    said = {"text": text.strip(), "changed_by": by, "changed_at": clock.now()}
    Guidelines.objects.update_or_create(pk=1, defaults=said)

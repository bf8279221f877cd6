"""What a digest of the tables says, for undos that must leave none."""

from __future__ import annotations

import hashlib

from labeling.models import Label, QueueItem
from labeling.standing import Standing

LABEL = ["pk", "digit", "is_unreadable", "state", "opinions", "event_id"]
PLACE = ["pk", "origin", "stream", "rank", "is_open", "is_parked", "review_after", "skips"]


def digest_of_what_stands() -> str:
    """Of every label and every place in the queue; leases come and go by themselves."""
    labels = Label.objects.order_by("pk").values_list(*LABEL)
    places = QueueItem.objects.order_by("pk").values_list(*PLACE)
    return hashlib.sha256(repr([list(labels), list(places)]).encode()).hexdigest()


def as_standing(label: Label) -> Standing:
    return Standing(label.digit, label.is_unreadable, label.state, label.opinions, label.event_id)

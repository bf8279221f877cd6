"""What people said of one drawing, as far as the person who looks may know it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User

from labeling.batches.review import said_about
from labeling.decisions.blindness import labels_blind
from labeling.models import Label, LabelEvent, QueueItem
from predictions.models import Prediction


@dataclass(frozen=True, slots=True)
class DrawingStory:
    """A drawing's decisions and label; both empty where they are not for this person."""

    events: list[LabelEvent]  # oldest first, without undone ones
    label: Label | None
    names: bool  # whether this person may know who said what
    is_audit: bool  # whether to say that it is one


def story_of(prediction: Prediction, user: User | AnonymousUser) -> DrawingStory:
    """Who may see labels sees everything, a labeler their own answers, a visitor a final label.

    A labeler gets no label, and a visitor none that is still asked about: what others said, and
    that an item is an audit, would influence the next answer.
    """
    events = said_about([prediction.pk]).get(prediction.pk, [])
    if labels_blind(user):
        own = [event for event in events if event.labeler_id == user.pk]
        return DrawingStory(own, None, names=False, is_audit=False)
    label = Label.objects.filter(pk=prediction.pk).select_related("event").first()
    if user.has_perm("labeling.view_label"):
        return DrawingStory(events, label, names=True, is_audit=prediction.is_audit)
    is_final = label is not None and label.state == Label.State.SETTLED
    if not is_final or QueueItem.objects.filter(pk=prediction.pk, is_open=True).exists():
        return DrawingStory([], None, names=False, is_audit=False)
    return DrawingStory([], label, names=False, is_audit=prediction.is_audit)

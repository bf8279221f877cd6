"""A labeler's own answers, newest first, and the undo of any one of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from labeling.decisions.decisions import reverse
from labeling.errors import NothingToUndo
from labeling.models import Batch, LabelEvent
from labeling.standing import REVERSALS
from labeling.turns import in_turn
from predictions.api.paging import PAGE


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """One answer, as its labeler may see it."""

    event: LabelEvent
    stands: bool

    @property
    def may_go_back(self) -> bool:
        batch = self.event.batch
        return self.stands and (batch is None or batch.kind == Batch.Kind.GRID)

    @property
    def guess(self) -> int | None:
        """The model's guess; None where it could influence another answer."""
        is_blind = self.event.prediction.is_audit or not self.stands
        return None if is_blind else self.event.prediction.digit


@dataclass(frozen=True, slots=True)
class AnswersPage:
    """Answers, newest first; `next_before` is the `before` of the next page, if there is one."""

    rows: list[OwnAnswer]
    next_before: int | None


def page_of_answers(labeler: User, *, before: int | None = None, limit: int = PAGE) -> AnswersPage:
    """Return the newest answers, or those before a given event; every page is equally fast."""
    own = LabelEvent.objects.of_labeler(labeler.pk).exclude(kind__in=REVERSALS)
    if before is not None:
        own = own.filter(pk__lt=before)
    rows = own.select_related("prediction", "batch").defer(
        "prediction__glyph", "prediction__probabilities", "batch__chosen_by"
    )
    found = list(rows.order_by("-pk")[: limit + 1])
    shown = found[:limit]
    keys = [event.pk for event in shown]
    standing = set(LabelEvent.objects.filter(pk__in=keys).standing().values_list("pk", flat=True))
    answers = [OwnAnswer(event, event.pk in standing) for event in shown]
    return AnswersPage(answers, keys[-1] if len(found) > limit else None)


@in_turn
def undo_answer(labeler: User, event: int) -> LabelEvent:
    """Undo one of the labeler's own answers, however old; the label is then as without it."""
    own = LabelEvent.objects.of_labeler(labeler.pk).one_by_one()  # not bulk corrections
    meant = own.filter(pk=event).select_related("prediction").first()
    if meant is None:
        raise NothingToUndo("There is no such answer of yours to take back.")
    return reverse(meant, by=labeler)

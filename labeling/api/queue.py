"""/api/v1/labels/: the queue for the label page and for programs."""

from __future__ import annotations

import base64
from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer, Decided
from labeling.models import Label, Stream
from labeling.queue import progress, queue
from labeling.queue.held import HIDDEN, WHY, Held
from labeling.queue.intake import watch
from predictions.access.permissions import needs
from predictions.api.endpoints import ApiEndpoint, DigitField, Input
from predictions.capture.visitors import visitor_of
from predictions.models import Prediction

MOST_TOKENS = 200


MayLabel = needs("labeling.label_items", message="Labeling needs the role of a labeler.")


MayReview = needs(
    "labeling.review_items", message="Settling disputes needs the role of a reviewer."
)


MayCorrect = needs(
    "labeling.correct_in_bulk", message="Acts on many labels at once need the role of an admin."
)


class ItemOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    token = serializers.UUIDField(
        help_text="The token of the lease; the answer needs it and ends it."
    )
    glyph = serializers.CharField(help_text="The glyph as a data URL.")
    drawing_url = serializers.CharField()
    stream = serializers.ChoiceField(
        choices=[(HIDDEN, "not told before the answer"), *Stream.choices],
        help_text=f'"{HIDDEN}": a labeler who knew it would judge otherwise.',
    )
    why = serializers.CharField(help_text="The same of every item.")
    guess = DigitField(
        allow_null=True, help_text="Null until the item is answered, unless SHOW_GUESSES is set."
    )


class OutlookOutput(serializers.Serializer[Any]):
    left = serializers.IntegerField()
    held_by_others = serializers.IntegerField()
    next_free_in = serializers.FloatField(allow_null=True, help_text="Seconds.")


def page_field() -> serializers.UUIDField:
    return serializers.UUIDField(
        required=False,
        help_text="Chosen by you, one a page: its leases keep their tokens when it asks again.",
    )


class NextInput(Input):
    count = serializers.IntegerField(default=5, min_value=1, max_value=queue.AT_MOST)
    holding = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=MOST_TOKENS,
        help_text="Ids that the page still shows; your other held items are handed out again.",
    )
    page = page_field()
    priority_first = serializers.BooleanField(
        default=False,
        help_text="At most one of four items has no priority, while any have; none says which.",
    )


class NextOutput(serializers.Serializer[Any]):
    items = ItemOutput(many=True)
    outlook = OutlookOutput(allow_null=True, help_text="If no item is handed out: why.")


class VerdictInput(Input):
    """A digit from 0 to 9, or null for a drawing nobody can read."""

    id = serializers.UUIDField()
    request_id = serializers.UUIDField(
        help_text="Chosen by you; a repeated request has no further effect."
    )
    digit = DigitField(allow_null=True)


class LabelInput(VerdictInput):
    token = serializers.UUIDField()
    seconds = serializers.FloatField(required=False, allow_null=True, min_value=0)
    guess_shown = serializers.BooleanField(default=False)


class DecidedOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    event = serializers.IntegerField()
    digit = DigitField(allow_null=True)
    state = serializers.CharField(
        help_text="The state of the label: settled, awaiting or disputed; empty without a label."
    )
    guess = DigitField(allow_null=True, help_text="What the model read; null for a blind item.")


class LabelView(ApiEndpoint):
    scope = "label"
    permission_classes = [MayLabel]

    @property
    def labeler(self) -> User:
        return self.person


class NextView(LabelView):
    keeps_answer = False

    @extend_schema(operation_id="labels_next", request=NextInput, responses={200: NextOutput})
    def post(self, request: Request) -> Response:
        """Lease the next items, each with the reason it is shown."""
        watch.take_in_if_due()
        asked = self.read(NextInput, request)
        held = queue.claim(
            self.labeler,
            count=asked["count"],
            holding=asked["holding"],
            page=asked.get("page"),
            priority_first=asked["priority_first"],
            visitor=visitor_of(request),
        )
        outlook = None if held or asked["holding"] else queue.outlook(self.labeler)
        return Response(
            {"items": [item_body(item) for item in held], "outlook": outlook_body(outlook)}
        )


class UndoOutput(serializers.Serializer[Any]):
    event = serializers.IntegerField()
    item = ItemOutput(allow_null=True)


class UndoInput(Input):
    request_id = serializers.UUIDField()
    of = serializers.UUIDField(
        required=False,
        help_text="The request id of the answer to undo; by default your last answer.",
    )
    page = page_field()


class UndoView(LabelView):
    keeps_answer = False

    @extend_schema(operation_id="labels_undo", request=UndoInput, responses={200: UndoOutput})
    def post(self, request: Request) -> Response:
        """Take your last standing decision back; the item is yours again."""
        said = self.read(UndoInput, request)
        undoing = decisions.undo(self.labeler, request_id=said["request_id"], of=said.get("of"))
        held = queue.hold_again(self.labeler, undoing, said.get("page"))
        return Response({"event": undoing.pk, "item": item_body(held) if held else None})


class SkipInput(Input):
    id = serializers.UUIDField()
    token = serializers.UUIDField()


class SkipView(LabelView):
    @extend_schema(operation_id="labels_skip", request=SkipInput, responses={204: None})
    def post(self, request: Request) -> Response:
        """Pass an item on to somebody else."""
        said = self.read(SkipInput, request)
        queue.skip(self.labeler, said["id"], token=said["token"])
        return Response(status=204)


class KeepOutput(serializers.Serializer[Any]):
    kept = serializers.ListField(child=serializers.UUIDField())


class KeepInput(Input):
    tokens = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_TOKENS)


class KeepView(LabelView):
    @extend_schema(operation_id="labels_keep", request=KeepInput, responses={200: KeepOutput})
    def post(self, request: Request) -> Response:
        """The page is still open: keep what it holds. Answers which holds still stand."""
        said = self.read(KeepInput, request)
        return Response({"kept": queue.keep(self.labeler, said["tokens"])})


class ReleaseInput(Input):
    ids = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_TOKENS)
    tokens = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MOST_TOKENS,
        help_text="End only the leases with these tokens.",
    )


class ReleaseView(LabelView):
    @extend_schema(operation_id="labels_release", request=ReleaseInput, responses={204: None})
    def post(self, request: Request) -> Response:
        """The page is closed: what it held is free for others at once."""
        said = self.read(ReleaseInput, request)
        queue.give_back(self.labeler, said["ids"], said.get("tokens"))
        return Response(status=204)


class ProgressOutput(serializers.Serializer[Any]):
    today = serializers.IntegerField()
    total = serializers.IntegerField()
    per_hour = serializers.FloatField(help_text="Over the last sixty minutes of work.")
    streak = serializers.IntegerField(help_text="Days in a row with a label, today's included.")
    gold_answered = serializers.IntegerField()
    gold_right = serializers.IntegerField()
    left = serializers.IntegerField(
        help_text=f"Open items in the queue; {progress.MOST_LEFT} stands for that many or more."
    )
    priority_left = serializers.BooleanField(
        help_text="Whether an item with priority is left for you."
    )


class ProgressView(LabelView):
    @extend_schema(operation_id="labels_progress", responses={200: ProgressOutput})
    def get(self, request: Request) -> Response:
        """How far you are, how fast, and how well on items whose answer is known."""
        return Response(progress.of(self.labeler))


class SettleView(LabelView):
    permission_classes = [MayReview]

    @extend_schema(
        operation_id="labels_settle",
        request=VerdictInput,
        responses={200: DecidedOutput},
    )
    def post(self, request: Request) -> Response:
        """Rule on an item."""
        said = self.read(VerdictInput, request)
        decided = decisions.settle(
            said["id"],
            Answer(said["digit"]),
            reviewer=self.labeler,
            request_id=said["request_id"],
        )
        return Response(decided_body(decided))


def item_body(item: Held) -> dict[str, Any]:
    return {
        "id": str(item.public_id),
        "token": str(item.token),
        "glyph": "data:image/png;base64," + base64.b64encode(item.glyph).decode(),
        "drawing_url": Prediction(public_id=item.public_id).drawing_url,
        "stream": HIDDEN,
        "why": WHY,
        "guess": item.shown_guess,
    }


def outlook_body(outlook: queue.Outlook | None) -> dict[str, Any] | None:
    if outlook is None:
        return None
    return {
        "left": outlook.left,
        "held_by_others": outlook.held_by_others,
        "next_free_in": outlook.next_free_in,
    }


def decided_body(decided: Decided) -> dict[str, Any]:
    """Show gold as settled. Hide an audit's guess: after an undo it could influence the answer."""
    return {
        "id": str(decided.prediction.public_id),
        "event": decided.event.pk,
        "digit": decided.event.digit,
        "state": Label.State.SETTLED if decided.event.is_gold else decided.state,
        "guess": None if decided.prediction.is_audit else decided.prediction.digit,
    }

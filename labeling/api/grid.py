"""/api/v1/labels/grid/: up to fifty glyphs with the same guess, confirmed at once."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.queue import ItemOutput, LabelView, item_body
from labeling.batches import grid
from labeling.errors import NotShown
from labeling.queue.intake import watch
from predictions.api.endpoints import DigitField, Input


class GridInput(Input):
    digit = DigitField()
    count = serializers.IntegerField(default=grid.AT_MOST, min_value=1, max_value=grid.AT_MOST)


class GridOutput(serializers.Serializer[Any]):
    token = serializers.UUIDField(
        allow_null=True, help_text="The token of the lease on all of them; null if there are none."
    )
    items = ItemOutput(many=True)


class ConfirmInput(Input):
    digit = DigitField()
    token = serializers.UUIDField()
    request_id = serializers.UUIDField(
        help_text="Chosen by you; it becomes the id of the batch. A repeated request counts once."
    )
    ids = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=grid.AT_MOST,
        help_text="The ids of all items that were shown.",
    )
    wrong = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=grid.AT_MOST,
        help_text="The ids of the shown items that were marked as wrong.",
    )

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        if set(said["wrong"]) - set(said["ids"]):
            raise NotShown("An item marked as wrong was not shown; nothing was changed.")
        return said


class ConfirmOutput(serializers.Serializer[Any]):
    batch = serializers.UUIDField(help_text="To undo it: POST labels/batches/{id}/undo/.")
    confirmed = serializers.IntegerField()
    sent_back = serializers.IntegerField(
        help_text="How many were marked as wrong and are in the review stream now."
    )


class GridView(LabelView):
    keeps_answer = False

    @extend_schema(operation_id="labels_grid", request=GridInput, responses={200: GridOutput})
    def post(self, request: Request) -> Response:
        """Lease the surest unlabeled guesses of one digit."""
        watch.take_in_if_due()
        asked = self.read(GridInput, request)
        held = grid.claim_grid(self.labeler, digit=asked["digit"], count=asked["count"])
        # The guess is not hidden here: the page shows one digit's grid.
        items = [{**item_body(item), "guess": item.guess} for item in held]
        return Response({"token": str(held[0].token) if held else None, "items": items})


class GridConfirmView(LabelView):
    @extend_schema(
        operation_id="labels_grid_confirm",
        request=ConfirmInput,
        responses={200: ConfirmOutput},
    )
    def post(self, request: Request) -> Response:
        """Label what was shown in one batch; what was clicked as wrong goes to review."""
        said = self.read(ConfirmInput, request)
        done = grid.confirm_grid(
            self.labeler,
            digit=said["digit"],
            token=said["token"],
            request_id=said["request_id"],
            shown=said["ids"],
            wrong=said["wrong"],
        )
        return Response(
            {"batch": str(done.batch.pk), "confirmed": done.confirmed, "sent_back": done.sent_back}
        )

"""/api/v1/labels/withdraw/: undo everything one labeler decided, as one batch."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.queue import LabelView, MayCorrect
from labeling.batches.withdrawal import withdraw
from predictions.api.endpoints import Input


class WithdrawInput(Input):
    labeler = serializers.CharField(max_length=150, help_text="The user name of the account.")


class WithdrawnOutput(serializers.Serializer[Any]):
    batch = serializers.UUIDField(help_text="To undo it: POST labels/batches/{id}/undo/.")
    withdrawn = serializers.IntegerField(help_text="The number of decisions taken back.")


class WithdrawView(LabelView):
    permission_classes = [MayCorrect]

    @extend_schema(
        operation_id="labels_withdraw",
        request=WithdrawInput,
        responses={200: WithdrawnOutput},
    )
    def post(self, request: Request) -> Response:
        """Undo every decision of one labeler, as one batch."""
        name = self.read(WithdrawInput, request)["labeler"]
        labeler = User.objects.filter(username=name).first()
        if labeler is None:
            raise NotFound("There is no account of this name.")
        batch = withdraw(labeler, by=self.person)
        return Response({"batch": str(batch.pk), "withdrawn": batch.count})

"""Label Studio's webhook, with its button "Start training" besides the events of `labeling`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.files.label_studio import EventInput, EventOutput, WebhookView
from predictions import metrics
from training.models import Run
from training.runs import retrain

START_TRAINING = "START_TRAINING"


class QueuedOutput(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["queued"])
    run = serializers.UUIDField()


class TrainingWebhookView(WebhookView):
    """The webhook of `labeling`, which knows no runs."""

    @extend_schema(
        operation_id="label_studio_webhook",
        request=EventInput,
        responses={200: EventOutput, 201: QueuedOutput},
    )
    def post(self, request: Request) -> Response:
        """Start a run on `START_TRAINING`; treat other events as labels.

        `START_TRAINING` needs a token with the scope `train` instead of `label`.
        """
        if self.read(EventInput, request)["action"] != START_TRAINING:
            return super().post(request)
        if not request.user.has_perm("training.start_run"):
            # Label Studio would show a 2xx response as training.
            raise PermissionDenied("This needs a token with the scope train, of a trainer.")
        run = retrain.ask(trigger=Run.Trigger.API, by=self.person)
        metrics.note_label_studio(START_TRAINING, "queued")
        return Response({"status": "queued", "run": str(run.public_id)}, status=201)

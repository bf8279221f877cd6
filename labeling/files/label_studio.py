"""A webhook receiver for Label Studio, whose annotations can become labels of our predictions.

Label Studio sends every event of a project, by default without credentials. Most events are only
acknowledged and counted; the response says why. An event becomes a label if its token belongs to
somebody who may correct in bulk, and if it is one person's annotation of a prediction of ours. The
prediction must not be an audit, since annotators see the guess.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.batches import bulk
from labeling.decisions.decisions import Answer
from labeling.models import Batch, Label
from predictions import metrics
from predictions.access.limits import CaptureThrottle
from predictions.api.endpoints import Input
from predictions.api.label_config import Question, UnusableConfig, answers_in, question_in
from predictions.api.label_studio import LabelStudioView, prediction_at
from predictions.models import Prediction

logger = logging.getLogger(__name__)
BY_A_PERSON = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
MAY_VOUCH = "labeling.correct_in_bulk"
OUTCOMES = LABELED, ALREADY_SO, PASSED_OVER = "labeled", "already_so", "passed_over"


class PassedOver(Exception):
    """An event that makes no label, with the reason."""


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """The result of an event, with a reason."""

    status: str
    reason: str = ""


def take_annotation(event: Mapping[str, Any], *, by: User) -> EventOutcome:
    """Turn an annotation into a label, as a batch of its own that can be undone."""
    try:
        prediction, verdict = said_by(event)
    except PassedOver as reason:
        return EventOutcome(PASSED_OVER, str(reason))
    stands = Label.objects.settled().filter(prediction=prediction).values_list("digit").first()
    if stands == (verdict.digit,):
        return EventOutcome(ALREADY_SO)
    annotation, task = part(event, "annotation"), part(event, "task")
    chosen_by = {"Label Studio task": task.get("id"), "annotation": annotation.get("id")}
    batch = bulk.correct_each(
        {prediction.pk: verdict}, by=by, kind=Batch.Kind.IMPORT, chosen_by=chosen_by
    )
    logger.info("an annotation from Label Studio became batch %s", batch.pk)
    return EventOutcome(LABELED)


def said_by(event: Mapping[str, Any]) -> tuple[Prediction, Answer]:
    """Return the prediction an event is about, and the verdict of its annotation."""
    annotation = part(event, "annotation")
    if annotation.get("was_cancelled"):
        raise PassedOver("The task was skipped.")
    try:
        question = question_in(str(part(event, "project").get("label_config", "")))
    except UnusableConfig as unusable:
        raise PassedOver(str(unusable)) from None
    public_id = prediction_in(part(part(event, "task"), "data"), question)
    prediction = public_id and Prediction.objects.filter(public_id=public_id).first()
    if not prediction:
        raise PassedOver("The task's picture is not a prediction of this installation.")
    if prediction.is_audit:
        raise PassedOver("The drawing is audited, so it is labeled blind, here.")
    return prediction, verdict_in(annotation.get("result"), question)


def prediction_in(data: Mapping[str, Any], question: Question) -> UUID | None:
    """Return the id of a task's prediction: from its picture's URL or, as in our own export, from
    its field `id`."""
    picture, public_id = data.get(question.image), data.get("id")
    if isinstance(picture, str) and (named := prediction_at(picture)):
        return named
    try:
        return UUID(public_id) if isinstance(public_id, str) else None
    except ValueError:
        return None


def verdict_in(result: object, question: Question) -> Answer:
    answers = list(answers_in(result, question))
    if len(answers) != 1:
        raise PassedOver(f"It gives {len(answers)} answers to {question.name!r}, not one.")
    try:
        return Answer(question.digit_in(answers[0]))
    except KeyError:
        raise PassedOver("Its answer is neither a digit nor unreadable.") from None


def part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a nested object of untrusted JSON; an empty one if it is missing."""
    found = whole.get(name)
    return found if isinstance(found, Mapping) else {}


# -- the endpoint --------------------------------------------------------------------------------


class EventInput(Input):
    action = serializers.CharField(max_length=60)
    project = serializers.JSONField(
        required=False, allow_null=True, help_text="The project, with its label_config."
    )
    # A list if many annotations were made at once.
    task = serializers.JSONField(required=False, allow_null=True)
    annotation = serializers.JSONField(required=False, allow_null=True)


class EventOutput(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=OUTCOMES)
    reason = serializers.CharField(help_text="Why the annotation was ignored; empty if it was not.")


class WebhookView(LabelStudioView):
    """Acknowledge every call; permissions are checked for each event."""

    scope = "label"
    throttle_classes = [CaptureThrottle]
    keeps_answer = True

    def check_permissions(self, request: Request) -> None:
        """Skip the scope check: `outcome_of` asks for a right that tokens of other scopes lack."""
        APIView.check_permissions(self, request)

    @extend_schema(
        operation_id="label_studio_webhook",
        request=EventInput,
        responses={200: EventOutput},
    )
    def post(self, request: Request) -> Response:
        """Make a person's annotation a label; acknowledge and ignore every other event."""
        event = self.read(EventInput, request)
        outcome = self.outcome_of(event)
        known = event["action"] if event["action"] in BY_A_PERSON else "other event"
        metrics.note_label_studio(known, outcome.status)
        return Response({"status": outcome.status, "reason": outcome.reason})

    def outcome_of(self, event: Mapping[str, Any]) -> EventOutcome:
        if event["action"] not in BY_A_PERSON:
            return EventOutcome(PASSED_OVER, "Only single annotations by a person become labels.")
        if not self.request.user.has_perm(MAY_VOUCH):
            said = "It needs a token with the scope label, of an account that may correct in bulk."
            return EventOutcome(PASSED_OVER, said)
        return take_annotation(event, by=self.person)

"""/api/v1/label-studio/: the live version as a machine learning backend of Label Studio projects.

Readings for a project are not stored: it asks for the same tasks again after every promotion, and
its labelers have seen the guess, so the drawings could not be audited. No address is fetched: a
task contains its picture, or names a prediction stored here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import numpy as np
from django.conf import settings
from django.http.request import validate_host
from django.urls import Resolver404, URLPattern, path, resolve
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from predictions import metrics
from predictions.access.authentication import (
    BearerAuthentication,
    PasswordAuthentication,
    SessionAuthentication,
)
from predictions.access.limits import BATCH_BODY_LIMIT, PreviewThrottle, cost_of_each
from predictions.api.drawings import BATCH_MOST
from predictions.api.endpoints import ApiEndpoint, Input
from predictions.api.label_config import LONGEST, Question, UnusableConfig, question_in
from predictions.capture.capture import glyphs_of
from predictions.errors import Declined
from predictions.glyphs.glyph import Glyph, decode_glyph
from predictions.glyphs.images import image_from_data_url
from predictions.models import Prediction
from predictions.serving.recognizer import recognizer

logger = logging.getLogger(__name__)
TASKS_MOST = 1_000
DATA_URL = "data:"


class NoPicture(Declined):
    """The task has nothing where the labeling config looks for a picture."""

    code = "no_picture"


class NotFetched(Declined):
    """The task names a picture that is stored elsewhere."""

    code = "not_fetched"


class NotOurs(Declined):
    """The task names a prediction that is not there."""

    code = "no_such_prediction"


@dataclass(frozen=True, slots=True)
class Task:
    """Where the picture of a task is: in the task, or in a stored prediction."""

    content: bytes | None = None
    prediction: UUID | None = None
    refused: Declined | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a project asks of each task; no question if every task is refused."""

    question: Question | None
    tasks: list[Task]


# -- from tasks to answers -----------------------------------------------------------------------


def asked_in(tasks: Sequence[Mapping[str, Any]], config: str) -> Asked:
    try:
        question = question_in(config)
    except UnusableConfig as unusable:
        return Asked(None, [Task(refused=unusable)] * len(tasks))
    return Asked(question, [picture_in(task, question) for task in tasks])


def results_for(asked: Asked) -> list[dict[str, Any]]:
    """Return one result for each task, in order; without a reading it has the reason.

    If one is missing, Label Studio drops all results.
    """
    seen = glyphs_in(asked.tasks)
    answers = readings([each for each in seen if not isinstance(each, Declined)], asked.question)
    found = [nothing(each) if isinstance(each, Declined) else next(answers) for each in seen]
    refused = [each for each in seen if isinstance(each, Declined)]
    outcomes = Counter(each.code for each in refused)
    note_outcomes(
        {"read": len(seen) - len(refused), **outcomes}, str(refused[0]) if refused else ""
    )
    return found


def picture_in(task: Mapping[str, Any], question: Question) -> Task:
    data = task.get("data")
    picture = data.get(question.image) if isinstance(data, Mapping) else None
    if not isinstance(picture, str) or not picture:
        return Task(refused=NoPicture(f"The task has no text in its field {question.image!r}."))
    if picture[: len(DATA_URL)].lower() == DATA_URL:
        try:
            return Task(content=image_from_data_url(picture))
        except Declined as refused:
            return Task(refused=refused)
    if public_id := prediction_at(picture):
        return Task(prediction=public_id)
    said = "Nothing is fetched: send the picture as data:image/png;base64,… or name a prediction."
    return Task(refused=NotFetched(said))


def prediction_at(address: str) -> UUID | None:
    """The id in an address of ours: a prediction's page, its glyph, its drawing or its endpoint.

    No query is made. An address on another host names no prediction of ours.
    """
    try:
        parts = urlsplit(address)
        found = resolve(parts.path)
    except (Resolver404, ValueError):
        return None
    host = parts.hostname
    if parts.scheme not in {"", "http", "https"} or not (host is None or is_own_host(host)):
        return None
    public_id = found.kwargs.get("public_id")
    return public_id if isinstance(public_id, UUID) else None


def is_own_host(host: str) -> bool:
    return validate_host(host, settings.ALLOWED_HOSTS)


def glyphs_in(tasks: Sequence[Task]) -> list[Glyph | Declined]:
    """Return the glyph of each task, or why there is none."""
    decoded = iter(glyphs_of([task.content for task in tasks if task.content is not None]))
    named = {task.prediction for task in tasks if task.prediction is not None}
    known = dict(
        Prediction.objects.pictured().filter(public_id__in=named).values_list("public_id", "glyph")
        if named
        else ()
    )
    seen: list[Glyph | Declined] = []
    for task in tasks:
        if task.refused is not None:
            seen.append(task.refused)
        elif task.content is not None:
            seen.append(next(decoded))
        elif task.prediction in known:
            seen.append(decode_glyph(bytes(known[task.prediction])))
        else:
            seen.append(NotOurs("There is no such prediction here, or its picture was erased."))
    return seen


def readings(glyphs: Sequence[Glyph], question: Question | None) -> Iterator[dict[str, Any]]:
    if question is None:
        return
    for at in range(0, len(glyphs), BATCH_MOST):
        answer = recognizer.read(np.stack(glyphs[at : at + BATCH_MOST]))
        for reading in answer.readings:
            confidence = min(reading.confidence, 1.0)
            region = {
                "from_name": question.name,
                "to_name": question.about,
                "type": "choices",
                "value": {"choices": [question.spelled[reading.digit]]},
                "score": confidence,
            }
            yield {"result": [region], "score": confidence, "model_version": answer.version.name}


def nothing(refused: Declined) -> dict[str, Any]:
    return {"result": [], "score": None, "reason": str(refused)}


def note_outcomes(outcomes: Mapping[str, int], first: str) -> None:
    """Count the outcomes, and log one line for all tasks of a request."""
    for outcome, count in outcomes.items():
        metrics.note_label_studio("task", outcome, count)
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count)
    logger.info("tasks from Label Studio: %s. %s", told or "none", first)


# -- the endpoints -------------------------------------------------------------------------------


class HealthOutput(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["UP"])
    model_class = serializers.CharField(help_text="Inkloop")


class SetupInput(Input):
    schema = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=LONGEST,
        help_text="The labeling config.",
    )


class SetupOutput(serializers.Serializer[Any]):
    model_version = serializers.CharField(help_text="The live version.")
    problem = serializers.CharField(
        allow_null=True, help_text="Why this labeling config cannot be used."
    )


class VersionsOutput(serializers.Serializer[Any]):
    versions = serializers.ListField(
        child=serializers.CharField(), help_text="The live version; only that one reads."
    )


class TasksInput(Input):
    tasks = serializers.ListField(child=serializers.DictField(), max_length=TASKS_MOST)
    label_config = serializers.CharField(
        allow_blank=True, trim_whitespace=False, max_length=LONGEST
    )


class TaskResult(serializers.Serializer[Any]):
    result = serializers.ListField(
        child=serializers.DictField(), help_text="Empty if nothing was read."
    )
    score = serializers.FloatField(allow_null=True, min_value=0, max_value=1)
    model_version = serializers.CharField(required=False)
    reason = serializers.CharField(required=False, help_text="Why nothing was read.")


class TasksOutput(serializers.Serializer[Any]):
    results = TaskResult(many=True)
    model_version = serializers.CharField()


class Connected(BasePermission):
    """A caller with a token or a login; any caller if LABEL_STUDIO_ANONYMOUS is set."""

    message = "It needs a token, also as the password of HTTP Basic, or a login."

    def has_permission(self, request: Request, view: Any) -> bool:
        return settings.LABEL_STUDIO_ANONYMOUS or request.user.is_authenticated


class LabelStudioView(ApiEndpoint):
    """Under the limits of what stores nothing."""

    scope = "predict"
    permission_classes = [Connected]
    keeps_answer = False
    authentication_classes = [BearerAuthentication, PasswordAuthentication, SessionAuthentication]


class HealthView(LabelStudioView):
    @extend_schema(operation_id="label_studio_health", responses={200: HealthOutput})
    def get(self, request: Request) -> Response:
        """200 if a verified version serves, else 503."""
        recognizer.serving()
        return Response({"status": "UP", "model_class": "Inkloop"})


class RootView(HealthView):
    @extend_schema(operation_id="label_studio_root", responses={200: HealthOutput})
    def get(self, request: Request) -> Response:
        """The same as its `health`."""
        return super().get(request)


class SetupView(LabelStudioView):
    throttle_classes = [PreviewThrottle]

    @extend_schema(
        operation_id="label_studio_setup",
        request=SetupInput,
        responses={200: SetupOutput},
    )
    def post(self, request: Request) -> Response:
        """A project connects. Other fields that it sends, such as its own token, are not read."""
        said = self.read(SetupInput, request)
        return Response(
            {
                "model_version": recognizer.serving().version.name,
                "problem": problem_of(said.get("schema", "")),
            }
        )


def problem_of(config: str) -> str | None:
    try:
        question_in(config)
    except UnusableConfig as unusable:
        return str(unusable)
    return None


class LabelStudioVersionsView(LabelStudioView):
    @extend_schema(operation_id="label_studio_versions", responses={200: VersionsOutput})
    def get(self, request: Request) -> Response:
        """Which version answers."""
        return Response({"versions": [recognizer.serving().version.name]})


class PredictView(LabelStudioView):
    throttle_classes = [PreviewThrottle]
    body_limit = BATCH_BODY_LIMIT

    @cached_property
    def wanted(self) -> Asked:
        said = self.read(TasksInput, self.request)
        return asked_in(said["tasks"], said["label_config"])

    def cost_of(self, request: Request) -> int:
        """The sum over the tasks, by the pixels of their pictures."""
        try:
            return cost_of_each(task.content or b"" for task in self.wanted.tasks)
        except serializers.ValidationError:
            return 1  # the handler refuses it; it counts as one

    @extend_schema(
        operation_id="label_studio_predict",
        request=TasksInput,
        responses={200: TasksOutput},
    )
    def post(self, request: Request) -> Response:
        """Read each task with the live version and return one result each. Nothing is stored."""
        results = results_for(self.wanted)
        name = recognizer.serving().version.name
        return Response({"results": results, "model_version": name})


def both_spellings(address: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """Label Studio sends no slash at the end, and a POST cannot be redirected."""
    return [path(f"{address}/", view, name=name), path(address, view, name=f"{name}_bare")]

"""/api/v1/versions/NAME/trial/ and /judge/: how a version's trial stands."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django_q.tasks import async_task
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from training.api.versions import MayPromote, VersionView, version_or_404
from training.models import GateReport, Trial
from training.trials.summary import Shown, latest_shown, shown
from training.trials.trial import begin, current_trial


class ChangedOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    digit = serializers.IntegerField(help_text="What people answered.")
    before = serializers.IntegerField(help_text="What the live version read.")
    after = serializers.IntegerField(help_text="What the candidate read.")


class ChangesOutput(serializers.Serializer[Any]):
    better = ChangedOutput(many=True)
    worse = ChangedOutput(many=True)


class TrialOutput(serializers.Serializer[Any]):
    candidate = serializers.CharField()
    against = serializers.CharField(help_text="The version that was live.")
    number = serializers.IntegerField(help_text="The how-manieth against that version.")
    state = serializers.ChoiceField(choices=Trial.State.choices)
    verdict = serializers.ChoiceField(choices=GateReport.Verdict.choices)
    sentences = serializers.ListField(
        child=serializers.CharField(), help_text="In words, the most important first."
    )
    drawings = serializers.IntegerField(help_text="Read by both versions.")
    differ = serializers.IntegerField(help_text="Of them, read differently.")
    better = serializers.IntegerField(help_text="Mended, by people's answers.")
    worse = serializers.IntegerField(help_text="Broken.")
    neither = serializers.IntegerField(help_text="Answered, and both were wrong.")
    waiting = serializers.IntegerField(
        help_text="Without an answer; the queue gives them priority."
    )
    audits_waiting = serializers.IntegerField(
        help_text="Audits without an answer; they are asked about in their own order."
    )
    presumed = serializers.IntegerField(
        help_text="Audits of the only person who labels, not corrected: they count as broken."
    )
    left_out = serializers.IntegerField(help_text="Unreadable, disputed, erased and so on.")
    drawings_to_go = serializers.IntegerField(
        allow_null=True, help_text="About so many more drawings will tell."
    )
    answers_to_go = serializers.IntegerField(
        allow_null=True, help_text="About so many more answers will tell."
    )
    evidence = serializers.FloatField(help_text="That it is better; may be looked at any time.")
    evidence_needed = serializers.FloatField(help_text="From there on it goes live.")
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    changed = ChangesOutput(help_text="Drawings that were mended and broken, up to 100 each.")


class TrialView(VersionView):
    @extend_schema(operation_id="versions_trial", responses={200: TrialOutput})
    def get(self, request: Request, name: str) -> Response:
        """The latest trial of this version."""
        found = latest_shown(version_or_404(name).pk)
        if found is None:
            raise Http404
        return Response(trial_body(found))


class JudgeView(VersionView):
    permission_classes = [MayPromote]

    @extend_schema(operation_id="versions_judge", request=None, responses={200: TrialOutput})
    def post(self, request: Request, name: str) -> Response:
        """Have its trial followed now, and begin one if it has none; reading takes a moment."""
        version = version_or_404(name)
        trial = current_trial(version) or begin(version)
        if trial.is_under_way:
            async_task("training.tasks.follow_trials", task_name="follow trials")
        return Response(trial_body(shown(trial)))


def trial_body(found: Shown) -> dict[str, Any]:
    trial, told = found.trial, found.told
    return {
        "candidate": told.candidate,
        "against": told.against,
        "number": trial.number,
        "state": trial.state,
        "verdict": trial.verdict,
        "sentences": found.sentences,
        "drawings": told.drawings,
        "differ": told.differ,
        "better": told.better,
        "worse": told.worse,
        "neither": told.neither,
        "waiting": told.waiting,
        "audits_waiting": told.audits_waiting,
        "presumed": told.presumed,
        "left_out": told.left_out,
        "drawings_to_go": told.drawings_to_go,
        "answers_to_go": told.answers_to_go,
        "evidence": found.figures["weighed"]["e_value"],
        "evidence_needed": found.figures["weighed"]["needed"],
        "began_at": trial.began_at.isoformat(),
        "ended_at": trial.ended_at and trial.ended_at.isoformat(),
        "changed": found.figures["changed"],
    }


def judgment_body(found: Shown) -> dict[str, Any]:
    """A trial as `manage.py gate --json` prints it, with the names that its reports had before."""
    report = found.trial.report
    return {
        **trial_body(found),
        "labels_needed": found.told.answers_to_go if found.trial.is_under_way else None,
        "reasons": report.reasons if report else found.sentences,
        "figures": found.figures,
    }

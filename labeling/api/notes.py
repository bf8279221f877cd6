"""/api/v1/labels/notes/: a note on an item that one holds."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.queue import LabelView
from labeling.decisions.notes import LONGEST_NOTE, leave_note
from predictions.api.endpoints import Input


class NoteInput(Input):
    id = serializers.UUIDField()
    token = serializers.UUIDField(help_text="The token of the lease.")
    text = serializers.CharField(max_length=LONGEST_NOTE)


class NoteOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    text = serializers.CharField()


class NotesView(LabelView):
    @extend_schema(operation_id="labels_note", request=NoteInput, responses={201: NoteOutput})
    def post(self, request: Request) -> Response:
        """Leave a note on an item you hold; reviewers see it."""
        said = self.read(NoteInput, request)
        note = leave_note(self.labeler, said["id"], token=said["token"], text=said["text"])
        return Response({"id": said["id"], "text": note.text}, status=201)

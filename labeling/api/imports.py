"""/api/v1/labels/import/: import a small file of images as one batch."""

from __future__ import annotations

import functools
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.queue import LabelView, MayCorrect
from labeling.files.imports import UPLOAD_MOST, take_in_upload
from predictions.access.limits import BATCH_BODY_LIMIT, charge_pixels


class ImportInput(serializers.Serializer[Any]):
    file = serializers.FileField(
        allow_empty_file=True,  # refused when it is read, with the reason
        help_text="A zip by digit or of IDX files, an npz, a CSV of pixels, Label Studio's JSON; "
        f"at most {UPLOAD_MOST:,} images.",
    )
    dry_run = serializers.BooleanField(
        default=False, help_text="Report what would be done, and change nothing."
    )


class ImportOutput(serializers.Serializer[Any]):
    class RefusedImage(serializers.Serializer[Any]):
        name = serializers.CharField(help_text="The name of the file, or the place in it.")
        why = serializers.CharField()

    batch = serializers.UUIDField(
        allow_null=True,
        help_text="To undo it: POST labels/batches/{id}/undo/; null if nothing changed.",
    )
    taken = serializers.IntegerField(help_text="Images that were not here before.")
    labeled = serializers.IntegerField(help_text="Labels that this import made.")
    already = serializers.IntegerField(
        help_text="Images that were here already with the same label."
    )
    refused = serializers.IntegerField()
    refusals = RefusedImage(many=True)


class ImportView(LabelView):
    permission_classes = [MayCorrect]
    parser_classes = [MultiPartParser]
    body_limit = BATCH_BODY_LIMIT

    @extend_schema(
        operation_id="labels_import",
        request={"multipart/form-data": ImportInput},
        responses={200: ImportOutput},
    )
    def post(self, request: Request) -> Response:
        """Take in images, with labels or without; a bad one costs no good one."""
        said = self.read(ImportInput, request)
        report = take_in_upload(
            said["file"].name,
            said["file"].file,
            by=self.person,
            charge=functools.partial(charge_pixels, request),
            dry_run=said["dry_run"],
        )
        return Response(report.as_json())

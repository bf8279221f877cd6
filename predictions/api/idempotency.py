"""Idempotency keys: a change that is sent again is not repeated; it gets the first answer.

The row of the key and the change are in one transaction. A process that dies leaves neither, and a
duplicate sent at the same time waits for the first on the unique key. A refused request keeps no
answer, so its key may be used again.

A key belongs to an account or to a visitor cookie, never to an address, which many people may
share. Erasing somebody's drawings also deletes their kept answers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from predictions.database.deadlock import tried_again
from predictions.errors import Declined
from predictions.models import KeptAnswer, Owner

KEY = re.compile(r"[\x21-\x7e]{8,100}")
KEPT_FOR = timedelta(hours=24)
LONGEST = 200_000  # characters; a batch of 256 predictions has 120,000
REPLAYED = "Idempotent-Replayed"


class KeyReused(Declined):
    """The key was used for another request."""

    code = "idempotency_key_reused"


class AnswerNotKept(Declined):
    """The change was made, but its answer was too long to be kept."""

    code = "answer_not_kept"


def caller_named(owner: Owner) -> str | None:
    """The owner of a key; None for a caller without an account or a cookie."""
    if owner.user_id is not None:
        return f"user {owner.user_id}"
    return None if owner.visitor is None else f"visitor {owner.visitor}"


def request_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        said = "It must be 8 to 100 visible characters; a random UUID is a good one."
        raise serializers.ValidationError({"Idempotency-Key": [said]})
    return key


@tried_again
@transaction.atomic
def once(
    handler: Callable[..., Response], caller: str, key: str, request: Request, **kwargs: Any
) -> Response:
    """Handle a request, or repeat the answer that it got before."""
    kept, is_new = KeptAnswer.objects.get_or_create(
        caller=caller, key=key, defaults={"fingerprint": fingerprint(request)}
    )
    if not is_new and kept.made_at < timezone.now() - KEPT_FOR:
        kept.delete()
        return once(handler, caller, key, request, **kwargs)
    if not is_new:
        return answer_again(kept, request)
    response = handler(request, **kwargs)
    if response.status_code >= 400:
        transaction.set_rollback(True)
        return response
    body = JSONRenderer().render(response.data).decode()
    if len(body) <= LONGEST:
        kept.status, kept.body = response.status_code, body
        kept.save(update_fields=["status", "body"])
    return response


def answer_again(kept: KeptAnswer, request: Request) -> Response:
    if kept.fingerprint != fingerprint(request):
        raise KeyReused("This idempotency key was used for another request; nothing was changed.")
    if kept.status is None:
        raise AnswerNotKept(
            f"It was done already; its answer, over {LONGEST:,} characters, was not kept."
        )
    body = json.loads(kept.body) if kept.body else None
    return Response(body, status=kept.status, headers={REPLAYED: "true"})


def fingerprint(request: Request) -> str:
    """SHA-256 of the method, address and content; the encoding of the content does not matter."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    data: Any = request.data
    if hasattr(data, "lists"):  # a form, with or without files
        for name, values in sorted(data.lists()):
            for value in values:
                content = content_of(value)
                digest.update(f"{name} {len(content)}\n".encode() + content)
    else:
        digest.update(json.dumps(data, sort_keys=True).encode())
    return digest.hexdigest()


def content_of(value: Any) -> bytes:
    if not isinstance(value, UploadedFile):
        return str(value).encode()
    value.seek(0)  # it may have been read already
    content: bytes = value.read()
    value.seek(0)
    return content


def forget_answers(owner: Owner) -> None:
    KeptAnswer.objects.filter(caller=caller_named(owner)).delete()


def forget_old_answers() -> int:
    """Delete answers older than KEPT_FOR; return how many."""
    old = KeptAnswer.objects.filter(made_at__lt=timezone.now() - KEPT_FOR)
    return old.delete()[0]

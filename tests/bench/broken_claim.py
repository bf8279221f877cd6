"""The web server with a claim that is not atomic, to see that the checker of histories notices.

Reading what is free and taking it become two transactions with a moment between them, and taking
names no premise.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from config.wsgi import application

__all__ = ["application"]
A_MOMENT = 0.02  # seconds


def break_the_claim() -> None:
    from labeling import queue  # not before Django is set up

    queue.transaction = SimpleNamespace(atomic=contextlib.nullcontext)
    queue.lease = lease_after_a_moment


def lease_after_a_moment(labeler: Any, tokens: Mapping[int, uuid.UUID]) -> int:
    from django.db.models.functions import Now

    from labeling import queue
    from labeling.models import QueueItem

    time.sleep(A_MOMENT)
    for key, token in tokens.items():
        item = QueueItem.objects.filter(pk=key)
        item.update(holder=labeler, token=token, leased_until=Now() + queue.LEASE)
    return len(tokens)


break_the_claim()

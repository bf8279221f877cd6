"""The web server with a claim that is not atomic, to see that the checker of histories notices.

Claims come in twos here: both have read what is free before either takes it. They choose by the
same dice, so they take the same, and taking names no premise.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from config.wsgi import application

__all__ = ["application"]
both_have_read = threading.Barrier(2, timeout=60.0)


def break_the_claim() -> None:
    from labeling.queue import queue  # not before Django is set up

    not_in_turn = queue.claim.__wrapped__  # without its transaction
    queue.claim = lambda labeler, **asked: not_in_turn(labeler, **asked, dice=random.Random(0))
    queue.lease = lease_what_another_has_read


def lease_what_another_has_read(labeler: Any, tokens: Mapping[int, uuid.UUID]) -> int:
    from django.db.models.functions import Now

    from labeling.models import QueueItem
    from labeling.queue import queue

    both_have_read.wait()
    for key, token in tokens.items():
        item = QueueItem.objects.filter(pk=key)
        item.update(holder=labeler, token=token, leased_until=Now() + queue.LEASE)
    return len(tokens)


break_the_claim()

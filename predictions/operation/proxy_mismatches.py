"""Store that requests do not match PROXY_COUNT, for `manage.py doctor`.

Only requests show how many proxies are really in front. Each process stores each kind of mismatch
at most once an hour; the doctor reads those of the last day.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F
from django.http import HttpRequest

from predictions.database.clock import Moment

logger = logging.getLogger(__name__)

FORWARDED, DIRECT = "forwarded", "direct"  # more proxies than PROXY_COUNT 0; fewer than it says
EVERY = 3600.0  # seconds
RECENT = timedelta(days=1)

_noted_at: dict[str, float] = {}
_lock = threading.Lock()


def note_if_mismatched(request: HttpRequest) -> None:
    if kind := oddity_of(request):
        note_mismatch(kind)


def oddity_of(request: HttpRequest) -> str:
    """The kind of mismatch; empty if the request matches the settings."""
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    hops = len([hop for hop in forwarded.split(",") if hop.strip()])
    if settings.PROXY_COUNT == 0:
        return FORWARDED if hops else ""
    return DIRECT if hops < settings.PROXY_COUNT else ""


def note_mismatch(kind: str) -> None:
    """Store a mismatch unless this process did lately; if that fails, the request goes on."""
    from predictions.models import Sighting  # logging is set up before models are loaded

    with _lock:
        if time.monotonic() - _noted_at.get(kind, float("-inf")) < EVERY:
            return
        _noted_at[kind] = time.monotonic()
    try:
        with transaction.atomic():
            Sighting.objects.update_or_create(
                kind=kind,
                host=socket.gethostname()[:100],
                defaults={"count": F("count") + 1, "last_at": Moment()},
                create_defaults={"last_at": Moment()},
            )
    except DatabaseError as refused:
        logger.warning("a sighting (%s) is not noted: %s", kind, refused)


def forget() -> None:
    with _lock:
        _noted_at.clear()

"""What requests show of the way they came, for whoever looks after the installation.

How many proxies stand in front cannot be read from any setting; requests show it. Each process
writes a kind down at most once an hour, and `manage.py doctor` reads what was seen in a day.
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

FORWARDED, DIRECT = "forwarded", "direct"  # though no proxy is counted; though one is
EVERY = 3600.0  # seconds
RECENT = timedelta(days=1)

_noted_at: dict[str, float] = {}
_lock = threading.Lock()


def look_at(request: HttpRequest) -> None:
    if kind := oddity_of(request):
        note(kind)


def oddity_of(request: HttpRequest) -> str:
    """What is strange about the way it came; empty when it came as the settings say."""
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    hops = len([hop for hop in forwarded.split(",") if hop.strip()])
    if settings.PROXY_COUNT == 0:
        return FORWARDED if hops else ""
    return DIRECT if hops < settings.PROXY_COUNT else ""


def note(kind: str) -> None:
    """Write it down, unless this process has lately; the request goes on where that fails."""
    from predictions.models import Sighting  # the log's formatter is made before models are

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

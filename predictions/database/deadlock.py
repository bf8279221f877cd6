"""Retry a transaction that PostgreSQL aborted because of a deadlock."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

logger = logging.getLogger(__name__)
DEADLOCK = "40P01"  # PostgreSQL's code
PAUSE = 0.1  # seconds, in which the transaction that waited takes its locks and ends
P = ParamSpec("P")
T = TypeVar("T")


def tried_again(act: Callable[P, T]) -> Callable[P, T]:
    """Retry a function once after a deadlock, unless it runs inside an outer transaction."""

    @functools.wraps(act)
    def trying(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return act(*args, **kwargs)
        except OperationalError as refused:
            is_deadlock = getattr(refused.__cause__, "pgcode", None) == DEADLOCK
            if not is_deadlock or connection.in_atomic_block:
                raise
        logger.warning("%s met a deadlock and is tried again", act.__qualname__)
        time.sleep(PAUSE)
        return act(*args, **kwargs)

    return trying

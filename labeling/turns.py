"""Writers of one process take turns where the database lets in one at a time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import connection

_turn = threading.Lock()
P = ParamSpec("P")
T = TypeVar("T")


def in_turn(verb: Callable[P, T]) -> Callable[P, T]:
    """On SQLite whoever waits naps ever longer between two looks; here the next is woken at once.

    Inside another transaction nothing waits: whoever began it has the database already.
    """

    @functools.wraps(verb)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            return verb(*args, **kwargs)
        with _turn:
            return verb(*args, **kwargs)

    return waiting

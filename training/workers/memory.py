"""Memory that a learning process frees stays with it, for its next step."""

from __future__ import annotations

from training.workers.die_with_parent import LIBC

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
MOST = 2**31 - 1  # what mallopt takes
AHEAD = 64 << 20  # bytes asked for at once


def keep_freed_memory() -> None:
    """Where glibc is: no large block goes back to the system when it is freed.

    Each step of learning frees some 100 MB and asks for them again. By default the system takes
    them, and fills every page with noughts before it hands it out again.
    """
    if LIBC is not None and hasattr(LIBC, "mallopt"):
        LIBC.mallopt(M_MMAP_MAX, 0)
        LIBC.mallopt(M_TRIM_THRESHOLD, MOST)
        LIBC.mallopt(M_TOP_PAD, AHEAD)

"""Keep freed memory in the training process for its next step."""

from __future__ import annotations

from training.workers.die_with_parent import LIBC

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
MOST = 2**31 - 1  # the largest value of mallopt
AHEAD = 64 << 20  # bytes requested at once


def keep_freed_memory() -> None:
    """With glibc, do not return freed blocks to the system.

    Each training step frees some 100 MB and allocates them again. By default the system takes the
    pages back and fills them with zeros each time.
    """
    if LIBC is not None and hasattr(LIBC, "mallopt"):
        LIBC.mallopt(M_MMAP_MAX, 0)
        LIBC.mallopt(M_TRIM_THRESHOLD, MOST)
        LIBC.mallopt(M_TOP_PAD, AHEAD)

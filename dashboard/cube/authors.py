"""The people who drew the audited drawings with a readable label. Pure; no database.

A person is an account or a browser. The replay's worker counts them by month, since an erasure,
which no log tells, takes an author away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

# One person's labeled audits of one kind. `source` is an index of SOURCES, `version` read them.
AUTHOR = np.dtype(
    [
        ("author", "<u8"), ("version", "<u4"), ("chance", "<u4"), ("n", "<u4"), ("source", "u1"),
        ("digit", "u1"),
    ]
)  # fmt: skip
KIND = ("author", "version", "chance", "source", "digit")


@dataclass(frozen=True, slots=True)
class Authors:
    """The people behind a sample."""

    rows: NDArray[Any]  # of AUTHOR
    alike: float = 0.0  # correlation of two drawings by one person, as to being read right
    alike_in_pairs: float = 0.0  # the same, as to which of two versions reads them right

    def of_digit(self, digit: int | None) -> Authors:
        """Those behind the drawings of one digit, or of all."""
        if digit is None:
            return self
        return replace(self, rows=self.rows[self.rows["digit"] == digit])

    def __add__(self, other: Authors) -> Authors:
        return replace(self, rows=np.concatenate([self.rows, other.rows]))


def packed_kinds(rows: Iterable[Sequence[int]]) -> bytes:
    """Each different row of KIND with the number of its equals, as bytes for the database."""
    given = np.array([tuple(row) for row in rows], [(name, AUTHOR[name]) for name in KIND])
    kinds, counts = np.unique(given, return_counts=True)
    found = np.zeros(len(kinds), AUTHOR)
    for name in KIND:
        found[name] = kinds[name]
    found["n"] = counts
    return found.tobytes()

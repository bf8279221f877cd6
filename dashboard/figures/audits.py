"""What is missing from the audits, and what that does to an accuracy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Self

from dashboard.figures.figure import ENOUGH

# Of the audits that people were shown. Who skips every third misread drawing leaves out 1 of 100
# at 97 %, see docs/decisions/2026-11-30-audits-with-parts-missing.md.
LEAST_LABELED: Final = 0.97

# Of two versions' labeled shares; with less, a month's accuracy is mostly about one of them.
HALF_AS_MANY: Final = 0.5
SMALLEST: Final = 0.05  # wrong of 100 labels; fewer are not told


class Missing(NamedTuple):
    """Audits by what became of them. Those that nobody was shown yet are not here."""

    labeled: int = 0
    skipped: int = 0
    expired: int = 0
    erased: int = 0
    changed: int = 0  # of the labeled

    @classmethod
    def total(cls, months: Iterable[Missing]) -> Self:
        return cls(*(sum(each) for each in zip(cls(), *months, strict=True)))

    @property
    def lost(self) -> int:
        """Those without a label although somebody was shown them, or erased before."""
        return self.skipped + self.expired + self.erased

    @property
    def share_labeled(self) -> float:
        return self.labeled / (self.labeled + self.lost) if self.lost else 1.0

    def in_words(self, unlabeled: int) -> list[str]:
        """`unlabeled` are all without a label, also those that nobody was shown."""
        reasons = [
            f"{count:,} {what}"
            for count, what in (
                (self.skipped, "skipped"),
                (self.expired, "handed out and not answered"),
                (self.erased, "erased"),
                (max(0, unlabeled - self.lost), "waiting"),
            )
            if count
        ]
        said = []
        if unlabeled:
            apart = f" ({', '.join(reasons)})" if self.lost else " yet"
            are = "is" if unlabeled == 1 else "are"
            said.append(f"{unlabeled:,} {are} not labeled{apart}")
        if self.changed:
            were = "was" if self.changed == 1 else "were"
            said.append(f"{self.changed:,} {were} changed by an admin, no longer blind")
        return said

    @property
    def warning(self) -> str:
        """Why an accuracy may read too high, or nothing."""
        if self.share_labeled >= LEAST_LABELED:
            return ""
        shown = self.labeled + self.lost
        return (
            f"Perhaps too high: of {shown:,} audits that were shown to somebody or erased,"
            f" {self.lost:,} have no label. Below {100 * LEAST_LABELED:.0f} of 100 labeled,"
            " figures may be wrong by more than their intervals say, because what is hard to read"
            " is passed on more often."
        )


def lopsided(by_version: Mapping[str, tuple[int, int]]) -> str:
    """A warning if some versions' audits are labeled and others' are not; or nothing.

    Of each version the audits of one month, and how many of them are labeled.
    """
    told = {
        version: labeled / audits
        for version, (audits, labeled) in by_version.items()
        if audits >= ENOUGH
    }
    if not told:
        return ""
    most, least = max(told, key=told.__getitem__), min(told, key=told.__getitem__)
    if told[least] >= HALF_AS_MANY * told[most]:
        return ""
    return (
        f"Mostly about {most}: of 100 audits that it read, {100 * told[most]:.0f} are labeled, and"
        f" of those that {least} read {100 * told[least]:.0f}."
    )


def ceiling(wrong: int, answers: int) -> str:
    """How high an accuracy can read, given wrong labels; nothing without mistakes on gold."""
    of_hundred = 100 * wrong / answers if answers else 0.0
    if of_hundred < SMALLEST or answers < ENOUGH:
        return ""
    said, most = f"{of_hundred:.0f}", f"{100 - of_hundred:.0f}"
    if of_hundred < 1.5:
        said, most = f"{of_hundred:.1f}", f"{100 - of_hundred:.1f}"
    return (
        f"About {said} of 100 labels are wrong, by {answers:,} answers to items with a known"
        f" answer, so {most} of 100 is as high as this can read."
    )

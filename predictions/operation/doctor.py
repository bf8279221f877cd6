"""Run all health checks and report what is wrong, why it matters and what to do.

Each app has its checks in `operation/health_checks.py`; they are found by that name, so this
module imports no app above its own. A check yields findings and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from django.db import DatabaseError
from django.utils import dateformat, timezone
from django.utils.module_loading import autodiscover_modules

logger = logging.getLogger(__name__)


class Severity(IntEnum):
    """How bad; also the exit code of `manage.py doctor`."""

    SOUND = 0
    ATTENTION = 1  # it works; something will go wrong or is worse than it could be
    BROKEN = 2  # something does not work, or data are at risk


class Needs(IntEnum):
    """What must work before a check can run."""

    NOTHING = 0
    DATABASE = 1
    TABLES = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem."""

    code: str  # for programs; never changes its meaning
    severity: Severity
    what: str
    why: str
    todo: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "severity": self.severity.name.lower()}


def attention(code: str, what: str, *, why: str, todo: str) -> Finding:
    return Finding(code, Severity.ATTENTION, what, why, todo)


def broken(code: str, what: str, *, why: str, todo: str) -> Finding:
    return Finding(code, Severity.BROKEN, what, why, todo)


def moment_in_words(at: datetime) -> str:
    """In the installation's time zone, which it names: a page and the terminal say the same."""
    return dateformat.format(timezone.localtime(at), "M j, Y, g:i A T")


Examine = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Examiner:
    examine: Examine
    needs: Needs
    is_deep: bool  # reads every row of a table


examiners: list[Examiner] = []


def examines(*, needs: Needs = Needs.TABLES, deep: bool = False) -> Callable[[Examine], Examine]:
    """Register a function of `operation/health_checks.py` as a check."""

    def register(examine: Examine) -> Examine:
        examiners.append(Examiner(examine, needs, deep))
        return examine

    return register


def examine(*, deep: bool = True) -> list[Finding]:
    """Run the checks; return the findings, worst first. After one in BARRIERS, skip the rest."""
    autodiscover_modules("operation.health_checks")
    found: list[Finding] = []
    for needs in Needs:
        found += findings_of(needs, deep=deep)
        if any(finding.code in BARRIERS for finding in found):
            break
    return sorted(found, key=lambda finding: -finding.severity)


# After one of these, checks that need more cannot run.
BARRIERS = {"database_unreachable", "migrations_missing"}


def findings_of(needs: Needs, *, deep: bool) -> Iterator[Finding]:
    for examiner in examiners:
        if examiner.needs is not needs or (examiner.is_deep and not deep):
            continue
        try:
            yield from examiner.examine()
        except DatabaseError as refused:
            name = examiner.examine.__name__.replace("_", " ")
            logger.warning("%s could not be examined: %s", name, refused)
            yield broken(
                "not_examined",
                f"The database refused a question ({name}): {str(refused).strip()}",
                why="What could not be looked at may be wrong too.",
                todo="Look at the database's own log; run `manage.py doctor` again.",
            )


def worst_state(findings: Iterable[Finding]) -> Severity:
    return max((finding.severity for finding in findings), default=Severity.SOUND)


def as_json(findings: list[Finding]) -> dict[str, Any]:
    return {
        "state": worst_state(findings).name.lower(),
        "findings": [finding.as_json() for finding in findings],
    }


def as_text(findings: list[Finding]) -> str:
    """For a person at a terminal."""
    if not findings:
        return "Nothing is wrong."
    marks = {Severity.BROKEN: "BROKEN", Severity.ATTENTION: "attention"}
    return "\n\n".join(
        f"{marks[each.severity]}  {each.what}  [{each.code}]\n"
        f"  Why it matters: {each.why}\n  What to do: {each.todo}"
        for each in findings
    )

"""Which version is live: promote, roll back, and what was live when.

A change is one transaction: it retires the live version, if that is still live, makes the other one
live, ends the trials against the former one and writes the ledger. Of two changes that start from
the same live version, one succeeds.

The ledger is a stack. A promotion pushes a version; a rollback removes the top one and makes the
one below live. A removed version is rejected (pages say taken back): no rollback returns to it,
but a promotion with a reason may. After the promotions A, B, C, two rollbacks lead to B and then
to A.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce

from predictions.database import clock
from predictions.database.clock import Moment
from predictions.models import ModelVersion, ServingFault
from predictions.serving.registry import BASE, remedy, unsoundness, verify
from training.errors import AlreadyLive, NeedsReason, NothingBefore, Overtaken
from training.messages.outbox import tell_promotion
from training.models import GateReport, Promotion, Trial

logger = logging.getLogger(__name__)
NO_REASON = "Rolled back by hand, without a reason."


def live_version() -> ModelVersion | None:
    return ModelVersion.objects.live().first()


def shipped_and_waiting() -> ModelVersion | None:
    """The version that came with this release, if nobody has promoted it yet."""
    candidates = ModelVersion.objects.filter(state=ModelVersion.State.CANDIDATE)
    return candidates.filter(name=BASE).only("name").first()


# -- promote ------------------------------------------------------------------------------------


def promote(
    version: ModelVersion,
    *,
    by: User | None,
    why: str = "",
    report: GateReport | None = None,
    over: ModelVersion | None = None,
    at: datetime | None = None,
) -> Promotion:
    """Make a version live and retire the one that was, in one transaction.

    `over` is the version the caller saw as live: if another is live by now, nothing changes. `by`
    is None if the promotion is automatic. A version that won no trial needs a reason. With
    `at` in the past, as the demo writes its history, no messages are written.
    """
    before = live_version()
    if before is not None and before.pk == version.pk:
        raise AlreadyLive(f"{version} is live already.")
    check_still_live(over, before)
    report = report or latest_report(version)
    spoken_for = speaks_for(report, version, before)
    why = why.strip()
    if not spoken_for and not why:
        raise NeedsReason(f"{said_of(report, version, before)} Say why it should be promoted.")
    verify(version)
    return move(
        Promotion.Kind.PROMOTION,
        before,
        version,
        by=by,
        why=why or " ".join(report.reasons[:1] if report else []),
        report=report,
        becomes=ModelVersion.State.RETIRED,
        at=at,
    )


def seen_as_live(name: str) -> ModelVersion | None:
    """The version of this name, for `over`; None without a name."""
    if not name:
        return None
    seen = ModelVersion.objects.filter(name=name).defer("card", "canary").first()
    if seen is None:
        raise Overtaken(f"No version is named {name}, so it cannot be the live one.")
    return seen


def check_still_live(seen: ModelVersion | None, live: ModelVersion | None) -> None:
    if seen is not None and (live is None or live.pk != seen.pk):
        raise Overtaken(f"{seen} is no longer live; {live or 'nothing'} is.")


def latest_report(version: ModelVersion) -> GateReport | None:
    return version.gate_reports.select_related("against").first()


def speaks_for(
    report: GateReport | None, version: ModelVersion, before: ModelVersion | None
) -> bool:
    """Whether it won a trial against the version that is live now."""
    return (
        report is not None
        and before is not None
        and report.verdict == GateReport.Verdict.PROMOTE
        and (report.candidate_id, report.against_id) == (version.pk, before.pk)
    )


def said_of(report: GateReport | None, version: ModelVersion, before: ModelVersion | None) -> str:
    if report is None:
        return f"{version} has won no trial."
    if before is None or report.against_id != before.pk:
        return f"{version} was on trial against {report.against}, which is no longer live."
    return f"The verdict on {version}: {report.get_verdict_display().lower()}."


def move(
    kind: str,
    before: ModelVersion | None,
    after: ModelVersion,
    *,
    by: User | None,
    why: str,
    report: GateReport | None,
    becomes: str,
    at: datetime | None = None,
) -> Promotion:
    """Change the live version and write the ledger; row counts show whether another change won."""
    is_news = at is None
    try:
        with transaction.atomic():
            take_down(before, becomes)
            # The ledger's times never decrease, even if the clock is set back.
            last = Promotion.objects.values_list("made_at", flat=True).first()
            at = at or max(filter(None, (clock.now(), last)))
            end_trials(after)
            raised = ModelVersion.objects.filter(pk=after.pk).exclude(state=ModelVersion.State.LIVE)
            if raised.update(state=ModelVersion.State.LIVE, live_since=at) != 1:
                raise Overtaken(f"{after} went live or away at the same moment.")
            promotion = Promotion.objects.create(
                kind=kind, before=before, after=after, by=by, why=why, report=report, made_at=at
            )
            if is_news:
                tell_promotion(promotion)
    except IntegrityError as another:  # nothing was live, and two promotions ran at once
        raise Overtaken("Another version went live at the same moment.") from another
    after.refresh_from_db(fields=["state", "live_since"])
    logger.info("model version %s is live: %s %s", after.pk, kind, promotion.pk)
    return promotion


def take_down(before: ModelVersion | None, becomes: str) -> None:
    if before is None:
        return
    still_live = ModelVersion.objects.filter(pk=before.pk, state=ModelVersion.State.LIVE)
    if still_live.update(state=becomes) != 1:
        raise Overtaken(f"{before} stopped being live at the same moment.")


def end_trials(after: ModelVersion) -> None:
    """End every open trial, because another version goes live; one that waited for it is won."""
    won = Trial.objects.filter(state=Trial.State.WON, candidate=after)
    won.update(state=Trial.State.PROMOTED)
    Trial.objects.open().update(
        state=Trial.State.OVERTAKEN,
        reason=f"{after} went live.",
        ended_at=Coalesce("ended_at", Moment()),
    )


# -- roll back ----------------------------------------------------------------------------------


def rollback(
    *,
    by: User | None,
    why: str = "",
    over: ModelVersion | None = None,
    kind: str = Promotion.Kind.ROLLBACK,
) -> Promotion:
    """Make the previous version live again; versions with unsound weights are skipped.

    A rollback may be urgent, so a reason is optional; the ledger notes if none was given.
    """
    live = live_version()
    if live is None:
        raise NothingBefore("Nothing is live, so there is nothing to take back.")
    check_still_live(over, live)
    why = why.strip() or NO_REASON
    passed_over = []
    for target in versions_below(live):
        if fault := unsoundness(target):
            logger.error("no rollback to model version %s: %s", target.pk, fault)
            why += f" ({target} was passed over: {fault})"
            passed_over.append(target)
            continue
        return move(
            kind,
            live,
            target,
            by=by,
            why=why,
            report=None,
            becomes=ModelVersion.State.REJECTED,
        )
    said = f"No sound version was live before {live}."
    for each in (live, *passed_over):
        if fault := unsoundness(each):
            said += f" {each}: {fault} {remedy(each)}"
    raise NothingBefore(said)


def version_below(live: ModelVersion) -> ModelVersion | None:
    """What a rollback makes live again if its weights are sound; None if there is nothing."""
    return next(versions_below(live), None)


def versions_below(live: ModelVersion) -> Iterator[ModelVersion]:
    """The versions below the live one on the ledger's stack, the topmost first."""
    stack = ledger_stack()
    known = ModelVersion.objects.in_bulk(stack)
    for version_id in dict.fromkeys(reversed(stack)):
        version = known[version_id]
        if version_id != live.pk and version.state != ModelVersion.State.REJECTED:
            yield version


def ledger_stack() -> list[int]:
    """The live version's key and those below it: a promotion adds one, a rollback removes some."""
    stack: list[int] = []
    ledger = Promotion.objects.order_by("pk").values_list("kind", "before_id", "after_id")
    for kind, before_id, after_id in ledger:
        if kind == Promotion.Kind.PROMOTION:
            # The ledger has no entry for the first version, which was installed.
            if before_id is not None and (not stack or stack[-1] != before_id):
                stack.append(before_id)
            stack.append(after_id)
        else:
            while stack and stack[-1] != after_id:
                stack.pop()
    return stack


def roll_back_unserved() -> Promotion | None:
    """Roll back a live version that hosts stopped serving, or whose weights are unsound.

    After an automatic rollback, only unsound weights cause another: if the previous version fails
    too, the fault may be the host's, and a person must look.
    """
    live = live_version()
    if live is None:
        return None
    unsound = unsoundness(live)
    said = unsound or complaint_about(live)
    if not said:
        return None
    last = Promotion.objects.first()
    if not unsound and last is not None and last.kind == Promotion.Kind.AUTOMATIC:
        logger.error("model version %s fails too (%s); a person must look", live.pk, said)
        return None
    try:
        return rollback(
            by=None,
            why=f"It does not serve: {said}",
            over=live,
            kind=Promotion.Kind.AUTOMATIC,
        )
    except NothingBefore as nothing:
        logger.error("model version %s does not serve (%s), and: %s", live.pk, said, nothing)
        return None


def complaint_about(live: ModelVersion) -> str:
    """The last fault that a host noted since the version went live, or an empty text."""
    faults = ServingFault.objects.filter(version=live)
    if live.live_since is not None:
        faults = faults.filter(last_at__gte=live.live_since)
    fault = faults.order_by("-last_at").first()
    return f"{fault.message} (host {fault.host})" if fault else ""


# -- history ------------------------------------------------------------------------------------


def live_at(at: datetime) -> ModelVersion | None:
    """The version that was live at this time; None before the first."""
    ledger = Promotion.objects.select_related("before", "after")
    latest = ledger.filter(made_at__lte=at).first()
    if latest is not None:
        return latest.after
    first = ledger.last()
    if first is not None:  # the version before the first entry was installed
        earliest = first.before
        return earliest if earliest is not None and earliest.created_at <= at else None
    live = live_version()
    return live if live is not None and live.live_since and live.live_since <= at else None

"""What the gate still lacks, told to whoever labels, through rows that labeling reads."""

from __future__ import annotations

from labeling.models import QueueItem
from labeling.queue import priorities
from predictions.capture.sides import judges
from predictions.models import Prediction
from training.models import GateReport
from training.versions.promotion import live_version

MOST = 500  # open items wanted at a time
LOOKED_AT = 20_000  # of the newest open ones
WHY = "the gate asked for it: it judges, it never teaches"


def tell_labeling() -> int:
    """Drawings by people who judge are wanted, digits that lack them first, and audits as drawn.

    The last verdict that concerns the live version decides, until the next one.
    """
    live = live_version()
    report = GateReport.objects.order_by("-pk").first()
    if live is None or report is None or live.pk not in {report.against_id, report.candidate_id}:
        return priorities.want([], why=WHY)
    by_digit = report.figures.get("wanted_by_digit", [])
    lacking = {digit for digit, wanted in enumerate(by_digit) if wanted}
    if not (lacking or report.labels_needed):
        return priorities.want([], why=WHY)
    return priorities.want(that_judge(lacking), why=WHY)


def that_judge(lacking: set[int]) -> list[int]:
    """Open items that may judge, held-out ones whose guess is a lacking digit first, then by age.

    An audit's place never hangs on its guess: while some are still unlabeled, those that are
    would be a sample of the wished-for digits, and accuracy by month would follow the wish.
    """
    rows = (
        QueueItem.objects.filter(is_open=True)
        .order_by("-pk")
        .values_list(
            "pk",
            "digit",
            "prediction__is_audit",
            "prediction__user_id",
            "prediction__visitor",
            "glyph_digest",
        )[:LOOKED_AT]
    )
    found = [
        (is_audit or digit not in lacking, key)
        for key, digit, is_audit, user, visitor, glyph in rows
        if is_audit or judges(Prediction(user_id=user, visitor=visitor, glyph_digest=glyph))
    ]
    return [key for _, key in sorted(found)[:MOST]]

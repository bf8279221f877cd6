"""Give the drawings the gate needs a higher priority in the labeling queue, through its rows."""

from __future__ import annotations

from labeling.models import QueueItem
from labeling.queue import priorities
from predictions.capture.sides import judges
from predictions.models import Prediction
from training.models import GateReport
from training.versions.promotion import live_version

MOST = 500  # open items with priority at a time
LOOKED_AT = 20_000  # of the newest open ones
WHY = "the gate asked for it: it judges, it never teaches"


def tell_labeling() -> int:
    """Write the priorities that the last verdict on the live version asks for; how many are open.

    They go to drawings in the test split, those of missing digits first, and to audits by age.
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
    """Open items of the test split: held-out ones guessed as a missing digit first, then by age.

    Audits must not be ordered by guess: the labeled ones would be a biased sample of a month.
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

"""Faults in the cube and in intervals."""

from __future__ import annotations

from tests.bench.planted.fault import Fault

TALLY = "dashboard/cube/tally.py"
COUNTING = "dashboard/cube/counting.py"
FLOW = "dashboard/flow.py"
AXES = "dashboard/axes.py"
SHARES = "predictions/shares.py"
SAMPLE = "dashboard/figures/sample.py"
STRATA = "dashboard/figures/strata.py"
DIFFERENCE = "dashboard/figures/difference.py"
SENTENCES = "dashboard/figures/sentences.py"

OF_CUBE = (
    "tests/dashboard/cube/test_cube.py",
    "tests/dashboard/cube/test_rebuild.py",
    "tests/dashboard/figures/test_figures.py",
)
OF_SENTENCES = ("tests/dashboard/figures/test_sentences.py",)
OF_INTERVALS = (
    "tests/dashboard/figures/test_intervals.py",
    "tests/dashboard/figures/test_strata.py",
    "tests/dashboard/figures/test_figures.py",
    "tests/dashboard/reports/test_alarm.py",
    "tests/dashboard/reports/test_compare.py",
    "tests/labeling/decisions/test_agreement.py",
)

FAULTS: dict[str, list[Fault]] = {
    "tally": [
        Fault(
            "a drawing leaves its cell without its confidence",
            TALLY,
            "self.add(old, -1, -confidence)",
            "self.add(old, -1, 0)",
            OF_CUBE,
        ),
        Fault(
            "a disputed label counts as settled",
            TALLY,
            'is_settled = stands.state == "settled"',
            'is_settled = stands.state != "awaiting"',
            OF_CUBE,
        ),
        Fault(
            "an unreadable drawing counts as unlabeled",
            TALLY,
            "label = UNREADABLE if stands.digit is None",
            "label = UNLABELED if stands.digit is None",
            OF_CUBE,
        ),
        Fault(
            "an audit counts in the stream of its label",
            TALLY,
            "AUDIT if self.is_audit else stream,",
            "stream,",
            OF_CUBE,
        ),
        Fault(
            "a label counts in the stream of the newest event",
            TALLY,
            "stream = next(event.stream for event in events if event.pk == stands.event_id)",
            "stream = [*events][-1].stream",
            OF_CUBE,
        ),
        Fault(
            "what is done today counts tomorrow",
            TALLY,
            "self.flows[key][day.day - 1]",
            "self.flows[key][day.day % DAYS]",
            OF_CUBE,
        ),
        Fault(
            "the change by an event is that of the one before",
            TALLY,
            "stands = stands_after([*before, event])",
            "stands = stands_after(before)",
            OF_CUBE,
        ),
        Fault(
            "a cell whose count stays keeps its old confidence",
            TALLY,
            "in self.cells.items() if count or total}",
            "in self.cells.items() if count}",
            OF_CUBE,
        ),
        Fault(
            "labels that wait for another opinion count as settled by day",
            TALLY,
            "day += (count, count * is_right, count * key.is_settled)",
            "day += (count, count * is_right, count)",
            OF_CUBE,
        ),
        Fault(
            "unreadable drawings count among the judged",
            TALLY,
            "if label < UNREADABLE:",
            "if label <= UNREADABLE:",
            OF_CUBE,
        ),
        Fault(
            "several right readings of a cell count as one",
            TALLY,
            "self.judged[predicted, key.bin] += (count, count * is_right)",
            "self.judged[predicted, key.bin] += (count, is_right)",
            OF_CUBE,
        ),
        Fault(
            "the last counted drawing keeps its cell",
            COUNTING,
            "if key <= at.prediction:",
            "if key < at.prediction:",
            OF_CUBE,
        ),
        Fault(
            "the last counted event is counted again",
            COUNTING,
            "if event.pk <= at.event]",
            "if event.pk < at.event]",
            OF_CUBE,
        ),
        Fault(
            "the last counted prediction is counted again",
            COUNTING,
            "pk__gt=at.prediction, pk__lte=to.prediction",
            "pk__gte=at.prediction, pk__lte=to.prediction",
            OF_CUBE,
        ),
        Fault(
            "a step that comes second counts too",
            COUNTING,
            "Mark.objects.filter(pk=1, prediction=at.prediction, event=at.event)",
            "Mark.objects.filter(pk=1)",
            OF_CUBE,
        ),
        Fault(
            "two count at the same time",
            COUNTING,
            "Mark.objects.filter(free, pk=1)",
            "Mark.objects.filter(pk=1)",
            OF_CUBE,
        ),
        Fault(
            "who agrees with themselves agrees with others",
            FLOW,
            "if (each.labeler_id, each.visitor) != speaker]",
            "]",
            OF_CUBE,
        ),
        Fault(
            "an unreadable drawing counts as read wrong",
            FLOW,
            "not stands.is_unreadable and stands.digit != predicted",
            "stands.digit != predicted",
            OF_CUBE,
        ),
        Fault(
            "full confidence has no bin",
            AXES,
            "min(bisect_right(EDGES, confidence), BINS) - 1",
            "min(bisect_right(EDGES, confidence) - 1, BINS)",
            OF_CUBE,
        ),
    ],
    "intervals": [
        Fault(
            "Wilson's interval is too wide for small n",
            SHARES,
            "z2 / (4 * n**2)",
            "z2 / (4 * n)",
            OF_INTERVALS,
        ),
        Fault(
            "Wilson's interval is not drawn toward a half",
            SHARES,
            "middle = p + z2 / (2 * n)",
            "middle = p",
            OF_INTERVALS,
        ),
        Fault(
            "intervals of 95 % are of 90 %",
            SHARES,
            "Z95 = 1.959964",
            "Z95 = 1.644854",
            OF_INTERVALS,
        ),
        Fault(
            "Jeffreys' interval is that of a flat prior",
            SHARES,
            "beta_quantile(right + 0.5, n - right + 0.5, z)",
            "beta_quantile(right + 1.0, n - right + 1.0, z)",
            OF_INTERVALS,
        ),
        Fault(
            "drawings with different chances weigh the same",
            SAMPLE,
            "self.drawings * MILLION / self.chance if",
            "self.drawings if",
            OF_INTERVALS,
        ),
        Fault(
            "audits that wait for a label stand for nothing",
            SAMPLE,
            "self.size / self.labeled if self.labeled",
            "MILLION / self.chance if self.labeled",
            OF_INTERVALS,
        ),
        Fault(
            "audits that nobody labeled are as right as the others",
            SAMPLE,
            "known = told / (told + missing)",
            "known = 1.0",
            OF_INTERVALS,
        ),
        Fault(
            "the size of a stratum is known for sure",
            SAMPLE,
            "return of_size + max(0.0, 1 / self.n - 1 / self.labeled)",
            "return 0.0",
            OF_INTERVALS,
        ),
        Fault(
            "an unknown chance is weighted",
            SAMPLE,
            "return len(known) > 1 and 0 not in known",
            "return len(known) > 1",
            OF_INTERVALS,
        ),
        Fault(
            "a stratum widens the interval whatever its weight",
            STRATA,
            "share = (term.drawings / total) ** 2",
            "share = term.drawings / total",
            OF_INTERVALS,
        ),
        Fault(
            "strata widen the interval together, not independently",
            STRATA,
            "value - math.sqrt(down), value + math.sqrt(up)",
            "value - down, value + up",
            OF_INTERVALS,
        ),
        Fault(
            "pairs that exclude each other are taken as independent",
            DIFFERENCE,
            "twice = 2 * math.sqrt(more * less / free) if free else 2.0",
            "twice = 0.0",
            OF_INTERVALS,
        ),
        Fault(
            "unreadable drawings count as unlabeled",
            SAMPLE,
            "drawings[:, :UNLABELED].sum(axis=1)",
            "drawings[:, :UNREADABLE].sum(axis=1)",
            OF_INTERVALS,
        ),
        Fault(
            "the filter of a digit lets the larger ones through",
            SAMPLE,
            "else slice(digit, digit + 1)",
            "else slice(digit, UNREADABLE)",
            OF_INTERVALS,
        ),
        Fault(
            "settled labels are told to be unsettled",
            SAMPLE,
            "(drawings - settled)[:, wanted].sum(axis=1)",
            "settled[:, wanted].sum(axis=1)",
            OF_INTERVALS,
        ),
        Fault(
            "a difference takes the wrong end of the earlier interval",
            DIFFERENCE,
            "down = math.hypot(after.value - after.low, before.high - before.value)",
            "down = math.hypot(after.value - after.low, before.value - before.low)",
            OF_INTERVALS,
        ),
        Fault(
            "no difference is more than chance",
            DIFFERENCE,
            "return self.low > 0 or self.high < 0",
            "return self.low > 0 and self.high < 0",
            OF_INTERVALS,
        ),
        Fault(
            "a loss is never more than chance",
            DIFFERENCE,
            "return self.low > 0 or self.high < 0",
            "return self.low > 0",
            OF_INTERVALS,
        ),
        Fault(
            "merged samples forget their unreadable drawings",
            SAMPLE,
            "        self.unreadable += times * other.unreadable\n",
            "",
            OF_INTERVALS,
        ),
    ],
    "sentences": [
        Fault(
            "a month of a few labels is told as now",
            SENTENCES,
            "for name, sample in samples.items() if sample.n >= ENOUGH}",
            "for name, sample in samples.items() if sample.n}",
            OF_SENTENCES,
        ),
        Fault(
            "a best is named where chance makes one",
            SENTENCES,
            "if p >= LEVEL:",
            "if p >= 1:",
            OF_SENTENCES,
        ),
        Fault(
            "intervals of the best and worst are for one cell",
            SENTENCES,
            "1 - LEVEL / 2 / len(enough)",
            "1 - LEVEL / 2",
            OF_SENTENCES,
        ),
        Fault(
            "imported images are drawings",
            "dashboard/cube/sums.py",
            "return rows.exclude(source=Prediction.Source.IMPORT)",
            "return rows",
            OF_SENTENCES,
        ),
        Fault(
            "corrections are those of the filter's stream",
            "dashboard/cube/sums.py",
            'replace(filters, first=None, stream="")',
            "replace(filters, first=None)",
            OF_SENTENCES,
        ),
        Fault(
            "a month is explained by what read most of it",
            "dashboard/reports/causes.py",
            "readers_before.most_common(1)",
            "readers.most_common(1)",
            ("tests/dashboard/reports/test_month_report.py",),
        ),
        Fault(
            "two versions are told with each other's shares",
            "dashboard/reports/compare.py",
            "(each, each.both + each.worse)",
            "(each, each.both + each.better)",
            ("tests/dashboard/reports/test_compare.py",),
        ),
        Fault(
            "an imported image holds the day's best score",
            "predictions/capture/history.py",
            "        .exclude(source__in=NOT_MADE_HERE)\n",
            "",
            ("tests/predictions/capture/test_history.py",),
        ),
    ],
}

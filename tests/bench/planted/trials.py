"""Faults in what a trial's answers decide."""

from __future__ import annotations

from tests.bench.planted.fault import Fault

LIKELIHOOD = "training/trials/likelihood.py"
OUTCOMES = "training/trials/outcomes.py"
EVIDENCE = "training/trials/evidence.py"
HARM = "training/trials/harm.py"
AHEAD = "training/trials/ahead.py"

OF_LIKELIHOOD = ("tests/training/trials/test_likelihood.py",)
OF_EVIDENCE = ("tests/training/trials/test_evidence.py",)

FAULTS: dict[str, list[Fault]] = {
    "trials": [
        Fault(
            # Not `alike`: what the outcomes give whoever drew is an e-value under that null, too.
            "authors who nearly always gain from one version are missing among the nulls",
            LIKELIHOOD,
            "SPREADS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0,",
            "SPREADS = (5.0,",
            OF_LIKELIHOOD,
        ),
        Fault(
            "only the first null counts",
            LIKELIHOOD,
            "null = np.maximum(null, log_chance(spread, spread))",
            "null = np.minimum(null, log_chance(spread, spread))",
            OF_LIKELIHOOD,
        ),
        Fault(
            "an author's outcomes count as if others had made them",
            OUTCOMES,
            "        counts[key] = so_far[0] + better, so_far[1] + (not better)\n",
            "        counts[key] = so_far\n",
            OF_LIKELIHOOD,
        ),
        Fault(
            "many who gain a little outweigh a few who lose as much",
            LIKELIHOOD,
            "return np.asarray(np.minimum(by_author, whoever_drew))",
            "return np.asarray(by_author)",
            OF_LIKELIHOOD,
        ),
        Fault(
            "claims with too much weight",
            LIKELIHOOD,
            "- math.log(len(np.asarray(logs)))",
            "- math.log(len(np.asarray(logs)) / 2)",
            OF_LIKELIHOOD,
        ),
        Fault(
            "chances that weigh more than they may together",
            LIKELIHOOD,
            "weights = (chances - 0.5) / (chances - 0.5).sum()",
            "weights = (chances - 0.5) / (chances - 0.5).max()",
            OF_LIKELIHOOD,
        ),
        Fault(
            "a claim that the candidate is worse",
            LIKELIHOOD,
            "CHANCES = np.arange(0.525, 1, 0.05)",
            "CHANCES = np.arange(0.425, 1, 0.05)",
            OF_LIKELIHOOD,
        ),
        Fault(
            "who bets against a gain wins without drawings",
            LIKELIHOOD,
            "np.log1p(STAKES * (gain - 1))",
            "np.log1p(STAKES * (gain - 0.9))",
            OF_LIKELIHOOD,
        ),
        Fault(
            "each candidate may use the whole level",
            EVIDENCE,
            "return SHARES * number**FALLING / LEVEL",
            "return 1 / LEVEL",
            OF_EVIDENCE,
        ),
        Fault(
            "one of several decides alone",
            EVIDENCE,
            "joint = len(few) == 1 or rest_agrees(balances_by_author(at_worst))",
            "joint = True",
            OF_EVIDENCE,
        ),
        Fault(
            "a hold holds nothing",
            EVIDENCE,
            "if is_better and not holds:",
            "if is_better:",
            OF_EVIDENCE,
        ),
        Fault(
            "what waits for an answer counts as no better",
            EVIDENCE,
            "log_against(total.better + pending + ",
            "log_against(total.better + ",
            OF_EVIDENCE,
        ),
        Fault(
            "what is presumed broken is no evidence against a promotion",
            EVIDENCE,
            "at_worst = [*outcomes, *presumed]",
            "at_worst = [*outcomes]",
            OF_EVIDENCE,
        ),
        Fault(
            "what is presumed broken ends a trial as no better",
            EVIDENCE,
            "total.better + pending + len(presumed), total.worse,",
            "total.better + pending, total.worse + len(presumed),",
            OF_EVIDENCE,
        ),
        Fault(
            "errors seen in the trial are ignored",
            EVIDENCE,
            "max(error_rate, (total.better + neither) / max(drawings, 1))",
            "error_rate",
            OF_EVIDENCE,
        ),
        Fault(
            "six people are few",
            EVIDENCE,
            "FEW = 5",
            "FEW = 6",
            OF_EVIDENCE,
        ),
        Fault(
            "any loss of a digit holds, however small",
            HARM,
            "if balance.lost <= MARGIN * drawn[digit]:",
            "if balance.lost <= 0:",
            OF_EVIDENCE,
        ),
        Fault(
            "a digit's agreed drawings are forgotten",
            HARM,
            "drawn = list(agreed_by_digit)",
            "drawn = [0] * 10",
            OF_EVIDENCE,
        ),
        Fault(
            "a new misreading of a drawing that was misread before is missed",
            HARM,
            "((each.truth, each.candidate) for each in outcomes if not each.is_better),",
            "((each.truth, each.candidate) for each in outcomes if each.is_worse),",
            OF_EVIDENCE,
        ),
        Fault(
            "a misreading that went is missed",
            HARM,
            "((each.truth, each.live) for each in outcomes if not each.is_worse),",
            "((each.truth, each.live) for each in outcomes if each.is_better),",
            OF_EVIDENCE,
        ),
        Fault(
            "a harmed person holds nothing",
            HARM,
            "    for author in sorted(few):\n",
            "    for author in ():\n",
            OF_EVIDENCE,
        ),
        Fault(
            "weak harm ends a trial",
            HARM,
            "self.evidence >= LOOKS[self.kind] / ENDED_FALSELY",
            "self.evidence >= 1 / ENDED_FALSELY",
            OF_EVIDENCE,
        ),
        Fault(
            "answers are asked for where drawings alone decide",
            AHEAD,
            "            return unasked, 0\n",
            "            return unasked, answers\n",
            OF_EVIDENCE,
        ),
        Fault(
            "what waits is asked for as new drawings",
            AHEAD,
            "drawings = math.ceil(max(answers - self.pending, 0) / self.differing)",
            "drawings = math.ceil(answers / self.differing)",
            OF_EVIDENCE,
        ),
    ],
}

"""From a digit key to the next glyph on screen, in a real Chromium over a hundred labels."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys

from tests.bench.support.report import finish, quantile, spread, table
from tests.bench.support.servers import ROOT

JOURNEY = "tests/journeys/test_label.py::test_a_hundred_items_are_labeled_by_keyboard_alone"
TARGET = 16.0  # ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = [times_of_a_hundred() for _ in range(options.rounds)]
    medians = spread([quantile(times, 0.5) for times in rounds])
    slow = spread([quantile(times, 0.95) for times in rounds])
    table(
        [
            ("key to next glyph, ms", "target", "median of rounds", "min", "max"),
            (
                "median of a hundred",
                f"<= {TARGET:.0f}",
                *(medians[k] for k in ("median", "min", "max")),
            ),
            ("95th of a hundred", "", *(slow[k] for k in ("median", "min", "max"))),
        ]
    )
    finish({"bench": "keys", "median_ms": medians, "p95_ms": slow, "labels": len(rounds[0])})
    if medians["median"] > TARGET:
        sys.exit(1)


def times_of_a_hundred() -> list[float]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", JOURNEY],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"key to next glyph in ms: (\[.*\])", done.stdout)
    if done.returncode or found is None:
        sys.exit(f"The journey did not pass:\n{done.stdout[-2_000:]}")
    times: list[float] = json.loads(found.group(1))
    return times


if __name__ == "__main__":
    main()

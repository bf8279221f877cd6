"""What common tasks cost in presses, and in seconds where nobody has to think, in Chromium."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict

from tests.bench.support.report import finish, spread, table
from tests.bench.support.servers import ROOT

JOURNEYS = "tests/journeys/test_tasks.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = defaultdict(list)
    acts: dict[str, int] = {}
    for _ in range(options.rounds):
        for done in tasks_done():
            seconds[done["task"]].append(done["seconds"])
            acts[done["task"]] = done["acts"]
    found = {task: spread(values) for task, values in seconds.items()}
    table(
        [
            ("task", "acts", "median of rounds, s", "min", "max"),
            *(
                (task, str(acts[task]), *(each[k] for k in ("median", "min", "max")))
                for task, each in found.items()
            ),
        ]
    )
    finish({"bench": "tasks", "rounds": options.rounds, "acts": acts, "seconds": found})


def tasks_done() -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", JOURNEYS],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.findall(r"task: (\{.*\})", done.stdout)
    if done.returncode or not found:
        sys.exit(f"The journeys did not pass:\n{done.stdout[-2_000:]}")
    return [json.loads(each) for each in found]


if __name__ == "__main__":
    main()

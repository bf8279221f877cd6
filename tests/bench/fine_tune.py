"""What a fine-tune costs whoever draws, and what whoever draws costs a fine-tune.

    ./run bench fine_tune [--threads 1 2] [--clients 0 1 8] [--rounds 5] [--seconds 10]
                          [--database-url URL]

One installation: a web server and a training cluster, each in a session of its own, as ./run starts
them. In each round the same clients post drawings in a closed loop, first while nothing else goes
on, then while a run learns; then the run is canceled, and how long it takes to stop is noted. The
two halves of a round are compared with each other, so that what else the machine does weighs on
both; the ratio is given with the lowest and the highest of the rounds.

How many percent of its lesson a run does a minute says which number of threads ends soonest; with 0
clients nobody draws meanwhile. The numbers of threads take turns, round by round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from tests.bench.predict import drawings, multipart, p95, sender
from tests.bench.support.report import finish, spread, table
from tests.bench.support.seed import installation
from tests.bench.support.servers import ROOT, Load, closed_loop, gunicorn, serving, working
from training.engine import mnist

DATA = Path(os.environ.get("DATA_DIR") or ROOT / "data")
PREDICTIONS = "/api/v1/predictions/"
LABELS = 500  # a run of the usual size
PATIENCE = 300.0  # seconds for a run to begin or to stop, however busy the machine


@dataclass
class Round:
    idle: Load
    learning: Load
    done_a_minute: float  # percent of the lesson
    stopped_after: float  # seconds from the asking to the end of the run


Rounds = dict[tuple[int, int], list[Round]]  # by threads and clients


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of half a round")
    parser.add_argument("--clients", type=int, nargs="+", default=[0, 1, 8])
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], help="of the training process"
    )
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with us
    known = mnist.required(DATA / "mnist")
    with installation(options.database_url) as installed:
        shutil.copytree(known, Path(installed.env["DATA_DIR"]) / "mnist")
        label(LABELS)
        env = installed.env
        send = sender(PREDICTIONS, [multipart(png) for png in drawings()])
        rounds: Rounds = defaultdict(list)
        with serving("inkloop", gunicorn, ready="/readyz", env=env) as server:

            def load(clients: int) -> Load:
                if clients == 0:
                    time.sleep(options.seconds)
                    return Load(seconds=options.seconds)
                return closed_loop(send, port=server.port, clients=clients, seconds=options.seconds)

            load(max(options.clients))  # warm
            for _, threads in product(range(options.rounds), options.threads):
                with working("training", {**env, "TRAINING_THREADS": str(threads)}):
                    for clients in options.clients:
                        rounds[threads, clients].append(one_round(partial(load, clients)))
    show(rounds)
    finish({
        "bench": "fine_tune", "cpus": os.cpu_count(), "database": installed.database,
        "load": round(os.getloadavg()[0], 1),
        "measured": [
            {"threads": threads, "clients": clients, **figures(each)}
            for (threads, clients), each in rounds.items()
        ],
    })  # fmt: skip


def label(count: int) -> None:
    from labeling.queue.intake import enqueue_new
    from tests.training.lessons import labeled

    for at in range(count):
        labeled(at % 10, read=at % 10)
    enqueue_new()


def one_round(load: Callable[[], Load]) -> Round:
    from training.models import Run
    from training.runs import retrain

    idle = load()
    run = retrain.ask(trigger=Run.Trigger.COMMAND)
    until(run, lambda: run.progress > 0, "learns")
    before, began = run.progress, time.perf_counter()
    learning = load()
    run.refresh_from_db(fields=["progress"])
    done = 100 * (run.progress - before) / retrain.LEARNED
    minutes = (time.perf_counter() - began) / 60
    asked = time.perf_counter()
    retrain.cancel(run)  # declines if it is over already: then it was not learning all the while
    until(run, lambda: not run.is_active, "has stopped")
    return Round(idle, learning, done / minutes, time.perf_counter() - asked)


def until(run: Any, claim: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        if time.monotonic() > deadline:
            raise SystemExit(f"Not within {PATIENCE:.0f} s: the run {what}.")
        time.sleep(0.05)
        run.refresh_from_db(fields=["state", "progress"])


def figures(rounds: list[Round]) -> dict[str, Any]:
    return {
        "rounds": len(rounds),
        "requests": sum(len(load.latencies) for each in rounds for load in halves(each)),
        "failures": sum(load.failures for each in rounds for load in halves(each)),
        "done_a_minute_percent": spread([each.done_a_minute for each in rounds]),
        **(of_requests(rounds) if rounds[0].idle.latencies else {}),
        "stopped_after_s": spread([each.stopped_after for each in rounds]),
    }


def of_requests(rounds: list[Round]) -> dict[str, Any]:
    return {
        "p95_idle_ms": spread([p95(each.idle) for each in rounds]),
        "p95_learning_ms": spread([p95(each.learning) for each in rounds]),
        "p95_ratio": spread([p95(each.learning) / p95(each.idle) for each in rounds]),
        "rate_ratio": spread([each.learning.rate / each.idle.rate for each in rounds]),
    }


def halves(each: Round) -> tuple[Load, Load]:
    return each.idle, each.learning


TITLES = {
    "done_a_minute_percent": "done of the lesson a minute, %",
    "p95_idle_ms": "p95 idle, ms",
    "p95_learning_ms": "p95 learning, ms",
    "p95_ratio": "p95, learning / idle",
    "rate_ratio": "requests a second, learning / idle",
    "stopped_after_s": "stopped after, s",
}


def show(rounds: Rounds) -> None:
    rows: list[list[Any]] = [["threads", "clients", "measured", "median", "lowest", "highest"]]
    for (threads, clients), each in sorted(rounds.items(), key=lambda found: found[0][::-1]):
        found = figures(each)
        for key, title in TITLES.items():
            if key in found:
                numbers = [f"{found[key][name]:.2f}" for name in ("median", "min", "max")]
                rows.append([threads, clients, title, *numbers])
    table(rows)


if __name__ == "__main__":
    main()

"""What a fine-tune costs whoever draws: predictions while one learns, and the same without one.

    ./run bench fine_tune [--rounds 5] [--seconds 10] [--clients 1 8] [--database-url URL]

One installation: a web server and a training cluster, each in a session of its own, as ./run starts
them. In each round the same clients post drawings in a closed loop, first while nothing else goes
on, then while a run learns; then the run is canceled, and how long it takes to stop is noted. The
two halves of a round are compared with each other, so that what else the machine does weighs on
both; the ratio is given with the lowest and the highest of the rounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.learn import training_worker
from tests.bench.predict import drawings, multipart, p95, sender
from tests.bench.report import finish, spread, table
from tests.bench.seed import installation
from tests.bench.servers import ROOT, Load, closed_loop, gunicorn, serving
from training import mnist

DATA = Path(os.environ.get("DATA_DIR") or ROOT / "data")
PREDICTIONS = "/api/v1/predictions/"
LABELS = 500  # a run of the usual size
PATIENCE = 300.0  # seconds for a run to begin or to stop, however busy the machine


@dataclass
class Round:
    idle: Load
    learning: Load
    stopped_after: float  # seconds from the asking to the end of the run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of half a round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, default=2, help="of the training process")
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with us
    known = mnist.required(DATA / "mnist")
    with installation(options.database_url) as installed:
        shutil.copytree(known, Path(installed.env["DATA_DIR"]) / "mnist")
        label(LABELS)
        env = {**installed.env, "TRAINING_THREADS": str(options.threads)}
        send = sender(PREDICTIONS, [multipart(png) for png in drawings()])
        with serving("inkloop", gunicorn, ready="/readyz", env=env) as server, training_worker(env):

            def load(clients: int) -> Load:
                return closed_loop(send, port=server.port, clients=clients, seconds=options.seconds)

            load(max(options.clients))  # warm
            rounds = {
                clients: [one_round(partial(load, clients)) for _ in range(options.rounds)]
                for clients in options.clients
            }
    show(rounds)
    finish({
        "bench": "fine_tune", "cpus": os.cpu_count(), "database": installed.database,
        "threads": options.threads, "load": round(os.getloadavg()[0], 1),
        "clients": {str(clients): figures(each) for clients, each in rounds.items()},
    })  # fmt: skip


def label(count: int) -> None:
    from labeling.intake import take_in
    from tests.training.lessons import labeled

    for at in range(count):
        labeled(at % 10, read=at % 10)
    take_in()


def one_round(load: Callable[[], Load]) -> Round:
    from training import retrain
    from training.models import Run

    idle = load()
    run = retrain.ask(trigger=Run.Trigger.COMMAND)
    until(run, lambda: run.progress > 0, "learns")
    learning = load()
    asked = time.perf_counter()
    retrain.cancel(run)  # declines if it is over already: then it was not learning all the while
    until(run, lambda: not run.is_active, "has stopped")
    return Round(idle, learning, time.perf_counter() - asked)


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
        "p95_ms": {
            "idle": spread([p95(each.idle) for each in rounds]),
            "learning": spread([p95(each.learning) for each in rounds]),
            "ratio": spread([p95(each.learning) / p95(each.idle) for each in rounds]),
        },
        "rate_ratio": spread([each.learning.rate / each.idle.rate for each in rounds]),
        "stopped_after_s": spread([each.stopped_after for each in rounds]),
    }


def halves(each: Round) -> tuple[Load, Load]:
    return each.idle, each.learning


def show(rounds: dict[int, list[Round]]) -> None:
    rows: list[list[Any]] = [["clients", "measured", "median", "lowest", "highest"]]
    for clients, each in rounds.items():
        found = figures(each)
        for name, value in (
            ("p95 idle, ms", found["p95_ms"]["idle"]),
            ("p95 learning, ms", found["p95_ms"]["learning"]),
            ("p95, learning / idle", found["p95_ms"]["ratio"]),
            ("requests a second, learning / idle", found["rate_ratio"]),
            ("stopped after, s", found["stopped_after_s"]),
        ):
            numbers = [f"{value[key]:.2f}" for key in ("median", "min", "max")]
            rows.append([clients, name, *numbers])
    table(rows)


if __name__ == "__main__":
    main()

"""What the labeling queue costs with a long history behind it, through HTTP where people wait.

One labeler alone for the time of an answer, many together for labels a second, and the verbs that
change or read thousands at once. With --ten-times all of it again at ten times the predictions.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

import psutil

from tests.bench.support.labeler import Page
from tests.bench.support.report import finish, quantile, spread, table
from tests.bench.support.seed import (
    Amounts,
    Installation,
    fill,
    installation,
    make_labelers,
    sign_in,
)
from tests.bench.support.servers import Server, gunicorn, serving

AT_ONCE = 10_000  # labels of a bulk correction
ROUNDS = 3
TARGETS = {
    "next_p95_ms": 15, "next_queries": 4, "submit_p95_ms": 20, "submit_queries": 8,
    "bulk_correct_s": 2, "bulk_undo_s": 2, "export_s": 5,
}  # fmt: skip
LEAST_RATE = {"PostgreSQL": 150, "SQLite": 100}  # labels a second
NOT_REAL = re.compile(r"^(BEGIN|COMMIT|SAVEPOINT|RELEASE|ROLLBACK)", re.IGNORECASE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    parser.add_argument("--predictions", type=int, default=70_000, help="that have a label")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--labelers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=15.0, help="of many labelers together")
    parser.add_argument("--pairs", type=int, default=400, help="of next and submit, alone")
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    parser.add_argument("--ten-times", action="store_true")
    options = parser.parse_args()
    sizes = [options.predictions, *([options.predictions * 10] if options.ten_times else [])]
    if len(sizes) > 1:  # each in a process of its own: Django knows one database a process
        found = [measured_apart(options, size) for size in sizes]
    else:
        found = [measure(options, sizes[0])]
    show(found)
    finish({"bench": "queue", "sizes": found})
    return 0


def measured_apart(options: argparse.Namespace, size: int) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.bench.queue", "--predictions", str(size)]
    for name in ("events", "labelers", "seconds", "pairs", "processes"):
        argv += [f"--{name}", str(getattr(options, name))]
    if options.database_url:
        argv += ["--database-url", options.database_url]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    (found,) = json.loads(done.stdout.splitlines()[-1])["sizes"]
    return found


def measure(options: argparse.Namespace, labeled: int) -> dict[str, Any]:
    with installation(options.database_url) as installed:
        began = time.perf_counter()
        # On top of the labeled ones a seventh waits, as many as the labelers will need.
        waiting = max(labeled // 7, options.pairs * 3 + int(options.seconds * 600))
        fill(Amounts(labeled, waiting, max(options.events, labeled)))
        figures: dict[str, Any] = {
            "database": installed.database, "labeled": labeled, "waiting": waiting,
            "events": max(options.events, labeled),
            "seeded_in_s": round(time.perf_counter() - began, 1),
        }  # fmt: skip
        people = [sign_in(user) for user in make_labelers(options.labelers + 1)]
        figures |= queries(people[0])
        figures |= through_http(installed, options, people)
        figures |= in_bulk(labeled)
        figures |= exported()
    return figures


# -- where people wait ---------------------------------------------------------------------------


def queries(session: str, pairs: int = 40) -> dict[str, int]:
    """The most queries of a request, besides beginnings and ends of transactions."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from labeling.queue.intake import watch

    client = Client(headers={"host": "localhost"})
    client.cookies[settings.SESSION_COOKIE_NAME] = session

    def counted(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with CaptureQueriesContext(connection) as asked:
            answer = client.post(f"/api/v1/labels/{path}", json.dumps(body), "application/json")
        assert answer.status_code == 200, answer.content
        real = [each for each in asked.captured_queries if not NOT_REAL.match(each["sql"])]
        return len(real), answer.json()

    most = {"next_queries": 0, "submit_queries": 0}
    for number in range(pairs + 1):
        watch.looked_at = time.monotonic()  # the look of once a second is not what is counted
        asked, body = counted("next/", {"count": 1})
        (item,) = body["items"]
        submitted, _ = counted("", answer_to(item))
        if number:  # the first also loads what the process keeps
            most["next_queries"] = max(most["next_queries"], asked)
            most["submit_queries"] = max(most["submit_queries"], submitted)
    connection.close()
    return most


def answer_to(item: dict[str, Any]) -> dict[str, Any]:
    said = {"digit": 7, "seconds": 1.2, "request_id": str(uuid.uuid4())}
    return {"id": item["id"], "token": item["token"], **said}


def through_http(
    installed: Installation, options: argparse.Namespace, people: Sequence[str]
) -> dict[str, Any]:
    env = {**installed.env, "WEB_PROCESSES": str(options.processes)}
    with serving("inkloop", gunicorn, ready="/readyz", env=env) as server:
        warm_up(server.port, people)
        before = cpu_seconds(server)
        found = alone(server.port, people[0], options.pairs)
        found["server_cpu_ms_a_pair"] = milliseconds((cpu_seconds(server) - before) / options.pairs)
        for name, at_a_time in (("labels_per_s", 1), ("labels_per_s_by_fives", 5)):
            found[name], waits = together(server.port, people[1:], options.seconds, at_a_time)
            found[f"{name}_submit_p95_ms"] = milliseconds(quantile(waits, 0.95))
            found[f"{name}_n"] = len(waits)
    found["processes"] = options.processes
    found["load_average"] = round(os.getloadavg()[0], 1)
    return found


def cpu_seconds(server: Server) -> float:
    """Of all its processes; unlike time on the wall it hardly minds what else the machine does."""
    master = psutil.Process(server.process.pid)
    return sum(sum(each.cpu_times()[:2]) for each in master.children(recursive=True))


def warm_up(port: int, people: Sequence[str]) -> None:
    """Every process and thread has answered before a clock runs."""
    together(port, people[1:], 2.0, 1)


def alone(port: int, session: str, pairs: int) -> dict[str, Any]:
    page = Page(port, session)
    nexts, submits = [], []
    for _ in range(pairs):
        began = time.perf_counter()
        _, body = page.post("next/", {"count": 1})
        answered = time.perf_counter()
        status, _ = page.post("", answer_to(body["items"][0]))
        assert status == 200
        nexts.append(answered - began)
        submits.append(time.perf_counter() - answered)
    return {
        "next_p50_ms": milliseconds(statistics.median(nexts)),
        "next_p95_ms": milliseconds(quantile(nexts, 0.95)),
        "submit_p50_ms": milliseconds(statistics.median(submits)),
        "submit_p95_ms": milliseconds(quantile(submits, 0.95)),
        "pairs": pairs,
    }


def together(
    port: int, people: Sequence[str], seconds: float, at_a_time: int
) -> tuple[float, list[float]]:
    """Labels a second of all of them, and how long each submit took."""
    waits: list[list[float]] = [[] for _ in people]
    began = time.perf_counter()

    def work(session: str, own: list[float]) -> None:
        page = Page(port, session)
        while time.perf_counter() - began < seconds:
            _, body = page.post("next/", {"count": at_a_time})
            for item in body["items"]:
                sent = time.perf_counter()
                status, answer = page.post("", answer_to(item))
                assert status == 200, answer
                own.append(time.perf_counter() - sent)

    threads = [threading.Thread(target=work, args=each) for each in zip(people, waits, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    every = list(itertools.chain.from_iterable(waits))
    return round(len(every) / took, 1), every


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


# -- thousands at once ---------------------------------------------------------------------------


def in_bulk(labeled: int) -> dict[str, Any]:
    """The verbs behind the admin's bulk correction, over a filter that matches many."""
    from django.contrib.auth.models import User

    from labeling.batches import batches, bulk
    from labeling.batches.selections import as_shown
    from labeling.decisions.decisions import Answer
    from predictions.models import Prediction

    somebody = User.objects.order_by("pk")[0]
    chosen = Prediction.objects.filter(pk__lte=min(AT_ONCE, labeled), label__isnull=False)
    corrections, undos, cpu, count = [], [], [], 0
    for number in range(ROUNDS):
        began, worked = time.perf_counter(), time.process_time()
        shown = as_shown(chosen)  # as the page does that asks what to do
        batch = bulk.set_verdict(shown, Answer(number), by=somebody, chosen_by={}).batch
        done = time.perf_counter()
        batches.undo_batch(batch, by=somebody)
        corrections.append(done - began)
        undos.append(time.perf_counter() - done)
        cpu.append(time.process_time() - worked)
        count = batch.count
    return {
        "bulk_of": count, "bulk_correct_s": spread(corrections), "bulk_undo_s": spread(undos),
        "bulk_both_own_cpu_s": spread(cpu),
    }  # fmt: skip


def exported() -> dict[str, Any]:
    """Every label as CSV, and what that added to this process's memory after a first part."""
    from labeling.files import export

    process = psutil.Process()
    took, grown, size, count = [], [], 0, 0
    for _ in range(ROUNDS):
        count, size, first = 0, 0, 0
        began = time.perf_counter()
        for page in export.as_csv(export.rows()):
            first = first or process.memory_info().rss
            size += len(page)
            count += page.count("\n")
        took.append(time.perf_counter() - began)
        grown.append((process.memory_info().rss - first) / 1e6)
    return {
        "export_labels": count - 1, "export_s": spread(took), "export_mb": round(size / 1e6, 1),
        "export_grew_mb": spread(grown),
    }  # fmt: skip


# -- the report ----------------------------------------------------------------------------------


def show(found: list[dict[str, Any]]) -> None:
    heading = ["figure", "target", *[f"{each['labeled']:,} labeled" for each in found]]
    names = [name for name in found[0] if isinstance(single(found[0][name]), int | float)]
    rows: list[list[Any]] = [heading + (["ratio"] if len(found) > 1 else [])]
    for name in names:
        values = [single(each[name]) for each in found]
        ratio = [f"{values[1] / values[0]:.2f}" if values[0] else ""] if len(found) > 1 else []
        rows.append([name, target(name, found[0]["database"]), *values, *ratio])
    print(f"{found[0]['database']}, {found[0]['events']:,} events")
    table(rows)


def single(value: Any) -> Any:
    return value["median"] if isinstance(value, dict) else value


def target(name: str, database: str) -> str:
    if name == "labels_per_s":
        return f">= {LEAST_RATE[database]}"
    return f"<= {TARGETS[name]}" if name in TARGETS else ""


if __name__ == "__main__":
    sys.exit(main())

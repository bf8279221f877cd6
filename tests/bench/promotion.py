"""Promotions and rollbacks under load, against two web servers that share nothing but a database.

Clients post drawings in a closed loop, first undisturbed, then while the live version changes again
and again. Counted are failed requests, answers that name a version which was not live during them,
for how long a replaced version went on answering, and what it cost: the p95 against the calm.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import http.client
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.predict import BOUNDARY, drawings, manage, multipart
from tests.bench.support.report import finish, quantile, table
from tests.bench.support.servers import Server, gunicorn, serving

PREDICTIONS = "/api/v1/predictions/"
LATE = 2.0  # seconds a replaced version may go on answering
BASE = "base"


@dataclass
class Answer:
    asked_at: float  # seconds since 1970, as the ledger counts
    answered_at: float
    status: int
    model: str

    @property
    def seconds(self) -> float:
        return self.answered_at - self.asked_at


@dataclass
class Clients:
    """A closed loop of clients, spread over the servers."""

    ports: list[int]
    count: int
    bodies: list[bytes]
    answers: list[Answer] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        threads = [threading.Thread(target=self.run, args=(n, stop)) for n in range(self.count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def run(self, number: int, stop: threading.Event) -> None:
        port = self.ports[number % len(self.ports)]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        at = number
        while not stop.is_set():
            self.answers.append(self.ask(connection, self.bodies[at % len(self.bodies)]))
            at += self.count
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, body: bytes) -> Answer:
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        began = time.time()
        try:
            connection.request("POST", PREDICTIONS, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Answer(began, time.time(), 0, "")
        model = json.loads(content)["model"] if answer.status == 201 else ""
        return Answer(began, time.time(), answer.status, model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100, help="promotions and rollbacks")
    parser.add_argument("--every", type=float, default=0.8, help="seconds between two of them")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--calm", type=float, default=20.0, help="seconds of undisturbed load")
    parser.add_argument("--database", default="", help="a PostgreSQL URL; SQLite unless given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "DATA_DIR": folder,
            "DATABASE_URL": options.database or f"sqlite:///{Path(folder) / 'db.sqlite3'}",
            "LOG_LEVEL": "CRITICAL",
        }
        manage(env, "migrate", "-v0")
        change = Changes(env, options.changes)
        bodies = [multipart(png) for png in drawings()]
        with (
            serving("one", gunicorn, ready="/readyz", env=env) as one,
            serving("two", gunicorn, ready="/readyz", env=env) as two,
        ):
            figures = measure([one, two], change, bodies, options)
    show(figures)
    finish(figures)


class Changes:
    """Versions to promote, and the ledger of when each was live."""

    def __init__(self, env: dict[str, str], count: int) -> None:
        os.environ.update(env, DJANGO_SETTINGS_MODULE="config.settings")
        import django

        django.setup()
        from predictions.serving.registry import register
        from tests.factories import make_bundle
        from training.versions import promotion

        self.promotion = promotion
        self.count = count
        base = register(make_bundle(BASE, favorite=0))
        promotion.promote(base, by=None, why="bench")
        self.versions = [
            register(make_bundle(f"v{number}", favorite=1 + number % 9, seed=number))
            for number in range((count + 1) // 2)
        ]

    def run(self, every: float) -> list[float]:
        """Promote and roll back in turn; how long each took."""
        took = []
        for number in range(self.count):
            began = time.perf_counter()
            if number % 2 == 0:
                self.promotion.promote(self.versions[number // 2], by=None, why="bench")
            else:
                self.promotion.rollback(by=None, why="bench")
            took.append(time.perf_counter() - began)
            time.sleep(every)
        return took

    def ledger(self) -> list[tuple[float, str]]:
        from training.models import Promotion

        rows = Promotion.objects.order_by("pk").values_list("made_at", "after__name")
        return [(made_at.timestamp(), name) for made_at, name in rows]


def measure(
    servers: list[Server], change: Changes, bodies: list[bytes], options: argparse.Namespace
) -> dict[str, Any]:
    ports = [server.port for server in servers]
    warm = Clients(ports, options.clients, bodies)
    with warm.running():
        time.sleep(2)
    calm = Clients(ports, options.clients, bodies)
    with calm.running():
        time.sleep(options.calm)
    memory = [server.memory() for server in servers]
    busy = Clients(ports, options.clients, bodies)
    with busy.running():
        took = change.run(options.every)
        time.sleep(LATE)
    grown = [server.memory() - before for server, before in zip(servers, memory, strict=True)]
    ledger = change.ledger()
    late = [lateness(answer, ledger) for answer in busy.answers if answer.status == 201]
    p95 = {
        name: 1_000 * quantile([answer.seconds for answer in clients.answers], 0.95)
        for name, clients in (("calm", calm), ("changing", busy))
    }
    return {
        "changes": options.changes,
        "clients": options.clients,
        "database": "postgresql" if options.database else "sqlite",
        "requests": {"calm": len(calm.answers), "changing": len(busy.answers)},
        "failed": sum(answer.status != 201 for answer in [*calm.answers, *busy.answers]),
        "never_live": sum(each == float("inf") for each in late),
        "later_than_allowed": sum(each > LATE for each in late),
        "late_s": {"p95": round(quantile(late, 0.95), 3), "max": round(max(late), 3)},
        "versions_seen": len({answer.model for answer in busy.answers}),
        "p95_ms": {name: round(value, 1) for name, value in p95.items()},
        "p95_ratio": round(p95["changing"] / p95["calm"], 2),
        "change_ms": {
            "median": round(1_000 * quantile(took, 0.5), 1),
            "max": round(1_000 * max(took), 1),
        },
        "memory_grown_mb": [round(each, 1) for each in grown],
    }


def lateness(answer: Answer, ledger: list[tuple[float, str]]) -> float:
    """For how long the version it names had been replaced when it was asked; 0 if it was live."""
    times = [at for at, _ in ledger]
    place = bisect.bisect_right(times, answer.answered_at) - 1
    replaced_at = float("inf")
    while place >= 0:
        since, name = ledger[place]
        if name == answer.model:
            return max(0.0, answer.asked_at - replaced_at)
        replaced_at = since
        place -= 1
    return float("inf")


def show(figures: dict[str, Any]) -> None:
    table([("what", "measured"), *figures.items()])


if __name__ == "__main__":
    main()

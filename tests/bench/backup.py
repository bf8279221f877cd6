"""Backups taken while labelers label, and brought back elsewhere: is every label there?

Labelers label through HTTP. In the middle of it `manage.py backup` runs. Every label whose answer
came before the backup began must be in what is restored, in an installation of its own, and no
table may differ. Three times; then the file is cut short, and must be refused.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.bench.queue import answer_to
from tests.bench.support.labeler import Page
from tests.bench.support.report import finish, quantile, table
from tests.bench.support.seed import (
    Amounts,
    Installation,
    fill,
    installation,
    make_labelers,
    sign_in,
)
from tests.bench.support.servers import ROOT, gunicorn, serving
from tests.migrated import fresh_postgresql

WARM_UP = 100  # labels before the backup begins
PATIENCE = 180.0  # seconds to wait for them
GO_ON = 2.0  # and after it has ended


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    parser.add_argument("--predictions", type=int, default=20_000, help="that have a label")
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--labelers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with installation(options.database_url) as installed:
        waiting = options.rounds * options.labelers * 2_000
        fill(Amounts(options.predictions, waiting, options.events))
        people = [sign_in(user) for user in make_labelers(options.labelers)]
        with serving("inkloop", gunicorn, ready="/readyz", env=installed.env) as server:
            rounds = [
                measure(installed, options, server.port, people) for _ in range(options.rounds)
            ]
    show(installed.database, rounds)
    finish({"bench": "backup", "database": installed.database, "rounds": rounds})
    is_good = all(
        each["lost"] == 0 and each["equal"] and each["refused_when_cut"] for each in rounds
    )
    return 0 if is_good else 1


@dataclass
class Diary:
    """What labelers were told, and when."""

    acknowledged: list[tuple[float, str, int, float]] = field(default_factory=list)
    failures: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)

    def label(self, port: int, session: str) -> None:
        page = Page(port, session)
        while not self.is_over.is_set():
            _, body = page.post("next/", {"count": 1})
            for item in body["items"]:
                said = answer_to(item)
                began = time.time()
                status, _ = page.post("", said)
                at = time.time()
                if status == 200:
                    self.acknowledged.append((at, said["request_id"], said["digit"], at - began))
                else:
                    self.failures += 1


def measure(
    installed: Installation, options: argparse.Namespace, port: int, people: Sequence[str]
) -> dict[str, Any]:
    diary = Diary()
    threads = [threading.Thread(target=diary.label, args=(port, each)) for each in people]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    while len(diary.acknowledged) < WARM_UP and time.monotonic() < deadline:
        time.sleep(0.05)
    with tempfile.TemporaryDirectory(prefix="inkloop-bench-") as folder:
        file = Path(folder) / "under_load.backup"
        began = time.time()
        made = command(installed.env, "backup", str(file))
        ended = time.time()
        frozen = datetime.fromisoformat(made["made_at"]).timestamp()
        time.sleep(GO_ON)
        diary.is_over.set()
        for thread in threads:
            thread.join()
        return {
            **waits(diary, began, ended),
            "backup_s": round(ended - began, 2),
            "mb": round(made["bytes"] / 1e6, 1),
            "rows": sum(made["rows"].values()),
            "refused_requests": diary.failures,
            **brought_back(options, file, diary, frozen),
            "refused_when_cut": is_refused_when_cut(options, file),
        }


def waits(diary: Diary, began: float, ended: float) -> dict[str, Any]:
    """How long an answer took while the backup ran, and while it did not."""
    during = [took for at, *_, took in diary.acknowledged if began <= at <= ended]
    else_ = [took for at, *_, took in diary.acknowledged if not began <= at <= ended]
    return {
        "labels": len(diary.acknowledged),
        "during_p50_ms": round(statistics.median(during) * 1000, 1) if during else None,
        "during_p95_ms": round(quantile(during, 0.95) * 1000, 1) if during else None,
        "during_n": len(during),
        "else_p50_ms": round(statistics.median(else_) * 1000, 1),
        "else_p95_ms": round(quantile(else_, 0.95) * 1000, 1),
    }


def brought_back(
    options: argparse.Namespace, file: Path, diary: Diary, frozen: float
) -> dict[str, Any]:
    """Restored into a database of its own, and asked for every label that had been answered."""
    with elsewhere(options) as env:
        started = time.monotonic()
        done = command(env, "restore", str(file))
        took = time.monotonic() - started
        there = dict(labels_in(env))
    due = {key: digit for at, key, digit, _ in diary.acknowledged if at < frozen}
    lost = [key for key, digit in due.items() if there.get(key) != digit]
    return {
        "restore_s": round(took, 2),
        "equal": done["equal"],
        "labels_differing": done["labels_differing"],
        "due": len(due),
        "lost": len(lost),
    }


ASK = """
import json, django
django.setup()
from labeling.models import LabelEvent
rows = LabelEvent.objects.filter(request_id__isnull=False).values_list("request_id", "digit")
print(json.dumps([[str(key), digit] for key, digit in rows]))
"""


def labels_in(env: dict[str, str]) -> list[tuple[str, int]]:
    asked = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=full(env), capture_output=True, check=True
    )
    return [(key, digit) for key, digit in json.loads(asked.stdout)]


def is_refused_when_cut(options: argparse.Namespace, file: Path) -> bool:
    cut = file.with_name("cut.backup")
    cut.write_bytes(file.read_bytes()[: secrets.randbelow(file.stat().st_size)])
    with elsewhere(options) as env:
        done = subprocess.run(
            [sys.executable, "manage.py", "restore", str(cut)],
            cwd=ROOT, env=full(env), capture_output=True, text=True, check=False,
        )  # fmt: skip
    return done.returncode == 1 and "its end is missing" in done.stderr


@contextlib.contextmanager
def elsewhere(options: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Another folder and another database, empty."""
    with contextlib.ExitStack() as at_end:
        folder = at_end.enter_context(tempfile.TemporaryDirectory(prefix="inkloop-bench-"))
        url = f"sqlite:///{folder}/elsewhere.sqlite3"
        if options.database_url:
            url = at_end.enter_context(fresh_postgresql(options.database_url))
        yield {
            "DATA_DIR": folder,
            "DATABASE_URL": url,
            "SECRET_KEY": settings.SECRET_KEY,  # which sealed the file
            "LOG_LEVEL": "ERROR",
        }


def full(env: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **env}


def command(env: dict[str, str], *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments, "--json", "--verbosity", "0"],
        cwd=ROOT, env=full(env), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not done.stdout:
        sys.exit(done.stderr)
    body: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return body


def show(database: str, rounds: list[dict[str, Any]]) -> None:
    print(database)
    headings = ["figure", *[f"round {number}" for number, _ in enumerate(rounds, 1)]]
    table([headings, *[[name, *[each[name] for each in rounds]] for name in rounds[0]]])


if __name__ == "__main__":
    sys.exit(main())

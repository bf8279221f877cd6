"""Fine-tunes under fire: whatever is killed, every run ends once and nothing is left over.

    ./run bench faults [--times 10] [--only FAULT …] [--postgresql FOLDER]

An installation as ./run starts it, with a lesson of seconds that replays digits drawn from
templates, so that no minute goes into reading MNIST. Round by round and fault by fault a run is
asked for, one thing is broken while it learns, and it is watched to its end: its row must say that
it ended exactly once, every epoch must stand once, one version must have come of it, no process may
be left over, and within 90 s a job must have passed again through the cluster that was hit.

SQLite unless `--postgresql` names the folder of PostgreSQL's programs: then a server of its own is
started, which is the only one that is ever stopped. A full disk is a small file system of memory
(root alone may mount one) with a file that fills it for some seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from tests.bench.support.report import finish, table
from tests.bench.support.servers import free_port
from tests.operation.installation import Installation, gone, title_of, until
from training.runs.recipe import Tuning

TINY = replace(
    Tuning(), epochs=8, digits_an_epoch=768, batch_size=64, validation=64,
    replays="written",
)  # fmt: skip
ONE_THREAD = {"TRAINING_THREADS": "1"}  # two take turns to wait for each other on a busy machine
LABELS = 40
BACK_WITHIN = 90.0  # seconds until a job passes again
DEAD_WITHIN = 15.0  # seconds until what was broken, and what hung on it, is gone
LEFT_WITHIN = 60.0  # seconds until the process that ended the run has left too; it steps back
PATIENCE = 1_200.0  # seconds for a run, however busy the machine
FULL_FOR = 8.0  # seconds
DISK = "400m"
LEFT_FREE = 64 * 1024  # bytes: small rows still fit, a checkpoint does not
TRAINING, SHORT = "training", "inkloop"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT")
    parser.add_argument("--postgresql", type=Path, help="where pg_ctl and initdb are")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with us
    with contextlib.ExitStack() as at_end:
        bench = Bench(at_end, options.postgresql)
        bench.start()
        done = [bench.hit(name) for _ in range(options.times) for name in options.only]
    return report(done, "PostgreSQL" if options.postgresql else "SQLite")


@dataclass
class Outcome:
    fault: str
    wrong: list[str] = field(default_factory=list)
    skipped: str = ""
    back_after: float = 0.0  # seconds until a job passed again
    ended_after: float = 0.0  # seconds from the fault to the end of the run
    attempts: int = 0


class Bench:
    """The installation, its disk and its database server."""

    def __init__(self, at_end: contextlib.ExitStack, postgresql: Path | None) -> None:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="inkloop-faults-")))
        self.disk = at_end.enter_context(small_disk(folder / "disk"))
        self.server = None
        if postgresql is not None:
            self.server = at_end.enter_context(PostgreSQL(postgresql, folder / "disk").running())
        home = folder / "disk" / "home"
        home.mkdir()
        url = self.server.url if self.server else ""
        self.installation = Installation(home, url, settings=ONE_THREAD)
        at_end.callback(self.installation.end)
        self.dice = random.Random(0)

    def start(self) -> None:
        self.installation.start()
        os.environ.update(self.installation.environment, DJANGO_SETTINGS_MODULE="config.settings")
        os.environ["LOG_LEVEL"] = "CRITICAL"
        import django

        django.setup()
        from tests.training.lessons import labeled

        for at in range(LABELS):
            labeled(at % 10, read=at % 10)

    def hit(self, name: str) -> Outcome:
        """One run, broken once on its way."""
        from django.db import connection

        outcome = Outcome(name)
        outcome.skipped = self.why_not(name)
        if outcome.skipped:
            return outcome
        run = self.learning_run()
        cluster = SHORT if name == "idle worker" else TRAINING
        before = self.installation.worked_at(cluster)
        old, at = self.cluster(cluster), time.monotonic()
        victims = FAULTS[name](self, old)
        self.are_gone(lambda: victims, DEAD_WITHIN, outcome)
        outcome.back_after = self.jobs_pass(cluster, before, at, outcome)
        connection.close()  # the database may be another process by now
        self.watch_to_its_end(run, outcome, at)
        self.examine(run, outcome)
        print(
            f"{name}: {'; '.join(outcome.wrong) or 'well'} ({outcome.ended_after:.0f} s)",
            flush=True,
        )
        return outcome

    def why_not(self, name: str) -> str:
        if name == "disk full" and self.disk is None:
            return "only root may mount a small disk"
        if name == "database restarted" and self.server is None:
            return "SQLite has no server"
        return ""

    def learning_run(self) -> Any:
        """A run on its way through an epoch, with one behind it."""
        from training.runs.retrain import ask

        until(lambda: len(self.cluster(TRAINING)) >= 5, what="the cluster is up")
        with patch("training.runs.retrain.Tuning", lambda: TINY):
            run = ask(trigger="command", seed=self.dice.randrange(1_000))
        until(lambda: run.epochs.exists(), what="an epoch is done")
        time.sleep(self.dice.random() / 2)
        return run

    def cluster(self, name: str) -> list[psutil.Process]:
        """Main, guard, worker, monitor, pusher, and what these started."""
        found = self.installation.named(f"inkloop: work {name}")
        with contextlib.suppress(psutil.NoSuchProcess):
            return [*found[:1], *(found[0].children(recursive=True) if found else [])]
        return []

    def jobs_pass(self, cluster: str, before: Any, at: float, outcome: Outcome) -> float:
        """A cluster at a run passes no other job; the run's own is one too."""
        while time.monotonic() - at < PATIENCE:
            with contextlib.suppress(Exception):  # the server may be on its way up
                if self.installation.worked_at(cluster) != before or self.is_learning():
                    break
            time.sleep(0.2)
        took = time.monotonic() - at
        if took > BACK_WITHIN:
            outcome.wrong.append(f"a job passed only after {took:.0f} s")
        return took

    def is_learning(self) -> bool:
        return bool(self.lessons())

    def lessons(self) -> list[psutil.Process]:
        return [each for each in self.installation.processes() if "train_run" in title_of(each)]

    def watch_to_its_end(self, run: Any, outcome: Outcome, at: float) -> None:
        from django.db import DatabaseError, connection

        while time.monotonic() - at < PATIENCE:
            try:
                run.refresh_from_db(fields=["state", "log", "attempts", "reason", "version"])
            except DatabaseError:
                connection.close()
            if not run.is_active:
                break
            time.sleep(0.5)
        outcome.ended_after, outcome.attempts = time.monotonic() - at, run.attempts

    def are_gone(
        self, which: Callable[[], list[psutil.Process]], within: float, outcome: Outcome
    ) -> None:
        """None of these processes is left: not even one that would end by itself later."""
        deadline = time.monotonic() + within
        while not gone(which()) and time.monotonic() < deadline:
            time.sleep(0.2)
        if left := [f"{each.pid} {title_of(each)}" for each in which() if not gone([each])]:
            outcome.wrong.append(f"left over after {within:.0f} s: {left}")

    def examine(self, run: Any, outcome: Outcome) -> None:
        wrong = outcome.wrong
        if run.state != "done":
            wrong.append(f"the run is {run.state} after {run.attempts} attempts: {run.reason}")
        if (ends := run.log.count("Ended ")) != 1:
            wrong.append(f"it ended {ends} times")
        if (numbers := list(run.epochs.values_list("number", flat=True))) != [
            *range(1, TINY.epochs + 1)
        ]:
            wrong.append(f"its epochs are {numbers}")
        if run.version is None:
            wrong.append("no version came of it")
        self.are_gone(self.lessons, LEFT_WITHIN, outcome)


# -- what is broken ----------------------------------------------------------------------------


def kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)


def training_process(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    lessons = bench.lessons()
    for process in lessons:
        kill(process)
    return lessons


def busy_worker(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    worker = bench.lessons()[0].parent()
    assert worker is not None
    kill(worker)
    return cluster


def idle_worker(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    kill(next(each for each in cluster if title_of(each).endswith("idle")))
    return cluster


def main_process(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    kill(cluster[0])
    return cluster


def guard(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    kill(next(each for each in cluster if title_of(each).startswith("inkloop: guard")))
    return cluster


def group(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    os.killpg(cluster[0].pid, signal.SIGKILL)
    return cluster


def disk_full(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    """From now on, for some seconds, no checkpoint fits."""
    assert bench.disk is not None
    ballast = bench.disk / "ballast"
    with ballast.open("wb") as file:
        while True:
            free = shutil.disk_usage(bench.disk).free
            with contextlib.suppress(OSError):  # the database took some of it meanwhile
                os.posix_fallocate(file.fileno(), 0, max(free - LEFT_FREE, 1))
                break
    time.sleep(FULL_FOR)
    ballast.unlink()
    return []


def database_restarted(bench: Bench, cluster: list[psutil.Process]) -> list[psutil.Process]:
    assert bench.server is not None
    bench.server.control("restart", "-m", "immediate")
    return []


Fault = Callable[[Bench, list[psutil.Process]], list[psutil.Process]]
FAULTS: dict[str, Fault] = {  # each returns the processes that must be gone afterwards
    "training process": training_process,
    "busy worker": busy_worker,
    "idle worker": idle_worker,
    "main process": main_process,
    "guard": guard,
    "group": group,
    "disk full": disk_full,
    "database restarted": database_restarted,
}


# -- what it stands on -------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system that can be filled without harm to anybody; None where we may not mount."""
    folder.mkdir()
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "inkloop-faults", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


@dataclass
class PostgreSQL:
    """A server of the bench's own, to be stopped at will."""

    programs: Path
    disk: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    @contextlib.contextmanager
    def running(self) -> Iterator[PostgreSQL]:
        data = self.disk / "postgresql"
        data.mkdir(mode=0o700)
        if self.user:
            shutil.chown(data, self.user)
        self.call("initdb", "-D", str(data), "-A", "trust", "-U", "postgres")
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(f"port = {self.port}\nunix_socket_directories = '{data}'\n")
            file.write("max_wal_size = 64MB\nmax_connections = 60\n")
        self.control("start")
        try:
            yield self
        finally:
            self.control("stop", "-m", "immediate")

    @property
    def user(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        return "postgres" if os.getuid() == 0 else None

    def control(self, *words: str) -> None:
        data = self.disk / "postgresql"
        self.call("pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), *words)

    def call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments], user=self.user, cwd="/", check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


# -- what came of it ---------------------------------------------------------------------------


def report(done: list[Outcome], database: str) -> int:
    rows: list[list[Any]] = [["fault", "times", "well", "slowest job", "slowest end", "attempts"]]
    figures: dict[str, Any] = {"bench": "faults", "database": database, "load": os.getloadavg()[0]}
    for name in dict.fromkeys(each.fault for each in done):
        mine = [each for each in done if each.fault == name]
        if mine[0].skipped:
            rows.append([name, 0, f"not possible: {mine[0].skipped}", "", "", ""])
            continue
        well = sum(not each.wrong for each in mine)
        slowest = [max(each.back_after for each in mine), max(each.ended_after for each in mine)]
        most = max(each.attempts for each in mine)
        rows.append([name, len(mine), well, *(f"{each:.0f} s" for each in slowest), most])
        figures[name] = {
            "times": len(mine), "well": well, "slowest_job_s": round(slowest[0], 1),
            "slowest_end_s": round(slowest[1], 1), "most_attempts": most,
            "wrong": [each.wrong for each in mine if each.wrong],
        }  # fmt: skip
    table(rows)
    finish(figures)
    return 1 if any(each.wrong for each in done) else 0


if __name__ == "__main__":
    sys.exit(main())

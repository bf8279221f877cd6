"""Plants faults in the rules, one at a time, and counts how many the tests find.

    ./run bench mutants [--only NAME …] [--jobs N]

The faults are those a person could make: a flipped comparison, a bound that is off by one, a
forgotten condition. They are listed in tests/bench/planted/, each with the tests that concern it.
Each job works on a copy of the tree: it changes one file, runs these tests on SQLite until one
fails, and restores the file. Before, the tests run once without a fault and must pass. A run that
takes ten times as long is stopped and listed apart: a fault is found only if a test fails.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.bench.planted.every import FAULTS
from tests.bench.planted.fault import Fault
from tests.bench.support.report import finish, table
from training.workers.die_with_parent import die_with

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".hypothesis", "__pycache__", "data", "shared")
PYTEST = (
    "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0",
    "--hypothesis-profile=first failure",  # to shrink it takes minutes
    "-m", "not slow and not browser and not postgresql",
)  # fmt: skip
FIRST = 900.0  # seconds for tests without a fault
LEAST = 60.0  # seconds for tests with a fault, at least
SLOWER = 10  # times as long as without a fault

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ran:
    """How one run of tests ended."""

    outcome: str  # "passed", "failed" or "timed out"
    seconds: float
    output: str


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="a module, or part of a name")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    options = parser.parse_args()
    wanted = list(chosen(options.only))
    if not wanted:
        parser.error(f"No fault has such a name; the modules are {', '.join(FAULTS)}.")
    if wrong := [why for _, fault in wanted if (why := misplaced(fault))]:
        sys.exit("\n".join(wrong))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # remove the copies
    started_at = time.monotonic()
    with copies(options.jobs) as trees:
        limits = limits_without_faults(wanted, trees)
        outcomes = in_parallel(trees, functools.partial(plant, limits), wanted)
    return report(wanted, outcomes, seconds=time.monotonic() - started_at)


def chosen(names: Sequence[str] | None) -> Iterator[tuple[str, Fault]]:
    for module, faults in FAULTS.items():
        for fault in faults:
            if names is None or any(name == module or name in fault.name for name in names):
                yield module, fault


def misplaced(fault: Fault, root: Path = ROOT) -> str:
    """Why a fault cannot be planted, or an empty text."""
    found = (root / fault.file).read_text().count(fault.old)
    if found == 1:
        return ""
    return f"{fault.name!r}: {fault.file} has {found} times, not once: {fault.old!r}"


# -- copies of the tree -------------------------------------------------------------------------


@contextlib.contextmanager
def copies(jobs: int) -> Iterator[queue.Queue[Path]]:
    """One copy of the tree for each job; a job takes one and puts it back."""
    trees: queue.Queue[Path] = queue.Queue()
    with tempfile.TemporaryDirectory(prefix="inkloop-mutants-") as folder:
        for number in range(jobs):
            tree = Path(folder) / str(number)
            shutil.copytree(ROOT, tree, ignore=LEFT_OUT, symlinks=True)
            if (ROOT / ".venv").exists():
                (tree / ".venv").symlink_to((ROOT / ".venv").resolve())
            trees.put(tree)
        yield trees


def in_parallel(
    trees: queue.Queue[Path], do: Callable[[Path, T], R], given: Iterable[T]
) -> list[R]:
    def one(each: T) -> R:
        tree = trees.get()
        try:
            return do(tree, each)
        finally:
            trees.put(tree)

    pool = ThreadPoolExecutor(trees.qsize())
    try:
        return list(pool.map(one, given))
    finally:
        pool.shutdown(cancel_futures=True)


# -- runs of tests ------------------------------------------------------------------------------


def limits_without_faults(
    wanted: Iterable[tuple[str, Fault]], trees: queue.Queue[Path]
) -> dict[tuple[str, ...], float]:
    """Run each set of tests without a fault; return the seconds each may take with one."""
    sets = list(dict.fromkeys(fault.tests for _, fault in wanted))
    return dict(zip(sets, in_parallel(trees, limit_without_a_fault, sets), strict=True))


def limit_without_a_fault(tree: Path, tests: tuple[str, ...]) -> float:
    ran = run_tests(tree, tests, seconds=FIRST)
    if ran.outcome != "passed":
        sys.exit(f"{ran.output}\nWithout a fault: {' '.join(tests)} {ran.outcome}.")
    print(f"without a fault: {' '.join(tests)} passed ({ran.seconds:.0f} s)", flush=True)
    return max(LEAST, SLOWER * ran.seconds)


def plant(
    limits: dict[tuple[str, ...], float], tree: Path, wanted: tuple[str, Fault]
) -> tuple[str, float]:
    """Run a fault's tests with the fault; return the outcome and the seconds."""
    module, fault = wanted
    file = tree / fault.file
    text, stat = file.read_text(), file.stat()
    try:
        file.write_text(text.replace(fault.old, fault.new))
        ran = run_tests(tree, fault.tests, seconds=limits[fault.tests])
    finally:
        file.write_text(text)
        # Python compiles a file again if its time or size has changed.
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    outcome = {"failed": "found", "passed": "not found"}.get(ran.outcome, ran.outcome)
    print(f"{module}: {fault.name}: {outcome} ({ran.seconds:.0f} s)", flush=True)
    return outcome, ran.seconds


def run_tests(tree: Path, tests: tuple[str, ...], *, seconds: float) -> Ran:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    for name in ("DATABASE_URL", "DATA_DIR"):
        environment.pop(name, None)
    started_at = time.monotonic()
    with subprocess.Popen(
        [sys.executable, *PYTEST, *tests],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # the group is stopped with it
        preexec_fn=functools.partial(die_with, os.getpid()),
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Ran("timed out", time.monotonic() - started_at, output)
    took = time.monotonic() - started_at
    # 1: a test failed. 2: a module could not be imported. Others: the tests are named wrongly.
    if process.returncode not in {0, 1, 2}:
        return Ran(f"ended with code {process.returncode}", took, output)
    return Ran("failed" if process.returncode else "passed", took, output)


# -- report -------------------------------------------------------------------------------------


def report(
    wanted: Sequence[tuple[str, Fault]], outcomes: Sequence[tuple[str, float]], *, seconds: float
) -> int:
    planted = Counter(module for module, _ in wanted)
    found = Counter(
        module
        for (module, _), (outcome, _) in zip(wanted, outcomes, strict=True)
        if outcome == "found"
    )
    print()
    table(
        [
            ("module", "planted", "found"),
            *((module, count, found[module]) for module, count in planted.items()),
            ("all", planted.total(), found.total()),
        ]
    )
    others: dict[str, list[str]] = {}
    for (module, fault), (outcome, _) in zip(wanted, outcomes, strict=True):
        if outcome != "found":
            others.setdefault(outcome, []).append(f"{module}: {fault.name}")
    for outcome, names in others.items():
        print(f"\n{outcome.capitalize()}:")
        for name in names:
            print(f"  {name}")
    print()
    finish(
        {
            "planted": planted.total(),
            "found": found.total(),
            "share": round(found.total() / planted.total(), 4),
            "by_module": {
                module: {"planted": count, "found": found[module]}
                for module, count in planted.items()
            },
            "others": others,
            "seconds": round(seconds, 1),
        }
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

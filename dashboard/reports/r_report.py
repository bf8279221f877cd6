"""The dashboard's charts, drawn by R from the files that export_stats writes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from dashboard.figures import catalog
from dashboard.filters import Filters
from dashboard.reports.stats import export_stats
from predictions.errors import Declined

SCRIPT = Path(__file__).resolve().parents[1] / "r" / "report.R"
LONGEST = 240.0  # seconds; below the time limit of a background task
BEGUN, DRAWN = "drawing ", "drawn "  # the script prints these before the name of a chart
LAST_LINES = 8  # of R's output, shown if it failed


class NoR(Declined):
    """R or a package that the charts need is not installed."""

    code = "no_r"


class TookTooLong(Declined):
    """R was stopped at its limit; the charts drawn until then are there."""

    code = "took_too_long"


class RFailed(Exception):
    """R failed; the message is the end of its output."""


def rscript() -> str:
    """The path of Rscript; raise NoR, with what to install, if there is none."""
    found = shutil.which("Rscript")
    if found is None:
        raise NoR(
            "R is not installed on this machine: there is no Rscript on the path. On Debian and"
            " Ubuntu: apt install r-base-core r-cran-ggplot2. The dashboard works without it."
        )
    return found


def chart_names() -> list[str]:
    """The charts in the order in which they are drawn: one for each figure, and a pie."""
    found: list[str] = []
    for name in catalog.FIGURES:
        found += [name, f"{name}-as-pie"] if name == "accuracy-by-digit" else [name]
    return found


Told = Callable[[str], object]


def draw_report(
    to: Path,
    *,
    pdf: bool = False,
    filters: Filters | None = None,
    begun: Told = lambda name: None,
    drawn: Told = lambda name: None,
) -> list[Path]:
    """Draw every figure into a folder; return the files, PNGs first.

    `begun` and `drawn` are called with the name of each chart.
    """
    interpreter = rscript()
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as passing:
        export_stats(Path(passing), filters=filters, tables=())
        command = [interpreter, "--vanilla", str(SCRIPT), passing, str(to)]
        names = run_script([*command, "--pdf"] if pdf else command, begun, drawn)
    return [to / f"{name}.{kind}" for kind in kinds(pdf=pdf) for name in names]


def kinds(*, pdf: bool) -> tuple[str, ...]:
    return ("png", "pdf") if pdf else ("png",)


def run_script(command: list[str], begun: Told, drawn: Told) -> list[str]:
    """Run the script until it ends or its time is up; return the names of the charts drawn."""
    names: list[str] = []
    said: list[str] = []
    stopped = threading.Event()
    at = ""
    with subprocess.Popen(  # noqa: S603  (our own script, folders as its arguments)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:

        def stop() -> None:
            stopped.set()
            process.kill()

        timer = threading.Timer(LONGEST, stop)
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(BEGUN):
                    at = line.removeprefix(BEGUN).strip()
                    begun(at)
                elif line.startswith(DRAWN):
                    names.append(line.removeprefix(DRAWN).strip())
                    drawn(names[-1])
                else:
                    said.append(line)
        finally:
            timer.cancel()
    if stopped.is_set():
        raise TookTooLong(
            f"Stopped after {LONGEST:.0f} seconds, at {at or 'the start'}: {len(names)} of"
            f" {len(chart_names())} charts are drawn and kept."
        )
    if process.returncode:
        raise failure("".join(said[-LAST_LINES:]).strip(), process.returncode)
    return names


def failure(said: str, code: int) -> Exception:
    if "there is no package called" in said:
        return NoR(
            "R is installed, its package ggplot2 is not. On Debian and Ubuntu:"
            " apt install r-cran-ggplot2."
        )
    return RFailed(said or f"Rscript ended with code {code}.")

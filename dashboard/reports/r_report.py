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
DRAWN = "drawn "  # the script prints this and the name of each finished chart
LAST_LINES = 8  # of R's output, shown if it failed


class NoR(Declined):
    """R or a package that the charts need is not installed."""

    code = "no_r"


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


def count_of_charts() -> int:
    """The number of charts: one for each figure, and a pie of accuracy by digit."""
    return len(catalog.FIGURES) + ("accuracy-by-digit" in catalog.FIGURES)


def draw_report(
    to: Path,
    *,
    pdf: bool = False,
    filters: Filters | None = None,
    drawn: Callable[[str], object] = lambda name: None,
) -> list[Path]:
    """Draw every figure into a folder; return the files, PNGs first."""
    interpreter = rscript()
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as passing:
        export_stats(Path(passing), filters=filters, tables=())
        return run_script(interpreter, Path(passing), to, pdf=pdf, drawn=drawn)


def run_script(
    interpreter: str, source: Path, to: Path, *, pdf: bool, drawn: Callable[[str], object]
) -> list[Path]:
    """Run the script on an export; call `drawn` with the name of each finished chart."""
    command = [interpreter, "--vanilla", str(SCRIPT), str(source), str(to)]
    names: list[str] = []
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603  (our own script, folders as its arguments)
        [*command, *(["--pdf"] if pdf else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        stop = threading.Timer(LONGEST, process.kill)
        stop.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(DRAWN):
                    names.append(line.removeprefix(DRAWN).strip())
                    drawn(names[-1])
                else:
                    said.append(line)
        finally:
            stop.cancel()
    if process.returncode:
        raise failure("".join(said[-LAST_LINES:]).strip(), process.returncode)
    kinds = ("png", "pdf") if pdf else ("png",)
    return [to / f"{name}.{kind}" for kind in kinds for name in names]


def failure(said: str, code: int) -> Exception:
    if "there is no package called" in said:
        return NoR(
            "R is installed, its package ggplot2 is not. On Debian and Ubuntu:"
            " apt install r-cran-ggplot2."
        )
    return RFailed(said or f"Rscript ended with code {code}.")

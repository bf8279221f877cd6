"""Everything CI checks, in order, with a summary: what ./run test runs.

With CI=true whatever could not be checked here (no Chromium, no PostgreSQL) is a failure.
TEST_DATABASE_URL names a PostgreSQL server on which tests may make a database of their own.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.migrated import postgresql_template

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, "manage.py"]
DESCRIPTION = ["spectacular", "--fail-on-warn", "--validate", "--file", os.devnull]
CODE = ["config", "predictions", "labeling", "training", "dashboard"]
AUDIT = [
    "pip_audit", "--requirement", "constraints.txt", "--no-deps", "--disable-pip",
    "--progress-spinner", "off",
]  # fmt: skip
# What it says, or dies of, where it could not ask the database.
NOT_ASKED = re.compile(r"requests\.exceptions\.\w+|ServiceError|Could not connect|not redirecting")
IS_CI = os.environ.get("CI", "").lower() in {"1", "true"}
NO_TESTS = 5  # pytest's exit code when nothing was collected
# There are more workers than cores: tests wait for the programs they start, and those with a
# browser wait more than half of their time. A worker needs up to a gigabyte.
CORES = min(os.cpu_count() or 1, 4)


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lines: list[str] = field(default_factory=list)

    def note(self, verdict: str, what: str, seconds: float = 0.0, why: str = "") -> None:
        line = f"  {verdict:<8} {what}" + (f" ({seconds:.1f} s)" if seconds else "")
        self.lines.append(line + (f": {why}" if why else ""))

    def note_missing(self, what: str, why: str) -> None:
        """A part that cannot be checked here: skipped, and said so; in CI a failure."""
        if IS_CI:
            self.failed += 1
        else:
            self.skipped += 1
        self.note("FAILED" if IS_CI else "skipped", what, why=why)


def main(arguments: Sequence[str]) -> int:
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="inkloop-test-") as folder:
        work = Path(folder)
        environment = plain_environment(work)
        if not arguments:
            check_code(tally, environment)
        run_tests(tally, environment, work, list(arguments))
    print("\nIn short:")
    print("\n".join(tally.lines))
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped", flush=True)
    return 1 if tally.failed else 0


def plain_environment(work: Path) -> dict[str, str]:
    """Ours without what configures the installation, and with data of its own."""
    settings = (ROOT / "config" / "settings.py").read_text() + (ROOT / "config/env.py").read_text()
    ours = set(re.findall(r'"([A-Z][A-Z_]+)"', settings))
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    # Tests start some hundred processes: none compiles our modules anew.
    own = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
    return {**kept, **own, "DATA_DIR": str(work / "data")}


# -- the code as it stands ---------------------------------------------------------------------


def check_code(tally: Tally, environment: dict[str, str]) -> None:
    production = {
        **environment,
        "ALLOWED_HOSTS": "digits.example.org",
        "SECRET_KEY": secrets.token_urlsafe(60),
        "PROXY_COUNT": "1",
    }
    deploy = [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"]
    checks: list[tuple[str, list[str], dict[str, str]]] = [
        ("formatting", ["ruff", "format", "--check", ".", "run"], environment),
        ("lint", ["ruff", "check", ".", "run"], environment),
        ("Django's checks", [*MANAGE, "check", "--fail-level", "WARNING"], environment),
        ("migrations", [*MANAGE, "makemigrations", "--check", "--dry-run"], environment),
        ("deployment", deploy, production),
        ("the API's description", [*MANAGE, *DESCRIPTION], environment),
    ]
    of_types = Tally()
    with ThreadPoolExecutor(1) as beside:  # it takes as long as all the others together
        types = beside.submit(check, of_types, "types", ["mypy", *CODE, "run"], environment)
        for each in checks:
            check(tally, *each)
        check(tally, "known vulnerabilities", AUDIT, environment, not_asked=NOT_ASKED)
        types.result()
    tally.failed += of_types.failed
    tally.lines += of_types.lines


def check(
    tally: Tally,
    what: str,
    argv: list[str],
    environment: dict[str, str],
    *,
    not_asked: re.Pattern[str] | None = None,
) -> None:
    """Run it; what ends with 0 is well. `not_asked` is how it says that it could not look."""
    command = argv if argv[0] == sys.executable else [sys.executable, "-m", *argv]
    started_at = time.monotonic()
    print(f"{what} …", flush=True)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started_at
    if done.returncode and not_asked and (why := not_asked.search(done.stderr)):
        # Also in CI: it says nothing of what was to be checked.
        tally.note("skipped", what, seconds, f"the database cannot be reached ({why[0]})")
        return
    if done.returncode:
        print(done.stdout + done.stderr, flush=True)
        tally.failed += 1
    tally.note("FAILED" if done.returncode else "ok", what, seconds)


# -- the tests ---------------------------------------------------------------------------------


def run_tests(tally: Tally, environment: dict[str, str], work: Path, arguments: list[str]) -> None:
    missing = missing_for_browsers()
    if missing:
        tally.note_missing("browser tests", missing)
    note_r(tally)
    if not arguments:  # once, before processes that serve them start side by side
        own = {**environment, "DATA_DIR": str(work / "first")}
        check(tally, "page files", [*MANAGE, "setup", "--only-static"], own)
    if not arguments and not IS_CI:
        tally.note("skipped", "tests that begin with git clone", why="CI=true runs them")
    for database, url in databases(tally):
        is_first = database == "SQLite"
        with postgresql_template(url) if url else contextlib.nullcontext({}) as copied:
            settings = {**environment, **({"DATABASE_URL": url} if url else {}), **copied}
            for what, options in parts(arguments, with_browsers=not missing, is_first=is_first):
                result = work / f"{len(tally.lines)}.xml"
                run_pytest(tally, f"{what} on {database}", options, settings, result)


def parts(
    arguments: list[str], *, with_browsers: bool, is_first: bool
) -> Iterator[tuple[str, list[str]]]:
    if arguments:
        yield "chosen tests", arguments
        return
    # Tests that share a server stay together. A worker gets the others one by one: the long ones
    # first, and those that empty the whole database last.
    but = "" if is_first else " and not same_on_any_database"
    but += "" if IS_CI else " and not from_a_clone"
    workers = ["--dist", "loadgroup", "-n"]
    yield "tests", ["-m", f"not browser{but}", *workers, str(CORES + 1)]
    if with_browsers:  # the folder is named so that nothing else is imported
        yield "browser tests", ["tests/journeys", "-m", f"browser{but}", *workers, str(2 * CORES)]


def run_pytest(
    tally: Tally, what: str, options: list[str], environment: dict[str, str], result: Path
) -> None:
    print(f"\n{what} …", flush=True)
    started_at = time.monotonic()
    argv = [sys.executable, "-m", "pytest", "-q", f"--junitxml={result}", *options]
    code = subprocess.run(argv, cwd=ROOT, env=environment, check=False).returncode
    seconds = time.monotonic() - started_at
    passed, failed, skipped = counts_in(result)
    if code and not failed:  # it could not even begin, or there was nothing to run
        failed = 1
    tally.passed += passed
    tally.failed += failed
    tally.skipped += skipped
    said = f"{passed} passed, {failed} failed, {skipped} skipped"
    if code == NO_TESTS:
        said += ": no test was found"
    tally.note("FAILED" if failed else "ok", what, seconds, said)


def counts_in(result: Path) -> tuple[int, int, int]:
    if not result.exists():
        return 0, 0, 0
    suites = list(ElementTree.parse(result).iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


# -- what is there to test with ----------------------------------------------------------------


def missing_for_browsers() -> str:
    """What keeps the browser tests from running here; empty when nothing does."""
    browsers = ("chromium", "chromium-browser", "google-chrome")
    missing = []
    if not any(map(shutil.which, browsers)):
        missing.append("Chromium")
    if not shutil.which("chromedriver"):
        missing.append("chromedriver")
    if not missing:
        return ""
    return f"{' and '.join(missing)} not found (on Debian: apt install chromium chromium-driver)"


def note_r(tally: Tally) -> None:
    """Charts in R are an extra: only where R was asked for is it a fault that it is missing."""
    if shutil.which("Rscript"):
        return
    why = "no Rscript on the path (on Debian: apt install r-base-core r-cran-ggplot2)"
    if os.environ.get("WITH_R", "").lower() in {"1", "true"}:
        tally.note_missing("charts in R", why)
    else:
        tally.note("skipped", "charts in R", why=f"{why}; WITH_R=true .ci/run installs it")


def databases(tally: Tally) -> Iterator[tuple[str, str]]:
    """SQLite, which needs nothing, and PostgreSQL where a server answers."""
    yield "SQLite", ""
    url = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL", "")
    if not url.startswith(("postgres://", "postgresql://")):
        tally.note_missing("PostgreSQL", "TEST_DATABASE_URL names no server")
    elif refusal := refusal_of(url):
        tally.note_missing("PostgreSQL", refusal)
    else:
        yield "PostgreSQL", url


def refusal_of(url: str) -> str:
    import psycopg2

    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.OperationalError as refused:
        return f"the server does not answer: {str(refused).splitlines()[0]}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Does the API keep what its description promises? schemathesis asks, with all of its checks.

A real server with something in every table is asked as a visitor, a labeler and an admin: the
examples of the description, its boundaries, random input and random sequences of calls. The test
`tests/operation/test_contract.py` runs the same with fewer cases.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.support.report import finish, table
from tests.bench.support.servers import ROOT, Server, gunicorn, manage, serving
from tests.migrated import prepare

CONFIG = Path(__file__).with_name("contract.toml")
PHASES = "examples,coverage,fuzzing,stateful"
PEOPLE = ["visitor", "labeler", "admin"]

# Accounts with tokens of every scope, and something to find behind every address.
SEED = """
import json, django
django.setup()
from django.conf import settings
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
from predictions.access.tokens import make_token
from tests.factories import make_live, make_prediction, make_user, make_version
from labeling.queue.intake import enqueue_new
make_live("base-1"), make_version("base-2")
tokens = {}
for role in ("labeler", "admin"):
    user = make_user(role, role=role)
    tokens[role] = make_token(user, name="contract", scopes=list(settings.TOKEN_SCOPES))[1]
    for digit in range(10):
        make_prediction(digit=digit, user=user, is_audit=digit == 3)
for digit in range(20):
    make_prediction(digit=digit % 10)
enqueue_new()
print(json.dumps(tokens))
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What schemathesis said to one person's run."""

    person: str
    code: int
    operations: int
    failures: int
    seconds: float
    said: str


@contextlib.contextmanager
def platform(
    folder: Path, database: str = "", *, seed: str = SEED, **settings: str
) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with data, and the tokens that the seed prints as its last line."""
    env = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": database or f"sqlite:///{folder}/contract.sqlite3",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LOG_LEVEL": "ERROR",
        "CAPTURES_PER_MINUTE": "0",
        **settings,
    }
    if not database:
        prepare(folder, "contract.sqlite3")
    manage(env, "migrate", "-v0")
    seeded = subprocess.run(
        [sys.executable, "-c", seed],
        cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    with serving("contract", gunicorn, ready="/readyz", env=env) as server:
        yield server, json.loads(seeded.stdout.splitlines()[-1])


def judge(
    server: Server,
    person: str,
    token: str,
    *,
    examples: int,
    seconds: int,
    folder: Path,
    phases: str = PHASES,
) -> Verdict:
    report = folder / f"{person}.xml"
    command = [
        str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIG), "run",
        f"http://127.0.0.1:{server.port}/api/schema/",
        "--checks", "all", "--phases", phases, "--max-examples", str(examples),
        "--seed", "1", "--continue-on-failure",
        "--suppress-health-check", "too_slow",  # it is about this machine, not about the API
        "--report", "junit", "--report-junit-path", str(report),
        *(["--header", f"Authorization: Bearer {token}"] if token else []),
        *(["--max-time", str(seconds)] if seconds else []),
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "", "COLUMNS": "120"},
    )  # fmt: skip
    suites = list(ElementTree.parse(report).iter("testsuite")) if report.exists() else []
    counts = [
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors")
    ]
    lasted = round(time.monotonic() - began, 1)
    return Verdict(
        person, done.returncode, counts[0], counts[1] + counts[2], lasted, done.stdout + done.stderr
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="cases an operation and phase")
    parser.add_argument("--seconds", type=int, default=0, help="go on for so long for each person")
    parser.add_argument("--database", default="", help="an empty database instead of SQLite")
    parser.add_argument("--person", choices=PEOPLE, action="append", dest="people")
    options = parser.parse_args()
    verdicts = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with platform(folder, options.database) as (server, tokens):
            for person in options.people or PEOPLE:
                verdict = judge(
                    server, person, tokens.get(person, ""),
                    examples=options.examples, seconds=options.seconds, folder=folder,
                )  # fmt: skip
                verdicts.append(verdict)
                if verdict.code:
                    print(verdict.said)
    rows = [(v.person, v.operations, v.failures, v.code, v.seconds) for v in verdicts]
    table([("as", "operations and phases", "failures", "exit code", "seconds"), *rows])
    finish(
        {
            v.person: {"tests": v.operations, "failures": v.failures, "code": v.code,
                       "seconds": v.seconds, "examples": options.examples}
            for v in verdicts
        }
    )  # fmt: skip
    sys.exit(any(verdict.code for verdict in verdicts))


if __name__ == "__main__":
    main()

"""The whole loop on people's own handwriting: does a fine-tune read *other* people better?

    ./run bench learn --strokes FILE [--seeds 0 1 2] [--start FOLDER …] [--poison]

Half of the writers draw: their strokes are rendered, captured over HTTP by one visitor each, taken
from the queue and labeled over HTTP, and a run is asked for over HTTP; the training cluster works
on it. Nobody draws on, as a trial needs, so a trainer promotes by hand, with a reason. The other
half is never seen by anybody: their drawings, rendered several times, are read before and after,
and so is MNIST's test set. A seed decides the halves, the rendering, the visitors and the run.
Everything happens in a database that is thrown away, and no version leaves it.

`--start` takes the folder of another version to begin from (as `train_base --into` writes it): the
fewer errors are left in the first one, the less there is to show. With `--poison` half of the
sevens are labeled as ones, on purpose; then nothing may be promoted.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import shutil
import signal
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.predict import BOUNDARY, multipart
from tests.bench.support.labeler import CSRF
from tests.bench.support.report import finish, table
from tests.bench.support.seed import installation, make_labelers, sign_in
from tests.bench.support.servers import ROOT, gunicorn, last_line_of, serving, working
from training.engine import mnist
from training.engine.stylus import StylusDigit, canvases, read_strokes, rendered

DATA = Path(os.environ.get("DATA_DIR") or ROOT / "data")
SHIPPED = ROOT / "predictions" / "base"
CAPTURED = 0.5  # of the writers
UNSEEN_RENDERINGS = 5  # of each unseen drawing: sizes, places and pens anew
LABELERS = 2  # some items want a second opinion, of somebody else
POLL = 0.5  # seconds
WAIT = 3_600  # seconds for a run, however busy the machine
SEVEN, ONE = 7, 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strokes", type=Path, required=True, help="drawings kept as strokes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--start", type=Path, nargs="+", default=[SHIPPED], help="folders")
    parser.add_argument("--poison", action="store_true", help="half of the sevens are called ones")
    parser.add_argument("--threads", type=int, default=1, help="more only on a quiet machine")
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # in its own process
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with us
    if options.one:
        print(json.dumps(once(options)))
        return 0
    mnist.required(DATA / "mnist")
    found = [apart(options, start, seed) for start in options.start for seed in options.seeds]
    show(found)
    finish({"bench": "learn", "cpus": os.cpu_count(), "loops": found})
    return 1 if options.poison and any(loop["verdict"] == "promote" for loop in found) else 0


def apart(options: argparse.Namespace, start: Path, seed: int) -> dict[str, Any]:
    """One loop in a process of its own, since a process has one database."""
    command = [
        sys.executable, "-m", "tests.bench.learn", "--one", "--strokes", str(options.strokes),
        "--start", str(start), "--seeds", str(seed), "--threads", str(options.threads),
        *(["--poison"] if options.poison else []),
        *(["--database-url", options.database_url] if options.database_url else []),
    ]  # fmt: skip
    loop: dict[str, Any] = json.loads(last_line_of(command))
    print(in_words(loop), flush=True)
    return loop


# -- one loop ----------------------------------------------------------------------------------


def once(options: argparse.Namespace) -> dict[str, Any]:
    seed, start = options.seeds[0], options.start[0]
    seen, unseen = halves(read_strokes(options.strokes), seed)
    with installation(options.database_url) as installed:
        version = begin_with(start)
        folder = Path(installed.env["DATA_DIR"]) / "mnist"
        shutil.copytree(DATA / "mnist", folder)
        exam = Exam(folder, unseen)
        before = exam.errors_of(version)
        env = {**installed.env, "TRAINING_THREADS": str(options.threads)}
        with serving("inkloop", gunicorn, ready="/readyz", env=env) as server:
            meant = capture(server.port, seen, seed)
            if options.poison:
                meant = poisoned(meant, seed)
            labels = label(server.port, meant)
            with working("training", env):
                run = fine_tune(server.port, seed)
            live = obey(server.port, run, may_insist=not options.poison)
        return {
            "start": start.name,
            "seed": seed,
            "poison": options.poison,
            "writers": [len({each.writer for each in half}) for half in (seen, unseen)],
            "labels": labels,
            **run,
            "promoted": live,
            "before": before,
            "after": exam.errors_of(run["version"]),
            "unseen": len(exam.unseen[1]),
            "mnist": len(exam.base[1]),
            "load": round(os.getloadavg()[0], 1),
        }


def halves(
    drawings: list[StylusDigit], seed: int, share: float = CAPTURED
) -> tuple[list[StylusDigit], list[StylusDigit]]:
    """By writer: nobody's drawings are in both. `share` of the writers are in the first."""
    writers = sorted({drawing.writer for drawing in drawings})
    random.Random(seed).shuffle(writers)
    seen = set(writers[: round(share * len(writers))])
    return (
        [drawing for drawing in drawings if drawing.writer in seen],
        [drawing for drawing in drawings if drawing.writer not in seen],
    )


def begin_with(folder: Path) -> str:
    """Another version than the shipped one is registered and promoted, with a reason."""
    from predictions.serving.registry import Bundle, install_base, register
    from training.versions import promotion

    if folder.resolve() == SHIPPED:
        return install_base().name
    version = register(Bundle.from_folder(folder))
    promotion.promote(version, by=None, why="The bench begins here.")
    return version.name


@dataclass
class Exam:
    """Drawings by people nobody ever labels, and MNIST's test set."""

    folder: Path
    drawings: list[StylusDigit]
    renderings: int = UNSEEN_RENDERINGS
    unseen: tuple[NDArray[np.uint8], NDArray[np.int64]] = field(init=False)
    base: tuple[NDArray[np.uint8], NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        from training.engine.mnist import decoded_test_set

        parts = [rendered(self.drawings, at) for at in range(self.renderings)]
        self.unseen = (
            np.concatenate([glyphs for glyphs, _ in parts]),
            np.concatenate([digits for _, digits in parts]),
        )
        base = decoded_test_set(self.folder)
        assert base is not None
        self.base = base

    def errors_of(self, name: str) -> dict[str, int]:
        """How many the served network misreads."""
        from predictions.models import ModelVersion
        from predictions.serving.recognizer import load_version
        from training.trials.shadow import probabilities

        network = load_version(ModelVersion.objects.get(name=name).pk).network
        return {
            what: int((probabilities(network, glyphs).argmax(1) != digits).sum())
            for what, (glyphs, digits) in (("unseen", self.unseen), ("mnist", self.base))
        }


# -- through the doors -------------------------------------------------------------------------


class Person:
    """A browser or a program: a connection with its cookies, talking to the API."""

    def __init__(self, port: int, **cookies: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        held = {"csrftoken": CSRF, **cookies}
        self.headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in held.items()),
            "X-CSRFToken": CSRF,
        }

    def ask(self, method: str, path: str, body: bytes | None, kind: str) -> dict[str, Any]:
        headers = {**self.headers, "Content-Type": kind}
        self.connection.request(method, f"/api/v1/{path}", body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        self.connection.close()  # between two requests of one person the server hangs up
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:300]!r}")
        found: dict[str, Any] = json.loads(content)
        return found

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.ask("POST", path, json.dumps(body).encode(), "application/json")

    def get(self, path: str) -> dict[str, Any]:
        return self.ask("GET", path, None, "application/json")


def capture(port: int, drawings: list[StylusDigit], seed: int) -> dict[str, int]:
    """Everybody draws as a visitor of their own; what each drawing is meant to be, by its id."""
    meant = {}
    people: dict[str, Person] = {}
    for drawing, image in zip(drawings, canvases(drawings, 1_000 + seed), strict=True):
        if drawing.writer not in people:
            people[drawing.writer] = Person(port, visitor=visitor_cookie(drawing.writer, seed))
        file = io.BytesIO()
        image.save(file, "PNG")
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        person = people[drawing.writer]
        made = person.ask("POST", "predictions/", multipart(file.getvalue()), kind)
        meant[made["id"]] = drawing.digit
    return meant


def visitor_cookie(writer: str, seed: int) -> str:
    """As the middleware hands it out, but the same for the same writer and seed."""
    from django.core.signing import get_cookie_signer

    visitor = uuid.uuid5(uuid.NAMESPACE_OID, f"{writer} {seed}")
    return get_cookie_signer(salt="visitor").sign(str(visitor))


def poisoned(meant: dict[str, int], seed: int) -> dict[str, int]:
    """Half of the sevens that teach are called ones by whoever labels."""
    from predictions.models import Prediction

    sevens = [
        str(row.public_id)
        for row in Prediction.objects.filter(public_id__in=meant, is_audit=False)
        if meant[str(row.public_id)] == SEVEN
    ]
    random.Random(seed).shuffle(sevens)
    return meant | dict.fromkeys(sevens[: len(sevens) // 2], ONE)


def label(port: int, meant: dict[str, int]) -> int:
    """Take from the queue and answer until it is empty, in turns; how many answers."""
    people = [Person(port, sessionid=sign_in(user)) for user in make_labelers(LABELERS)]
    answers, idle = 0, 0
    while idle < LABELERS:
        for person in people:
            items = person.post("labels/next/", {"count": 20})["items"]
            idle = 0 if items else idle + 1
            for item in items:
                said = {"id": item["id"], "token": item["token"], "digit": meant[item["id"]]}
                person.post("labels/", said | {"request_id": str(uuid.uuid4()), "seconds": 1.0})
                answers += 1
    return answers


def fine_tune(port: int, seed: int) -> dict[str, Any]:
    """Ask for a run and follow it to its end; then its version is on trial."""
    from training.models import Run

    person = Person(port, sessionid=trainer_session())
    asked = time.perf_counter()
    run = person.post("runs/", {"seed": seed})
    while run["state"] in {"queued", "running"}:
        if time.perf_counter() - asked > WAIT:
            raise SystemExit(f"The run was not done within {WAIT} s: {run['log'][-3:]}")
        time.sleep(POLL)
        run = person.get(f"runs/{run['id']}/")
    seconds = time.perf_counter() - asked
    if run["state"] != "done":
        raise SystemExit(f"The run ended {run['state']}: {run['reason']}")
    row = Run.objects.get(public_id=run["id"])
    trial = person.get(f"versions/{run['version']}/trial/")
    assert row.started_at is not None
    return {
        "version": run["version"],
        "taught": run["labels"],
        "seconds": round(seconds, 1),
        "cpu_s": cpu_seconds(row.log),
        "verdict": trial["verdict"],
        "judged_by": trial["drawings"],
        "better": trial["better"],
        "worse": trial["worse"],
        "sentences": trial["sentences"],
    }


def trainer_session() -> str:
    from django.contrib.auth.models import Group, User

    user = User.objects.create(username="trainer", password="!")
    user.groups.add(Group.objects.get(name="trainer"))
    return sign_in(user)


def cpu_seconds(log: str) -> float | None:
    """What the run's own process says it used; the wall clock hangs on who else is at work."""
    for line in reversed(log.splitlines()):
        if " CPU seconds" in line:
            return float(line.split(" CPU seconds")[0].split()[-1])
    return None


def obey(port: int, run: dict[str, Any], *, may_insist: bool) -> str:
    """How the version went live: by itself, by a trainer's reason, or not at all."""
    from django.contrib.auth.models import User

    if run["verdict"] == "promote":
        return "by itself"
    if not may_insist:
        return "no"
    person = Person(port, sessionid=sign_in(User.objects.get(username="trainer")))
    person.post(f"versions/{run['version']}/promote/", {"why": "The bench insists."})
    return "by hand"


# -- what came of it ---------------------------------------------------------------------------


def in_words(loop: dict[str, Any]) -> str:
    was, now = loop["before"], loop["after"]
    return (
        f"{loop['start']}, seed {loop['seed']}: {loop['taught']} labels taught it; unseen writers "
        f"{was['unseen']} -> {now['unseen']} errors of {loop['unseen']:,}, MNIST {was['mnist']} -> "
        f"{now['mnist']} of {loop['mnist']:,}; {loop['verdict']} ({loop['better']} better, "
        f"{loop['worse']} worse of {loop['judged_by']}) after {loop['seconds']} s "
        f"({loop['cpu_s']} CPU s, load {loop['load']})"
    )


def show(loops: list[dict[str, Any]]) -> None:
    heading = ["start", "seed", "taught", "unseen before", "after", "gone", "MNIST", "verdict"]
    rows: list[list[Any]] = [[*heading, "live", "s", "CPU s"]]
    for loop in loops:
        was, now = loop["before"], loop["after"]
        gone = 1 - now["unseen"] / max(was["unseen"], 1)
        points = (was["mnist"] - now["mnist"]) / loop["mnist"] * 100
        rows.append([
            loop["start"], loop["seed"], loop["taught"], was["unseen"], now["unseen"],
            f"{gone:.0%}", f"{points:+.2f} points", loop["verdict"], loop["promoted"],
            loop["seconds"], loop["cpu_s"],
        ])  # fmt: skip
    print()
    table(rows)
    print(f"\nErrors of {loops[0]['unseen']:,}: each unseen drawing {UNSEEN_RENDERINGS} times.\n")


if __name__ == "__main__":
    sys.exit(main())

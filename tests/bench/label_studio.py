"""A real Label Studio takes the live version for its model: connect, pre-label, annotate, export.

Installs the label-studio package, which is no dependency of ours, into an environment of its own
(`--environment` keeps it for the next time), starts it and our server as processes on loopback, and
drives it through its REST API alone. One project has tasks that carry sixty digits, as data URIs;
another's tasks name drawings that were sent to us before.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.support.report import finish, table
from tests.bench.support.servers import ROOT, Server, gunicorn, manage, serving

PACKAGE = "label-studio==1.23.2"
BASE = json.loads((ROOT / "predictions/base/card.json").read_text())["name"]
DRAWINGS = sorted((ROOT / "docs" / "tutorial").glob("?-?.png"))  # named for what was meant
NAMED = 20  # drawings that are sent to us first
OTHERS = 5  # drawings that are annotated and never sent to us
LOGIN = {"username": "ada@example.org", "password": "correct-horse-battery"}
LOGIN_TOKEN = "0123456789abcdef" * 2  # of a server that lives for this bench
CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="digit" toName="image">'
    + "".join(f'<Choice value="{digit}"/>' for digit in range(10))
    + '<Choice value="unreadable"/></Choices></View>'
)

# An admin with a token for each purpose; half of what is drawn is audited, to see it left alone.
PEOPLE = """
import json, django
django.setup()
from predictions.access.tokens import make_token
from tests.factories import make_user
ben = make_user("ben", role="admin")
scopes = ("predict", "label", "train", "read")
print(json.dumps({scope: make_token(ben, name=scope, scopes=[scope])[1] for scope in scopes}))
"""


@dataclass
class Program:
    """Somebody who asks a server, and says who they are."""

    origin: str
    shown: str = ""

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        if self.shown:
            headers["Authorization"] = self.shown
        request = urllib.request.Request(
            self.origin + path,
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(errors="replace")

    def get(self, path: str) -> Any:
        return self.sure(*self.ask("GET", path))

    def post(self, path: str, body: Any = None) -> Any:
        return self.sure(*self.ask("POST", path, body))

    def sure(self, status: int, said: Any) -> Any:
        assert 200 <= status < 300, (status, str(said)[:500])
        return said


@dataclass
class Story:
    """What was looked at, and whether it was so."""

    seen: list[tuple[str, str, bool]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def note(self, what: str, found: Any, wanted: Any) -> None:
        self.seen.append((what, str(found), found == wanted))
        self.figures[what] = found

    def tell(self) -> int:
        rows = [(what, found[:60], "yes" if held else "NO") for what, found, held in self.seen]
        table([("looked at", "found", "as wanted"), *rows])
        wrong = [what for what, _, held in self.seen if not held]
        finish({"bench": "label_studio", "package": PACKAGE, "wrong": wrong, **self.figures})
        return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, help="a virtual environment to make or use")
    parser.add_argument("--keep", type=Path, help="write Label Studio's JSON export to this file")
    options = parser.parse_args()
    with contextlib.ExitStack() as until_the_end:
        folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
        program = installed(options.environment or folder / "environment")
        env, tokens = prepared(folder)
        server = until_the_end.enter_context(serving("us", gunicorn, ready="/readyz", env=env))
        studio = until_the_end.enter_context(label_studio(program, folder / "studio"))
        story = Story()
        told = options.keep or folder / "exported.json"
        follow(story, us=server, studio=studio, tokens=tokens, told=told)
        both_ways(story, studio=studio, env=env, told=told, ours=folder / "ours.json")
        return story.tell()


# -- two servers ---------------------------------------------------------------------------------


def installed(environment: Path) -> Path:
    """The program, installed where it is not yet."""
    program = environment / "bin" / "label-studio"
    if not program.exists():
        print(f"Installing {PACKAGE}; this takes some minutes.", flush=True)
        venv.create(environment, with_pip=True)
        pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", PACKAGE]
        subprocess.run(pip, check=True)
    return program


def prepared(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """An installation of ours, and a token of each scope."""
    data = folder / "data"
    data.mkdir()
    env = {
        "DATA_DIR": str(data),
        "DATABASE_URL": f"sqlite:///{data}/bench.sqlite3",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LOG_LEVEL": "ERROR",
        "AUDIT_RATE": "0.5",
        "TRUST_FEEDBACK": "false",
    }
    manage(env, "migrate", "-v0")
    manage(env, "install_base")
    made = subprocess.run(
        [sys.executable, "-c", PEOPLE],
        cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return env, json.loads(made.stdout.splitlines()[-1])


@contextlib.contextmanager
def label_studio(program: Path, folder: Path) -> Iterator[Server]:
    folder.mkdir()
    env = {
        # It refuses to speak to addresses inside the network unless told; ours is on loopback.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        # Nothing leaves this machine.
        "LATEST_VERSION_CHECK": "false",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "LOG_LEVEL": "ERROR",
        # Its settings are not ours.
        "DJANGO_SETTINGS_MODULE": "label_studio.core.settings.label_studio",
        "DATABASE_URL": "",
    }

    def command(port: int) -> list[str]:
        return [
            str(program), "start", "--no-browser", "--port", str(port), "--data-dir", str(folder),
            "--username", LOGIN["username"], "--password", LOGIN["password"],
            "--user-token", LOGIN_TOKEN, "--enable-legacy-api-token",
        ]  # fmt: skip

    with serving("Label Studio", command, ready="/health", env=env, within=300) as server:
        yield server


# -- the story -----------------------------------------------------------------------------------


def follow(
    story: Story, *, us: Server, studio: Server, tokens: Mapping[str, str], told: Path
) -> None:
    backend = f"http://127.0.0.1:{us.port}/api/v1/label-studio"
    visitor = Program(f"http://127.0.0.1:{us.port}")
    reader = Program(visitor.origin, f"Bearer {tokens['read']}")
    theirs = Program(f"http://127.0.0.1:{studio.port}", f"Token {LOGIN_TOKEN}")

    carrying = project(theirs, "digits in the tasks", [data_uri(path) for path in DRAWINGS])
    connection = {
        "project": carrying, "url": backend, "title": "Inkloop", "auth_method": "BASIC_AUTH",
        "basic_auth_user": "ben", "basic_auth_pass": tokens["predict"],
    }  # fmt: skip
    refused, said = theirs.ask("POST", "/api/ml/", {**connection, "basic_auth_pass": "ink_x_y"})
    story.note("a bad token is refused", (refused, "authentication" in str(said)), (400, True))
    made = theirs.post("/api/ml/", connection)
    seen = theirs.get(f"/api/ml/{made['id']}")
    story.note("connected", (seen["state"], seen["model_version"]), ("CO", BASE))
    versions = theirs.get(f"/api/ml/{made['id']}/versions")["versions"]
    story.note("its versions", versions, [BASE])

    took = pre_label(theirs, carrying)
    found = pre_labels(theirs, carrying)
    story.figures["seconds for 60 tasks"] = round(took, 2)
    story.note("tasks with one pre-label", len(found), len(DRAWINGS))
    previews = [preview(visitor, path) for path in DRAWINGS]
    same = sum(found.get(data_uri(p)) == said for p, said in zip(DRAWINGS, previews, strict=True))
    story.note("pre-labels that are a preview's answer", same, len(DRAWINGS))
    meant = sum(found.get(data_uri(path), ("",))[0] == path.name[0] for path in DRAWINGS)
    story.figures["pre-labels that are what was meant"] = meant
    story.note("drawings stored by it", len(reader.get("/api/v1/predictions/")["results"]), 0)

    drawn = [capture(visitor, path) for path in DRAWINGS[:NAMED]]
    naming = project(theirs, "drawings of ours", [visitor.origin + url for _, url in drawn])
    theirs.post("/api/ml/", {**connection, "project": naming})
    pre_label(theirs, naming)
    story.note("named drawings with one pre-label", len(pre_labels(theirs, naming)), NAMED)

    annotate(theirs, naming, {visitor.origin + url: p.name[0] for p, (_, url) in pairs(drawn)})
    story.note("labels by events nobody vouched for", len(labels(reader)), 0)
    vouch_for(theirs, naming, tokens["label"])
    vouch_for(theirs, carrying, tokens["label"])
    annotate(
        theirs, naming, {visitor.origin + url: p.name[0] for p, (_, url) in pairs(drawn)},
        again=True,
    )  # fmt: skip
    stand = labels(reader)
    story.figures["labels by events with a token"] = len(stand)
    wanted = {public_id: int(path.name[0]) for path, (public_id, _) in pairs(drawn)}
    right = sum(wanted[each["id"]] == each["digit"] for each in stand)
    story.note("of them as they were annotated", right, len(stand))
    story.note("of them about an audit", sum(each["is_audit"] for each in stand), 0)
    story.note("labels there and audits left alone", 0 < len(stand) < NAMED, True)
    annotate(theirs, carrying, {data_uri(path): path.name[0] for path in DRAWINGS[-OTHERS:]})
    story.note("labels by tasks that are not ours", len(labels(reader)) - len(stand), 0)

    outcomes = events(visitor)
    story.note("events that made a label", outcomes["labeled"], len(stand))
    story.note("events that were let in", sum(outcomes.values()), NAMED + OTHERS)

    theirs.ask("POST", f"/api/ml/{made['id']}/train")
    runs = reader.get("/api/v1/runs/")["results"]
    story.note("runs by a token without the scope train", len(runs), 0)

    exported = theirs.get(f"/api/projects/{carrying}/export?exportType=JSON")
    given = {each["data"]["image"]: answers(each["annotations"][0]["result"]) for each in exported}
    kept = sum(given.get(data_uri(path)) == [path.name[0]] for path in DRAWINGS[-OTHERS:])
    story.note("exported annotations as given", kept, OTHERS)
    told.write_text(json.dumps(exported))


def both_ways(
    story: Story, *, studio: Server, env: Mapping[str, str], told: Path, ours: Path
) -> None:
    """Its export comes in here, and ours goes in there and comes out again."""
    taken = json.loads(manage(env, "import_digits", str(told), "--by", "ben", "--json"))
    story.note(
        "of its export taken in, with labels", (taken["taken"], taken["labeled"]), (OTHERS, OTHERS)
    )
    manage(env, "export_labels", "--format", "label-studio", "--output", str(ours))
    tasks = json.loads(ours.read_text())
    theirs = Program(f"http://127.0.0.1:{studio.port}", f"Token {LOGIN_TOKEN}")
    number: int = theirs.post("/api/projects/", {"title": "ours", "label_config": CONFIG})["id"]
    theirs.post(f"/api/projects/{number}/import", tasks)
    again = theirs.get(f"/api/projects/{number}/export?exportType=JSON")
    story.note("labels of ours there and back", said_in(again), said_in(tasks))
    story.figures["labels of ours there and back"] = len(tasks)


def said_in(tasks: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {each["data"]["id"]: answers(each["annotations"][0]["result"]) for each in tasks}


def events(visitor: Program) -> Counter[str]:
    """What became of annotations, by our own metrics."""
    with urllib.request.urlopen(visitor.origin + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found: Counter[str] = Counter()
    pattern = r'^inkloop_label_studio_total{outcome="(\w+)",sent="ANNOTATION_\w+"} ([\d.]+)'
    for outcome, count in re.findall(pattern, text, re.M):
        found[outcome] += int(float(count))
    return found


def pairs(drawn: list[tuple[str, str]]) -> list[tuple[Path, tuple[str, str]]]:
    return list(zip(DRAWINGS, drawn, strict=False))


def data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def project(theirs: Program, title: str, images: list[str]) -> int:
    made: int = theirs.post("/api/projects/", {"title": title, "label_config": CONFIG})["id"]
    theirs.post(f"/api/projects/{made}/import", [{"image": image} for image in images])
    return made


def pre_label(theirs: Program, number: int) -> float:
    """As its data manager does for all that is selected; seconds."""
    began = time.perf_counter()
    action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={number}"
    theirs.post(action, {"selectedItems": {"all": True, "excluded": []}})
    return time.perf_counter() - began


def pre_labels(theirs: Program, number: int) -> dict[str, tuple[str, float]]:
    """By the task's image: the digit and its score; tasks with another number of them left out."""
    found = theirs.get(f"/api/tasks?project={number}&fields=all&page_size=1000")["tasks"]
    return {
        each["data"]["image"]: (answers(said["result"])[0], round(said["score"], 4))
        for each in found
        if len(each["predictions"]) == 1 and (said := each["predictions"][0])["result"]
    }


def answers(result: Any) -> list[str]:
    return [chosen for region in result for chosen in region["value"]["choices"]]


def preview(visitor: Program, path: Path) -> tuple[str, float]:
    said = visitor.post("/api/v1/predictions/preview/", {"image": data_uri(path)})
    return str(said["digit"]), round(said["confidence"], 4)


def capture(visitor: Program, path: Path) -> tuple[str, str]:
    said = visitor.post("/api/v1/predictions/", {"image": data_uri(path)})
    return said["id"], said["glyph_url"]


def annotate(
    theirs: Program, number: int, digits: Mapping[str, str], *, again: bool = False
) -> None:
    """A person's answers; `again` gives the annotations that are there once more."""
    for each in theirs.get(f"/api/tasks?project={number}&fields=all&page_size=1000")["tasks"]:
        digit = digits.get(each["data"]["image"])
        if digit is None:
            continue
        region = {"from_name": "digit", "to_name": "image", "type": "choices"}
        body = {"result": [{**region, "value": {"choices": [digit]}}], "lead_time": 1.5}
        if again:
            known = each["annotations"][0]["id"]
            theirs.sure(*theirs.ask("PATCH", f"/api/annotations/{known}/", body))
        else:
            theirs.post(f"/api/tasks/{each['id']}/annotations/", body)


def vouch_for(theirs: Program, number: int, secret: str) -> None:
    """Give the webhook that came with the backend the header it lacks."""
    (hook,) = theirs.get(f"/api/webhooks/?project={number}")
    changed = {"url": hook["url"], "headers": {"Authorization": f"Bearer {secret}"}}
    theirs.sure(*theirs.ask("PATCH", f"/api/webhooks/{hook['id']}/", changed))


def labels(reader: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reader.get("/api/v1/labels/?limit=100")["results"]
    return found


if __name__ == "__main__":
    sys.exit(main())

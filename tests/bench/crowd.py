"""Does one address keep others waiting? A crowd of its clients, and a visitor who asks for `/`.

nginx as it is shipped, gunicorn as it is shipped, SQLite. In each case five clients of one address
send large images (2000×2000, PNG) at one door as fast as they are answered, whatever the answer,
while a visitor from another address opens the first page again and again. In the last one six log
in under names nobody has. Every case runs with the limits of a public installation and without any.
nginx has to be installed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import http.client
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.bench.predict import BOUNDARY, multipart
from tests.bench.support.report import finish, quantile, table
from tests.bench.support.servers import ROOT, gunicorn, manage, serving
from tests.operation.production import HOST, nginx, rendering

VISITOR = "127.0.0.2"
PAUSE = 0.05  # seconds between two of the visitor's requests
PICTURES = 70  # in one request where the door takes many: as many of these as it takes
WANTED = 0.5  # seconds: the visitor's 95th percentile
LIMITS = {
    "public": {},
    "none": {"CAPTURES_PER_MINUTE": "0", "PREVIEWS_PER_MINUTE": "0"},
}
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JSON = {"Content-Type": "application/json"}
CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="digit" toName="image">'
    + "".join(f'<Choice value="{digit}"/>' for digit in range(10))
    + "</Choices></View>"
)
PEOPLE = """
import json, django
django.setup()
from predictions.access.tokens import make_token
from tests.factories import make_user
ben = make_user("ben", role="admin")
print(json.dumps({s: make_token(ben, name=s, scopes=[s])[1] for s in ("predict", "label")}))
"""


@dataclass(frozen=True)
class House:
    """What a case needs to know of the installation."""

    port: int  # nginx's
    tokens: dict[str, str]  # an admin's, by scope

    def shown(self, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[scope]}"}


@dataclass(frozen=True)
class Ask:
    """What every client of a crowd sends again and again."""

    path: str
    body: bytes
    headers: dict[str, str]
    clients: int = 5
    each: Callable[[int], tuple[str, bytes]] | None = None  # where requests differ: place and body


@dataclass
class Seen:
    """What the visitor saw, and what the crowd was answered."""

    waits: list[float] = field(default_factory=list)  # seconds
    wrong: Counter[int] = field(default_factory=Counter)  # the visitor's answers but 200
    answers: Counter[int] = field(default_factory=Counter)

    def figures(self) -> dict[str, Any]:
        return {
            "n": len(self.waits),
            "p50_s": round(quantile(self.waits, 0.5), 3),
            "p95_s": round(quantile(self.waits, 0.95), 3),
            "most_s": round(max(self.waits), 3),
            "visitor_refused": dict(self.wrong),
            "crowd": {str(status): count for status, count in sorted(self.answers.items())},
        }

    @property
    def is_good(self) -> bool:
        """The visitor waited for nothing, and the crowd was refused or served, never dropped."""
        dropped = any(status not in {503, *range(200, 500)} for status in self.answers)
        return not (self.wrong or dropped) and quantile(self.waits, 0.95) <= WANTED


# -- the cases: what a crowd sends -----------------------------------------------------------------


def single(house: House) -> Ask:
    return Ask("/api/v1/predictions/", multipart(picture()), MULTIPART)


def preview(house: House) -> Ask:
    return Ask("/api/v1/predictions/preview/", multipart(picture()), MULTIPART)


def batch(house: House) -> Ask:
    return Ask("/api/v1/predictions/batch/", parts("images", [picture()] * PICTURES), MULTIPART)


def label_studio(house: House) -> Ask:
    task = {"data": {"image": "data:image/png;base64," + base64.b64encode(picture()).decode()}}
    body = {"tasks": [task] * PICTURES, "label_config": CONFIG}
    path = "/api/v1/label-studio/predict"
    return Ask(path, json.dumps(body).encode(), {**JSON, **house.shown("predict")})


def tasks_nobody_reads(house: House) -> Ask:
    """A body as large as can be, of which nothing is taken."""
    body = b'{"label_config":"","tasks":[' + b"{}," * 15_000_000 + b"{}]}"
    return Ask("/api/v1/label-studio/predict", body, {**JSON, **house.shown("predict")})


def imports(house: House) -> Ask:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for at in range(PICTURES):
            archive.writestr(f"unlabeled/{at}.png", picture())
    body = parts("file", [file.getvalue()])
    return Ask("/api/v1/labels/import/", body, {**MULTIPART, **house.shown("label")})


def logins(house: House) -> Ask:
    """Each in a name nobody has and from a place of its own, so that no limit ends it."""
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/accounts/login/", headers={"Host": HOST})
        answer = connection.getresponse()
        found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', answer.read())
        cookie = answer.headers["Set-Cookie"].split(";")[0]
    assert found is not None
    token = found[1].decode()

    def each(number: int) -> tuple[str, bytes]:
        form = f"csrfmiddlewaretoken={token}&username=nobody{number}&password=guess"
        return f"127.1.{number // 250 % 250}.{number % 250 + 1}", form.encode()

    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    return Ask("/accounts/login/", b"", headers, clients=6, each=each)


CASES: dict[str, Callable[[House], Ask]] = {
    "single": single,
    "preview": preview,
    "batch": batch,
    "label-studio": label_studio,
    "large body": tasks_nobody_reads,
    "import": imports,
    "logins": logins,
}


@functools.cache
def picture() -> bytes:
    """The dearest kind to decode: RGBA."""
    image = Image.new("RGBA", (2000, 2000), "white")
    seven = [(600, 400), (1400, 400), (900, 1600)]
    ImageDraw.Draw(image).line(seven, fill=(20, 20, 40, 255), width=140, joint="curve")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def parts(name: str, contents: list[bytes]) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'
    sent = b"".join(head.encode() + content + b"\r\n" for content in contents)
    return sent + f"--{BOUNDARY}--\r\n".encode()


# -- the crowd and the visitor ---------------------------------------------------------------------


def watch(house: House, ask: Ask, address: str, seconds: float) -> Seen:
    seen, over = Seen(), threading.Event()
    lock, numbers = threading.Lock(), itertools.count()

    def client() -> None:
        while not over.is_set():
            place, body = ask.each(next(numbers)) if ask.each else (address, ask.body)
            status = one(house.port, place, "POST", ask.path, body, ask.headers)
            with lock:
                seen.answers[status] += 1

    crowd = [threading.Thread(target=client) for _ in range(ask.clients)]
    for thread in crowd:
        thread.start()
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        time.sleep(PAUSE)
        asked = time.perf_counter()
        status = one(house.port, VISITOR, "GET", "/")
        seen.waits.append(time.perf_counter() - asked)
        if status != 200:
            seen.wrong[status] += 1
    over.set()
    for thread in crowd:
        thread.join()
    return seen


def one(
    port: int,
    address: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> int:
    """One request on a connection of its own; 0 where it is closed without an answer."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=120, source_address=(address, 0)
    )
    try:
        connection.request(method, path, body, {"Host": HOST, **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@contextlib.contextmanager
def house(limits: dict[str, str]) -> Iterator[House]:
    with contextlib.ExitStack() as at_end:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="inkloop-bench-")))
        (folder / "nginx").mkdir()
        env = {**rendering(folder, HTTPS="false"), **limits, "LOG_LEVEL": "ERROR"}
        manage(env, "migrate", "-v0")
        manage(env, "install_base")
        made = subprocess.run(
            [sys.executable, "-c", PEOPLE],
            cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        web = at_end.enter_context(serving("web", gunicorn, ready="/healthz", env=env))
        proxy = at_end.enter_context(nginx(folder / "nginx", "plain", upstream=web.port))
        yield House(proxy.plain, json.loads(made.stdout.splitlines()[-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each case")
    parser.add_argument("--case", choices=CASES, action="append", help="these alone")
    parser.add_argument("--limits", choices=LIMITS, action="append", help="these alone")
    options = parser.parse_args()
    if not shutil.which("nginx"):
        sys.exit("nginx is not installed.")
    found: dict[str, Seen] = {}
    for limits in options.limits or LIMITS:
        with house(LIMITS[limits]) as ours:
            for at, case in enumerate(options.case or CASES):
                address = f"127.0.1.{at + 1}"  # another's use counts for nobody else
                seen = watch(ours, CASES[case](ours), address, options.seconds)
                found[f"{case}, limits: {limits}"] = seen
    show(found)
    return 0 if all(seen.is_good for seen in found.values()) else 1


def show(found: dict[str, Seen]) -> None:
    figures = {name: seen.figures() for name, seen in found.items()}
    rows = [
        (
            name, each["n"], each["p50_s"], each["p95_s"], each["most_s"],
            " ".join(f"{status}×{count}" for status, count in each["crowd"].items()),
            "yes" if found[name].is_good else "NO",
        )
        for name, each in figures.items()
    ]  # fmt: skip
    head = ("crowd", "n", "p50 s", "p95 s", "most s", "the crowd's answers", f"p95 <= {WANTED} s")
    table([head, *rows])
    finish({"bench": "crowd", "wanted_p95_s": WANTED, "cases": figures})


if __name__ == "__main__":
    sys.exit(main())

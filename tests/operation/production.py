"""The web server under production settings, as gunicorn serves it, and nginx in front of it."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.operation.installation import ROOT, free_port, plain_environment, until

HOST = "digits.example.org"
TLS = {"Host": HOST, "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}


def production(folder: Path, **changed: str | None) -> dict[str, str]:
    wanted = {
        "ALLOWED_HOSTS": HOST,
        "SECRET_KEY": "correct horse battery staple, and ninety-nine more of them",
        "PROXY_COUNT": "1",
        **changed,
    }
    return plain_environment(
        folder, **{name: value for name, value in wanted.items() if value is not None}
    )


def rendering(folder: Path, **changed: str | None) -> dict[str, str]:
    """Production settings under which pages render without a collectstatic before them."""
    settings = folder / "production_for_test.py"
    settings.write_text(
        "from config.settings import *\n"
        "STORAGES = {**STORAGES, 'staticfiles': {'BACKEND': "
        "'django.contrib.staticfiles.storage.StaticFilesStorage'}}\n"
    )
    environment = production(folder, DJANGO_SETTINGS_MODULE=settings.stem, **changed)
    return {**environment, "PYTHONPATH": f"{folder}:{ROOT}"}


def manage(environment: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Web:
    port: int
    file: Path

    @property
    def log(self) -> str:
        return self.file.read_text()

    def ask(self, method: str, path: str, *, body: str = "", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.port, method, path, body=body, headers={**TLS, **named})


def ask(port: int, method: str, path: str, *, headers: Mapping[str, str], body: str = "") -> Answer:
    """One request on a connection of its own; status 0 where it is closed without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    try:
        connection.request(method, path, body or None, {**kind, **headers})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read().decode(errors="replace"))
    except http.client.RemoteDisconnected:
        return Answer(0, {}, "")
    finally:
        connection.close()


def gunicorn(port: int) -> list[str]:
    bind = ["--bind", f"127.0.0.1:{port}"]
    return [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py", *bind]


@contextlib.contextmanager
def web(folder: Path, **settings: str | None) -> Iterator[Web]:
    """gunicorn on the database in this folder, from its first answer until the block ends."""
    server = Web(free_port(), folder / "web.log")
    with server.file.open("wb") as log:
        process = subprocess.Popen(
            gunicorn(server.port), cwd=ROOT, env=rendering(folder, **settings),
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: is_alive(process, server), within=60, what="the web server answers")
        yield server
    finally:
        process.terminate()
        process.wait(30)


def is_alive(process: subprocess.Popen[bytes], server: Web) -> bool:
    assert process.poll() is None, server.log
    try:
        return server.ask("GET", "/healthz").status == 200
    except OSError:
        return False

"""The web server under production settings, as gunicorn serves it, and nginx in front of it."""

from __future__ import annotations

import contextlib
import getpass
import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.operation.installation import PATIENCE, ROOT, free_port, plain_environment, until

NGINX = ROOT / "deploy" / "nginx"
MAIN = """
pid {folder}/nginx.pid;
daemon off;
user {user};
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/{name}.conf;
}}
"""
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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
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
        until(lambda: is_alive(process, server), what="the web server answers")
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


@dataclass
class Proxy:
    """nginx as it is shipped, under paths and ports of a test."""

    folder: Path
    name: str
    upstream: int  # port
    plain: int
    encrypted: int

    def call(self, *words: str) -> list[str]:
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), *words]

    def write(self, changed: Mapping[str, str]) -> None:
        replaced = {
            "/etc/nginx": str(self.folder),
            "server web:8000": f"server 127.0.0.1:{self.upstream}",
            "listen 8080": f"listen 127.0.0.1:{self.plain}",
            "listen 8443": f"listen 127.0.0.1:{self.encrypted}",
            # http2 was a word of `listen` before nginx 1.25; what is tested here may be older.
            "http2 on;": "",
            **changed,
        }
        for file in NGINX.iterdir():
            text = file.read_text()
            for shipped, here in replaced.items():
                text = text.replace(shipped, here)
            (self.folder / file.name).write_text(text)
        self.make_certificate()
        main = MAIN.format(folder=self.folder, name=self.name, user=getpass.getuser())
        (self.folder / "nginx.conf").write_text(main)

    def make_certificate(self) -> None:
        folder = self.folder / "certificates"
        folder.mkdir()
        made = subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem",
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.plain, method, path, headers={"Host": HOST, **named})


@contextlib.contextmanager
def nginx(
    folder: Path, name: str, *, upstream: int = 9, changed: Mapping[str, str] | None = None
) -> Iterator[Proxy]:
    """nginx with one of the shipped files; where no upstream is named, it has none to ask."""
    proxy = Proxy(folder, name, upstream, free_port(), free_port())
    proxy.write(changed or {})
    # A file takes any number of lines; nginx waits where nobody reads a pipe of them.
    with (
        (folder / "nginx.log").open("w") as log,
        subprocess.Popen(proxy.call(), stderr=log) as process,
    ):
        try:
            until(lambda: is_open(process, proxy), what="nginx listens")
            yield proxy
        finally:
            process.terminate()


def is_open(process: subprocess.Popen[bytes], proxy: Proxy) -> bool:
    assert process.poll() is None, (proxy.folder / "nginx.log").read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", proxy.plain)) == 0

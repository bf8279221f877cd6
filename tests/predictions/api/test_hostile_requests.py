"""The hostile corpus and odd bodies thrown at a real server process."""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests import hostile
from tests.bench.support.servers import Server, gunicorn, serving
from tests.bench.support.servers import manage as manage_py
from tests.migrated import prepare
from tests.operation.installation import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.same_on_any_database]  # it serves from SQLite
PREDICTIONS = "/api/v1/predictions/"
CLIENTS = 4
GROWTH = 64e6  # bytes a worker may grow by
SLOWEST = 1.0  # seconds of processor time a request may cost
BOUNDARY = "hostile-boundary"


@dataclass(frozen=True, slots=True)
class Answer:
    name: str
    status: int  # 0 when the connection was dropped
    body: bytes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    prepare(folder)
    env = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/inkloop.sqlite3",
        "WEB_THREADS": str(2 * CLIENTS),  # half of them take large images
    }
    manage_py(env, "migrate", "-v0")
    manage_py(env, "install_base")
    with serving("web", gunicorn, ready="/readyz", env=env) as started:
        yield started


@pytest.fixture(scope="module")
def corpus() -> list[hostile.Hostile]:
    return hostile.corpus()


def worker_of(server: Server) -> psutil.Process:
    (worker,) = psutil.Process(server.process.pid).children()
    return worker


def post(server: Server, name: str, content_type: str, body: bytes, path: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request("POST", path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return Answer(name, answer.status, answer.read())
    except (OSError, http.client.HTTPException):
        return Answer(name, 0, b"")
    finally:
        connection.close()


def as_multipart(server: Server, item: hostile.Hostile) -> Answer:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="../{item.name}"'
        f"\r\nContent-Type: {item.content_type}\r\n\r\n"
    )
    body = head.encode() + item.data + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return post(server, item.name, kind, body, PREDICTIONS)


def as_data_url(server: Server, item: hostile.Hostile) -> Answer:
    encoded = base64.b64encode(item.data).decode()
    body = json.dumps({"image": f"data:{item.content_type};base64,{encoded}"}).encode()
    return post(server, item.name, "application/json", body, PREDICTIONS)


@pytest.mark.parametrize("send", [as_multipart, as_data_url])
def test_every_file_is_answered_as_it_deserves_and_no_worker_suffers(
    server: Server, corpus: list[hostile.Hostile], send
):
    worker = worker_of(server)
    as_multipart(server, corpus[0])
    memory = worker.memory_info().rss
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda item: send(server, item), corpus))
    wrong = [
        (answer.name, item.expect, answer.status, answer.body[:80])
        for item, answer in zip(corpus, answers, strict=True)
        if not deserved(item, answer, send)
    ]
    assert wrong == []
    assert worker_of(server).pid == worker.pid, "the worker was lost"
    assert worker.memory_info().rss - memory <= GROWTH


def deserved(item: hostile.Hostile, answer: Answer, send: object) -> bool:
    if answer.status == 201:
        return item.expect != "refuse"
    refused = 400 <= answer.status < 500 and set(json.loads(answer.body)) == {"error"}
    # A data URL says its type; one that is no accepted type is refused whatever is inside.
    return refused and (item.expect != "accept" or send is as_data_url)


def test_the_worst_file_costs_a_worker_less_than_a_second(
    server: Server, corpus: list[hostile.Hostile]
):
    worker = worker_of(server)

    def cost(item: hostile.Hostile) -> float:
        before = worker.cpu_times()
        as_multipart(server, item)
        after = worker.cpu_times()
        return after.user + after.system - before.user - before.system

    def least_cost(item: hostile.Hostile) -> float:
        """What else the machine does adds to it and never takes away."""
        first = cost(item)
        return first if first < SLOWEST / 2 else min(first, cost(item), cost(item))

    bombs = [item for item in corpus if item.kind.startswith(("bomb", "grainy"))]
    assert len(bombs) >= 10
    slowest, name = max((least_cost(item), item.name) for item in bombs)
    assert slowest <= SLOWEST, name


def test_odd_bodies_are_refused_in_the_one_error_shape(server: Server):
    for name, content_type, body in hostile.odd_json_bodies():
        answer = post(server, name, content_type, body, PREDICTIONS)
        assert 400 <= answer.status < 500, (name, answer)
        assert set(json.loads(answer.body)) == {"error"}, name


@pytest.mark.parametrize("size", [3_000_001, 10_000_000, 50_000_000])
def test_a_body_over_the_cap_is_refused_at_once_without_being_kept(server: Server, size: int):
    worker = worker_of(server)
    memory = worker.memory_info().rss
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.putrequest("POST", PREDICTIONS)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(size))
    connection.endheaders(b"{")  # and no more: an answer shows that nothing else was waited for
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["code"] == "too_large"
    connection.close()
    assert worker.memory_info().rss - memory < 30e6


def test_what_was_hidden_in_a_picture_is_served_nowhere(
    server: Server, corpus: list[hostile.Hostile]
):
    polyglots = [item for item in corpus if item.kind.startswith("polyglot")]
    shown = [as_multipart(server, item) for item in polyglots]
    stored = [json.loads(answer.body) for answer in shown if answer.status == 201]
    assert stored, "some polyglots are sound pictures"
    for made in stored:
        for url in (made["glyph_url"], made["glyph_url"].replace("glyphs", "drawings")):
            with urlopen(f"http://127.0.0.1:{server.port}{url}") as answer:
                content = answer.read()
                assert answer.headers["Content-Type"] == "image/png"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert hostile.CANARY.encode() not in content
            assert b"Exif" not in content
            assert b"GPS" not in content


def test_the_corpus_is_written_by_a_command(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile", str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "manifest.json").exists()

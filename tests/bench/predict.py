"""`POST predictions/` against the server somebody would otherwise write, in one run.

Both are one process, asked in turn by the same closed loop of clients with the same drawings over
loopback; each stores what it reads in a fresh SQLite database. Then the parts of a request are
called in a bare loop: the floor that no web framework can go below.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from PIL import Image

from tests.bench.support.report import finish, quantile, spread, table
from tests.bench.support.servers import Load, Server, closed_loop, gunicorn, manage, serving

BOUNDARY = "inkloop-bench"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="rounds each server is asked in")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = settings_of(Path(folder))
        os.environ.update(env, DJANGO_SETTINGS_MODULE="config.settings")
        django.setup()
        bodies = [multipart(png) for png in drawings()]
        manage(env, "migrate", "-v0")
        manage(env, "install_base")
        ours_at = "/api/v1/predictions/"
        with (
            serving("inkloop", gunicorn, ready="/readyz", env=env) as ours,
            serving("peer", peer, ready="/ready", env=env) as theirs,
        ):
            first_memory = ours.memory()
            thousand(ours, ours_at, bodies)
            after_thousand = ours.memory()
            rounds = [
                (
                    loaded(ours, ours_at, bodies, options),
                    loaded(theirs, "/predictions", bodies, options),
                )
                for _ in range(options.rounds)
            ]
            figures = compare(rounds)
            figures["ready_after_s"] = round(ours.ready_after, 2)
            figures["memory_mb"] = {
                "at_start": round(first_memory, 1),
                "after_1000": round(after_thousand, 1),
                "at_end": round(ours.memory(), 1),
                "peer_at_end": round(theirs.memory(), 1),
            }
        figures["parts_us"] = parts()
    show(figures)
    finish(figures)


def settings_of(folder: Path) -> dict[str, str]:
    return {
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'ours.sqlite3'}",
        "PEER_DATABASE": str(folder / "peer.sqlite3"),
        "LOG_LEVEL": "WARNING",
    }


def peer(port: int) -> list[str]:
    return ["env", f"PORT={port}", sys.executable, "-m", "tests.bench.support.peer"]


def drawings(count: int = 64) -> list[bytes]:
    """Canvas drawings of 280×280, each another bend of a few strokes."""
    from tests.factories import canvas, png

    dice = random.Random(1)
    images: list[Image.Image] = []
    for _ in range(count):
        points = [(dice.randint(60, 220), dice.randint(40, 240)) for _ in range(4)]
        images.append(canvas(points, width=dice.randint(14, 24)))
    return [png(image) for image in images]


def multipart(png: bytes) -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="d.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return head.encode() + png + f"\r\n--{BOUNDARY}--\r\n".encode()


def sender(path: str, bodies: list[bytes]) -> Callable[[http.client.HTTPConnection, int], int]:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    def send(connection: http.client.HTTPConnection, at: int) -> int:
        connection.request("POST", path, bodies[at % len(bodies)], headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return send


def thousand(server: Server, path: str, bodies: list[bytes]) -> None:
    send = sender(path, bodies)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for at in range(1_000):
        assert send(connection, at) == 201


def loaded(server: Server, path: str, bodies: list[bytes], options: argparse.Namespace) -> Load:
    return closed_loop(
        sender(path, bodies), port=server.port, clients=options.clients, seconds=options.seconds
    )


def compare(rounds: list[tuple[Load, Load]]) -> dict[str, Any]:
    return {
        "rate": {
            "ours": spread([ours.rate for ours, _ in rounds]),
            "peer": spread([theirs.rate for _, theirs in rounds]),
            "ratio": spread([ours.rate / theirs.rate for ours, theirs in rounds]),
        },
        "p95_ms": {
            "ours": spread([p95(ours) for ours, _ in rounds]),
            "peer": spread([p95(theirs) for _, theirs in rounds]),
            "ratio": spread([p95(ours) / p95(theirs) for ours, theirs in rounds]),
        },
        "failures": {
            "ours": sum(ours.failures for ours, _ in rounds),
            "peer": sum(theirs.failures for _, theirs in rounds),
        },
    }


def p95(load: Load) -> float:
    return 1_000 * quantile(load.latencies, 0.95)


def parts(repeats: int = 400) -> dict[str, Any]:
    """Microseconds of each part of a request, called in a bare loop in a process of its own."""
    from predictions.capture import capture
    from predictions.glyphs.glyph import encode_glyph, glyph_of
    from predictions.glyphs.images import open_image, thumbnail_png
    from predictions.models import Owner
    from predictions.serving.recognizer import recognizer

    data = drawings(1)[0]
    image = open_image(data)
    glyph = glyph_of(image)
    serving_now = recognizer.serving()
    owner = Owner()

    def store() -> None:
        made = capture.Sketch(glyph, b"x" * 400)
        reading = serving_now.read(glyph)
        row = capture.prediction_of(made, reading, serving_now.version, owner=owner, source="api")
        capture.store([row], [made])

    steps: dict[str, Callable[[], Any]] = {
        "decode": lambda: open_image(data).load(),
        "glyph": lambda: glyph_of(image),
        "drawing": lambda: thumbnail_png(image),
        "forward pass": lambda: serving_now.read(glyph),
        "encode glyph": lambda: encode_glyph(glyph),
        "forward pass and insert": store,
        "floor: the whole capture": lambda: capture.capture(data, owner=owner, source="api"),
    }
    return {name: timed(step, repeats) for name, step in steps.items()}


def timed(step: Callable[[], Any], repeats: int) -> dict[str, float | int]:
    step()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        step()
        times.append(1e6 * (time.perf_counter() - began))
    return {
        "median": round(statistics.median(times), 1),
        "min": round(min(times), 1),
        "p95": round(quantile(times, 0.95), 1),
        "n": repeats,
    }


def show(figures: dict[str, Any]) -> None:
    rate, slow = figures["rate"], figures["p95_ms"]
    table(
        [
            ("", "ours", "peer", "ratio (min to max)"),
            ("requests/s", rate["ours"]["median"], rate["peer"]["median"], told(rate["ratio"])),
            ("p95 ms", slow["ours"]["median"], slow["peer"]["median"], told(slow["ratio"])),
        ]
    )
    print(f"\nready after {figures['ready_after_s']} s; memory in MB: {figures['memory_mb']}\n")
    rows = [(name, part["median"], part["p95"]) for name, part in figures["parts_us"].items()]
    table([("part of a request", "median µs", "p95 µs"), *rows])
    floor = figures["parts_us"]["floor: the whole capture"]["median"]
    whole = 1e6 / rate["ours"]["median"]
    print(f"\na request costs {whole:.0f} µs under load, {whole / floor:.2f} times the floor")


def told(ratio: dict[str, float | int]) -> str:
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f}), n = {ratio['n']}"


if __name__ == "__main__":
    main()

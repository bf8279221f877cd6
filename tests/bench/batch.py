"""1,000 images through `POST predictions/batch/` against the same ones sent one by one.

One server process on loopback and one client that keeps its connection, in turn both ways in every
round. Two kinds of images: drawings as the page's canvas makes them, and glyphs of 28×28 as
programs keep them. Rates are images a second, storing each.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import django
from PIL import Image

from tests.bench.predict import BOUNDARY, drawings, multipart, settings_of
from tests.bench.support.report import finish, spread, table
from tests.bench.support.servers import Server, gunicorn, manage, serving

PATH = "/api/v1/predictions/"
WANTED = 5.0  # times the rate of single requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=250, help="images in one batch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = settings_of(Path(folder))
        os.environ.update(env, DJANGO_SETTINGS_MODULE="config.settings")
        django.setup()
        manage(env, "migrate", "-v0")
        manage(env, "install_base")
        canvases = drawings()
        kinds = {"drawings, 280×280 RGBA": canvases, "glyphs, 28×28 gray": small(canvases)}
        with serving("inkloop", gunicorn, ready="/readyz", env=env) as server:
            figures = {
                kind: measure(server, images, options.images, options.at_once, options.rounds)
                for kind, images in kinds.items()
            }
    rows = [
        (kind, f["single"]["median"], f["batch"]["median"], told(f["ratio"]))
        for kind, f in figures.items()
    ]
    table([("images", "single/s", "batch/s", "ratio (min to max)"), *rows])
    print(f"\nwanted: {WANTED:.0f} times")
    finish(figures)


def small(images: list[bytes]) -> list[bytes]:
    """The same drawings as a program that works with MNIST would send them."""
    found = []
    for data in images:
        image = Image.open(io.BytesIO(data)).getchannel("A").resize((28, 28))
        file = io.BytesIO()
        image.save(file, "PNG")
        found.append(file.getvalue())
    return found


def measure(
    server: Server, images: list[bytes], count: int, at_once: int, rounds: int
) -> dict[str, Any]:
    sent = [images[at % len(images)] for at in range(count)]
    single = [multipart(image) for image in sent]
    batches = [as_batch(sent[at : at + at_once]) for at in range(0, count, at_once)]
    rates: dict[str, list[float]] = {"single": [], "batch": []}
    send_all(server, PATH, single[:50], 1)
    send_all(server, PATH + "batch/", batches[:1], at_once)
    for _ in range(rounds):
        rates["single"].append(count / send_all(server, PATH, single, 1))
        rates["batch"].append(count / send_all(server, PATH + "batch/", batches, at_once))
    ratios = [b / s for b, s in zip(rates["batch"], rates["single"], strict=True)]
    return {**{way: spread(each) for way, each in rates.items()}, "ratio": spread(ratios)}


def as_batch(images: list[bytes]) -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="d.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return b"".join(head.encode() + image + b"\r\n" for image in images) + (
        f"--{BOUNDARY}--\r\n".encode()
    )


def send_all(server: Server, path: str, bodies: list[bytes], at_most: int) -> float:
    """Seconds until the last is answered; every image must have become a prediction."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    began = time.perf_counter()
    for body in bodies:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == 201, said
        if at_most > 1:
            results = json.loads(said)["results"]
            assert 1 <= len(results) <= at_most
            assert all("digit" in result for result in results)
    lasted = time.perf_counter() - began
    connection.close()
    return lasted


def told(ratio: dict[str, float | int]) -> str:
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f}), n = {ratio['n']}"


if __name__ == "__main__":
    main()

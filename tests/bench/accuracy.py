"""Who reads more of the same drawings: ours, ours behind a bare resize, and what small apps ship.

    ./run bench accuracy [--strokes FILE]

MNIST's test set, and a file of strokes rendered three times with random size, place and pen.
Then drawings of no digit: how often each reader is sure of one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from predictions.glyphs.glyph import glyph_of
from predictions.serving.network import open_session
from tests.bench.support.plain import plain_network
from tests.bench.support.report import finish, table
from tests.bench.support.strangers import KINDS, glyphs_of
from training.engine import mnist
from training.engine.data import mnist as read_mnist
from training.engine.evaluate import MeasuredShare, ReadingReport, reading_report
from training.engine.stylus import canvases, read_strokes

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("DATA_DIR") or ROOT / "data")
SEEDS = range(3)
STRANGERS = 500  # drawings of each kind
SURE = 0.9

Reads = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Glyphs = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=Path, help="drawings kept as strokes")
    parser.add_argument("--network", type=Path, default=ROOT / "predictions/base/network.onnx")
    options = parser.parse_args()
    folder = mnist.required(DATA / "mnist")
    ours = reader(options.network)
    plain = plain_network(folder, DATA / "bench" / "plain.pt").read
    rows: list[list[Any]] = [["drawings", "reader", "read right", "95%", "n", "ECE", "mean conf."]]
    figures: dict[str, Any] = {}
    for title, glyphs, resized, digits in sets(folder, options.strokes):
        for name, read, seen in (
            ("ours", ours, glyphs),
            ("ours, bare resize", ours, resized),
            ("plain, our glyphs", plain, glyphs),
            ("plain, bare resize", plain, resized),
        ):
            judged = reading_report(read(seen), digits)
            rows.append([title, name, *cells(judged)])
            figures.setdefault(title, {})[name] = judged.as_json() | {"by_digit": None}
    table(rows)
    print()
    if options.strokes is None:
        print("No file of strokes was given (--strokes FILE): MNIST alone was read.\n")
    finish({"read": figures, "sure_of_no_digit": sureness(ours, plain)})


def reader(network: Path) -> Reads:
    session = open_session(network.read_bytes())

    def read(glyphs: Glyphs) -> NDArray[np.float32]:
        parts = np.array_split(glyphs, -(-len(glyphs) // 500))
        return np.concatenate([session.run(["probabilities"], {"glyphs": p})[0] for p in parts])

    return read


def sets(
    folder: Path, strokes: Path | None
) -> Iterator[tuple[str, Glyphs, Glyphs, NDArray[np.int64]]]:
    """A title, glyphs, the same drawings resized and nothing else, and what was meant."""
    test = read_mnist(folder, "t10k")
    glyphs = test.glyphs[:, 0].numpy()
    yield "MNIST test", glyphs, glyphs, test.labels.numpy()  # 28×28 already
    if strokes is None:
        return
    drawings = read_strokes(strokes)
    digits = np.array([drawing.digit for drawing in drawings])
    for seed in SEEDS:
        images = canvases(drawings, seed)
        ours = np.stack([glyph_of(image) for image in images])
        yield f"strokes, rendering {seed}", ours, np.stack([resize(i) for i in images]), digits


def resize(image: Image.Image) -> Glyphs:
    """The whole canvas made small, ink light: all that many apps do."""
    return np.asarray(ImageOps.invert(image.convert("L")).resize((28, 28)))


def cells(judged: ReadingReport) -> list[str]:
    low, high = judged.accuracy.interval
    return [
        f"{judged.accuracy.right / judged.accuracy.n:.2%}",
        f"{low:.2%} to {high:.2%}",
        str(judged.accuracy.n),
        f"{judged.calibration_error:.2%}",
        f"{judged.mean_confidence:.2%}",
    ]


def sureness(ours: Reads, plain: Reads) -> dict[str, Any]:
    """How often drawings of no digit get a confidence of 0.9 or more."""
    rows: list[list[Any]] = [["no digit", "ours sure", "95%", "plain sure", "n"]]
    figures = {}
    for kind in KINDS:
        glyphs = glyphs_of(kind, STRANGERS, seed=0)
        counts = [int((read(glyphs).max(1) >= SURE).sum()) for read in (ours, plain)]
        shares = [MeasuredShare(count, len(glyphs)) for count in counts]
        low, high = shares[0].interval
        each = [f"{share.right / share.n:.1%}" for share in shares]
        rows.append([kind, each[0], f"{low:.1%} to {high:.1%}", each[1], len(glyphs)])
        figures[kind] = {"ours": shares[0].as_json(), "plain": shares[1].as_json()}
    table(rows)
    print()
    return figures


if __name__ == "__main__":
    main()

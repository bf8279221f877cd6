"""How pictures of paper are read, by kind: right, refused, surely wrong.

    ./run bench paper --strokes FILE [FILE …] [--each 200] [--side judging] [--kind KIND …]

The pictures are made from people's strokes (tests/bench/support/sheets.py). Half of the writers,
chosen by their names, is for tuning, the other half for judging; each half has its own seeds.
Beside what the whole picture gives stand two bounds: the share read right when the perfect crop
is given, and when the same strokes are drawn on a clean canvas with the same pen: that is what
the network knows. An aim that they miss too is beyond reach. Ends with 1 if a kind misses another
aim.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from predictions.errors import NoInk
from predictions.glyphs.glyph import glyph_of
from predictions.glyphs.images import open_image
from predictions.serving.network import GLYPHS_INPUT, OUTPUTS, open_session
from predictions.shares import wilson
from tests.bench.support.report import finish, table
from tests.bench.support.sheets import KINDS, ROOM, WITHOUT_A_DIGIT, Box
from training.engine.stylus import StylusDigit, read_strokes

ROOT = Path(__file__).parents[2]
SURE = 0.9
STRANGE = 0.5  # from here on the page says that it is probably not a digit
LEAST_RIGHT, MOST_REFUSED, MOST_SURELY_WRONG = 0.98, 0.003, 0.005
LOST = 0.01  # may be lost against the strokes alone, where the network does not reach an aim

Reading = tuple[int, float, float] | None  # digit, confidence, strangeness; None is a refusal


@dataclass
class Count:
    right: int = 0
    refused: int = 0
    surely_wrong: int = 0
    n: int = 0

    def add(self, reading: Reading, label: int | None) -> None:
        self.n += 1
        if reading is None:
            self.refused += 1
        if label is None:
            self.right += reading is None or reading[2] >= STRANGE
        elif reading is not None:
            self.right += reading[0] == label
        if reading is not None and reading[0] != label and reading[1] >= SURE:
            self.surely_wrong += 1

    def as_json(self) -> dict[str, Any]:
        shares = {
            "right": self.right,
            "refused": self.refused,
            "surely_wrong": self.surely_wrong,
        }
        return {
            name: {
                "value": part / self.n,
                "interval": [round(end, 4) for end in wilson(part, self.n)],
            }
            for name, part in shares.items()
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=Path, nargs="+", default=[], help="files of strokes")
    parser.add_argument("--network", type=Path, default=ROOT / "predictions/base/network.onnx")
    parser.add_argument("--each", type=int, default=200, help="pictures of each kind")
    parser.add_argument("--side", choices=["judging", "tuning"], default="judging")
    parser.add_argument("--kind", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--wrong", type=Path, help="keep the pictures that were not read right")
    options = parser.parse_args()
    if not options.strokes:
        sys.exit("No file of strokes was given (--strokes FILE), so there is nothing to draw.")
    digits = [each for path in options.strokes for each in read_strokes(path)]
    digits = [each for each in digits if side_of(each.writer) == options.side]
    read = reader(options.network)
    figures = {
        kind: measured(kind, digits, options.each, options.side, read, options.wrong)
        for kind in options.kind
    }
    report(figures)
    missed = {kind: missed for kind in figures if (missed := misses(kind, figures[kind]))}
    beyond = {kind: beyond for kind in figures if (beyond := limits(figures[kind]))}
    outcome = {"kinds": figures, "beyond_reach": beyond, "missed": missed}
    finish({"bench": "paper", "side": options.side, **outcome})
    return 1 if missed else 0


def side_of(writer: str) -> str:
    return ("tuning", "judging")[hashlib.sha256(writer.encode()).digest()[0] % 2]


def reader(network: Path) -> Any:
    session = open_session(network.read_bytes())

    def read(glyph: NDArray[np.uint8]) -> Reading:
        rows, strangeness = session.run(OUTPUTS, {GLYPHS_INPUT: glyph[np.newaxis]})
        return int(rows[0].argmax()), float(rows[0].max()), float(strangeness[0])

    return read


def measured(
    kind: str, digits: Sequence[StylusDigit], each: int, side: str, read: Any, wrong: Path | None
) -> dict[str, Any]:
    counts = {way: Count() for way in ("whole", "cropped", "clean")}
    for number in range(each):
        random = np.random.default_rng([*f"{side} {kind}".encode(), number])
        chosen = [digits[at] for at in random.integers(len(digits), size=4)]
        label = None if kind in WITHOUT_A_DIGIT else chosen[0].digit
        sheet = KINDS[kind](chosen, random)
        image = open_image(sheet.file)
        reading = outcome(image, read)
        counts["whole"].add(reading, label)
        if sheet.box and sheet.clean:
            counts["cropped"].add(outcome(cropped(image, sheet.box), read), label)
            counts["clean"].add(outcome(sheet.clean, read), label)
        if wrong and (reading is None or reading[0] != label) and (label is not None or reading):
            keep(wrong, f"{kind} {number} {label} as {reading and reading[:2]}", sheet.file)
    return {"n": each} | {way: count.as_json() for way, count in counts.items() if count.n}


def outcome(image: Image.Image, read: Any) -> Reading:
    try:
        reading: Reading = read(glyph_of(image))
    except NoInk:
        return None
    return reading


def cropped(image: Image.Image, box: Box) -> Image.Image:
    """What a careful person would cut out."""
    left, top, right, bottom = box
    room = round(ROOM * max(right - left, bottom - top))
    return image.crop(
        (
            max(0, left - room),
            max(0, top - room),
            min(image.width, right + room),
            min(image.height, bottom + room),
        )
    )


def keep(folder: Path, name: str, file: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".png" if file.startswith(b"\x89PNG") else ".jpg"
    (folder / (name + suffix)).write_bytes(file)


def misses(kind: str, figures: dict[str, Any]) -> list[str]:
    """Which aims the kind misses that the search for ink could reach.

    If the strokes alone, on a clean canvas, miss an aim, the network is the limit. Then the picture
    may do no worse than they do.
    """
    whole, clean = figures["whole"], figures.get("clean", {})
    least_right, most_wrong = LEAST_RIGHT, MOST_SURELY_WRONG
    beyond = limits(figures)
    if "right" in beyond:
        least_right = clean["right"]["value"] - LOST
    if "surely wrong" in beyond:
        most_wrong = clean["surely_wrong"]["value"] + LOST
    found = {
        "right": whole["right"]["value"] < least_right,
        "refused": kind not in WITHOUT_A_DIGIT and whole["refused"]["value"] > MOST_REFUSED,
        "surely wrong": whole["surely_wrong"]["value"] > most_wrong,
    }
    return [aim for aim, is_missed in found.items() if is_missed]


def limits(figures: dict[str, Any]) -> list[str]:
    """Which aims the network misses even on a clean canvas."""
    clean = figures.get("clean")
    if not clean:
        return []
    found = {
        "right": clean["right"]["value"] < LEAST_RIGHT,
        "surely wrong": clean["surely_wrong"]["value"] > MOST_SURELY_WRONG,
    }
    return [aim for aim, is_missed in found.items() if is_missed]


def report(figures: dict[str, Any]) -> None:
    heading = ["kind", "right", "95%", "refused", "surely wrong", "n"]
    rows: list[list[Any]] = [
        [*heading, "right if cropped", "right on a canvas", "beyond reach", "misses"]
    ]
    for kind, ways in figures.items():
        whole = ways["whole"]
        low, high = whole["right"]["interval"]
        bounds = [
            percent(ways[way]["right"]) if way in ways else "" for way in ("cropped", "clean")
        ]
        rows.append(
            [
                kind,
                percent(whole["right"]),
                f"{low:.1%} to {high:.1%}",
                percent(whole["refused"]),
                percent(whole["surely_wrong"]),
                ways["n"],
                *bounds,
                ", ".join(limits(ways)),
                ", ".join(misses(kind, ways)),
            ]
        )
    table(rows)
    print()


def percent(share: dict[str, Any]) -> str:
    return f"{share['value']:.1%}"


if __name__ == "__main__":
    raise SystemExit(main())

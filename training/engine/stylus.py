"""Render stored strokes as the page's canvas would.

A file of strokes has one drawing a line, as JSON (gzip if the name ends in .gz):

    {"label": 7, "strokes": [[[x, y], [x, y], …], …], "y_up": false, "writer": "w00"}

`y_up` tells whether y grows upwards; the default is false. Each drawing is placed on a square
canvas with random size, position and pen width; equal seeds give equal drawings. This renderer is
not the one of `strokes.py` on purpose, because that one made training data. Nothing rendered here
is trained on.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from predictions.glyphs.glyph import Glyph, glyph_of

CANVAS = 280  # pixels a side, as the page's canvas
SIZES = 0.3, 0.9  # the longer side of the drawing, as a share of the canvas
PENS = 0.02, 0.10  # the pen's width, as a share of the canvas
FINER = 2  # drawn this much larger, then reduced: antialiasing


@dataclass(frozen=True, slots=True)
class StylusDigit:
    digit: int
    writer: str
    strokes: tuple[NDArray[np.float64], ...]  # each (points, 2), y downwards


def read_strokes(path: Path) -> list[StylusDigit]:
    """Read the drawings of a file of strokes."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return [_drawing(json.loads(line)) for line in text.splitlines() if line.strip()]


def _drawing(row: dict[str, Any]) -> StylusDigit:
    up = np.array([1.0, -1.0]) if row.get("y_up") else np.array([1.0, 1.0])
    strokes = tuple(np.array(points, float)[:, :2] * up for points in row["strokes"] if points)
    return StylusDigit(int(row["label"]), str(row.get("writer", "")), strokes)


def canvases(drawings: list[StylusDigit], seed: int) -> list[Image.Image]:
    """Render each drawing on its own canvas: black ink on white."""
    random = np.random.default_rng(seed)
    return [canvas(drawing, random) for drawing in drawings]


def rendered(drawings: list[StylusDigit], seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The glyph of each drawing, (N, 28, 28), and the labels, (N,)."""
    glyphs: list[Glyph] = [glyph_of(image) for image in canvases(drawings, seed)]
    return np.stack(glyphs), np.array([drawing.digit for drawing in drawings])


def canvas(drawing: StylusDigit, random: np.random.Generator) -> Image.Image:
    side = CANVAS * FINER
    points = np.concatenate(drawing.strokes)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    size = random.uniform(*SIZES) * side
    pen = max(1, round(random.uniform(*PENS) * side))
    scale = size / max(float(extent.max()), 1e-9)
    room = np.maximum(side - extent * scale - pen, 0)
    offset = pen / 2 + random.uniform(0, 1, 2) * room
    image = Image.new("L", (side, side), 255)
    brush = ImageDraw.Draw(image)
    for stroke in drawing.strokes:
        line = [tuple(point) for point in (stroke - low) * scale + offset]
        brush.line(line, fill=0, width=pen, joint="curve")
        for x, y in line:
            brush.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=0)
    return image.reduce(FINER)

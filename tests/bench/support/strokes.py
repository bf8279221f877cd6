"""Render a file of strokes as the canvas would show it, and look at what becomes of it.

    python -m tests.bench.support.strokes FILE [--seed 0] [--sheet glyphs.png]

The file's format and the rendering are described in training/engine/stylus.py.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.support.report import finish, table
from training.engine.stylus import read_strokes, rendered

COLUMNS = 40  # glyphs in a row of the sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="drawings kept as strokes")
    parser.add_argument("--seed", type=int, default=0, help="of sizes, places and pens")
    parser.add_argument("--sheet", type=Path, help="write all glyphs to this picture")
    options = parser.parse_args()
    if options.file is None:
        sys.exit("No file of strokes was given, so there is nothing to render.")
    drawings = read_strokes(options.file)
    glyphs, digits = rendered(drawings, options.seed)
    if options.sheet:
        sheet(glyphs).save(options.sheet)
    counts = Counter(digits.tolist())
    table([["digit", "drawings"], *sorted(counts.items())])
    writers = len({drawing.writer for drawing in drawings})
    finish({"drawings": len(drawings), "writers": writers, "seed": options.seed})


def sheet(glyphs: np.ndarray) -> Image.Image:
    rows = -(-len(glyphs) // COLUMNS)
    field = np.zeros((rows * COLUMNS, 28, 28), np.uint8)
    field[: len(glyphs)] = glyphs
    tiled = field.reshape(rows, COLUMNS, 28, 28).transpose(0, 2, 1, 3)
    return Image.fromarray(tiled.reshape(rows * 28, COLUMNS * 28))


if __name__ == "__main__":
    main()

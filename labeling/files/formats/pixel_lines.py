"""MNIST as CSV: one image per line, with 784 gray values after an optional label."""

from __future__ import annotations

import re
from typing import Final, TextIO

import numpy as np

from labeling.files.formats.pixels import SIZE
from labeling.files.formats.rows import FoundImage, Items, Refused, verdict_called
from predictions.glyphs.glyph import SIDE

LONGEST: Final = 16_384  # characters of a line
VALUE: Final = re.compile("[01]?[0-9]?[0-9]|2[0-4][0-9]|25[0-5]")  # of a pixel


def read(name: str, file: TextIO) -> Items:
    """Lines are counted from 1, the header too."""
    number = 0
    while text := file.readline(LONGEST):
        number += 1
        if not text.endswith("\n") and len(text) == LONGEST:
            skip_line(file)
            yield Refused(f"{name} line {number}", "it is longer than any image")
        elif text.strip() and not (number == 1 and is_header(text)):
            yield from_line(f"{name} line {number}", text)


def skip_line(file: TextIO) -> None:
    while (rest := file.readline(LONGEST)) and not rest.endswith("\n"):
        pass


def is_header(text: str) -> bool:
    """Whether the first line is a header: column names have letters, values have none."""
    return any(letter.isalpha() for letter in text) and not text[:1].isdigit()


def from_line(name: str, text: str) -> FoundImage | Refused:
    cells = [cell.strip().strip('"') for cell in text.split(",")]
    if len(cells) not in (SIZE, SIZE + 1):
        return Refused(name, f"it has {len(cells)} cells, not a label and {SIZE} values")
    label = cells.pop(0) if len(cells) > SIZE else ""
    try:
        verdict = verdict_called(label) if label else None
    except KeyError:
        return Refused(name, "its label is no digit from 0 to 9")
    if not all(VALUE.fullmatch(cell) for cell in cells):
        return Refused(name, "its values are not all whole numbers from 0 to 255")
    return FoundImage(name, np.array(cells, dtype=np.uint8).reshape(SIDE, SIDE), verdict)

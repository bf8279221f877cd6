"""Find the ink on flat paper, with nothing beside it: canvases and renderings."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from predictions.errors import NoInk
from predictions.glyphs.grayscale import InkArea, even_sample
from predictions.glyphs.lines import printed_lines
from predictions.glyphs.marks import are_surroundings, marks_in
from predictions.glyphs.photograph import STRENGTHS, shrunk

# All strengths are in 8-bit gray levels.
MIN_CONTRAST: Final = 32  # ink with less contrast is looked for only where there is no other
LEAST_CONTRAST: Final = 12  # of pale ink on paper of one flat gray
CLEAN_FLOOR: Final = 8  # weaker pixels are not ink, on paper of one flat gray
NOISY_FLOOR: Final = 64  # the same, if compression left ripples beside the strokes
EVEN: Final = 0.9  # of the pixels of flat paper; if fewer have its very gray, a camera made it
FLAT: Final = 2  # gray levels around the paper's own that still count as paper
SMALLEST_DRAWING: Final = 5  # pixels on the longer side; less is a speck


def ink_on_flat_paper(drawn: InkArea) -> Image.Image | None:
    """Return the strength of the ink, 0 to 255, or None if the paper is not flat and empty."""
    gray = drawn.gray
    data = gray.tobytes()
    sample = even_sample(data, gray.width)
    # Scale the counts of the sample up to the whole picture.
    levels = np.bincount(sample, minlength=256) * -(-len(data) // len(sample))
    levels[drawn.rest_level] += drawn.rest_pixels
    pixels = int(levels.sum())
    paper = int(levels.argmax())
    flat = int(levels[max(0, paper - FLAT) : paper + FLAT + 1].sum())
    if flat < 0.4 * pixels:
        return None
    if flat < 0.65 * pixels:
        paper = paper_of_two(drawn, levels, paper)
    if levels[paper] < EVEN * int(levels[max(0, paper - FLAT) : paper + FLAT + 1].sum()):
        return None  # a camera's or a scanner's
    darker, lighter = contrasts(levels, paper)
    light_ink, least = side_of_ink(darker, lighter)
    ink, other = (lighter, darker) if light_ink else (darker, lighter)
    marked = int(ink[least:].sum())
    faint = int(ink[FLAT + 1 : least].sum() + other[FLAT + 1 :].sum())
    if faint > 0.15 * pixels:
        return None  # shaded or grainy paper
    # The strongest 5 % of the ink count as full: one black speck must not fade a gray drawing.
    strongest = np.cumsum(ink[: least - 1 : -1])
    full = 255 - int(np.searchsorted(strongest, 0.05 * marked))
    # Smooth stroke edges have all strengths equally often. If weak pixels are more frequent, they
    # are the ripples of lossy compression.
    floor = CLEAN_FLOOR
    if faint > 16 + 0.35 * int(ink[least : full - least].sum()):
        floor = max(CLEAN_FLOOR, NOISY_FLOOR * full // 255)
    strength = STRENGTHS - paper if light_ink else paper - STRENGTHS
    table = np.minimum(strength * 255 // full, 255)
    table[strength < floor] = 0
    # bytes.translate is by far the fastest table lookup.
    data = data.translate(table.astype(np.uint8).tobytes())
    found = Image.frombuffer("L", gray.size, data, "raw", "L", 0, 1)
    return None if is_surrounded(found, drawn) else found


def side_of_ink(darker: NDArray[np.int64], lighter: NDArray[np.int64]) -> tuple[bool, int]:
    """Return whether the ink is lighter than the paper, and the least contrast that it may have."""
    likely = bool(lighter @ STRENGTHS > darker @ STRENGTHS)
    for least in (MIN_CONTRAST, LEAST_CONTRAST):
        for light_ink in (likely, not likely):
            if (lighter if light_ink else darker)[least:].any():
                return light_ink, least
    raise NoInk("There is no ink found in the image: it is blank.")


def is_surrounded(ink: Image.Image, drawn: InkArea) -> bool:
    """Whether some of the ink is printed lines or comes in from the border."""
    box = ink.getbbox()
    (left, top), (width, height) = drawn.box[:2], drawn.whole
    if box is None or (
        left + box[0] > 0 and top + box[1] > 0 and left + box[2] < width and top + box[3] < height
    ):
        return False
    whole = Image.new("L", drawn.whole)
    whole.paste(ink, drawn.box)
    seen = np.asarray(shrunk(whole))
    return bool(printed_lines(seen).any() or are_surroundings(marks_in(seen)).any())


def contrasts(levels: NDArray[np.int64], paper: int) -> tuple[NDArray[np.int64], ...]:
    """Return pixel counts by how much darker, and how much lighter, they are than the paper."""
    darker = np.zeros(256, np.int64)
    lighter = np.zeros(256, np.int64)
    darker[: paper + 1] = levels[paper::-1]
    lighter[: 256 - paper] = levels[paper:]
    return darker, lighter


def paper_of_two(drawn: InkArea, levels: NDArray[np.int64], first: int) -> int:
    """Decide which of two common grays is the paper: the more frequent one along the border.

    This is for close crops of thick strokes, where ink may cover more than the paper.
    """
    rest = levels.copy()
    rest[max(0, first - MIN_CONTRAST) : first + MIN_CONTRAST + 1] = 0
    second = int(rest.argmax())
    if drawn.rest_pixels and drawn.rest_level in (first, second):
        return drawn.rest_level
    pixels = np.asarray(drawn.gray)
    border = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])).astype(np.int16)
    near_first = np.abs(border - first) <= FLAT
    near_second = np.abs(border - second) <= FLAT
    return second if near_second.sum() > near_first.sum() else first

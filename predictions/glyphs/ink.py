"""Find the ink on an image and its strength: on flat paper, and on photographs of drawings."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from predictions.errors import NoInk
from predictions.glyphs.grayscale import InkArea, even_sample

# All strengths are in 8-bit gray levels.
MIN_CONTRAST: Final = 32  # ink with less contrast to its paper looks like dirt
CLEAN_FLOOR: Final = 8  # weaker pixels are not ink, on paper of one flat gray
NOISY_FLOOR: Final = 64  # the same, if compression left ripples beside the strokes
FLAT: Final = 2  # gray levels around the paper's own that still count as paper

PHOTO_SIDE: Final = 320  # photographs are read at no more than this many pixels a side
PAPER_BLOCKS: Final = 40  # the light on the paper is estimated in this many blocks a side
PAPER_WINDOW: Final = 7  # in blocks; strokes must be thinner than this, 1/6 of the picture
CELLS: Final = 80  # a side, of the grid that separates a photograph's drawing from its dust
MOST_PIECES: Final = 12  # unconnected pieces of one drawing
MOST_INK: Final = 0.5  # share of a photograph; more is not a drawing on paper
SMALLEST_DRAWING: Final = 5  # pixels on the longer side; less is a speck

STRENGTHS: Final = np.arange(256)
Strengths = NDArray[np.uint8]


# Ink on paper of one gray: canvases, scans, renderings ------------------------------------------


def ink_on_flat_paper(drawn: InkArea) -> Image.Image | None:
    """Return the strength of the ink, 0 to 255, or None if the paper is not flat."""
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
    darker, lighter = contrasts(levels, paper)
    light_ink = lighter @ STRENGTHS > darker @ STRENGTHS
    ink, other = (lighter, darker) if light_ink else (darker, lighter)
    marked = int(ink[MIN_CONTRAST:].sum())
    if marked == 0:
        raise NoInk("There is no ink found in the image: it is blank.")
    faint = int(ink[FLAT + 1 : MIN_CONTRAST].sum() + other[FLAT + 1 :].sum())
    if faint > 0.15 * pixels:
        return None  # shaded or grainy paper
    # The strongest 5 % of the ink count as full: one black speck must not fade a gray drawing.
    strongest = np.cumsum(ink[: MIN_CONTRAST - 1 : -1])
    full = 255 - int(np.searchsorted(strongest, 0.05 * marked))
    # Smooth stroke edges have all strengths equally often. If weak pixels are more frequent, they
    # are the ripples of lossy compression.
    floor = CLEAN_FLOOR
    if faint > 16 + 0.35 * int(ink[MIN_CONTRAST : full - MIN_CONTRAST].sum()):
        floor = max(CLEAN_FLOOR, NOISY_FLOOR * full // 255)
    strength = STRENGTHS - paper if light_ink else paper - STRENGTHS
    table = np.minimum(strength * 255 // full, 255)
    table[strength < floor] = 0
    # bytes.translate is by far the fastest table lookup.
    data = data.translate(table.astype(np.uint8).tobytes())
    return Image.frombuffer("L", gray.size, data, "raw", "L", 0, 1)


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


# Ink on paper under uneven light: photographs ---------------------------------------------------


def ink_in_photograph(gray: Image.Image) -> Image.Image:
    """Return the strength of the ink, 0 to 255, on a photograph of a drawing."""
    longest = max(gray.size)
    if longest > PHOTO_SIDE:
        gray = gray.reduce(-(-longest // PHOTO_SIDE))
    if ink_is_light(gray):
        gray = ImageOps.invert(gray)
    paper = np.maximum(np.asarray(paper_under(gray), np.float32), 1.0)
    strength = 255.0 * (1.0 - np.asarray(gray, np.float32) / paper)
    ink = strength.clip(0.0, 255.0).astype(np.uint8)
    levels = np.bincount(ink.ravel(), minlength=256)
    rest, threshold, full = split(levels)
    foot = rest + 0.6 * (threshold - rest)
    table = ((STRENGTHS - foot) * (255.0 / (full - foot))).clip(0, 255)
    table[foot > STRENGTHS] = 0
    ink = table.astype(np.uint8)[ink]
    return Image.fromarray(ink * drawing_mask(ink))


def ink_is_light(gray: Image.Image) -> bool:
    """Whether the rarer pixels are lighter than the average around them."""
    width, height = gray.size
    around = gray.resize((max(1, width // 8), max(1, height // 8)), Image.Resampling.BOX)
    around = around.filter(ImageFilter.BoxBlur(3)).resize(gray.size, Image.Resampling.BILINEAR)
    excess = np.asarray(gray, np.float32) - np.asarray(around, np.float32)
    return float((excess * excess * excess).sum()) > 0.0


def paper_under(gray: Image.Image) -> Image.Image:
    """Estimate the paper without its dark ink, by a morphological closing wider than any stroke."""
    block = max(1, -(-max(gray.size) // PAPER_BLOCKS))
    # A blur of one pixel weakens single bright grains, which the maximum would spread.
    calm = np.asarray(gray.filter(ImageFilter.BoxBlur(1)))
    height, width = calm.shape
    calm = np.pad(calm, ((0, -height % block), (0, -width % block)), "edge")
    rows, columns = calm.shape[0] // block, calm.shape[1] // block
    lightest = calm.reshape(rows, block, columns, block).max(axis=(1, 3))
    paper = Image.fromarray(lightest)
    paper = paper.filter(ImageFilter.MaxFilter(PAPER_WINDOW))
    paper = paper.filter(ImageFilter.MinFilter(PAPER_WINDOW)).filter(ImageFilter.BoxBlur(1))
    box = (0.0, 0.0, width / block, height / block)
    return paper.resize(gray.size, Image.Resampling.BILINEAR, box=box)


def split(levels: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the strength of bare paper, the threshold to ink, and that of full ink."""
    pixels = int(levels.sum())
    shares = np.cumsum(levels) / pixels
    rest = float(np.searchsorted(shares, 0.5))
    deviation = np.bincount(np.abs(STRENGTHS - int(rest)), weights=levels, minlength=256)
    grain = 1.5 * float(np.searchsorted(np.cumsum(deviation) / pixels, 0.5))
    foot = rest + max(12.0, 4.0 * grain)
    # Ink may be 1 % of the pixels, and Otsu's method would then split the grain of the paper. So
    # it gets only the levels above that grain.
    beyond = np.where(foot < STRENGTHS, levels, 0)
    if beyond.sum() < SMALLEST_DRAWING:
        raise NoInk("There is no ink found in the image.")
    threshold = max(foot, otsu(beyond))
    drawn = np.where(threshold <= STRENGTHS, levels, 0)
    strong = float(np.searchsorted(np.cumsum(drawn) / max(1, drawn.sum()), 0.6))
    if strong - rest < MIN_CONTRAST or drawn.sum() > MOST_INK * pixels:
        raise NoInk("There is no ink found in the image that stands out from the paper.")
    return rest, min(threshold, rest + 0.5 * (strong - rest)), strong


def otsu(levels: NDArray[np.int64]) -> float:
    """Return the gray that splits a histogram into the two most distinct classes."""
    below = np.cumsum(levels)
    sums = np.cumsum(levels * STRENGTHS)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap * gap, posinf=0.0)
    return float(between.argmax()) + 1.0


def drawing_mask(ink: Strengths) -> Strengths:
    """Return 1 on the drawing, and 0 on dust and on what touches the border.

    Shadows, fingers and the edge of a table touch the border; a digit seldom does.
    """
    height, width = ink.shape
    block = max(1, -(-max(height, width) // CELLS))
    padded = np.pad(ink, ((0, -height % block), (0, -width % block)))
    rows, columns = padded.shape[0] // block, padded.shape[1] // block
    mass = padded.reshape(rows, block, columns, block).sum(axis=(1, 3), dtype=np.int64)
    labels = components(mass > 0)
    count = int(labels.max())
    if count == 0:
        raise NoInk("There is no ink found in the image.")
    weights = np.bincount(labels.ravel(), weights=mass.ravel(), minlength=count + 1)
    weights[0] = 0
    edge = np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))
    inner = weights.copy()
    inner[edge] = 0
    if inner.max() >= 0.05 * weights.max():
        weights = inner
    kept = weights >= 0.08 * weights.max()
    # Grain has many pieces of similar size; in a drawing a few pieces hold most of the ink.
    if weights[kept].sum() < 0.5 * weights.sum() or kept.sum() > MOST_PIECES:
        raise NoInk("There is no ink found in the image but specks.")
    mask = np.kron(kept[labels].astype(np.uint8), np.ones((block, block), np.uint8))
    return mask[:height, :width]


def components(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the groups of cells that touch, also at corners, from 1; empty cells are 0."""
    labels = np.where(cells, np.arange(1, cells.size + 1).reshape(cells.shape), 0)
    while True:
        spread = np.pad(labels, 1)
        for axis in (0, 1):  # the largest number among the neighbors wins, step by step
            ahead = np.roll(spread, -1, axis)
            behind = np.roll(spread, 1, axis)
            spread = np.maximum(spread, np.maximum(ahead, behind))
        grown = np.where(cells, spread[1:-1, 1:-1], 0)
        if np.array_equal(grown, labels):
            break
        labels = grown
    return np.unique(labels, return_inverse=True)[1].reshape(cells.shape) + (
        0 if (labels == 0).any() else 1
    )

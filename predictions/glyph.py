"""The glyph: the one 28×28 shape that everything downstream sees.

White ink on black in the geometry of MNIST: the ink's box scaled to 20 pixels on its longer side,
its center of mass in the middle of pixel 14 (counted from 0, as in MNIST, half a pixel beyond the
middle of the field).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from PIL.PngImagePlugin import PngImageFile

from predictions.errors import NoInk
from predictions.images import PNG_SIGNATURE, gray_png, upright_gray

SIDE: Final = 28
BOX: Final = 20
MIDDLE: Final = 14.5  # the middle of pixel 14, in pixels from the edge

# Work is done at a quarter of a glyph pixel: the last step is then an exact mean of 4×4, and
# neither the place nor the width of a stroke depends on how it fell on the glyph's grid.
FINE: Final = 4
FINE_BOX: Final = BOX * FINE

# All strengths below are in 8-bit gray levels.
MIN_CONTRAST: Final = 32  # ink that differs less from its paper is not told from dirt
CLEAN_FLOOR: Final = 8  # weaker is no ink, where the paper is one flat gray
NOISY_FLOOR: Final = 32  # the same, where compression left ripples beside the strokes
FLAT: Final = 2  # gray levels around the paper's own that still count as paper

# In glyph pixels. Measured on the 60,000 training images of MNIST (20,000 of them used): stroke
# width 1st percentile 1.5, median 2.5, maximum 8.1; length of stroke at most 69; box filled to at
# most 0.74 where it is nearly square (a disc fills 0.79).
THINNEST_STROKE: Final = 1.4
THICKEST_STROKE: Final = 9.0
LONGEST_STROKE: Final = 160.0
FULLEST_SQUARE: Final = 0.76
SQUARE_ASPECT: Final = 1.6

SMALLEST_DRAWING: Final = 5  # pixels on the longer side; less is a speck
SMALLEST_SHARE: Final = 0.02  # of the longer side of the picture; less is a speck

PHOTO_SIDE: Final = 320  # photographs are read at no more than this many pixels a side
PAPER_BLOCKS: Final = 40  # the light on the paper is estimated in this many blocks a side
PAPER_WINDOW: Final = 7  # in blocks; strokes must be thinner than this, 1/6 of the picture
MOST_INK: Final = 0.5  # of a photograph; more is not a drawing on paper

Glyph = NDArray[np.uint8]


def glyph_of(image: Image.Image) -> Glyph:
    """Return the glyph of whatever is drawn on the image, or raise NoInk."""
    gray = upright_gray(image)
    ink = _ink_on_flat_paper(gray)
    if ink is None:
        ink = _ink_in_photograph(gray)
    return _framed(ink)


def encode_glyph(glyph: Glyph) -> bytes:
    """Return the glyph as a PNG; equal glyphs give equal bytes."""
    _check(glyph)
    return gray_png(Image.fromarray(glyph))


def decode_glyph(png: bytes) -> Glyph:
    """Return the glyph in a PNG that encode_glyph, or any other writer of gray PNG, made."""
    if png.startswith(_OWN_HEAD):
        (length,) = struct.unpack_from(">I", png, len(_OWN_HEAD))
        begin = len(_OWN_HEAD) + 8
        raw = zlib.decompress(png[begin : begin + length])
        if len(raw) == SIDE * (SIDE + 1):
            rows = np.frombuffer(raw, np.uint8).reshape(SIDE, SIDE + 1)
            if not rows[:, 0].any():  # no row is filtered, as we write them
                return np.ascontiguousarray(rows[:, 1:])
    glyph = np.array(PngImageFile(BytesIO(png)))
    _check(glyph)
    return glyph


def glyph_digest(glyph: Glyph) -> str:
    """Return the SHA-256 of the pixels, in hex."""
    _check(glyph)
    return hashlib.sha256(glyph.tobytes()).hexdigest()


def _check(glyph: Glyph) -> None:
    if glyph.shape != (SIDE, SIDE) or glyph.dtype != np.uint8:
        raise ValueError(f"a glyph is 28×28 bytes, not {glyph.shape} of {glyph.dtype}")


_OWN_HEAD: Final = gray_png(Image.new("L", (SIDE, SIDE)))[: len(PNG_SIGNATURE) + 25]

_STRENGTHS: Final = np.arange(256)


# Ink on paper of one gray: canvases, scans, renderings ------------------------------------------


def _ink_on_flat_paper(gray: Image.Image) -> Image.Image | None:
    """Return the strength of the ink, 0 to 255, or None where the paper is not flat."""
    levels = np.array(gray.histogram())
    pixels = gray.width * gray.height
    paper = int(levels.argmax())
    flat = int(levels[max(0, paper - FLAT) : paper + FLAT + 1].sum())
    if flat < 0.4 * pixels:
        return None
    if flat < 0.65 * pixels:
        paper = _paper_of_two(gray, levels, paper)
    darker, lighter = _strengths(levels, paper)
    ink, other = (
        (darker, lighter) if darker @ _STRENGTHS >= lighter @ _STRENGTHS else (lighter, darker)
    )
    drawn = int(ink[MIN_CONTRAST:].sum())
    if drawn == 0:
        raise NoInk("There is no ink found in the image: it is blank.")
    faint = int(ink[FLAT + 1 : MIN_CONTRAST].sum() + other[FLAT + 1 :].sum())
    if faint > 0.15 * pixels:
        return None  # shaded or grainy paper
    # The strongest 5 % of the ink count as full: one black speck must not fade a gray drawing.
    strong = ink[MIN_CONTRAST:][::-1].cumsum()
    full = 255 - int(np.searchsorted(strong, 0.05 * drawn))
    # Smooth edges of strokes spread over all strengths alike; where weak ones crowd, they are
    # the ripples of a lossy compression.
    floor = CLEAN_FLOOR if faint <= 16 + drawn // 2 else max(CLEAN_FLOOR, NOISY_FLOOR * full // 255)
    sign = 1 if ink is lighter else -1
    table = sign * (_STRENGTHS - paper)
    table[table < floor] = 0
    return gray.point(np.minimum(table * 255 // full, 255).tolist())


def _strengths(levels: NDArray[np.int64], paper: int) -> tuple[NDArray[np.int64], ...]:
    """Counts of pixels by how much darker, and by how much lighter, than the paper they are."""
    darker = np.zeros(256, np.int64)
    lighter = np.zeros(256, np.int64)
    darker[: paper + 1] = levels[paper::-1]
    lighter[: 256 - paper] = levels[paper:]
    return darker, lighter


def _paper_of_two(gray: Image.Image, levels: NDArray[np.int64], first: int) -> int:
    """Decide which of two common grays is the paper: the one that lies along the border.

    Only close crops of thick strokes come here, where ink may cover more than the paper.
    """
    rest = levels.copy()
    rest[max(0, first - MIN_CONTRAST) : first + MIN_CONTRAST + 1] = 0
    second = int(rest.argmax())
    width, height = gray.size
    pixels = np.asarray(gray)
    border = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])).astype(np.int16)
    near_first = np.abs(border - first) <= FLAT
    near_second = np.abs(border - second) <= FLAT
    return second if near_second.sum() > near_first.sum() else first


# Ink on paper under uneven light: photographs ---------------------------------------------------


def _ink_in_photograph(gray: Image.Image) -> Image.Image:
    """Return the strength of the ink, 0 to 255, on a photograph of a drawing."""
    longest = max(gray.size)
    if longest > PHOTO_SIDE:
        gray = gray.reduce(-(-longest // PHOTO_SIDE))
    if _ink_is_light(gray):
        gray = ImageOps.invert(gray)
    paper = np.maximum(np.asarray(_paper_under(gray), np.float32), 1.0)
    strength = 255.0 * (1.0 - np.asarray(gray, np.float32) / paper)
    ink = strength.clip(0.0, 255.0).astype(np.uint8)
    levels = np.bincount(ink.ravel(), minlength=256)
    rest, threshold, full = _split(levels)
    foot = rest + 0.6 * (threshold - rest)
    table = ((_STRENGTHS - foot) * (255.0 / (full - foot))).clip(0, 255)
    table[_STRENGTHS < foot] = 0
    ink = table.astype(np.uint8)[ink]
    return Image.fromarray(ink * _drawing_mask(ink))


def _ink_is_light(gray: Image.Image) -> bool:
    """Whether the rare pixels are the light ones, measured against the light around them."""
    width, height = gray.size
    around = gray.resize((max(1, width // 8), max(1, height // 8)), Image.Resampling.BOX)
    around = around.filter(ImageFilter.BoxBlur(3)).resize(gray.size, Image.Resampling.BILINEAR)
    excess = np.asarray(gray, np.float32) - np.asarray(around, np.float32)
    return float((excess * excess * excess).sum()) > 0.0


def _paper_under(gray: Image.Image) -> Image.Image:
    """Estimate the paper without the dark ink on it: a closing wider than any stroke."""
    block = max(1, -(-max(gray.size) // PAPER_BLOCKS))
    # One pixel of blur takes the edge off single bright grains, which a maximum would spread.
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


def _split(levels: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the strength of bare paper, the threshold to ink, and that of full ink."""
    pixels = int(levels.sum())
    shares = np.cumsum(levels) / pixels
    rest = float(np.searchsorted(shares, 0.5))
    deviation = np.bincount(np.abs(_STRENGTHS - int(rest)), weights=levels, minlength=256)
    grain = 1.5 * float(np.searchsorted(np.cumsum(deviation) / pixels, 0.5))
    foot = rest + max(12.0, 4.0 * grain)
    # Ink may be one pixel in a hundred, and Otsu's criterion would then split the grain of the
    # paper: it is asked only about what stands above that grain.
    beyond = np.where(foot < _STRENGTHS, levels, 0)
    if beyond.sum() < SMALLEST_DRAWING:
        raise NoInk("There is no ink found in the image.")
    threshold = max(foot, _otsu(beyond))
    drawn = np.where(threshold <= _STRENGTHS, levels, 0)
    strong = float(np.searchsorted(np.cumsum(drawn) / max(1, drawn.sum()), 0.6))
    if strong - rest < MIN_CONTRAST or drawn.sum() > MOST_INK * pixels:
        raise NoInk("There is no ink found in the image that stands out from the paper.")
    return rest, min(threshold, rest + 0.5 * (strong - rest)), strong


def _otsu(levels: NDArray[np.int64]) -> float:
    """Return the gray that parts a histogram into the two most distinct classes."""
    below = np.cumsum(levels)
    sums = np.cumsum(levels * _STRENGTHS)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap * gap, posinf=0.0)
    return float(between.argmax()) + 1.0


def _drawing_mask(ink: Glyph) -> Glyph:
    """Return 1 where the drawing lies and 0 over dust and over what enters from the border.

    Shadows, fingers and the edge of a table come in from the border; a digit seldom does.
    """
    height, width = ink.shape
    block = max(1, -(-max(height, width) // FINE_BOX))
    padded = np.pad(ink, ((0, -height % block), (0, -width % block)))
    rows, columns = padded.shape[0] // block, padded.shape[1] // block
    mass = padded.reshape(rows, block, columns, block).sum(axis=(1, 3), dtype=np.int64)
    labels = _components(mass > 0)
    count = int(labels.max())
    if count == 0:
        raise NoInk("There is no ink found in the image.")
    weights = np.bincount(labels.ravel(), weights=mass.ravel(), minlength=count + 1)
    weights[0] = 0
    border = np.unique(
        np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1])),
    )
    inner = weights.copy()
    inner[border] = 0
    if inner.max() >= 0.05 * weights.max():
        weights = inner
    kept = weights >= 0.08 * weights.max()
    mask = np.kron(kept[labels].astype(np.uint8), np.ones((block, block), np.uint8))
    return mask[:height, :width]


def _components(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
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


# From ink to the glyph --------------------------------------------------------------------------


def _framed(ink: Image.Image) -> Glyph:
    """Scale the ink to its box, keep it readable, and put its center of mass in the middle."""
    box = ink.getbbox()
    if box is None:
        raise NoInk("There is no ink found in the image.")
    longest = max(box[2] - box[0], box[3] - box[1])
    if longest < max(SMALLEST_DRAWING, SMALLEST_SHARE * max(ink.size)):
        raise NoInk("There is no ink found in the image but a speck.")
    fine, native = _scaled(ink, box, FINE_BOX)
    area, width = _area_and_width(fine)
    _refuse_what_is_no_stroke(area, width, fine.shape)
    spread = FINE * (THINNEST_STROKE - width) / 2
    if spread > 0:
        fine, _ = _scaled(ink, box, FINE_BOX - round(2 * spread))
        fine = _thickened(fine, spread)
    return _centered(fine, whole_pixels=native and spread <= 0)


def _scaled(
    ink: Image.Image, box: tuple[int, int, int, int], target: int
) -> tuple[Glyph, bool]:
    """Return the boxed ink with `target` fine pixels on its longer side, at full strength.

    Ink that already has the size of a glyph is not resampled (and then True is returned).
    """
    width, height = box[2] - box[0], box[3] - box[1]
    longest = max(width, height)
    native = longest in (BOX, BOX + 1)
    if native:
        size = (width * FINE, height * FINE)
    else:
        size = (
            max(1, round(width * target / longest)),
            max(1, round(height * target / longest)),
        )
    # Shrinking averages areas. Enlarging is smooth, or the pixels of a small picture would show
    # as steps.
    method = (
        Image.Resampling.BOX if native or longest >= target else Image.Resampling.BILINEAR
    )
    fine = np.asarray(ink.resize(size, method, box=box))
    peak = int(fine.max())
    # Hair lines lose their strength in the averaging.
    if 0 < peak < 255:
        fine = (fine * (255.0 / peak)).astype(np.uint8)
    return fine, native


def _area_and_width(fine: Glyph) -> tuple[float, float]:
    """Return the ink's area and its mean stroke width in glyph pixels.

    Width is twice the area by the outline; the outline is the total variation, corrected by
    pi/4 for running along rows and columns only.
    """
    area = int(fine.sum(dtype=np.int64))
    across = int(np.maximum(fine[:, 1:], fine[:, :-1]).sum(dtype=np.int64))
    across += int(fine[:, 0].sum(dtype=np.int64)) + int(fine[:, -1].sum(dtype=np.int64))
    down = int(np.maximum(fine[1:], fine[:-1]).sum(dtype=np.int64))
    down += int(fine[0].sum(dtype=np.int64)) + int(fine[-1].sum(dtype=np.int64))
    outline = (2 * (across + down) - 4 * area) * np.pi / 4
    return area / (255 * FINE * FINE), 2 * area / outline / FINE


def _refuse_what_is_no_stroke(area: float, width: float, shape: tuple[int, ...]) -> None:
    short, long = sorted(shape)
    filled = area * FINE * FINE / (short * long)
    if width > THICKEST_STROKE or (filled > FULLEST_SQUARE and long < SQUARE_ASPECT * short):
        raise NoInk("There is no ink found in the image that forms strokes, only an area.")
    if area / width > LONGEST_STROKE:
        raise NoInk("There is no ink found in the image that forms strokes, only texture.")


def _thickened(fine: Glyph, spread: float) -> Glyph:
    """Widen strokes by `spread` fine pixels to each side.

    The recognizer never saw strokes thinner than MNIST's; a hair line left as it is would reach
    it as a row of dots whose strength depends on how it met the grid. Between whole steps the
    two neighbors are mixed, so that nothing jumps when a drawing is scaled a little.
    """
    whole = int(spread)
    part = spread - whole
    fine = np.pad(fine, whole + 1)
    for step in range(whole):
        fine = _grown(fine, corners=step % 2 == 1)
    if part:
        more = _grown(fine, corners=whole % 2 == 1)
        fine = np.rint(fine + part * (more.astype(np.float32) - fine)).astype(np.uint8)
    return fine


def _grown(fine: Glyph, *, corners: bool) -> Glyph:
    """The maximum over each pixel and its four or eight neighbors (in turn, nearly a disc)."""
    grown = fine.copy()
    np.maximum(grown[:, 1:], fine[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], fine[:, 1:], out=grown[:, :-1])
    source = grown.copy() if corners else fine
    np.maximum(grown[1:], source[:-1], out=grown[1:])
    np.maximum(grown[:-1], source[1:], out=grown[:-1])
    return grown


def _centered(fine: Glyph, *, whole_pixels: bool) -> Glyph:
    """Put the center of mass in the middle and average down to the glyph.

    Ink that was not resampled moves by whole glyph pixels, so that it stays as sharp as it was.
    """
    step = FINE if whole_pixels else 1
    height, width = fine.shape
    columns = fine.sum(axis=0, dtype=np.int64)
    rows = fine.sum(axis=1, dtype=np.int64)
    left = _place(columns, step)
    top = _place(rows, step)
    field = Image.new("L", (SIDE * FINE, SIDE * FINE))
    field.paste(Image.fromarray(fine), (left, top))
    glyph = np.array(field.reduce(FINE))
    peak = int(glyph.max())
    if peak < 255:
        glyph = np.rint(glyph * (255.0 / peak)).astype(np.uint8)
    return glyph


def _place(sums: NDArray[np.int64], step: int) -> int:
    """Return where a profile of ink must begin for its center to fall on the middle."""
    center = float(sums @ np.arange(len(sums))) / float(sums.sum()) + 0.5
    begin = step * round((MIDDLE * FINE - center) / step)
    return max(0, min(begin, SIDE * FINE - len(sums)))

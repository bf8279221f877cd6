"""The glyph: the 28×28 image that all later steps use.

White ink on black with the geometry of MNIST: the longer side of the ink's bounding box is scaled
to 20 pixels. Its center of mass is at the middle of pixel 14, counted from 0, which is half a pixel
past the middle of the image.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from predictions.errors import NoInk, SeveralDigits
from predictions.glyphs.box import Box
from predictions.glyphs.grayscale import drawn_part, upright_gray
from predictions.glyphs.images import PNG_SIGNATURE, gray_png
from predictions.glyphs.ink import MIN_CONTRAST, SMALLEST_DRAWING, ink_on_flat_paper
from predictions.glyphs.photograph import FULLEST_SQUARE, SQUARE_ASPECT, ink_in_photograph

SIDE: Final = 28
BOX: Final = 20
MIDDLE: Final = 14.5  # the middle of pixel 14, in pixels from the edge

# All work is done at four times the glyph's resolution. The last step is then an exact mean of 4×4
# pixels, and a stroke's position and width do not depend on the glyph's pixel grid.
FINE: Final = 4
FINE_BOX: Final = BOX * FINE

# In glyph pixels. Measured on 20,000 training images of MNIST: stroke width 1st percentile 1.5,
# median 2.5, maximum 8.1; length of stroke at most 69.
THINNEST_STROKE: Final = 1.4
THICKEST_STROKE: Final = 9.0
LONGEST_STROKE: Final = 160.0
LEAST_FREE: Final = 0.1  # share of a box with less than a quarter of the strongest ink
SIDE_BY_SIDE: Final = 0.6  # of the height; two parts that share more of it are two digits
LEAST_OF_TWO: Final = 0.2  # of the ink; a part with less is a remnant of something else
LEAST_AREA: Final = 15.0  # half of the thinnest straight stroke

SMALLEST_SHARE: Final = 0.02  # of the longer side of the picture; less is a speck

Glyph = NDArray[np.uint8]
_Profile = NDArray[np.int64]
_PLACES: Final = np.arange(SIDE * FINE)


def glyph_of(image: Image.Image) -> Glyph:
    """Return the glyph of whatever is drawn on the image, or raise NoInk."""
    return glyph_and_box(image)[0]


def glyph_and_box(image: Image.Image) -> tuple[Glyph, Box]:
    """Return the glyph, and where its ink is: left, top, right, bottom in shares of the picture."""
    drawn = drawn_part(image)
    flat = ink_on_flat_paper(drawn)
    refusal = None
    if flat is not None:
        try:
            return _framed(flat, drawn.box, drawn.whole)
        except SeveralDigits:
            raise
        except NoInk as refused:  # there may be more to the picture than flat paper
            refusal = refused
    try:
        ink, box = ink_in_photograph(upright_gray(image))
        return _framed(ink, box, drawn.whole)
    except NoInk as refused:
        raise refusal or refused from None


def ready_glyph(gray: Image.Image) -> Glyph | None:
    """Return the pixels unchanged if the image already is a glyph, else None.

    A glyph is 28×28, has ink, and most of its edge pixels are black: ink of at most 21 pixels a
    side cannot reach more than two of the four edges. Making its glyph again could move the ink
    by a pixel.
    """
    if gray.size != (SIDE, SIDE) or gray.mode != "L":
        return None
    glyph = _pixels(gray).copy()
    edge = np.concatenate((glyph[0], glyph[-1], glyph[1:-1, 0], glyph[1:-1, -1]))
    is_black_around = 2 * np.count_nonzero(edge) < edge.size
    return glyph if is_black_around and glyph.max() >= MIN_CONTRAST else None


def encode_glyph(glyph: Glyph) -> bytes:
    """Return the glyph as a PNG; equal glyphs give equal bytes."""
    _check(glyph)
    return gray_png(Image.fromarray(glyph))


def decode_glyph(png: bytes) -> Glyph:
    """Return the glyph in a gray PNG, from encode_glyph or from any other encoder."""
    if png.startswith(_OWN_HEAD):
        (length,) = struct.unpack_from(">I", png, len(_OWN_HEAD))
        begin = len(_OWN_HEAD) + 8
        raw = zlib.decompress(png[begin : begin + length])
        if len(raw) == SIDE * (SIDE + 1):
            rows = np.frombuffer(raw, np.uint8).reshape(SIDE, SIDE + 1)
            if not rows[:, 0].any():  # filter type 0 in every row, as encode_glyph writes
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


# From ink to the glyph --------------------------------------------------------------------------


def _framed(
    ink: Image.Image, part: tuple[int, int, int, int], whole: tuple[int, int]
) -> tuple[Glyph, Box]:
    """Return the glyph of the ink on a part of the whole picture, and its box there."""
    scale = (part[2] - part[0]) / ink.width
    box = _box_of_more_than_a_speck(ink, scale, whole)
    fine, native = _scaled(ink, box)
    rows, columns = _profiles(fine)
    if not columns.all():
        _refuse_several(fine, columns)
    peak = int(fine.max())
    if peak < 255:
        _refuse_grain(fine, peak)
        fine = _at_full_strength(fine)
        rows, columns = _profiles(fine)
    area, width = _area_and_width(fine, rows, columns)
    _refuse_what_is_no_stroke(area, width, fine.shape)
    if width < THINNEST_STROKE and not native:
        fine = _thickened(ink, box, fine)
        rows, columns = _profiles(fine)
        area, width = _area_and_width(fine, rows, columns)
        _refuse_what_is_no_stroke(area, width, fine.shape)
    if area < LEAST_AREA:
        raise NoInk("There is no ink found in the image but specks.")
    # Ink that was not resampled moves by whole glyph pixels, so that it stays as sharp as it was.
    step = FINE if native else 1
    left, top, right, bottom = (
        (start + scale * place) / side
        for start, place, side in zip(part[:2] * 2, box, whole * 2, strict=True)
    )
    return _reduced(fine, _place(rows, step), _place(columns, step)), (left, top, right, bottom)


def _box_of_more_than_a_speck(
    ink: Image.Image, scale: float, whole: tuple[int, int]
) -> tuple[int, int, int, int]:
    box = ink.getbbox()
    if box is None:
        raise NoInk("There is no ink found in the image.")
    longest = max(box[2] - box[0], box[3] - box[1])
    if longest < SMALLEST_DRAWING or longest * scale < SMALLEST_SHARE * max(whole):
        raise NoInk("There is no ink found in the image but a speck.")
    return box


def _scaled(ink: Image.Image, box: tuple[int, int, int, int]) -> tuple[Glyph, bool]:
    """Return the boxed ink, FINE_BOX pixels on its longer side, and whether it is native.

    Native ink already has the size of a glyph and is not resampled.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    longest = max(width, height)
    native = longest in (BOX, BOX + 1)
    if native:
        size = (width * FINE, height * FINE)
    else:
        size = (
            max(1, round(width * FINE_BOX / longest)),
            max(1, round(height * FINE_BOX / longest)),
        )
    # Shrinking averages areas. Enlarging is smooth, or the pixels of a small picture would show
    # as steps.
    shrinks = native or longest >= FINE_BOX
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return _pixels(ink.resize(size, method, box=box)), native


def _pixels(gray: Image.Image) -> Glyph:
    """Return the same as np.asarray, in a third of the time; this matters for small pictures."""
    return np.frombuffer(gray.tobytes(), np.uint8).reshape(gray.height, gray.width)


def _at_full_strength(fine: Glyph) -> Glyph:
    """Scale the strongest ink to 255, because averaging makes thin lines weaker."""
    peak = int(fine.max())
    return (fine * (255.0 / peak)).astype(np.uint8) if 0 < peak < 255 else fine


def _profiles(fine: Glyph) -> tuple[_Profile, _Profile]:
    """Return the sums of the rows and of the columns."""
    return fine.sum(axis=1, dtype=np.int64), fine.sum(axis=0, dtype=np.int64)


def _area_and_width(fine: Glyph, rows: _Profile, columns: _Profile) -> tuple[float, float]:
    """Return the ink's area and its mean stroke width in glyph pixels.

    The width is twice the area divided by the length of the outline. That length is the total
    variation along rows and columns, times pi/4. The variation along a row with black ends is
    twice the sum of the maxima of neighboring pixels, minus twice the sum of the row.
    """
    area = int(rows.sum())
    across = int(np.maximum(fine[:, 1:], fine[:, :-1]).sum(dtype=np.int64))
    down = int(np.maximum(fine[1:], fine[:-1]).sum(dtype=np.int64))
    ends = int(columns[0] + columns[-1] + rows[0] + rows[-1])
    outline = (2 * (across + down + ends) - 4 * area) * np.pi / 4
    return area / (255 * FINE * FINE), 2 * area / outline / FINE


def _refuse_what_is_no_stroke(area: float, width: float, shape: tuple[int, ...]) -> None:
    short, long = sorted(shape)
    filled = area * FINE * FINE / (short * long)
    if width > THICKEST_STROKE or (filled > FULLEST_SQUARE and long < SQUARE_ASPECT * short):
        raise NoInk("There is no ink found in the image that forms strokes, only an area.")
    if area / width > LONGEST_STROKE:
        raise NoInk("There is no ink found in the image that forms strokes, only texture.")


def _refuse_grain(fine: Glyph, peak: int) -> None:
    """Refuse ink that leaves no paper free in a box that is nearly square."""
    short, long = sorted(fine.shape)
    free = np.count_nonzero(fine < peak // 4)
    if free < LEAST_FREE * fine.size and long < SQUARE_ASPECT * short:
        raise NoInk("There is no ink found in the image that forms strokes, only grain.")


def _refuse_several(fine: Glyph, columns: _Profile) -> None:
    """Refuse ink of which two parts stand side by side, with a gap from top to bottom between."""
    edges = np.flatnonzero(np.diff(columns > 0, prepend=False, append=False))
    last: tuple[int, int] | None = None
    least = LEAST_OF_TWO * int(columns.sum())
    for left, right in edges.reshape(-1, 2):
        if columns[left:right].sum() < least:
            continue
        rows = np.flatnonzero(fine[:, left:right].any(axis=1))
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        if last and min(bottom, last[1]) - max(top, last[0]) > SIDE_BY_SIDE * len(fine):
            raise SeveralDigits
        if bottom - top > SIDE_BY_SIDE * len(fine):
            last = top, bottom


def _thickened(ink: Image.Image, box: tuple[int, int, int, int], fine: Glyph) -> Glyph:
    """Return the boxed ink at the scale of `fine`, with strokes widened to THINNEST_STROKE.

    The recognizer was not trained on thinner strokes: a hair line would become a row of dots that
    depends on the pixel grid. If the picture has more pixels than `fine`, strokes are widened
    before the ink is averaged, because averaging makes hair lines fade.
    """
    longest = max(box[2] - box[0], box[3] - box[1])
    if longest > FINE_BOX:
        fine = _pooled(np.asarray(ink.crop(box)), longest // FINE_BOX)
    scale = max(fine.shape) / BOX
    rows, columns = _profiles(fine)
    width = _area_and_width(fine, rows, columns)[1] * FINE / scale
    spread = max(0.0, scale * (THINNEST_STROKE - width) / 2)
    wide = Image.fromarray(_widened(fine, spread))
    return _at_full_strength(_scaled(wide, (0, 0, *wide.size))[0])


def _pooled(ink: Glyph, factor: int) -> Glyph:
    """Shrink by a whole factor; each cell becomes its strongest pixel."""
    if factor < 2:
        return ink
    height, width = ink.shape
    ink = np.pad(ink, ((0, -height % factor), (0, -width % factor)))
    ink = np.maximum.reduce([ink[start::factor] for start in range(factor)])
    pooled: Glyph = np.maximum.reduce([ink[:, start::factor] for start in range(factor)])
    return pooled


def _widened(ink: Glyph, spread: float) -> Glyph:
    """Widen strokes by `spread` pixels to each side.

    A fraction mixes the two nearest whole steps, so that a small change of scale is a small
    change of width.
    """
    whole = int(spread)
    part = spread - whole
    ink = np.pad(ink, whole + 1)
    for step in range(whole):
        ink = _grown(ink, corners=step % 2 == 1)
    more = _grown(ink, corners=whole % 2 == 1)
    return np.rint(ink + part * (more.astype(np.float32) - ink)).astype(np.uint8)


def _grown(fine: Glyph, *, corners: bool) -> Glyph:
    """Return the maximum of each pixel and its 4 or 8 neighbors; in turn they give a disc."""
    grown = fine.copy()
    np.maximum(grown[:, 1:], fine[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], fine[:, 1:], out=grown[:, :-1])
    source = grown.copy() if corners else fine
    np.maximum(grown[1:], source[:-1], out=grown[1:])
    np.maximum(grown[:-1], source[1:], out=grown[:-1])
    return grown


def _place(profile: _Profile, step: int) -> int:
    """Return where a profile of ink must begin for its center of mass to fall on the middle."""
    center = float(profile @ _PLACES[: len(profile)]) / float(profile.sum()) + 0.5
    begin = step * round((MIDDLE * FINE - center) / step)
    return max(0, min(begin, SIDE * FINE - len(profile)))


def _reduced(fine: Glyph, top: int, left: int) -> Glyph:
    """Paste the ink on an empty field and average it down to the glyph."""
    field = np.zeros((SIDE * FINE, SIDE * FINE), np.uint8)
    field[top : top + fine.shape[0], left : left + fine.shape[1]] = fine
    picture = Image.frombuffer("L", field.shape, field, "raw", "L", 0, 1)  # it is a square
    glyph = _pixels(picture.reduce(FINE)).copy()
    peak = int(glyph.max())
    if peak < 255:
        glyph = np.rint(glyph * (255.0 / peak)).astype(np.uint8)
    return glyph

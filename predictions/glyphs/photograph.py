"""Find the drawing on a photograph: on paper under uneven light, and among other things.

A photograph is read in several ways: as dark ink or as light ink, on paper whose gray is found
within a narrow or a wide window. The way that gives the clearest strokes is taken.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from predictions.errors import NoInk, SeveralDigits
from predictions.glyphs.lines import STRONGER, Mask, printed_lines
from predictions.glyphs.marks import SHORTEST, drawing_among, marks_in

# Strengths and contrasts are in 8-bit gray levels.
PHOTO_SIDE: Final = 320  # photographs are read at no more than this many pixels a side
# Shares of the picture's longer side; strokes must be thinner. Of the windows in one row the best
# is taken. The first row is for pictures with two levels.
WINDOWS: Final = (1.0, 0.25), (0.25,), (0.6,), (1.0,)
CLEARLY: Final = 2.0  # ink so many times stronger than any line is a pen's
CERTAIN: Final = 5.0  # standard deviations of the paper's grain; ink stands out by more
DARKEST_PAPER: Final = 64  # darker grays have no contrast of their own
WIDEST: Final = 0.8  # of those within which the paper is not taken to be of one gray
GRAINY: Final = 4.0  # the standard deviation of paper that is smoothed first
FAINTEST: Final = 10.0  # ink with less contrast to its paper is not looked for
ROOM: Final = 0.4  # share of a drawing's size that is looked at around it
LEAST_PIXELS: Final = 20  # of a drawing on a photograph; less is dust or grain
AS_DARK: Final = 0.67  # of the contrast of the ink beside it
MOST_DARK_RIM: Final = 0.03  # of the pixels around strokes; they are on paper
MOST_REST: Final = 64  # of bare paper, whose strength is above 0 because of its grain
MOST_PIECES: Final = 8  # of a drawing, each counted by its share of the ink
MOST_WITHIN: Final = 0.05  # share of the variation of grays that two levels leave
TRUST: Final = 4.0  # in paper of the gray of most of the border, where all pixels are near two
DOUBT: Final = 0.8  # in what comes in from the border
ROUND: Final = 3.0  # the length of a disc, in its mean width
FULL_LENGTH: Final = 25.0  # in widths of the stroke; no digit is much longer
LONG_ENOUGH: Final = 8.0  # in widths of the stroke; then no other reading is tried
# In MNIST a box that is nearly square is filled to at most 0.74; a disc fills 0.79.
FULLEST_SQUARE: Final = 0.76
SQUARE_ASPECT: Final = 1.6

STRENGTHS: Final = np.arange(256)
Strengths = NDArray[np.uint8]
Box = tuple[int, int, int, int]


class Look(NamedTuple):
    """What a reading sees on a gray picture; arrays are (height, width)."""

    dark: Strengths  # the gray, inverted if the ink is light
    strength: Strengths  # how much darker than the paper, as a share of 255
    foot: float  # the least strength that stands out from the grain of the paper


@dataclass(frozen=True, slots=True)
class Assumption:
    """What is assumed to tell ink from paper."""

    light_ink: bool
    window: float  # share of the picture within which the paper is found; 1 is all of it

    def look(self, gray: Image.Image) -> Look:
        if self.light_ink:
            gray = ImageOps.invert(gray)
        dark = np.asarray(gray)
        paper = level_of_paper(gray) if self.window == 1 else paper_under(dark, self.window)
        whole = np.maximum(paper, DARKEST_PAPER).astype(np.float32)
        darker = (paper.astype(np.float32) - dark) * (255.0 / whole)
        darker = np.rint(darker.clip(-255, 255)).astype(np.int16)
        rest, spread = rest_and_spread(darker)
        grain = max(spread, grain_of(gray) * 255.0 / float(np.percentile(whole, 10)))
        strength = (darker - rest).clip(0, 255).astype(np.uint8)
        return Look(dark, strength, max(FAINTEST, CERTAIN * grain))


class Found(NamedTuple):
    """What a reading takes for the drawing."""

    mask: Mask  # of the picture at no more than PHOTO_SIDE pixels a side
    length: float  # in widths of the stroke; what lies between strokes is not long
    contrast: float  # of its ink to the paper
    comes_from_border: bool = False
    is_one_of_many: bool = False

    @property
    def clearness(self) -> float:
        """How much it looks like strokes of a pen, and nothing else."""
        doubt = DOUBT if self.comes_from_border else 1.0
        return doubt * (min(self.length, FULL_LENGTH) - ROUND) * self.contrast


NOTHING: Final = Found(np.zeros((0, 0), bool), 0.0, 0.0)


def ink_in_photograph(gray: Image.Image) -> tuple[Image.Image, Box]:
    """Return the strength of the ink, 0 to 255, and the part of the picture that it shows."""
    found, assumed = clearest(calmed(shrunk(gray)))
    if found.length < SHORTEST or found.contrast < FAINTEST:
        raise NoInk("There is no ink found in the image that stands out from the paper.")
    if found.is_one_of_many:
        raise SeveralDigits
    return inked(gray, found.mask, assumed)


def clearest(small: Image.Image) -> tuple[Found, Assumption]:
    """Return what looks most like strokes of a pen, under any assumption, and the assumption."""
    likely = ink_is_light(small)
    split = split_of_two_levels(small)
    light_border = split is not None and border_is_light(small, split)
    best, assumed, most = NOTHING, Assumption(likely, 1.0), 0.0
    for windows in WINDOWS[1:] if split is None else WINDOWS:
        for window, light_ink in itertools.product(windows, (likely, not likely)):
            found = drawing_in(Assumption(light_ink, window).look(small))
            on_paper = split is not None and window == 1.0 and light_ink != light_border
            trust = TRUST if on_paper else 1.0
            if trust * found.clearness > most:
                best, assumed, most = found, Assumption(light_ink, window), trust * found.clearness
        if best.length >= LONG_ENOUGH:
            break
    return best, assumed


def inked(gray: Image.Image, mask: Mask, assumed: Assumption) -> tuple[Image.Image, Box]:
    """Look at the part with the drawing again, with as many pixels as there are."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    room = ROOM * max(np.ptp(rows), np.ptp(columns))
    scale = gray.width / mask.shape[1], gray.height / mask.shape[0]
    box = (
        max(0, int((columns[0] - room) * scale[0])),
        max(0, int((rows[0] - room) * scale[1])),
        min(gray.width, int((columns[-1] + 1 + room) * scale[0])),
        min(gray.height, int((rows[-1] + 1 + room) * scale[1])),
    )
    part = calmed(shrunk(gray.crop(box)))
    around = Image.fromarray(mask).filter(ImageFilter.MaxFilter(3))
    place = tuple(side / scale[at % 2] for at, side in enumerate(box))
    seen = around.resize(part.size, Image.Resampling.NEAREST, box=place)
    # The same number of pixels as before, which is a larger share of the part.
    scaled = assumed.window * max(gray.size) / max(box[2] - box[0], box[3] - box[1])
    window = 1.0 if assumed.window == 1.0 else min(scaled, WIDEST)
    look, shown = Assumption(assumed.light_ink, window).look(part), np.asarray(seen)
    return Image.fromarray(ramp(look, shown)[look.strength] * shown), box


def shrunk(gray: Image.Image) -> Image.Image:
    longest = max(gray.size)
    return gray.reduce(-(-longest // PHOTO_SIDE)) if longest > PHOTO_SIDE else gray


def calmed(gray: Image.Image) -> Image.Image:
    """Smooth a grainy picture, in which single pixels say little."""
    return gray.filter(ImageFilter.BoxBlur(1)) if grain_of(gray) > GRAINY else gray


def grain_of(gray: Image.Image) -> float:
    """Return the standard deviation of pixels around the mean of their neighbors."""
    smooth = np.asarray(gray.filter(ImageFilter.BoxBlur(1)), np.int16)
    return 1.5 * float(np.median(np.abs(np.asarray(gray, np.int16) - smooth)))


def drawing_in(look: Look) -> Found:
    """Return where the drawing is among everything that stands out from the paper."""
    strength = look.strength
    lines = printed_lines(np.where(strength > look.foot / 2, strength, 0).astype(np.uint8))
    if lines.any():
        printed = STRONGER * float(np.median(strength[lines]))
        pen = drawing_beside(look, lines, max(look.foot, printed))
        if pen.contrast > CLEARLY * printed:
            return pen
    return drawing_beside(look, lines, look.foot)


def drawing_beside(look: Look, lines: Mask, least: float) -> Found:
    """Return the drawing among what is stronger than the least and no printed line."""
    strength = look.strength
    ink = np.where((strength > least) & ~lines, strength, 0).astype(np.uint8)
    marks = marks_in(ink)
    drawing, is_one_of_many = drawing_among(marks)
    mask = np.concatenate(([False], drawing))[marks.labels]
    if np.count_nonzero(mask) < LEAST_PIXELS:
        return NOTHING
    table = ramp(look, mask)
    full = int(np.searchsorted(table, 255))
    if fills_its_box(table[strength] * mask) or is_part_of_area(look, mask, lines):
        return NOTHING
    masses = marks.mass[drawing].astype(float)
    pieces = masses.sum() ** 2 / (masses @ masses)  # those of little ink hardly count
    if pieces > MOST_PIECES:  # grain has many pieces of similar size, a drawing a few
        return NOTHING
    outline, area = marks.outline[drawing].sum(), marks.area[drawing].sum()
    length = float(outline**2 / (4 * area) / pieces)
    from_border = bool(marks.contact[drawing].any())
    return Found(mask, length, full, from_border, is_one_of_many)


def fills_its_box(ink: Strengths) -> bool:
    """Whether the ink is an area: strokes leave much of a box free that is nearly square."""
    box = Image.fromarray(ink).getbbox()
    if box is None:
        return False
    short, long = sorted((box[2] - box[0], box[3] - box[1]))
    filled = float(ink.sum(dtype=np.int64)) / 255 / (short * long)
    return filled > FULLEST_SQUARE and long < SQUARE_ASPECT * short


def is_part_of_area(look: Look, mask: Mask, lines: Mask) -> bool:
    """Whether more than crossings is as dark beside the mask: it is the rim of something wide."""
    ink = np.pad(look.strength * mask, 2)
    strength = lightest_around(ink, 2).astype(np.float32)  # of the ink nearby, and its gray
    dark = darkest_around(np.pad(np.where(mask, look.dark, 255), 2, constant_values=255), 2)
    rim = (lightest_around(np.pad(mask.view(np.uint8), 1), 1) > 0) & ~mask & ~lines
    if not rim.any():
        return False
    strength, paper = strength[rim], (dark[rim] + 1.0) / (1.004 - strength[rim] / 255)
    return bool(np.mean(1 - look.dark[rim] / paper > strength / 255 * AS_DARK) > MOST_DARK_RIM)


def split_of_two_levels(gray: Image.Image) -> int | None:
    """The gray between two that all pixels are near, as in a scan or a crop of even paper."""
    levels = np.array(gray.histogram())
    split = int(otsu(levels))
    total, within = variation(levels), variation(levels[:split]) + variation(levels[split:])
    return split if within < MOST_WITHIN * total else None


def border_is_light(gray: Image.Image, split: int) -> bool:
    """Whether most pixels along the border are not darker than the split."""
    pixels = np.asarray(gray)
    border = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    return bool(np.median(border) >= split)


def variation(levels: NDArray[np.int64]) -> float:
    """Return the sum of squares around the mean."""
    count = max(1, int(levels.sum()))
    at = np.arange(len(levels))
    return float(levels @ (at - float(levels @ at) / count) ** 2)


def level_of_paper(gray: Image.Image) -> Strengths:
    """Return the gray of the paper where only the ink is darker, also if it fills the picture."""
    levels = np.array(gray.histogram())
    lighter = np.where(otsu(levels) <= STRENGTHS, levels, 0)
    return np.searchsorted(np.cumsum(lighter), lighter.sum() / 2).astype(np.uint8)


def paper_under(dark: Strengths, window: float) -> Strengths:
    """Estimate the paper without its dark ink, by a morphological closing wider than any stroke."""
    radius = max(1, round(window * max(dark.shape) / 2))
    # Beyond the border all goes on as it is there, or a slope that ends there would look like ink.
    paper = np.pad(dark, 2 * radius + 2, "edge")
    # Single bright grains would otherwise be spread by the maximum.
    paper = lightest_around(darkest_around(paper, 1), 1)
    return darkest_around(lightest_around(paper, radius), radius)


def darkest_around(gray: Strengths, radius: int) -> Strengths:
    return 255 - lightest_around(255 - gray, radius)


def lightest_around(gray: Strengths, radius: int) -> Strengths:
    """Return the maximum of the square around each pixel; the border, `radius` wide, is lost."""
    for _ in range(2):
        length, window = 1, 2 * radius + 1
        widest = gray
        while 2 * length <= window:
            widest = np.maximum(widest[:-length], widest[length:])
            length *= 2
        rows = len(gray) - window + 1
        gray = np.maximum(widest[:rows], widest[window - length : window - length + rows]).T
    return gray


def rest_and_spread(darker: NDArray[np.int16]) -> tuple[int, float]:
    """Return how dark bare paper is, and the standard deviation around that."""
    levels = np.bincount(darker.ravel() + 255, minlength=511)
    rest = int(np.searchsorted(np.cumsum(levels), levels.sum() / 2))
    if rest > 255 + MOST_REST:  # there is more ink than paper
        rest = 255
    levels[rest + MOST_REST :] = 0
    rest = int(np.searchsorted(np.cumsum(levels), levels.sum() / 2))
    away = np.bincount(np.abs(np.arange(len(levels)) - rest), weights=levels)
    return rest - 255, 1.5 * float(np.searchsorted(np.cumsum(away), levels.sum() / 2))


def ramp(look: Look, strokes: Mask) -> Strengths:
    """Return the ink, 0 to 255, for each strength, given where strokes are."""
    levels = np.bincount(look.strength[strokes], minlength=256)
    levels[: int(look.foot) + 1] = 0
    threshold = max(look.foot, otsu(levels))
    drawn = np.where(threshold <= STRENGTHS, levels, 0)
    full = max(look.foot + 1, float(np.searchsorted(np.cumsum(drawn), 0.6 * drawn.sum())))
    foot = 0.6 * min(threshold, 0.5 * full)
    return ((STRENGTHS - foot) * (255.0 / (full - foot))).clip(0, 255).astype(np.uint8)


def ink_is_light(gray: Image.Image) -> bool:
    """Whether the rarer pixels are lighter than the average around them."""
    width, height = gray.size
    around = gray.resize((max(1, width // 8), max(1, height // 8)), Image.Resampling.BOX)
    around = around.filter(ImageFilter.BoxBlur(3)).resize(gray.size, Image.Resampling.BILINEAR)
    excess = np.asarray(gray, np.float32) - np.asarray(around, np.float32)
    return float((excess * excess * excess).sum()) > 0.0


def otsu(levels: NDArray[np.int64]) -> float:
    """Return the gray that splits a histogram into the two most distinct classes."""
    below = np.cumsum(levels)
    sums = np.cumsum(levels * STRENGTHS)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap * gap, posinf=0.0)
    return float(between.argmax()) + 1.0

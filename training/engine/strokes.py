"""Draw digits from templates of handwriting, varied at random, on a canvas.

MNIST was written with pencils on paper. Inkloop's users draw with a finger, a mouse or a stylus,
and learned other shapes at school: sevens with a bar, ones with a foot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from predictions.errors import NoInk
from predictions.glyphs.glyph import Glyph, glyph_of
from training.engine.data import Digits
from training.engine.templates import DIGITS

Stroke = NDArray[np.float64]  # (points, 2), x then y, y downwards
Random = np.random.Generator
Ways = Mapping[int, Sequence[str]]

BOX = np.array([100.0, 140.0])  # templates are written in a box this wide and high
STEPS = 10  # points drawn for each point of a template

# Two templates with as many strokes are kin if equal shares of their paths lie this near, in
# units of the box (root mean square). Any mixture of kin is a way to write the digit too.
KIN = 20.0
MIXED = 0.6  # share of the drawings that mix two kin
COMPARED_AT = 32  # places on each path

BEND = 3.5  # standard deviation of the waves that bend a drawing, in units of the box
UNLIFTED = 0.06  # share of the drawings whose strokes the pen joins
HASTILY_SAMPLED = 0.08  # share of the drawings whose curves are short straight lines

SMALL = 0.18  # share of the drawings on a canvas of few pixels
WORN = 0.16  # share of the drawings with uneven ink or torn strokes
UNEVEN_PEN = 0.25  # share of the drawings with a pen whose width changes


@cache
def parse(template: str) -> tuple[tuple[Stroke, NDArray[np.bool_]], ...]:
    """Parse a template: the points of each stroke, and which are corners."""
    strokes = []
    for stroke in template.split("/"):
        points = stroke.split()
        place = np.array([[float(n) for n in p.rstrip("*").split(",")] for p in points])
        strokes.append((place, np.array([p.endswith("*") for p in points])))
    return tuple(strokes)


# The path of the pen ---------------------------------------------------------------------------


def smooth_curve(points: Stroke) -> Stroke:
    """A smooth line through all the points (uniform Catmull-Rom)."""
    if len(points) < 3:
        return np.linspace(points[0], points[-1], STEPS + 1)
    p = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    t = (np.arange(STEPS) / STEPS)[None, :, None]
    line = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.concatenate([line.reshape(-1, 2), points[-1:]])


def pen_path(points: Stroke, corners: NDArray[np.bool_]) -> Stroke:
    """The path of the pen: smooth curves between corners."""
    last = len(points) - 1
    ends = [0, *(at for at in np.flatnonzero(corners).tolist() if 0 < at < last), last]
    return np.concatenate([smooth_curve(points[at : to + 1]) for at, to in pairwise(ends)])


def evenly(line: Stroke, count: int) -> Stroke:
    """So many points at equal distances along the line."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], steps.cumsum()])
    places = np.linspace(0, along[-1], count)
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


@cache
def kin_of(templates: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """For each template, the indices of those with nearly the same strokes."""
    paths = [[evenly(pen_path(*part), COMPARED_AT) for part in parse(way)] for way in templates]

    def are_kin(one: list[Stroke], other: list[Stroke]) -> bool:
        if one is other or len(one) != len(other):
            return False
        gaps = [np.square(a - b).sum(axis=1).mean() for a, b in zip(one, other, strict=True)]
        return bool(max(gaps) < KIN**2)

    return tuple(
        tuple(at for at, other in enumerate(paths) if are_kin(one, other)) for one in paths
    )


# One writer's drawing --------------------------------------------------------------------------


def strayed(template: str, random: Random) -> list[Stroke]:
    """The paths of a template's strokes, whose points a writer does not meet exactly."""
    unrest = random.uniform(1.0, 5.5)  # standard deviation of points, in units of the box
    strokes = []
    for points, corners in parse(template):
        met = points + random.normal(0, unrest, points.shape) + random.normal(0, 1.5, 2)
        sharp = corners & (random.random(len(corners)) > 0.2)  # some writers round corners
        strokes.append(pen_path(met, sharp))
    return strokes


def mixed(one: list[Stroke], other: list[Stroke], random: Random) -> list[Stroke]:
    """A drawing between two."""
    share = random.uniform(0, 1)
    counts = [max(len(a), len(b)) for a, b in zip(one, other, strict=True)]
    return [
        (1 - share) * evenly(a, count) + share * evenly(b, count)
        for a, b, count in zip(one, other, counts, strict=True)
    ]


def in_another_hand(template: str, random: Random, kin: Sequence[str] = ()) -> list[Stroke]:
    """Vary a template at random, as another writer would draw it."""
    strokes = strayed(template, random)
    if kin and random.random() < MIXED:
        strokes = mixed(strokes, strayed(kin[int(random.integers(len(kin)))], random), random)
    strokes = [hasty(stroke, random) for stroke in strokes]
    if len(strokes) > 1 and random.random() < UNLIFTED:
        strokes = [np.concatenate(strokes)]
    if random.random() < HASTILY_SAMPLED:
        strokes = [evenly(stroke, max(2, len(stroke) // 7)) for stroke in strokes]
    return transformed(bent(strokes, random), random)


def hasty(line: Stroke, random: Random) -> Stroke:
    """Shorten or extend both ends of a stroke: ends vary most."""
    for _ in range(2):
        line = line[::-1]
        cut = int(len(line) * random.uniform(-0.06, 0.06))
        if cut > 0 and len(line) - cut > 3:
            line = line[cut:]
        elif cut < 0 and len(line) > 3:
            line = np.concatenate([line[:1] - cut * (line[:1] - line[1:2]), line])
    return line


def bent(strokes: list[Stroke], random: Random) -> list[Stroke]:
    """Bend the whole drawing by slow waves."""
    waves = random.uniform(0.3, 1.3, (2, 2)) / BOX  # cycles per unit, [axis moved, axis along]
    phases = random.uniform(0, 2 * np.pi, (2, 2))
    depths = random.normal(0, BEND, (2, 2))

    def moved(line: Stroke) -> Stroke:
        waving = np.sin(2 * np.pi * line[:, None, :] * waves + phases) * depths
        return line + waving.sum(axis=2)

    return [moved(line) for line in strokes]


def transformed(strokes: list[Stroke], random: Random) -> list[Stroke]:
    """Slant, rotate and stretch the drawing, with a little tremor."""
    slant = np.clip(random.normal(-0.1, 0.25), -0.7, 0.6)
    turn = random.normal(0, np.radians(5))
    stretch = np.exp(random.normal([-0.1, 0], [0.22, 0.08]))
    shear = np.array([[1, slant], [0, 1]])
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = turned @ shear @ np.diag(stretch)
    tremor = abs(random.normal(0, 0.4))
    return [line @ matrix.T + random.normal(0, tremor, line.shape) for line in strokes]


# The canvas ------------------------------------------------------------------------------------


def drawn(
    strokes: Sequence[Stroke],
    *,
    height: float,
    pen: float,
    margin: float,
    pressure: float = 0.0,
    finer: int = 2,
) -> Image.Image:
    """Render dark strokes with a round pen on white; the longer side is `height` pixels.

    `pressure` is the share by which the pen's width changes along a stroke. What is drawn `finer`
    and then reduced has gray edges; at 1 every pixel is black or white.
    """
    every = np.concatenate(strokes)
    low, extent = every.min(axis=0), np.ptp(every, axis=0)
    scale = finer * height / max(extent.max(), 1e-6)
    pen *= finer
    edge = finer * margin + pen / 2
    width, depth = (extent * scale + 2 * edge).astype(int)
    canvas = Image.new("L", (max(width, 4 * finer), max(depth, 4 * finer)), 255)
    brush = ImageDraw.Draw(canvas)
    for stroke in strokes:
        line = (stroke - low) * scale + edge
        widths = pen * (1 + pressure * np.cos(np.linspace(0, 2 * np.pi, len(line))))
        pull(brush, line, widths)
    return canvas.reduce(finer) if finer > 1 else canvas


def pull(brush: ImageDraw.ImageDraw, line: Stroke, widths: NDArray[np.float64]) -> None:
    """Draw a line with a round pen of these widths."""
    points = [tuple(point) for point in line.tolist()]
    if np.ptp(widths) < 1:
        brush.line(points, fill=0, width=max(1, round(widths[0])))
    else:
        for (here, there), width in zip(pairwise(points), widths.tolist(), strict=False):
            brush.line([here, there], fill=0, width=max(1, round(width)))
    if widths.max() < 2:
        return
    for (x, y), radius in zip(points, (widths / 2).tolist(), strict=True):
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)


def canvas_of(strokes: Sequence[Stroke], random: Random) -> Image.Image:
    """Render the drawing with a random size, pen and margin."""
    pressure = random.uniform(-0.5, 0.5) if random.random() < UNEVEN_PEN else 0.0
    if random.random() < SMALL:
        return small_canvas_of(strokes, random, pressure)
    height = random.uniform(50, 110)
    pen = height * np.exp(random.uniform(np.log(0.025), np.log(0.26)))
    image = drawn(strokes, height=height, pen=pen, margin=random.uniform(2, 12), pressure=pressure)
    return worn(image, random) if random.random() < WORN else image


def small_canvas_of(strokes: Sequence[Stroke], random: Random, pressure: float) -> Image.Image:
    """Render the drawing with few pixels: a pen of one or two, or a marker."""
    height = random.uniform(18, 48)
    finer = int(random.integers(1, 3))
    pen = 1.0 if random.random() < 0.6 else max(1.0, height * random.uniform(0.04, 0.22))
    return drawn(
        strokes, height=height, pen=pen, margin=random.uniform(1, 6), pressure=pressure, finer=finer
    )


def worn(image: Image.Image, random: Random) -> Image.Image:
    """Ink with grain, or strokes torn and ragged as in a scan of two colors."""
    ink: NDArray[np.floating] = 255.0 - np.asarray(image, np.float64)
    coarse = random.uniform(1.5, 5.0)  # pixels between two knots of the noise
    knots = random.normal(0, 1, (int(image.height / coarse) + 2, int(image.width / coarse) + 2))
    field = Image.fromarray(knots.astype(np.float32))
    noise = np.asarray(field.resize(image.size, Image.Resampling.BICUBIC))
    if random.random() < 0.5:
        ink = ink * (1 - random.uniform(0.1, 0.6) * np.abs(noise).clip(0, 1))
    else:
        ink = np.where(ink * (1 + random.uniform(0.15, 0.4) * noise) > 127, 255.0, 0.0)
    return Image.fromarray((255 - ink).astype(np.uint8))


# Glyphs ----------------------------------------------------------------------------------------


def untidy_canvas(strokes: list[Stroke], random: Random) -> Image.Image:
    """Render a drawing of an untidy writer: bent and transformed twice more."""
    for _ in range(2):
        strokes = transformed(bent(strokes, random), random)
    return canvas_of(strokes, random)


def drawn_glyphs(draw: Callable[[], list[Stroke]], count: int, random: Random) -> Iterator[Glyph]:
    """Yield `count` glyphs; a drawing that gives no glyph is drawn again."""
    made = 0
    while made < count:
        try:
            yield glyph_of(canvas_of(draw(), random))
        except NoInk:  # a dot of a thin pen, or a scribble that fills its area
            continue
        made += 1


def one_of(templates: Sequence[str], random: Random) -> list[Stroke]:
    """A drawing of one of the ways to write the same thing, or of something between two."""
    which = int(random.integers(len(templates)))
    kin = [templates[at] for at in kin_of(tuple(templates))[which]]
    return in_another_hand(templates[which], random, kin)


def written_digits(count: int, seed: int, ways: Ways = DIGITS) -> Digits:
    """Draw equally many of each digit, each varied at random."""
    random = np.random.default_rng(seed)
    share = count // len(ways)
    glyphs = [
        glyph
        for way in ways.values()
        for glyph in drawn_glyphs(partial(one_of, way, random), share, random)
    ]
    labels = torch.tensor(list(ways)).repeat_interleave(share)
    return Digits(torch.from_numpy(np.stack(glyphs))[:, None], labels)

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
from training.engine.data import STRANGER, Digits
from training.engine.templates import DIGITS, STRANGERS

Stroke = NDArray[np.float64]  # (points, 2), x then y, y downwards
Random = np.random.Generator
Ways = Mapping[int, Sequence[str]]

BOX = np.array([100.0, 140.0])  # templates are written in a box this wide and high
STEPS = 10  # points drawn for each point of a template


@cache
def parse(template: str) -> tuple[tuple[Stroke, NDArray[np.bool_]], ...]:
    """Parse a template: the points of each stroke, and which are corners."""
    strokes = []
    for stroke in template.split("/"):
        points = stroke.split()
        place = np.array([[float(n) for n in p.rstrip("*").split(",")] for p in points])
        strokes.append((place, np.array([p.endswith("*") for p in points])))
    return tuple(strokes)


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


def in_another_hand(template: str, random: Random) -> list[Stroke]:
    """Vary a template at random, as another writer would draw it."""
    unrest = random.uniform(1.0, 5.5)  # standard deviation of points, in units of the box
    strokes = []
    for points, corners in parse(template):
        strayed = points + random.normal(0, unrest, points.shape) + random.normal(0, 1.5, 2)
        sharp = corners & (random.random(len(corners)) > 0.2)  # some writers round corners
        strokes.append(hasty(pen_path(strayed, sharp), random))
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
    depths = random.normal(0, 3.0, (2, 2))

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


def drawn(strokes: Sequence[Stroke], *, height: float, pen: float, margin: float) -> Image.Image:
    """Render dark strokes with a round pen on white; the longer side is `height` pixels."""
    every = np.concatenate(strokes)
    low, extent = every.min(axis=0), np.ptp(every, axis=0)
    scale = 2 * height / max(extent.max(), 1e-6)  # double size, then reduced: antialiasing
    edge = 2 * margin + pen
    width, depth = (extent * scale + 2 * edge).astype(int)
    canvas = Image.new("L", (max(width, 8), max(depth, 8)), 255)
    brush = ImageDraw.Draw(canvas)
    for stroke in strokes:
        line = (stroke - low) * scale + edge
        brush.line([tuple(point) for point in line], fill=0, width=max(1, round(2 * pen)))
        for x, y in line[:: 2 if pen < 3 else 1]:
            brush.ellipse((x - pen, y - pen, x + pen, y + pen), fill=0)
    return canvas.reduce(2)


def canvas_of(strokes: Sequence[Stroke], random: Random) -> Image.Image:
    """Render the drawing with a random size, pen and margin."""
    height = random.uniform(50, 110)
    pen = height * np.exp(random.uniform(np.log(0.03), np.log(0.2)))
    return drawn(strokes, height=height, pen=pen, margin=random.uniform(2, 12))


def untidy_canvas(label: int, random: Random) -> Image.Image:
    """Render a digit (or no digit) of an untidy writer: bent and transformed three times."""
    strokes = one_of(STRANGERS if label == STRANGER else DIGITS[label], random)()
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


def one_of(templates: Sequence[str], random: Random) -> Callable[[], list[Stroke]]:
    return lambda: in_another_hand(templates[int(random.integers(len(templates)))], random)


def written_digits(count: int, seed: int, ways: Ways = DIGITS) -> Digits:
    """Draw equally many of each digit, each varied at random."""
    random = np.random.default_rng(seed)
    share = count // len(ways)
    glyphs = [g for way in ways.values() for g in drawn_glyphs(one_of(way, random), share, random)]
    labels = torch.tensor(list(ways)).repeat_interleave(share)
    return Digits(torch.from_numpy(np.stack(glyphs))[:, None], labels)


def strangers(count: int, seed: int, ways: Sequence[str] = STRANGERS) -> Digits:
    """Drawings of no digit: letters, marks, shapes, faces, scribbles, two digits."""
    random = np.random.default_rng(seed)
    shares: dict[Callable[[], list[Stroke]], int] = {
        one_of(ways, random): 6,
        partial(scribble, random): 1,
        partial(pair, random): 1,
    }
    glyphs = [
        g for draw, share in shares.items() for g in drawn_glyphs(draw, count * share // 8, random)
    ]
    labels = torch.full((len(glyphs),), STRANGER)
    return Digits(torch.from_numpy(np.stack(glyphs))[:, None], labels)


def scribble(random: Random) -> list[Stroke]:
    """A random line, from a few turns to a dense scribble."""
    turns = int(random.integers(7, 40))
    return [smooth_curve(random.uniform(0, BOX, (turns, 2)))]


def pair(random: Random) -> list[Stroke]:
    """Two digits beside each other."""
    hands = [one_of(DIGITS[int(random.integers(10))], random)() for _ in range(2)]
    gap = max(line[:, 0].max() for line in hands[0]) - min(line[:, 0].min() for line in hands[1])
    shift = np.array([gap + random.uniform(5, 40), 0])
    return hands[0] + [line + shift for line in hands[1]]

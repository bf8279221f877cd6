"""Drawings of no digit, made here and nowhere else: the network learned from none of them.

Latin letters come from Pillow's own font, other letters and symbols from DejaVu Sans, shapes and
faces from formulas. Letters that are also digits (O and 0, l and 1) are a kind of their own: there
is no telling them apart. Of the kinds in UNSEEN, the course draws nothing alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from predictions.errors import NoInk
from predictions.glyphs.glyph import glyph_of

SIDE = 280  # pixels of the canvas
LIKE_DIGITS = "OoDQIiljJSsZzBbqgyGT"  # in some hand each is also a digit
LETTERS = "AaCcdEeFfHhKkLMmNnPpRrtUuVvWwXxY&@#?!%+"
ARMENIAN = "ԱԲԳԴԸԹԺԽՃՄՆՇՈՊՌՔՖ"
TIFINAGH = "ⴳⴹⴻⴼⵅⵇⵉⵎⵖⵜⵟⵡⵢⵣⵥ"
SYMBOLS = "♠♣♦♪♫☎☂☀✂✈☮☯⚓⌂✎√∫≈≠¶§£¥©"
DEJAVU = "DejaVuSans.ttf"  # Debian's package fonts-dejavu-core; Chromium brings it along

Random = np.random.Generator
Picture = Callable[[ImageDraw.ImageDraw, Random], None]


def glyphs_of(kind: str, count: int, seed: int) -> NDArray[np.uint8]:
    """So many glyphs of one kind, (N, 28, 28)."""
    random = np.random.default_rng(seed)
    made: list[NDArray[np.uint8]] = []
    for image in pictures(KINDS[kind], random):
        try:
            made.append(glyph_of(image))
        except NoInk:  # refused before any network is asked
            continue
        if len(made) == count:
            break
    return np.stack(made)


def pictures(draw: Picture, random: Random) -> Iterator[Image.Image]:
    while True:
        image = Image.new("L", (SIDE, SIDE), 255)
        draw(ImageDraw.Draw(image), random)
        yield image.rotate(float(random.normal(0, 6)), fillcolor=255, resample=Image.BILINEAR)


def letters(of: str, file: str | None = None) -> Picture:
    def draw(brush: ImageDraw.ImageDraw, random: Random) -> None:
        size = float(random.uniform(90, 220))
        font = ImageFont.truetype(file, size) if file else ImageFont.load_default(size)
        letter = of[int(random.integers(len(of)))]
        stroke = float(random.uniform(0, 5))
        brush.text((SIDE / 2, SIDE / 2), letter, 0, font, anchor="mm", stroke_width=stroke)

    return draw


def pen_of(random: Random) -> int:
    return int(random.uniform(6, 26))


def points_on(brush: ImageDraw.ImageDraw, points: NDArray[np.float64], pen: int) -> None:
    line = [tuple(point) for point in points]
    brush.line(line, fill=0, width=pen, joint="curve")
    for x, y in line:
        brush.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=0)


def around(angles: NDArray[np.float64], reach: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return SIDE / 2 + np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.reshape(
        reach, (-1, 1)
    )


def cross(brush: ImageDraw.ImageDraw, random: Random) -> None:
    """Two to four lines through one middle."""
    pen, first = pen_of(random), random.uniform(0, np.pi)
    arms = int(random.integers(2, 5))
    for angle in first + np.pi * np.arange(arms) / arms:
        reach = random.uniform(60, 110, 2)
        points_on(brush, around(np.array([angle, angle + np.pi]), reach), pen)


def polygon(fewest: int, most: int) -> Picture:
    def draw(brush: ImageDraw.ImageDraw, random: Random) -> None:
        corners = int(random.integers(fewest, most + 1))
        angles = np.linspace(0, 2 * np.pi, corners + 1) + random.uniform(0, 2)
        points_on(brush, around(angles, 100), pen_of(random))

    return draw


def dotted_ring(brush: ImageDraw.ImageDraw, random: Random) -> None:
    """A circle with a dot in its middle."""
    pen, reach = int(random.uniform(6, 16)), random.uniform(70, 115)
    points_on(brush, around(np.linspace(0, 2 * np.pi, 60), reach), pen)
    x, y = SIDE / 2 + random.normal(0, 8, 2)
    dot = random.uniform(7, 18)
    brush.ellipse((x - dot, y - dot, x + dot, y + dot), fill=0)


def star(brush: ImageDraw.ImageDraw, random: Random) -> None:
    points = int(random.integers(3, 9))
    angles = np.linspace(0, 2 * np.pi, 2 * points + 1) + random.uniform(0, 2)
    reach = np.where(np.arange(2 * points + 1) % 2, random.uniform(25, 55), 110.0)
    points_on(brush, around(angles, reach), pen_of(random))


def face(brush: ImageDraw.ImageDraw, random: Random) -> None:
    pen = int(random.uniform(5, 14))
    wide, high = random.uniform(75, 120, 2)
    middle = SIDE / 2
    brush.ellipse(
        (middle - wide, middle - high, middle + wide, middle + high), outline=0, width=pen
    )
    for side in (-1, 1):
        x, y, r = middle + side * wide * 0.38, middle - high * 0.3, random.uniform(5, 12)
        brush.ellipse((x - r, y - r, x + r, y + r), fill=0)
    mouth = (middle - wide * 0.5, middle - high * 0.1, middle + wide * 0.5, middle + high * 0.6)
    start = 20 if random.random() < 0.7 else 200
    brush.arc(mouth, start, start + 140, fill=0, width=pen)


def scribble(brush: ImageDraw.ImageDraw, random: Random) -> None:
    """A pen driven by springs: turns more softly than the scribbles that were learned."""
    place, speed = np.full(2, SIDE / 2), random.normal(0, 8, 2)
    path = [place]
    for _ in range(int(random.integers(60, 300))):
        speed = speed * 0.9 + random.normal(0, 9, 2) - 0.02 * (place - SIDE / 2)
        place = np.clip(place + speed, 20, SIDE - 20)
        path.append(place)
    points_on(brush, np.array(path), int(random.uniform(4, 14)))


def wave(brush: ImageDraw.ImageDraw, random: Random) -> None:
    """Waves and teeth along a line."""
    t = np.linspace(0, 1, 120)
    turns = random.uniform(2, 5)
    height = np.sin(2 * np.pi * turns * t)
    if random.random() < 0.5:
        height = 2 / np.pi * np.arcsin(height)
    points = np.stack([30 + t * 220, SIDE / 2 + height * random.uniform(30, 90)], axis=1)
    points_on(brush, points, pen_of(random) // 2 + 3)


KINDS: dict[str, Picture] = {
    "letters": letters(LETTERS),
    "letters like digits": letters(LIKE_DIGITS),
    "Armenian letters": letters(ARMENIAN, DEJAVU),
    "Tifinagh letters": letters(TIFINAGH, DEJAVU),
    "symbols": letters(SYMBOLS, DEJAVU),
    "crosses": cross,
    "triangles and squares": polygon(3, 4),
    "polygons of 5 to 8 corners": polygon(5, 8),  # much like a 0
    "circles with a dot": dotted_ring,
    "stars": star,
    "faces": face,
    "scribbles": scribble,
    "waves and teeth": wave,
}

UNSEEN = {"Armenian letters", "Tifinagh letters", "symbols", "polygons of 5 to 8 corners"}

"""Pictures of paper with one digit on it, made from strokes: what cameras and scanners give.

Each kind of picture is a function of a digit and a random generator. It answers with the file as
somebody would upload it, and with the box of the digit. The digits are people's, the paper is from
formulas. Nothing made here is trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.engine.stylus import StylusDigit

Random = np.random.Generator
Field = NDArray[np.float64]  # (height, width), from 0, dark, to 255
Box = tuple[int, int, int, int]
FINER = 3  # strokes are drawn this much larger, then reduced: antialiasing
ROOM = 0.15  # the share of a digit's size that a good crop leaves around it


@dataclass(frozen=True)
class Sheet:
    """A picture, where its digit is, and the same strokes black on white.

    A picture without one digit has neither.
    """

    file: bytes
    box: Box | None = None
    clean: Image.Image | None = None


@dataclass(frozen=True)
class Scene:
    """What is seen, before the camera: gray levels, and the coverage of the ink from 0 to 1."""

    size: tuple[int, int] = (800, 600)
    paper: float = 235.0
    ink: float = 50.0
    height: tuple[float, float] = (0.3, 0.8)  # the digit's longer side, as a share of the shorter
    pen: tuple[float, float] = (0.03, 0.09)  # the pen's width, as a share of the digit's size
    least_pen: float = 1.5  # pixels
    grain: float = 1.5  # standard deviation of a pixel
    blur: float = 0.6  # pixels
    quality: int = 88  # of the JPEG; 0 is a PNG
    worn: float = 0.0  # how much of the ink is missing in places
    light: Callable[[tuple[int, int], Random], Field] | None = None  # factors around 1
    printed: Callable[[tuple[int, int], Random], Field] | None = None  # gray levels to subtract
    laid_on: Callable[[Field, Random], Field] | None = None  # things that cover paper and ink
    margin: float = 0.06  # of the shorter side, kept free around the digit


def sheet(digit: StylusDigit, scene: Scene, random: Random) -> Sheet:
    """Take the picture of one digit on the scene's paper."""
    size, pen = _size_and_pen(scene, random)
    coverage, box = placed(digit, scene.size, size, pen, scene.margin, random)
    return Sheet(taken(coverage, scene, random), box, clean(coverage))


def clean(coverage: Field) -> Image.Image:
    return Image.fromarray(np.rint(255 * (1 - coverage)).astype(np.uint8))


def _size_and_pen(scene: Scene, random: Random) -> tuple[float, float]:
    size = random.uniform(*scene.height) * min(scene.size)
    return size, max(scene.least_pen, random.uniform(*scene.pen) * size)


def placed(
    digit: StylusDigit,
    extent: tuple[int, int],
    size: float,
    pen: float,
    margin: float,
    random: Random,
) -> tuple[Field, Box]:
    """Draw the digit anywhere on an empty sheet; return its coverage, 0 to 1, and its box."""
    points = np.concatenate(digit.strokes)
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    scale = (size - pen) / max(float(spread.max()), 1e-9)
    free = margin * min(extent) + pen / 2
    room = np.maximum(np.array(extent) - spread * scale - 2 * free, 0)
    at = free + random.uniform(0, 1, 2) * room
    coverage = inked([(stroke - low) * scale + at for stroke in digit.strokes], extent, pen)
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    return coverage, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def inked(strokes: Sequence[NDArray[np.float64]], extent: tuple[int, int], pen: float) -> Field:
    big = Image.new("L", (extent[0] * FINER, extent[1] * FINER))
    brush = ImageDraw.Draw(big)
    radius = pen * FINER / 2
    for stroke in strokes:
        line = [tuple(point) for point in stroke * FINER]
        brush.line(line, fill=255, width=max(1, round(2 * radius)), joint="curve")
        if radius > 1:
            for x, y in line:
                brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(big.reduce(FINER), float) / 255


def taken(coverage: Field, scene: Scene, random: Random) -> bytes:
    """The file of the picture of a sheet with this coverage of ink."""
    if scene.worn:
        coverage = coverage * (1 - scene.worn * cloud(scene.size, 1.0, random))
    seen = np.full(coverage.shape, scene.paper)
    if scene.printed:
        seen = seen - scene.printed(scene.size, random)
    seen = seen + (scene.ink - seen) * coverage
    if scene.laid_on:
        seen = scene.laid_on(seen, random)
    if scene.light:
        seen = seen * scene.light(scene.size, random)
    if scene.blur:
        picture = Image.fromarray(seen.clip(0, 255).astype(np.uint8))
        seen = np.asarray(picture.filter(ImageFilter.GaussianBlur(scene.blur)), float)
    seen = seen + random.normal(0, scene.grain, seen.shape) if scene.grain else seen
    return encoded(Image.fromarray(seen.clip(0, 255).astype(np.uint8)), scene.quality)


def encoded(picture: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    if quality:
        picture.convert("RGB").save(out, "JPEG", quality=quality)
    else:
        picture.save(out, "PNG")
    return out.getvalue()


def cloud(size: tuple[int, int], grain: float, random: Random) -> Field:
    """Spots from 0 to 1, some pixels wide."""
    spots = random.uniform(0, 255, (size[1], size[0])).astype(np.uint8)
    soft = np.asarray(Image.fromarray(spots).filter(ImageFilter.GaussianBlur(grain)), float)
    low, high = np.percentile(soft, (2, 98))
    field: Field = ((soft - low) / (high - low)).clip(0, 1)
    return field


# Light -------------------------------------------------------------------------------------------


def mesh(size: tuple[int, int]) -> tuple[Field, Field]:
    """Where each pixel is, from 0 to 1 along the longer side."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(float)
    return columns / max(size), rows / max(size)


def gradient(size: tuple[int, int], random: Random) -> Field:
    """One side of the paper is darker by up to a half."""
    x, y = mesh(size)
    angle, depth = random.uniform(0, 2 * np.pi), random.uniform(0.15, 0.5)
    along = np.cos(angle) * x + np.sin(angle) * y
    along = (along - along.min()) / np.ptp(along)
    field: Field = 1 - depth * along ** random.uniform(0.7, 1.8)
    return field


def shadow(size: tuple[int, int], random: Random) -> Field:
    """A straight shadow with a sharp edge, which may cross the digit."""
    x, y = mesh(size)
    angle = random.uniform(0, 2 * np.pi)
    through = random.uniform(0.2, 0.8, 2) * np.array(size) / max(size)
    across = np.cos(angle) * (x - through[0]) + np.sin(angle) * (y - through[1])
    soft = random.uniform(0.5, 6.0) / max(size)
    depth = random.uniform(0.2, 0.5)
    field: Field = 1 - depth / (1 + np.exp((-across / soft).clip(-50, 50)))
    return field


def half_lighter(size: tuple[int, int], random: Random) -> Field:
    """Paper that is a little lighter on one half, as from a lamp or a seam of two scans."""
    x, y = mesh(size)
    on = x > x.max() / 2 if random.random() < 0.5 else y > y.max() / 2
    field: Field = np.where(on, 1.0, 1 - random.uniform(0.02, 0.1))
    return field


# What is printed on the paper --------------------------------------------------------------------


def lines(size: tuple[int, int], random: Random, *, gap: float, turn: float, dark: float) -> Field:
    """Parallel printed lines, `gap` pixels apart."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(float)
    across = rows * np.cos(turn) - columns * np.sin(turn) + random.uniform(0, gap)
    width = random.uniform(1.2, 3.0)
    distance = np.abs((across + gap / 2) % gap - gap / 2)
    field: Field = dark * (width / 2 + 0.5 - distance).clip(0, 1)
    return field


def ruled(size: tuple[int, int], random: Random) -> Field:
    gap = random.uniform(0.06, 0.14) * min(size)
    turn, dark = np.radians(random.normal(0, 2.0)), random.uniform(30, 90)
    return lines(size, random, gap=gap, turn=turn, dark=dark)


def squared(size: tuple[int, int], random: Random) -> Field:
    gap = random.uniform(0.04, 0.1) * min(size)
    turn, dark = np.radians(random.normal(0, 2.0)), random.uniform(30, 80)
    across = lines(size, random, gap=gap, turn=turn, dark=dark)
    down = lines(size, random, gap=gap, turn=turn + np.pi / 2, dark=dark)
    field: Field = np.maximum(across, down)
    return field


def margins(size: tuple[int, int], random: Random) -> Field:
    """One or two printed lines through the whole sheet, beside the digit or through it."""
    dark = random.uniform(40, 120)
    turn = np.radians(random.normal(0, 2.0))
    field = lines(size, random, gap=4.0 * max(size), turn=turn + np.pi / 2, dark=0)
    for upright in (True, False)[: int(random.integers(1, 3))]:
        x, y = mesh(size)
        along = (x * max(size), y * max(size))[0 if upright else 1]
        other = (x * max(size), y * max(size))[1 if upright else 0]
        at = random.uniform(0.08, 0.3) * size[0 if upright else 1]
        at = at if random.random() < 0.5 else size[0 if upright else 1] - at
        distance = np.abs(along - at + (other - other.mean()) * np.tan(turn))
        field = np.maximum(field, dark * (random.uniform(1, 2) + 0.5 - distance).clip(0, 1))
    return field


# What lies beside the paper or on it -------------------------------------------------------------


def laid(seen: Field, mask: Field, level: float) -> Field:
    return np.asarray(seen + (level - seen) * mask)


def table_edge(seen: Field, random: Random) -> Field:
    """The paper ends on one or two sides, and a dark table shows."""
    height, width = seen.shape
    level = random.uniform(30, 130)
    for _ in range(int(random.integers(1, 3))):
        rows, columns = np.mgrid[0:height, 0:width].astype(float)
        side = int(random.integers(4))
        depth = random.uniform(0.01, 0.05) * (width if side % 2 else height)
        slope = np.tan(np.radians(random.normal(0, 2.5)))
        edge = (
            depth + slope * (columns - width / 2) - rows,
            depth + slope * (rows - height / 2) - columns,
            rows - (height - depth) + slope * (columns - width / 2),
            columns - (width - depth) + slope * (rows - height / 2),
        )[side]
        seen = laid(seen, edge.clip(0, 1), level + random.uniform(-10, 10))
    return seen


def wide_table(seen: Field, random: Random) -> Field:
    """The sheet lies on a dark table that shows on all sides or on most."""
    height, width = seen.shape
    out = Image.new("L", (width, height), 255)
    free = 0.09 * min(height, width)
    corners = [
        (random.uniform(0, free), random.uniform(0, free)),
        (width - random.uniform(0, free), random.uniform(0, free)),
        (width - random.uniform(0, free), height - random.uniform(0, free)),
        (random.uniform(0, free), height - random.uniform(0, free)),
    ]
    ImageDraw.Draw(out).polygon(corners, fill=0)
    grain = 12 * (cloud((width, height), 2.0, random) - 0.5)
    return laid(seen, np.asarray(out, float) / 255, random.uniform(40, 140)) + grain * (
        np.asarray(out) > 0
    )


def dark_corner(seen: Field, random: Random) -> Field:
    height, width = seen.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    if random.random() < 0.5:
        rows = height - 1 - rows
    if random.random() < 0.5:
        columns = width - 1 - columns
    wide, high = random.uniform(0.08, 0.3) * width, random.uniform(0.08, 0.3) * height
    inside = 1 - columns / wide - rows / high
    return laid(seen, (inside * min(wide, high)).clip(0, 1), random.uniform(20, 120))


def finger(seen: Field, random: Random) -> Field:
    """A fingertip that holds the sheet, from one side."""
    height, width = seen.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    side = int(random.integers(4))
    wide = random.uniform(0.05, 0.1) * min(width, height)
    reach = random.uniform(0.05, 0.14) * min(width, height)
    along = random.uniform(0.15, 0.85)
    x, y = (
        (along * width, 0),
        (width, along * height),
        (along * width, height),
        (0, along * height),
    )[side]
    across, deep = (columns - x, rows - y) if side % 2 == 0 else (rows - y, columns - x)
    far = np.hypot(across / wide, deep / reach)
    skin = random.uniform(90, 170) * (0.85 + 0.15 * far.clip(0, 1))
    field: Field = seen + (skin - seen) * ((1 - far) * 20).clip(0, 1)
    return field


# A page of a notebook, in color ------------------------------------------------------------------

PENS = (35, 45, 140), (25, 60, 170), (40, 40, 45), (175, 35, 45), (30, 100, 60), (105, 105, 110)
PRINTS = (150, 185, 225), (175, 175, 180), (165, 205, 185), (195, 170, 205)
MARGIN = (225, 115, 120)


def notebook(digits: Sequence[StylusDigit], random: Random) -> Sheet:
    """A hand-held picture of a page with squares or rules: tilted, darker to its corners."""
    scene = framed(Scene(height=(0.2, 0.6), pen=(0.03, 0.09)), random)
    size, pen = _size_and_pen(scene, random)
    coverage, _ = placed(digits[0], scene.size, size, pen, 0.15, random)
    turn = np.radians(random.normal(0, 3.0))
    gap = max(0.04 * min(scene.size), size / random.uniform(1.0, 4.0))
    page: Field = np.full((*coverage.shape, 3), random.uniform(215, 250))
    page *= (1.0, random.uniform(0.97, 1.0), random.uniform(0.9, 1.0))
    print_color = np.array(PRINTS[int(random.integers(len(PRINTS)))])
    for upright in (False, True)[: int(random.integers(1, 3))]:
        print_on = lines(scene.size, random, gap=gap, turn=turn + upright * np.pi / 2, dark=1.0)
        page = colored(page, print_on, print_color)
    if random.random() < 0.4:
        page = colored(page, margin_line(scene.size, turn, random), np.array(MARGIN))
    page = colored(page, coverage, np.array(PENS[int(random.integers(len(PENS)))]))
    look = tilted(scene.size, random)
    picture = look(Image.fromarray(page.clip(0, 255).astype(np.uint8)))
    coverage = np.asarray(look(Image.fromarray(np.rint(255 * coverage).astype(np.uint8))), float)
    seen = np.asarray(picture, float) * lens(scene.size, random)[..., np.newaxis]
    soft = Image.fromarray(seen.clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(random.uniform(0.4, 1.5))
    )
    seen = np.asarray(soft, float) + random.normal(0, random.uniform(1, 5), seen.shape)
    photo = Image.fromarray(seen.clip(0, 255).astype(np.uint8))
    box = Image.fromarray(coverage > 128).getbbox()
    return Sheet(encoded(photo, int(random.integers(30, 91))), box, clean(coverage / 255))


def colored(page: Field, mask: Field, color: Field) -> Field:
    return np.asarray(page + (color - page) * mask[..., np.newaxis])


def margin_line(size: tuple[int, int], turn: float, random: Random) -> Field:
    """A line from top to bottom near the left or the right side of the page."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(float)
    at = random.choice([0.1, 0.9]) * size[0]
    distance = np.abs((columns - at) * np.cos(turn) + (rows - size[1] / 2) * np.sin(turn))
    field: Field = (random.uniform(1.2, 3.0) / 2 + 0.5 - distance).clip(0, 1)
    return field


def tilted(size: tuple[int, int], random: Random) -> Callable[[Image.Image], Image.Image]:
    """A camera that is not quite above the page: each corner is seen a little further inside."""
    shares = random.uniform(0, 0.08, (4, 2))
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])
    ends = [
        tuple((corner + (1 - 2 * corner) * share) * size)
        for corner, share in zip(corners, shares, strict=True)
    ]
    seen = [tuple(corner * size) for corner in corners]
    # The coefficients of a perspective that takes the picture's corners to these of the page.
    rows = [
        row
        for (x, y), (u, v) in zip(seen, ends, strict=True)
        for row in ((x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y))
    ]
    plane = np.linalg.solve(np.array(rows, float), np.array(ends, float).ravel())
    way, smooth = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    return lambda picture: picture.transform(size, way, plane.tolist(), smooth)


def lens(size: tuple[int, int], random: Random) -> Field:
    """A lens that is darker to its corners, by up to a half, under a light from one side."""
    x, y = mesh(size)
    far = np.hypot(x - x.max() / 2, y - y.max() / 2) / np.hypot(x.max() / 2, y.max() / 2)
    field: Field = gradient(size, random) * (1 - random.uniform(0, 0.5) * far**2)
    return field


# The kinds ---------------------------------------------------------------------------------------


def one(scene: Callable[[Random], Scene]) -> Callable[[Sequence[StylusDigit], Random], Sheet]:
    """A picture of the first of the digits."""

    def make(digits: Sequence[StylusDigit], random: Random) -> Sheet:
        return sheet(digits[0], framed(scene(random), random), random)

    return make


def framed(scene: Scene, random: Random) -> Scene:
    """Upright or lying, for scenes whose size says nothing else."""
    if scene.size != Scene.size:
        return scene
    sides = ((800, 600), (600, 800), (640, 640), (1000, 750), (480, 640))
    return replace(scene, size=sides[int(random.integers(len(sides)))])


def photo(random: Random) -> Scene:
    """Everything at once, a little of each."""
    return Scene(
        paper=random.uniform(180, 240),
        ink=random.uniform(20, 90),
        height=(0.25, 0.6),
        grain=random.uniform(1, 5),
        blur=random.uniform(0.5, 2.0),
        quality=int(random.integers(50, 92)),
        light=(gradient, shadow)[int(random.integers(2))],
        printed=(None, ruled, squared, margins)[int(random.integers(4))],
        laid_on=(None, table_edge, finger, dark_corner)[int(random.integers(4))],
        margin=0.16,
    )


def tight_crop(digits: Sequence[StylusDigit], random: Random) -> Sheet:
    """A thick digit cut out to its very edge."""
    side = int(random.integers(60, 400))
    scene = Scene(
        size=(side + 40, side + 40),
        height=(0.85, 0.9),
        pen=(0.12, 0.24),
        paper=random.uniform(200, 255),
        ink=random.uniform(0, 80),
        grain=random.uniform(0, 2),
        margin=0.0,
        quality=(0, 90)[int(random.integers(2))],
    )
    whole = sheet(digits[0], scene, random)
    assert whole.box is not None
    picture = Image.open(BytesIO(whole.file)).convert("L").crop(whole.box)
    return Sheet(encoded(picture, scene.quality), (0, 0, *picture.size), whole.clean)


def tiny(digits: Sequence[StylusDigit], random: Random) -> Sheet:
    """28 pixels a side, a stroke of one pixel, ink that is uneven; dark on white or the reverse."""
    points = np.concatenate(digits[0].strokes)
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    size = random.uniform(17, 23)
    scale = size / max(float(spread.max()), 1e-9)
    at = (28 - 1 - spread * scale) / 2 + random.uniform(-1.5, 1.5, 2)
    picture = Image.new("L", (28, 28))
    for stroke in digits[0].strokes:
        line = [tuple(point) for point in np.rint((stroke - low) * scale + at)]
        ImageDraw.Draw(picture).line(line, fill=255, width=1)
    even = np.asarray(picture, float)
    ink = even * (1 - random.uniform(0, 0.7) * random.uniform(0, 1, even.shape))
    seen = ink if random.random() < 0.5 else 255 - ink
    return Sheet(
        encoded(Image.fromarray(np.rint(seen).astype(np.uint8)), 0),
        (0, 0, 28, 28),
        clean(even / 255),
    )


def several(digits: Sequence[StylusDigit], random: Random) -> Sheet:
    """Two to four digits in a row, as in a number; the picture has no digit of its own."""
    count = int(random.integers(2, 5))
    scene = framed(Scene(height=(0.2, 0.3), pen=(0.04, 0.12)), random)
    size, pen = _size_and_pen(scene, random)
    size = min(size, 0.85 * scene.size[0] / count)
    x = 0.05 * scene.size[0]
    middle = random.uniform(0.3, 0.7) * scene.size[1]
    strokes: list[NDArray[np.float64]] = []
    for digit in digits[:count]:
        points = np.concatenate(digit.strokes)
        low, spread = points.min(axis=0), np.ptp(points, axis=0)
        scale = size / max(float(spread.max()), 1e-9)
        at = np.array([x, middle - spread[1] * scale / 2 + random.normal(0, 0.05 * size)])
        strokes += [(stroke - low) * scale + at for stroke in digit.strokes]
        x += spread[0] * scale + random.uniform(0.15, 0.45) * size + pen
    return Sheet(taken(inked(strokes, scene.size, pen), scene, random))


def nothing(digits: Sequence[StylusDigit], random: Random) -> Sheet:
    """Everything but a digit."""
    scene = framed(photo(random), random)
    printed = scene.printed if random.random() < 0.5 else None
    empty = np.zeros((scene.size[1], scene.size[0]))
    return Sheet(taken(empty, replace(scene, printed=printed), random))


Kind = Callable[[Sequence[StylusDigit], Random], Sheet]
KINDS: dict[str, Kind] = {
    "plain": one(lambda r: Scene()),
    "light gradient": one(lambda r: Scene(light=gradient, paper=r.uniform(190, 245))),
    "shadow edge": one(lambda r: Scene(light=shadow)),
    "half lighter": one(
        lambda r: Scene(light=half_lighter, grain=0, quality=0, blur=0.4, pen=(0.01, 0.06))
    ),
    "grain": one(lambda r: Scene(grain=r.uniform(5, 14), paper=r.uniform(170, 230))),
    "ruled": one(lambda r: Scene(printed=ruled)),
    "squared": one(lambda r: Scene(printed=squared)),
    "margins": one(lambda r: Scene(printed=margins)),
    "table edge": one(lambda r: Scene(laid_on=table_edge, margin=0.12, grain=r.uniform(0, 1))),
    "sheet on a table": one(lambda r: Scene(laid_on=wide_table, margin=0.14)),
    "dark corner": one(lambda r: Scene(laid_on=dark_corner, height=(0.25, 0.5), margin=0.32)),
    "finger": one(lambda r: Scene(laid_on=finger, margin=0.18, height=(0.3, 0.6))),
    "blur": one(lambda r: Scene(blur=r.uniform(2, 5))),
    "JPEG": one(lambda r: Scene(quality=int(r.integers(12, 35)))),
    "pen of 1 pixel": one(lambda r: Scene(pen=(0, 0), least_pen=1.0, blur=0.3, ink=40)),
    "marker": one(lambda r: Scene(pen=(0.12, 0.22))),
    "pencil": one(
        lambda r: Scene(ink=r.uniform(110, 160), worn=r.uniform(0.3, 0.8), pen=(0.015, 0.04))
    ),
    "pale ink": one(lambda r: Scene(paper=255, ink=225, grain=0, quality=0)),
    "chalk on dark": one(
        lambda r: Scene(
            paper=r.uniform(30, 80),
            ink=r.uniform(170, 240),
            worn=r.uniform(0.2, 0.6),
            grain=r.uniform(1, 5),
            light=gradient,
        )
    ),
    "small on the sheet": one(lambda r: Scene(height=(0.09, 0.18), size=(1000, 750))),
    "tight crop": tight_crop,
    "28 pixels": tiny,
    "photo": one(photo),
    "notebook": notebook,
    "several digits": several,
    "no digit": nothing,
}
WITHOUT_A_DIGIT = {"several digits", "no digit"}

"""Tell the drawing from what else is on a picture: printed lines, things at the border, dust."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

THICKEST_LINE: Final = 0.025  # of the picture's longer side; printed lines are thinner
LEAST_THICK: Final = 4  # pixels; in a close crop lines are thicker
STEEPEST_LINE: Final = 0.14  # 8 degrees, for paper that lies askew
SLOPES: Final = 23  # tried on each axis
NEAR_LINE: Final = 3  # pixels; a line is not always where its slope says
THROUGH: Final = 0.5  # share of a line that is seen
END: Final = 0.02, 0.1  # share of the picture at which both its ends must be seen,
AT_ENDS: Final = 0.4  # this much of them: a digit seldom reaches there
STRONGER: Final = 1.5  # ink this much stronger than the line under it is a stroke
LEAST_SIDE: Final = 40  # pixels; in a smaller picture no lines are looked for
COLUMNS: Final = 80  # the lines are looked for in this many columns

LEAST_SIZE: Final = 0.015  # of the picture's longer side; less is dust
ALONG: Final = 0.4  # of the way around it; then a piece lies along the border of the picture
BULGE: Final = 0.25  # of the way around a piece; a finger touches the border with so much
SHORT: Final = 4.6  # in widths of the stroke; a half disc is 4.2 long
LEAST_SURROUNDINGS: Final = 0.06  # of the picture's longer side
SHORTEST: Final = 3.5  # in widths of the stroke; a disc is 3.1 long, a half one 4.2
LEAST_PART: Final = 0.06  # of the drawing's size; smaller pieces far from it are dust
REMNANT: Final = 4.0  # a stroke across the border with so many times the ink is no surroundings
LYING: Final = 4.0  # times as wide as high; no digit is, but pieces of lines are
FAINTER: Final = 0.5  # of the strength of the main piece; less is a remnant of a line or a shadow
NEAR: Final = 0.35  # pieces nearer than this share of the drawing's size belong to it
ALIKE: Final = 0.6  # a second piece of this share of the size is as much a drawing as the first

Ink = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Runs = NDArray[np.int64]


class Marks(NamedTuple):
    """Unconnected pieces of ink; each array has one entry a piece."""

    labels: NDArray[np.int32]  # (height, width): the number of the piece from 1, or 0
    left: NDArray[np.int64]
    top: NDArray[np.int64]
    right: NDArray[np.int64]  # exclusive, as `bottom`
    bottom: NDArray[np.int64]
    area: NDArray[np.int64]
    mass: NDArray[np.int64]  # the sum of the ink
    outline: NDArray[np.float64]  # the length of it
    contact: NDArray[np.int64]  # pixels along the border of the picture

    @property
    def size(self) -> NDArray[np.int64]:
        return np.maximum(self.right - self.left, self.bottom - self.top)

    @property
    def length(self) -> NDArray[np.float64]:
        """How many times its mean width each is long; the width is 2 · area / outline."""
        return self.outline**2 / (4 * self.area)

    @property
    def along(self) -> NDArray[np.float64]:
        """Which share of the way around each lies along the border of the picture."""
        around = 2.0 * (self.right - self.left + self.bottom - self.top)
        return self.contact / np.minimum(around, self.outline)


def marks_in(ink: Ink) -> Marks:
    """Find the pieces of ink; pixels that touch at a corner are connected."""
    height, width = ink.shape
    # Runs of ink in the rows, laid end to end with an empty pixel on each side.
    row = width + 2
    flat = np.pad(ink, ((0, 0), (1, 1))).ravel()
    edges = np.flatnonzero(np.diff(flat > 0)) + 1
    starts, ends = edges[::2], edges[1::2]
    one, other = _touching(starts, ends, row)
    piece = _connected(one, other, len(starts))
    labels = np.zeros(flat.size, np.int32)
    labels[flat > 0] = np.repeat(piece + 1, ends - starts)
    labels = labels.reshape(height, row)[:, 1:-1]
    count = int(piece.max()) + 1 if len(piece) else 0
    sums = np.concatenate(([0], np.cumsum(flat, dtype=np.int64)))
    # Each run has two ends; its upper and lower side are outline unless a run lies there.
    shared = np.minimum(ends[one] + row, ends[other]) - np.maximum(starts[one] + row, starts[other])
    sides = 2.0 * (ends - starts) + 2
    np.subtract.at(sides, one, 2.0 * shared.clip(0))
    first, last, line = starts % row - 1, ends % row - 1, starts // row
    border = np.concatenate((labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]))

    def lowest(values: NDArray[np.int64], start: int) -> NDArray[np.int64]:
        found = np.full(count, start)
        np.minimum.at(found, piece, values)
        return found

    return Marks(
        labels,
        lowest(first, width),
        lowest(line, height),
        -lowest(-last, 0),
        -lowest(-line - 1, 0),
        np.bincount(piece, ends - starts, count).astype(np.int64),
        np.bincount(piece, sums[ends] - sums[starts], count).astype(np.int64),
        np.bincount(piece, sides, count) * np.pi / 4,
        np.bincount(border, minlength=count + 1)[1:],
    )


def _touching(starts: Runs, ends: Runs, row: int) -> tuple[Runs, Runs]:
    """Return the pairs of runs that touch: the numbers of one, and of one in the row below."""
    low = np.searchsorted(ends, starts + row)
    high = np.searchsorted(starts, ends + row, "right")
    count = high - low
    one = np.repeat(np.arange(len(starts)), count)
    other = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return one, other


def _connected(one: Runs, other: Runs, count: int) -> Runs:
    """Number the runs by the piece that they belong to, from 0."""
    root = np.arange(count)
    while True:
        lower = np.minimum(root[one], root[other])
        grown = root.copy()
        np.minimum.at(grown, root[one], lower)
        np.minimum.at(grown, root[other], lower)
        while not np.array_equal(grown, grown[grown]):
            grown = grown[grown]
        if np.array_equal(grown, root):
            return np.unique(root, return_inverse=True)[1]
        root = grown


# Printed lines -----------------------------------------------------------------------------------


def printed_lines(ink: Ink) -> Mask:
    """Return where straight thin lines run through the picture, without the strokes that cross."""
    if min(ink.shape) < LEAST_SIDE:
        return np.zeros(ink.shape, bool)
    return _level_lines(ink) | _level_lines(ink.T).T


def _level_lines(ink: Ink) -> Mask:
    height, width = ink.shape
    thickest = max(LEAST_THICK, round(THICKEST_LINE * max(ink.shape)))
    thin = (ink > 0) & ~_opened(ink > 0, thickest + 1)
    found = np.zeros(ink.shape, bool)
    columns = np.arange(width)
    for row, slope in _lines_through(thin):
        path = np.rint(row + slope * (columns - width / 2)).astype(int)
        near = path + np.arange(-NEAR_LINE, NEAR_LINE + 1)[:, np.newaxis]
        inside = (near >= 0) & (near < height)
        near = near.clip(0, height - 1)
        on_line = inside & thin[near, columns]
        if on_line.any():
            level = np.percentile(ink[near, columns][on_line], 75)
            on_line &= ink[near, columns] <= STRONGER * level
            found[near[on_line], np.broadcast_to(columns, near.shape)[on_line]] = True
    return found


def _opened(mask: Mask, length: int) -> Mask:
    """Keep only what is at least so many pixels high."""
    kept = mask[: max(0, len(mask) - length + 1)].copy()
    for step in range(1, length):
        kept &= mask[step : step + len(kept)]
    opened = np.zeros_like(mask)
    for step in range(length):
        opened[step : step + len(kept)] |= kept
    return opened


def _lines_through(thin: Mask) -> list[tuple[int, float]]:
    """Return the middle row and the slope of each line that runs from border to border."""
    height, width = thin.shape
    block = max(1, width // COLUMNS)
    wide = thin[:, : width // block * block].copy()
    wide[1:] |= thin[:-1, : wide.shape[1]]
    wide[:-1] |= thin[1:, : wide.shape[1]]
    pooled = wide.reshape(height, -1, block).mean(axis=2)
    reach = int(STEEPEST_LINE * width / 2) + 2
    padded = np.pad(pooled, ((reach, reach), (0, 0)))
    columns = np.arange(pooled.shape[1])
    away = (columns + 0.5) * block - width / 2
    rows = np.arange(height)[:, np.newaxis] + reach
    slopes = np.linspace(-STEEPEST_LINE, STEEPEST_LINE, SLOPES)
    along = [padded[rows + np.rint(slope * away).astype(int), columns] for slope in slopes]
    shares = np.stack([each.mean(axis=1) for each in along])
    best = shares.argmax(axis=0)
    start, end = (max(1, round(share * len(columns))) for share in END)
    peaks = np.flatnonzero(_is_peak(shares.max(axis=0)) & (shares.max(axis=0) >= THROUGH))
    return [
        (row, slopes[best[row]])
        for row in peaks.tolist()
        if min(along[best[row]][row, start:end].mean(), along[best[row]][row, -end:-start].mean())
        >= AT_ENDS
    ]


def _is_peak(values: NDArray[np.float64]) -> Mask:
    """Whether no neighbor within four rows is higher; of equal ones the first."""
    padded = np.pad(values, 4, constant_values=-1.0)
    before = np.max([padded[step : step + len(values)] for step in range(4)], axis=0)
    after = np.max([padded[5 + step : 5 + step + len(values)] for step in range(4)], axis=0)
    return (values > before) & (values >= after)


# The drawing -------------------------------------------------------------------------------------


def drawing_among(marks: Marks) -> tuple[Mask, bool]:
    """Return which pieces are the drawing, and whether there is another one as large.

    The drawing is the piece with most ink, and what is near it.

    What comes in from the border is not, unless there is nothing else, as in a close crop, and it
    does not lie along the border.
    """
    is_mark = marks.size >= max(3, LEAST_SIZE * max(marks.labels.shape))
    stroke = is_mark & (marks.along < ALONG) & (marks.length > SHORTEST)
    inner = is_mark & (marks.contact == 0)
    most_inside = float(np.max(marks.mass, where=inner, initial=0))
    candidates = inner | (stroke & (marks.mass > REMNANT * most_inside))
    drawing = np.zeros(len(marks.size), bool)
    lying = marks.right - marks.left > LYING * (marks.bottom - marks.top)
    main = candidates & ~lying
    if not main.any():
        return drawing, False
    drawing[np.argmax(np.where(main, marks.mass, 0))] = True
    mean = marks.mass / marks.area
    candidates &= mean >= FAINTER * mean[drawing]
    while True:
        left, top, right, bottom = box_of(marks, drawing)
        size = max(right - left, bottom - top)
        apart = np.maximum(
            np.maximum(marks.left - right, left - marks.right),
            np.maximum(marks.top - bottom, top - marks.bottom),
        )
        more = candidates & (marks.size >= LEAST_PART * size) & (apart <= NEAR * size)
        more |= drawing
        if np.array_equal(more, drawing):
            break
        drawing = more
    alike = candidates & ~drawing & (marks.size >= ALIKE * size) & (marks.length > SHORTEST)
    return drawing, bool(alike.any())


def are_surroundings(marks: Marks) -> Mask:
    """Return which pieces no pen draws that leaves the paper: it crosses the border, once or twice.

    They lie along the border around a corner of the picture, or bulge in like a finger.
    """
    height, width = marks.labels.shape
    sides = np.sum(
        [marks.left == 0, marks.top == 0, marks.right == width, marks.bottom == height], 0
    )
    edge = (marks.along >= ALONG) & (sides > 1)
    finger = (marks.along >= BULGE) & (marks.length < SHORT)
    return (edge | finger) & (marks.size >= LEAST_SURROUNDINGS * max(height, width))


def box_of(marks: Marks, chosen: Mask) -> tuple[int, int, int, int]:
    return (
        int(marks.left[chosen].min()),
        int(marks.top[chosen].min()),
        int(marks.right[chosen].max()),
        int(marks.bottom[chosen].max()),
    )

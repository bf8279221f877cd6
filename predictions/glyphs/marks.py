"""Tell the drawing from what else is on a picture: things at the border, ends of lines, dust."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictions.glyphs.lines import LEAST_SIDE, Ink, Mask, Runs, thickest_line

LEAST_SIZE: Final = 0.015  # of the picture's longer side; less is dust
ALONG: Final = 0.4  # of the way around it; then a piece lies along the border of the picture
BULGE: Final = 0.25  # of the way around a piece; a finger touches the border with so much
SHORT: Final = 4.6  # in widths of the stroke; a half disc is 4.2 long
LEAST_SURROUNDINGS: Final = 0.06  # of the picture's longer side
SHORTEST: Final = 3.5  # in widths of the stroke; a disc is 3.1 long, a half one 4.2
LEAST_PART: Final = 0.06  # of the drawing's size; smaller pieces far from it are dust
REMNANT: Final = 4.0  # a stroke across the border with so many times the ink is no surroundings
LYING: Final = 4.0  # times as wide as high; no digit is, but pieces of lines are
STRAIGHT: Final = 5.0  # times as long as across
FAINTER: Final = 0.5  # of the strength of the main piece; less is a remnant of a line or a shadow
NEAR: Final = 0.35  # pieces nearer than this share of the drawing's size belong to it
ALIKE: Final = 0.6  # a second piece of this share of the size is as much a drawing as the first


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
    for which in np.flatnonzero(candidates & (marks.contact > 0)).tolist():
        candidates[which] = not is_end_of_line(marks, which)
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


def is_end_of_line(marks: Marks, which: int) -> bool:
    """Whether a piece at the border is as straight and thin as a printed line.

    A digit cut out to its edge may be so too, but it fills the picture.
    """
    height, width = marks.labels.shape
    left, top, right, bottom = box_of(marks, np.array([which]))
    fills = right - left > width / 2 and bottom - top > height / 2
    if fills or min(height, width) < LEAST_SIDE:
        return False
    places = np.nonzero(marks.labels[top:bottom, left:right] == which + 1)
    across, along = np.sqrt(12 * np.linalg.eigvalsh(np.cov(places)).clip(0))
    return bool(across < thickest_line(marks.labels.shape) and along > STRAIGHT * across)


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

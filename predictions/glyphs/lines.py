"""Find the lines that are printed on paper: straight, thin, from border to border."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

THICKEST_LINE: Final = 0.025  # of the picture's longer side; printed lines are thinner
LEAST_THICK: Final = 4  # pixels; in a close crop lines are thicker
STEEPEST_LINE: Final = 0.27  # 15 degrees, for paper that lies askew
STEEPEST_ALONE: Final = 0.14  # the same for a line without another beside it
SLOPES: Final = 45  # tried on each axis
NEAR_LINE: Final = 3  # pixels; a line is not always where its slope says
THROUGH: Final = 0.5  # share of a line that is seen
END: Final = 0.02, 0.1  # share of the picture at which both its ends must be seen,
AT_ENDS: Final = 0.4  # this much of them: a digit seldom reaches there
BETWEEN: Final = 0.6  # of the share of a line; so much may be seen on the bare paper beside it
BESIDE_OTHERS: Final = 0.1  # of a line that is free; it is known by less if others are parallel
PARALLEL: Final = 2  # steps of the slope
STRONGER: Final = 1.5  # ink this much stronger than the line under it is a stroke
THICKER: Final = 1  # pixels; where a line is thicker than elsewhere by more, a stroke is on it
LEAST_SIDE: Final = 40  # pixels; in a smaller picture no lines are looked for
COLUMNS: Final = 40  # the lines are looked for in this many columns
HIDDEN: Final = 1 << 16  # a count of hidden pixels, above that of the seen ones

Ink = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Runs = NDArray[np.int64]


def printed_lines(ink: Ink) -> Mask:
    """Return where straight thin lines run through the picture, without the strokes on them."""
    if min(ink.shape) < LEAST_SIDE:
        return np.zeros(ink.shape, bool)
    return _level_lines(ink) | _level_lines(ink.T).T


def thickest_line(shape: tuple[int, ...]) -> int:
    return max(LEAST_THICK, round(THICKEST_LINE * max(shape)))


def _level_lines(ink: Ink) -> Mask:
    height, width = ink.shape
    inked = ink > 0
    thick = _tall_parts(inked, thickest_line(ink.shape) + 1)
    # What lies along the border is the edge of something.
    edge = np.logical_and.accumulate(inked) | np.logical_and.accumulate(inked[::-1])[::-1]
    thin = inked & ~thick & ~edge
    room = 5 * NEAR_LINE  # so that what is looked at along a path beyond the picture is empty
    lit = np.pad(np.where(thin, ink, 0), ((room, room), (0, 0)))
    found = np.zeros(lit.shape, bool)
    columns = np.arange(width)
    band = np.arange(-NEAR_LINE, NEAR_LINE + 1)[:, np.newaxis]
    for row, slope in _lines_through(thin, thick):
        path = np.rint(row + slope * (columns - width / 2)).astype(int) + room
        path = path.clip(2 * NEAR_LINE, height + 2 * room - 2 * NEAR_LINE - 1)
        near = path + _core(lit[path + band, columns]) + band, columns
        found[near] |= _is_line(lit[near])
    return found[room:-room]


def _core(lit: Ink) -> int:
    """Return how many rows the line is off the middle of this ink along its path."""
    # A stroke on the line is stronger, and must not count for more.
    return int(np.minimum(lit, _level(lit)).sum(axis=1).argmax()) - len(lit) // 2


def _level(lit: Ink) -> float:
    """Return how strong the ink of a line is, although a stroke may lie on more than half of it."""
    strongest = lit.max(axis=0)
    return float(np.percentile(strongest[strongest > 0], 30)) if strongest.any() else 0.0


def _is_line(lit: Ink) -> Mask:
    """Return where ink along a line is the line's: a stroke is stronger, or thicker with the line.

    Of the ink there is one row a pixel across the line.
    """
    thickness = np.count_nonzero(lit, axis=0)
    mostly = np.median(thickness[thickness > 0]) if thickness.any() else 0
    is_thin = thickness <= mostly + THICKER
    return np.asarray((lit > 0) & (lit <= STRONGER * _level(lit)) & is_thin)


def _tall_parts(mask: Mask, length: int) -> Mask:
    """Keep only what is at least so many pixels high."""
    kept = mask[: max(0, len(mask) - length + 1)].copy()
    for step in range(1, length):
        kept &= mask[step : step + len(kept)]
    tall = np.zeros_like(mask)
    for step in range(length):
        tall[step : step + len(kept)] |= kept
    return tall


# Lines through the picture -----------------------------------------------------------------------


class Paths(NamedTuple):
    """What is seen along straight paths from left to right, one for each row and slope."""

    counts: Runs  # (rows, columns): pixels that are seen, and HIDDEN for each that is not
    sums: Runs  # (slopes, middle rows): the same along a path
    steps: Runs  # (slopes, columns): how far each column is from a path's middle row
    first: int  # the first middle row, from the first of the picture
    width: int  # of the picture


def _lines_through(thin: Mask, thick: Mask) -> list[tuple[int, float]]:
    """Return the middle row and the slope of each line that runs from border to border.

    A line may go on below what is thick: a stroke, a finger, a table. Beside such lines, those
    count too that cut a corner of the picture, or are hidden for the most part.
    """
    width = thin.shape[1]
    if np.count_nonzero((thin | thick).any(axis=0)) < THROUGH * width:
        return []
    slopes = np.linspace(-STEEPEST_LINE, STEEPEST_LINE, SLOPES)
    paths = _paths(thin, thick, slopes)
    lines = _lines_among(paths, range(SLOPES), THROUGH)
    if len(lines) == 1 and abs(slopes[lines[0][1]]) > STEEPEST_ALONE:
        return []
    known = {slope + step for _, slope in lines for step in range(-PARALLEL, PARALLEL + 1)}
    lines += _lines_among(paths, known & set(range(SLOPES)), BESIDE_OTHERS)
    return [(paths.first + row, slopes[slope]) for row, slope in lines]


def _paths(thin: Mask, thick: Mask, slopes: NDArray[np.float64]) -> Paths:
    height, width = thin.shape
    block = max(1, width // COLUMNS)
    whole = width // block * block
    wide = thin[:, :whole].copy()
    wide[1:] |= thin[:-1, :whole]
    wide[:-1] |= thin[1:, :whole]
    wide &= ~thick[:, :whole]
    # Both counts in one number, so that one pass adds both.
    counts = (wide + HIDDEN * thick[:, :whole]).reshape(height, -1, block).sum(axis=2)
    reach = int(STEEPEST_LINE * width / 2) + 2
    room = ((2 * reach, 2 * reach), (0, 0))
    counts = np.pad(counts, room, constant_values=HIDDEN * block)
    columns = np.arange(counts.shape[1])
    steps = np.rint(np.multiply.outer(slopes, (columns + 0.5) * block - width / 2)).astype(int)
    middles = np.arange(reach, height + 3 * reach)[:, np.newaxis]
    sums = [counts.take((middles + step) * len(columns) + columns).sum(axis=1) for step in steps]
    return Paths(counts, np.stack(sums), steps + reach, -reach, whole)


def _lines_among(paths: Paths, slopes: Collection[int], least: float) -> list[tuple[int, int]]:
    """Return row and slope of each path of which much is seen, of at least a share that is free."""
    if not slopes:
        return []
    shares = np.zeros(paths.sums.shape)
    chosen = sorted(slopes)
    shares[chosen] = _seen(paths.sums[chosen], paths.width, least)
    best, highest = shares.argmax(axis=0), shares.max(axis=0)
    peaks = np.flatnonzero(_is_peak(highest) & (highest >= THROUGH))
    lines = [(row, slope) for row, slope in zip(peaks.tolist(), best[peaks].tolist(), strict=True)]
    return [line for line in lines if _is_bare_beside(shares, *line) and _has_ends(paths, *line)]


def _seen(sums: Runs, length: int, least: float) -> NDArray[np.float64]:
    """Return which share is seen of what is not hidden; 0 if less than the least is free."""
    hidden, seen = np.divmod(sums, HIDDEN)
    free = length - hidden
    shares = np.where(free > 0, seen / np.maximum(free, 1), 1.0)
    return np.where(free >= least * length, shares, 0.0)


def _is_bare_beside(shares: NDArray[np.float64], row: int, slope: int) -> bool:
    """Whether less is seen beside a line than on it: else it is grain, or an area."""
    beside = shares[slope, max(0, row - 2 * NEAR_LINE) : row + 2 * NEAR_LINE + 1]
    return bool(beside.min() <= BETWEEN * shares[slope, row])


def _has_ends(paths: Paths, row: int, slope: int) -> bool:
    """Whether a line is seen near both sides of the picture, or hidden there."""
    columns = paths.counts.shape[1]
    line = paths.counts[row + paths.steps[slope], np.arange(columns)]
    start, end = (max(1, round(share * columns)) for share in END)
    ends = np.array([line[start:end].sum(), line[-end:-start].sum()])
    length = (end - start) * paths.width // columns
    return bool(_seen(ends, length, 0.0).min() >= AT_ENDS)


def _is_peak(values: NDArray[np.float64]) -> Mask:
    """Whether no neighbor within a line's width is higher; of equal ones the first."""
    padded = np.pad(values, NEAR_LINE, constant_values=-1.0)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAR_LINE + 1)
    before, after = around[:, :NEAR_LINE].max(axis=1), around[:, NEAR_LINE + 1 :].max(axis=1)
    return np.asarray((values > before) & (values >= after))

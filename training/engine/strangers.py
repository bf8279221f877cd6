"""Draw what is no digit: letters, marks, shapes, scribbles, several digits, parts of digits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from training.engine.data import STRANGER, Digits
from training.engine.no_digits import NO_DIGITS
from training.engine.strokes import (
    BOX,
    Random,
    Stroke,
    drawn_glyphs,
    in_another_hand,
    one_of,
    smooth_curve,
)
from training.engine.templates import DIGITS

Drawing = Callable[[Random], list[Stroke]]

LYING = 0.25  # share of the characters of three strokes and more that lie on their side


def character(random: Random) -> list[Stroke]:
    """A letter, a mark or a shape, each kind equally often; some lie on their side."""
    kinds = list(NO_DIGITS.values())
    ways = kinds[int(random.integers(len(kinds)))]
    strokes = in_another_hand(ways[int(random.integers(len(ways)))], random)
    if len(strokes) > 2 and random.random() < LYING:  # of few strokes, some would be digits
        return [line[:, ::-1] * np.array([1, -1]) for line in strokes]
    return strokes


def invented(random: Random) -> list[Stroke]:
    """A letter of no alphabet: three to five lines, arcs and hooks, most of which meet."""
    parts: list[Stroke] = []
    for _ in range(int(random.integers(3, 6))):
        start = random.uniform(0, BOX)
        if parts and random.random() < 0.6:
            other = parts[int(random.integers(len(parts)))]
            start = other[int(random.integers(len(other)))]
        parts.append(part_of_a_letter(start, random))
    return parts


def part_of_a_letter(start: NDArray[np.float64], random: Random) -> Stroke:
    turn = random.uniform(0, 2 * np.pi)
    if random.random() < 0.5:  # upright or level, nearly
        turn = np.pi / 2 * round(turn / (np.pi / 2)) + random.normal(0, 0.1)
    length, bend = random.uniform(35, 130), random.choice([0.0, random.normal(0, 2.2)])
    along = np.linspace(0, 1, 16)
    angles = turn + bend * along
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / 16
    line = start + steps.cumsum(axis=0)
    if leaves_the_box(line):
        line = 2 * start - line  # the other way
    if random.random() < 0.3:  # a hook
        hook = line[-1] + (line[-1] - line[-3]) @ rotation(random.uniform(1.2, 2.6))
        line = np.concatenate([line, np.linspace(line[-1], hook, 4)])
    return line


def leaves_the_box(line: Stroke) -> bool:
    return bool((line < -20).any() or (line > BOX + 20).any())


def rotation(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def scribble(random: Random) -> list[Stroke]:
    """A random line, from a few turns to a dense scribble."""
    turns = int(random.integers(7, 40))
    return [smooth_curve(random.uniform(0, BOX, (turns, 2)))]


def spiral(random: Random) -> list[Stroke]:
    """A line that turns two to five times around its start."""
    turns = random.uniform(2, 5)
    angles = np.linspace(0, 2 * np.pi * turns, 100) * random.choice([-1, 1])
    reach = np.linspace(random.uniform(0, 15), 60, 100)[:, None]
    return [BOX / 2 + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)]


def beam(random: Random) -> list[Stroke]:
    """Lines from one middle, with or without a ring around or inside: stars, suns, wheels."""
    count, first = int(random.integers(3, 10)), random.uniform(0, 2 * np.pi)
    near, far = random.choice([0.0, random.uniform(10, 35)]), random.uniform(55, 70)
    strokes = []
    for angle in first + 2 * np.pi * np.arange(count) / count:
        way = np.array([np.cos(angle), np.sin(angle)])
        strokes.append(BOX / 2 + way * np.array([[near], [far * random.uniform(0.85, 1.1)]]))
    if random.random() < 0.4:
        strokes.append(ring(random, random.choice([near, far]) + 5))
    return strokes


def ring(random: Random, reach: float) -> Stroke:
    angles = np.linspace(0, 2 * np.pi, 40) + random.uniform(0, 2 * np.pi)
    return BOX / 2 + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def crossing_lines(random: Random) -> list[Stroke]:
    """Lines beside and across each other."""
    across, down = int(random.integers(0, 4)), int(random.integers(2, 5))
    rows = [np.array([[0, y], [100, y]]) for y in np.linspace(0, 140, across)]
    columns = [np.array([[x, 0], [x, 140]]) for x in np.linspace(0, 100, down)]
    strokes = [line + random.normal(0, 5, (2, 2)) for line in (*rows, *columns)]
    return [line[:, ::-1] for line in strokes] if random.random() < 0.5 else strokes


def outline(random: Random) -> list[Stroke]:
    """A closed line whose corners are near and far: arrows, blocks, bites."""
    count = int(random.integers(6, 11))
    angles = 2 * np.pi * (np.arange(count) + random.uniform(-0.3, 0.3, count)) / count
    reach = random.uniform(50, 70, count)
    reach[random.permutation(count)[: count // 3]] *= random.uniform(0.05, 0.3)
    corners = BOX / 2 + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [np.concatenate([corners, corners[:1]])]


def wave(random: Random) -> list[Stroke]:
    """A line that swings several times."""
    count = int(random.integers(4, 11))
    x = np.linspace(0, 150, count)
    y = 70 + np.where(np.arange(count) % 2, 1, -1) * random.uniform(15, 60)
    points = np.stack([x, y], axis=1) + random.normal(0, 6, (count, 2))
    return [smooth_curve(points) if random.random() < 0.5 else points]


def several(random: Random) -> list[Stroke]:
    """Two or three digits beside each other, apart or touching."""
    strokes: list[Stroke] = []
    for number in range(2 if random.random() < 0.75 else 3):
        digit = a_digit(random)
        if number:
            edge = max(line[:, 0].max() for line in strokes)
            gap = edge - min(line[:, 0].min() for line in digit) + random.uniform(-12, 40)
            digit = [line + np.array([gap, random.normal(0, 10)]) for line in digit]
        strokes += digit
    return strokes


def struck_out(random: Random) -> list[Stroke]:
    """A digit struck out by lines or a cross, or with a ring around it."""
    digit = a_digit(random)
    if random.random() < 0.4:
        around = ring(random, random.uniform(95, 120))
        middle = np.concatenate(digit)
        return [*digit, around - BOX / 2 + (middle.min(axis=0) + middle.max(axis=0)) / 2]
    lines = [
        np.array([[-15.0, y], [115.0, 140.0 - y if crossed else y]]) + random.normal(0, 6, (2, 2))
        for y, crossed in [(20.0, True), (120.0, True), (55.0, False), (85.0, False)]
    ]
    return [*digit, *(lines[:2] if random.random() < 0.6 else lines[2:])]


def a_digit(random: Random) -> list[Stroke]:
    return one_of(DIGITS[int(random.integers(10))], random)


# How often each of them is drawn, of 32.
SHARES: dict[Drawing, int] = {
    character: 14,
    invented: 6,
    several: 3,
    outline: 1,
    scribble: 2,
    struck_out: 1,
    spiral: 1,
    beam: 1,
    crossing_lines: 1,
    wave: 2,
}


def a_stranger(random: Random) -> list[Stroke]:
    """A drawing of no digit, of any kind."""
    kinds = list(chain.from_iterable([draw] * share for draw, share in SHARES.items()))
    return kinds[int(random.integers(len(kinds)))](random)


def strangers(count: int, seed: int) -> Digits:
    """So many drawings of no digit."""
    random = np.random.default_rng(seed)
    glyphs = list(drawn_glyphs(lambda: a_stranger(random), count, random))
    return Digits(torch.from_numpy(np.stack(glyphs))[:, None], torch.full((count,), STRANGER))

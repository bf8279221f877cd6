"""Digits as somebody writes them, so that a page in a journey looks as it does in life."""

from __future__ import annotations

import random
from typing import Any

from predictions.glyphs.glyph import glyph_of
from predictions.models import Prediction
from tests.factories import canvas, make_prediction, png

# Strokes in a box of 100 by 140.
SHAPES = {
    0: "52,4 24,14 6,50 10,104 38,134 72,126 94,80 84,28 52,4",
    1: "36,24 58,4 54,70 50,136",
    2: "10,34 28,8 64,6 84,32 72,66 12,132 50,126 94,132",
    3: "12,14 52,4 82,24 70,54 38,66 78,76 90,104 62,132 10,124",
    4: "46,4 10,80 92,76 / 72,40 66,136",
    5: "86,6 28,8 20,60 56,50 88,76 80,116 44,134 10,120",
    6: "74,4 30,44 10,94 26,130 62,132 82,104 62,78 26,84 12,100",
    7: "8,10 90,6 56,70 36,136",
    8: "80,22 50,4 20,22 34,56 74,92 70,124 38,134 16,108 40,72 78,44 80,22",
    9: "82,30 52,8 20,28 26,58 60,64 82,30 78,90 64,136",
}


def strokes_of(digit: int) -> list[list[tuple[int, int]]]:
    return [
        [(int(x), int(y)) for x, y in (point.split(",") for point in stroke.split())]
        for stroke in SHAPES[digit].split("/")
    ]


def written(truth: int, seed: int = 0, **fields: Any) -> Prediction:
    """A prediction about this digit in a hand that `seed` decides; the guess is up to `fields`."""
    hand = random.Random(f"{truth} {seed}")
    slant, wide, width = hand.uniform(-0.25, 0.2), hand.uniform(0.75, 1.15), hand.randint(13, 24)
    lines = [
        [
            (
                round(140 + wide * (x - 50) + slant * (70 - y) + hand.gauss(0, 2)),
                round(70 + y + hand.gauss(0, 2)),
            )
            for x, y in stroke
        ]
        for stroke in strokes_of(truth)
    ]
    image = canvas(*lines, width=width)
    glyph = glyph_of(image)
    prediction = make_prediction(**{"digit": truth, **fields}, glyph=glyph)
    prediction.drawing.png = png(image)
    prediction.drawing.save()
    return prediction

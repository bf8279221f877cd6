"""A box on a picture: left, top, right and bottom, in shares of its width and height."""

from __future__ import annotations

import math

from PIL import Image

from predictions.errors import ImageRefused

Box = tuple[float, float, float, float]


class BoxRefused(ImageRefused):
    """The box has no area on the picture."""

    code = "box_refused"


def checked_box(sides: list[float]) -> Box:
    left, top, right, bottom = sides
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BoxRefused("A box is left, top, right, bottom, each from 0 to 1, in this order.")
    return left, top, right, bottom


def cropped(image: Image.Image, box: Box) -> Image.Image:
    """Return what is in the box, with every pixel that it touches."""
    width, height = image.size
    left, top = math.floor(box[0] * width), math.floor(box[1] * height)
    return image.crop((left, top, math.ceil(box[2] * width), math.ceil(box[3] * height)))


def box_within(outer: Box | None, inner: Box) -> Box:
    """Return where a box on what was cropped is on the whole picture."""
    if outer is None:
        return inner
    left, top, right, bottom = outer
    width, height = right - left, bottom - top
    return (
        left + inner[0] * width,
        top + inner[1] * height,
        left + inner[2] * width,
        top + inner[3] * height,
    )

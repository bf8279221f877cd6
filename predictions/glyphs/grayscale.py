"""Convert a picture to gray: upright, on the background that its author saw."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

# Pictures with more pixels are sampled to find their gray levels.
_SAMPLED: Final = 10_000

_Box = tuple[int, int, int, int]


class InkArea(NamedTuple):
    """The part of a gray picture that holds the whole drawing; the rest is one gray level."""

    gray: Image.Image
    rest_level: int
    box: tuple[int, int, int, int]  # where it is on the whole picture
    whole: tuple[int, int]  # width and height of the picture

    @property
    def rest_pixels(self) -> int:
        return self.whole[0] * self.whole[1] - self.gray.width * self.gray.height


def upright_gray(image: Image.Image) -> Image.Image:
    """Return the picture as mode 'L', upright, on its implied background."""
    if image.has_transparency_data:
        visible, box, behind = _on_implied_background(image)
        gray = visible
        if visible.size != image.size:
            gray = Image.new("L", image.size, behind)
            gray.paste(visible, box)
    else:
        gray = _gray_of_opaque(image)
    return turned(gray, exif_orientation(image.info.get("exif")))


def drawn_part(image: Image.Image) -> InkArea:
    """Return the result of upright_gray without its even margin, in a fraction of the time."""
    image = turned(image, exif_orientation(image.info.get("exif")))
    part, level = _cut_out_of_white(image), 255
    if part is not None:
        gray, box = part
    elif image.has_transparency_data:
        gray, box, level = _on_implied_background(image)
    else:
        gray, box = _gray_of_opaque(image), (0, 0, *image.size)
    if gray.size == image.size:
        gray, box, level = _without_even_margin(gray)
    return InkArea(gray, level, box, image.size)


def _cut_out_of_white(image: Image.Image) -> tuple[Image.Image, _Box] | None:
    """Return an opaque picture without its white margin, in gray, and where that part was.

    None if its corner is not white.

    Cropping before the conversion to gray takes half of the time.
    """
    if image.mode not in ("RGB", "RGBA"):
        return None
    if image.getpixel((0, 0)) != (255,) * len(image.getbands()):
        return None
    box = ImageChops.invert(image).getbbox(alpha_only=False) or (0, 0, *image.size)
    part = image.crop(box)
    if part.mode == "RGBA" and not _is_opaque(part):
        return None
    return part.convert("L"), box


def _is_opaque(image: Image.Image) -> bool:
    # This is four times as fast as getextrema.
    return ImageChops.invert(image.getchannel("A")).getbbox() is None


def _without_even_margin(gray: Image.Image) -> tuple[Image.Image, _Box, int]:
    """Cut off the margin if the corner is pure white or black.

    Return what is left, its box and the level of the margin.
    """
    corner = gray.getpixel((0, 0))
    box = None
    if corner == 0:
        box = gray.getbbox()
    elif corner == 255:
        box = ImageChops.invert(gray).getbbox()
    if box is None:
        return gray, (0, 0, *gray.size), 255 if corner == 255 else 0
    return gray.crop(box), box, 255 if corner else 0


def _gray_of_opaque(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _gray_of_deep(image)
    return image.convert("L")


def _gray_of_deep(image: Image.Image) -> Image.Image:
    deep = np.asarray(image)
    if image.mode == "F":
        return Image.fromarray(np.nan_to_num(deep).clip(0, 255).astype(np.uint8))
    return Image.fromarray((deep.astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _on_implied_background(image: Image.Image) -> tuple[Image.Image, _Box, int]:
    """Put a picture with transparency on the background that its author saw, in gray.

    If only strokes are visible, the background is their opposite. If paper is visible too, the
    transparent rest (rounded corners, a cut-out) gets the gray of the paper. Return the visible
    part, its box, and the gray of the rest.
    """
    whole = (0, 0, *image.size)
    if image.mode not in ("LA", "RGBA"):
        image = image.convert("RGBA")
    box = image.getbbox(alpha_only=True)
    if box is None:
        return Image.new("L", image.size, 255), whole, 255
    if box == whole and _is_opaque(image):
        return image.convert("L"), whole, 255
    image = image.crop(box)
    alpha = image.getchannel("A")
    luma = image.convert("L")
    if luma.getbbox() is None:  # black ink, as from most canvases: a shortcut, same result
        return ImageChops.invert(alpha), box, 255
    behind = _implied_level(luma, alpha, whole[2] * whole[3])
    visible = Image.new("L", alpha.size, behind)
    visible.paste(luma, (0, 0), alpha)
    return visible, box, behind


def _implied_level(luma: Image.Image, alpha: Image.Image, pixels: int) -> int:
    """Return the gray behind the visible part of a transparent picture of this many pixels."""
    # Faintly visible pixels have no reliable color: a browser stores it multiplied by alpha.
    seen = even_sample(alpha.tobytes(), alpha.width, thinned=3) >= 64
    levels = np.bincount(even_sample(luma.tobytes(), luma.width, thinned=3)[seen], minlength=256)
    visible = float(levels.sum())
    if not visible:
        levels = np.array(luma.histogram(alpha))
        visible = float(levels.sum())
    middle = int(np.searchsorted(np.cumsum(levels), visible / 2))
    far = visible - int(levels[max(0, middle - 64) : middle + 65].sum())
    share = float(np.count_nonzero(seen)) / seen.size * luma.width * luma.height / pixels
    if share > 0.5 and far > visible / 50:
        return middle
    return 255 if middle < 128 else 0


def even_sample(data: bytes, width: int, thinned: int = 1) -> NDArray[np.uint8]:
    """Return about a fifth of the pixels of a large gray picture, or all of a small one.

    The step does not divide the width, so the sample meets every row and every column and does
    not miss a straight hair line. `thinned` keeps only every n-th of these pixels.
    """
    step = 1
    if len(data) > _SAMPLED:
        step = next((prime for prime in (5, 7, 11) if width % prime), 1)
    return np.frombuffer(data[:: step * thinned], np.uint8)


# -- which way is up ----------------------------------------------------------------------------


def exif_orientation(exif: object) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing or broken.

    Read at most 256 entries of the first directory, so that a hostile block costs little.
    """
    if not isinstance(exif, bytes) or len(exif) < 14:
        return 1
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(min(count, 256)):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == 0x0112:
                return int(value) if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image

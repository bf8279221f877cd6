"""Decode untrusted bytes to a small picture, or refuse them.

Cheap checks come first: the size of the upload, the format by its first bytes, then the
dimensions, which our own code reads from the header. Only then does a decoder run. It is called by
its class, so that no decoder of another format can start. Of a PNG or JPEG it gets only the parts
that make the picture: no text, color profiles, later frames or thumbnails.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from zlib_ng import zlib_ng

from predictions.errors import ImageRefused
from predictions.glyphs.grayscale import exif_orientation, turned, upright_gray

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_PIXELS: Final = 4 * 1000 * 1000
MAX_SIDE: Final = 4096
# Decoded pictures are shrunk by whole factors to at most this many pixels a side: a glyph is 28
# pixels wide, so more would only take memory.
KEPT_SIDE: Final = 1024
# Ordinary progressive files have about 10 scans, some encoders write about 20. A scan of a few
# bytes costs a pass over the whole picture, so their number is limited.
MAX_JPEG_SCANS: Final = 24
# The most chunks or segments that are read in one file.
MAX_PARTS: Final = 20_000
THUMBNAIL_SIDE: Final = 112

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PICTURE_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_MAX_EXIF: Final = 65_536
_BEFORE_MARKER: Final = re.compile(rb"\xff+")  # fill bytes may precede a marker
_STANDALONE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAME_MARKERS: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_DISPLAYABLE_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})

# Everything that Pillow's three decoders were seen or are documented to raise on broken files,
# including SyntaxError, and Warning under `-W error`.
_DECODER_RAISES: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    AssertionError,
    Image.DecompressionBombError,
    Warning,
)

# Pictures with more pixels are decoded one at a time in a process, so that many big uploads take
# the memory of one. A pixel takes up to 12 ns (RGBA in a PNG), so this many take 6 ms, and the
# 280×280 of our own canvas take 0.3 ms.
BIG_PIXELS: Final = 500_000
_one_big_decode = threading.Lock()


class ImageTooLarge(ImageRefused):
    """The upload has more bytes or pixels than are accepted."""

    code = "image_too_large"


class ImageFormatRefused(ImageRefused):
    """The upload is not a PNG, JPEG or WebP."""

    code = "image_format"


class ImageBroken(ImageRefused):
    """The upload begins like an image but cannot be read to its end."""

    code = "image_broken"


def open_image(data: bytes) -> Image.Image:
    """Return the first frame, upright, without metadata, at most KEPT_SIDE a side, or refuse."""
    if not data:
        raise ImageBroken("The image is empty.")
    if len(data) > MAX_BYTES:
        raise ImageTooLarge(f"The image is larger than {MAX_BYTES // 1024 // 1024} MB.")
    if data.startswith(PNG_SIGNATURE):
        width, height, data, exif = _screen_png(data)
        if width * height <= BIG_PIXELS:
            data = _uncompressed(data)
        decoder: type[PngImageFile | JpegImageFile | WebPImageFile] = PngImageFile
    elif data.startswith(b"\xff\xd8\xff"):
        width, height, data, exif = _screen_jpeg(data)
        decoder = JpegImageFile
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        width, height = _webp_size(data)
        exif = _webp_exif(data) if data[12:16] == b"VP8X" else None
        decoder = WebPImageFile
    else:
        raise ImageFormatRefused("Only PNG, JPEG and WebP images are accepted.")
    orientation = exif_orientation(exif)
    if width * height <= BIG_PIXELS:
        return _decode(decoder, data, orientation)
    with _one_big_decode:
        return _decode(decoder, data, orientation)


def pixels_of(data: bytes) -> int:
    """How many pixels `open_image` would decode, by the header alone; 0 for what it refuses."""
    try:
        if data.startswith(PNG_SIGNATURE):
            width, height = _png_size(data)
        elif data.startswith(b"\xff\xd8\xff"):
            width, height = _jpeg_size(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            width, height = _webp_size(data)
        else:
            return 0
    except ImageRefused:
        return 0
    return width * height if len(data) <= MAX_BYTES else 0


def image_from_data_url(text: object) -> bytes:
    """Return the bytes within "data:image/png;base64,…" or refuse; nothing is guessed."""
    if not isinstance(text, str):
        raise ImageRefused("The image must be a data URL in a string.")
    found = _DATA_URL.match(text)
    if found is None:
        raise ImageFormatRefused(
            "The image must be a data URL that begins with data:image/png;base64, "
            "(or jpeg, or webp)."
        )
    start = found.end()
    if (len(text) - start) % 4:
        raise ImageBroken("The image is not valid base64.")
    if len(text) - start > (MAX_BYTES + 2) // 3 * 4:
        raise ImageTooLarge(f"The image is larger than {MAX_BYTES // 1024 // 1024} MB.")
    try:
        # Strict mode refuses white space, other characters and data after the padding.
        return binascii.a2b_base64(text[start:].encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ImageBroken("The image is not valid base64.") from None


_DATA_URL: Final = re.compile(r"data:image/(?:png|jpeg|jpg|webp);base64,", re.IGNORECASE)


def data_url(data: bytes) -> str:
    """Return PNG bytes as a data URL, the inverse of image_from_data_url."""
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def thumbnail_png(image: Image.Image) -> bytes:
    """Return the drawing as a small gray PNG, without any other data of the upload."""
    gray = upright_gray(image)
    # Shrinking by a whole factor is exact and fast, and leaves at most THUMBNAIL_SIDE.
    factor = -(-max(gray.size) // THUMBNAIL_SIDE)
    return gray_png(gray.reduce(factor) if factor > 1 else gray)


def gray_png(image: Image.Image) -> bytes:
    """Return an 'L' image as a minimal PNG: the same pixels always give the same bytes."""
    width, height = image.size
    rows = np.zeros((height, width + 1), np.uint8)  # the first column: filter type 0, "none"
    rows[:, 1:] = np.asarray(image)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        (
            PNG_SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)),
            _chunk(b"IEND", b""),
        )
    )


def _decode(
    decoder: type[PngImageFile | JpegImageFile | WebPImageFile], data: bytes, orientation: int
) -> Image.Image:
    try:
        file = decoder(BytesIO(data))
        _guard_size(*file.size)  # the header we read and the one the decoder read must agree
        if isinstance(file, WebPImageFile):
            return _plain(_first_webp_frame(file), orientation)
        if isinstance(file, JpegImageFile):
            _decode_small(file)
        file.load()
        return _plain(file, orientation)
    except _DECODER_RAISES:
        raise ImageBroken("The image is damaged and cannot be read.") from None


def _first_webp_frame(file: WebPImageFile) -> Image.Image:
    """Return the first frame, and free the two canvases that the decoder keeps for animations.

    Pillow's own loader keeps them beside the frame and the picture: 16 more bytes a pixel.
    """
    mode = "RGBA" if file.mode == "RGBA" else "RGBX"
    frame = file._decoder.get_next()
    if frame is None:
        raise EOFError("the first frame cannot be decoded")
    file._decoder = None
    image = Image.frombuffer(mode, file.size, frame[0], "raw", mode, 0, 1)
    if max(image.size) > KEPT_SIDE:
        image = image.reduce(-(-max(image.size) // KEPT_SIDE))
    return image if mode == "RGBA" else image.convert("RGB")


def _decode_small(image: JpegImageFile) -> None:
    """Have a JPEG decoded as gray and, if large, at 1/2, 1/4 or 1/8 of its size to save work."""
    longest = max(image.size)
    shrink = next((s for s in (8, 4, 2) if longest // s >= KEPT_SIDE), 1)
    image.draft("L", (max(1, image.width // shrink), max(1, image.height // shrink)))


def _plain(image: Image.Image, orientation: int) -> Image.Image:
    """Return the pixels without any other data of the file, upright, at most KEPT_SIDE a side."""
    if image.info.get("transparency") is not None:
        plain = image.convert("RGBA")
    elif image.mode in ("L", "LA", "RGB", "RGBA"):
        plain = image
    elif image.mode in ("P", "PA"):
        plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    else:
        plain = upright_gray(image)
    factor = -(-max(image.size) // KEPT_SIDE)
    if factor > 1:
        plain = plain.reduce(factor)
    plain.info = {}
    return turned(plain, orientation)


def _guard_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageBroken("The image has no pixels.")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageTooLarge(
            f"The image is {width} × {height} pixels; at most {MAX_SIDE} a side and "
            f"{MAX_PIXELS // 1_000_000} million in all are accepted."
        )


# PNG ------------------------------------------------------------------------------------------


def _chunk(name: bytes, body: bytes) -> bytes:
    check = zlib_ng.crc32(body, zlib_ng.crc32(name))
    return b"".join((struct.pack(">I", len(body)), name, body, struct.pack(">I", check)))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each chunk up to the end of the picture."""
    at = len(PNG_SIGNATURE)
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            raise ImageBroken("The PNG image ends too early.")
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ImageBroken("The PNG image ends too early.")
        yield name, at, end
        if name == b"IEND":
            return
        at = end
    raise ImageBroken("The PNG image is made of too many parts.")


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 33 or data[12:16] != b"IHDR" or data[8:12] != b"\0\0\0\x0d":
        raise ImageBroken("The PNG image has no header.")
    width, height = struct.unpack_from(">II", data, 16)
    _guard_size(width, height)
    return width, height


def _screen_png(data: bytes) -> tuple[int, int, bytes, bytes | None]:
    """Return the size, the picture's own chunks as a file, and the EXIF block if there is one.

    Compressed text and color profiles, which can grow a thousandfold, and the later frames of
    an animation are dropped.
    """
    width, height = _png_size(data)
    exif: bytes | None = None
    kept: list[bytes] = [PNG_SIGNATURE]
    dropped = False
    for name, start, end in _png_chunks(data):
        if name in _PICTURE_CHUNKS:
            kept.append(data[start:end])
            continue
        dropped = True
        if name == b"eXIf" and end - start <= _MAX_EXIF:
            exif = data[start + 8 : end - 4]
        elif name[:1].isupper():
            raise ImageBroken("The PNG image has an unknown critical part.")
    return width, height, b"".join(kept) if dropped else data, exif


def _uncompressed(data: bytes) -> bytes:
    """Return the same PNG with its pixels stored, not compressed; an irregular one as it is.

    Pillow inflates with the zlib of the system, which takes 20 times as long as zlib-ng for a
    drawing (docs/decisions/2026-11-30-cost-of-a-drawing.md).
    """
    parts = [(start, end) for name, start, end in _png_chunks(data) if name == b"IDAT"]
    if not parts or any(end != start for (_, end), (start, _) in itertools.pairwise(parts)):
        return data
    inflate = zlib_ng.decompressobj()
    stream = b"".join(data[start + 8 : end - 4] for start, end in parts)
    try:
        rows = inflate.decompress(stream, _png_row_bytes(data) + 1)
    except zlib_ng.error:  # type: ignore[misc]  # its stub calls it an instance
        return data
    if not inflate.eof:
        return data
    stored = _chunk(b"IDAT", zlib_ng.compress(rows, 0))
    return data[: parts[0][0]] + stored + data[parts[-1][1] :]


def _png_row_bytes(data: bytes) -> int:
    """How many bytes the rows of a PNG have, each with one that names its filter."""
    width, height, depth, color = struct.unpack_from(">IIBB", data, 16)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 0)
    return height * (1 + (width * depth * samples + 7) // 8)


# JPEG -----------------------------------------------------------------------------------------


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment, up to and including the first scan's."""
    at = 2
    for _ in range(MAX_PARTS):
        before = _BEFORE_MARKER.match(data, at)
        if before is None or before.end() + 3 > len(data):
            break
        at = before.end()
        marker = data[at]
        if marker in _STANDALONE_MARKERS:
            at += 1
            continue
        end = at + 1 + int.from_bytes(data[at + 1 : at + 3], "big")
        if marker == 0xD9 or end < at + 3 or end > len(data):
            break
        yield marker, at - 1, end
        if marker == 0xDA:
            return
        at = end
    raise ImageBroken("The JPEG image is damaged or ends too early.")


def _screen_jpeg(data: bytes) -> tuple[int, int, bytes, bytes | None]:
    """Return the size, the picture's own segments as a file, and the EXIF block if there is one."""
    size: tuple[int, int] | None = None
    exif: bytes | None = None
    kept: list[bytes] = [b"\xff\xd8"]
    for marker, start, end in _jpeg_segments(data):
        if marker in _FRAME_MARKERS:
            size = _jpeg_frame_size(marker, data[start + 4 : end], seen=size is not None)
        elif marker == 0xE1 and data[start + 4 : start + 10] == b"Exif\0\0" and exif is None:
            exif = data[start + 4 : end]
        if marker == 0xDA:
            _guard_scans(data, start)
            kept.append(data[start:])
        elif _makes_the_picture(marker):
            kept.append(data[start:end])
    if size is None:
        raise ImageBroken("The JPEG image has no header.")
    return *size, b"".join(kept), exif


def _makes_the_picture(marker: int) -> bool:
    """All but comments and application segments; Adobe's (0xEE) says how colors are stored."""
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, start, end in _jpeg_segments(data):
        if marker in _FRAME_MARKERS:
            return _jpeg_frame_size(marker, data[start + 4 : end], seen=False)
    raise ImageBroken("The JPEG image has no header.")


def _jpeg_frame_size(marker: int, frame: bytes, *, seen: bool) -> tuple[int, int]:
    if seen or len(frame) < 6:
        raise ImageBroken("The JPEG image has a damaged header.")
    precision, height, width, components = struct.unpack_from(">BHHB", frame)
    if marker not in _DISPLAYABLE_FRAMES or precision != 8 or components not in (1, 3, 4):
        raise ImageFormatRefused("This kind of JPEG is not accepted; save it as a common one.")
    _guard_size(width, height)
    return width, height


def _guard_scans(data: bytes, first: int) -> None:
    # Within the coded picture every 0xFF is followed by 0x00 or a restart marker, so this pair
    # of bytes counts scans (and at worst a little of what follows the picture).
    if data.count(b"\xff\xda", first) > MAX_JPEG_SCANS:
        raise ImageRefused("The JPEG image is made of too many scans.")


# WebP -----------------------------------------------------------------------------------------


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return the size of the canvas."""
    kind = data[12:16]
    if len(data) < 30:
        raise ImageBroken("The WebP image ends too early.")
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif kind == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    else:
        raise ImageBroken("The WebP image has no header.")
    _guard_size(width, height)
    return width, height


def _webp_exif(data: bytes) -> bytes | None:
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return None
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"EXIF":
            return data[at + 8 : at + 8 + length] if length <= _MAX_EXIF else None
        at += 8 + length + (length & 1)
    return None

from __future__ import annotations

import base64
import contextlib
import random
import struct
import subprocess
import sys
import threading
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from predictions.errors import Declined, ImageRefused
from predictions.glyphs.grayscale import exif_orientation, upright_gray
from predictions.glyphs.images import (
    KEPT_SIDE,
    MAX_BYTES,
    ImageBroken,
    ImageFormatRefused,
    ImageTooLarge,
    data_url,
    gray_png,
    image_from_data_url,
    open_image,
    thumbnail_png,
)
from tests import hostile


def gray_of(data: bytes) -> np.ndarray:
    return np.asarray(upright_gray(open_image(data))).astype(int)


@pytest.mark.parametrize("name", list(hostile.sound_pictures()))
def test_a_sound_picture_looks_the_same_in_every_guise(name: str) -> None:
    gray = upright_gray(open_image(hostile.sound_pictures()[name])).resize((28, 28))
    plain = hostile.seven().resize((28, 28))
    light = name.startswith(("light", "canvas-light"))
    want = np.asarray(plain).astype(int)
    got = 255 - np.asarray(gray).astype(int) if light else np.asarray(gray).astype(int)
    if name.startswith("gray-on-gray"):
        want = want * 90 // 255 + 90
    assert np.abs(got - want).mean() < 6


def test_sixteen_bits_keep_their_shades() -> None:
    data = hostile.encoded(hostile._sixteen_bit())
    assert np.array_equal(gray_of(data), np.asarray(hostile.seven()))


def read_by_pillow(data: bytes) -> bytes | None:
    """The pixels, or None if Pillow cannot read them."""
    try:
        return Image.open(BytesIO(data)).tobytes()
    except (OSError, SyntaxError):
        return None


def read_by_us(data: bytes) -> bytes | None:
    try:
        return open_image(data).tobytes()
    except ImageBroken:
        return None


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 33)])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_png_has_the_pixels_that_pillow_reads(mode: str, size: tuple[int, int]) -> None:
    noise = random.Random(1).randbytes(size[0] * size[1] * len(mode))
    data = hostile.encoded(Image.frombytes(mode, size, noise))
    assert read_by_us(data) == read_by_pillow(data) is not None


NOISE = random.Random(1)
ROW = 1 + 64 * 4  # bytes of a row of 64 RGBA pixels
ROWS = b"".join(bytes([y % 3]) + NOISE.randbytes(ROW - 1) for y in range(64))
STREAM = zlib.compress(ROWS)
BEGUN = zlib.compressobj()
UNFINISHED = BEGUN.compress(ROWS[: ROW * 30]) + BEGUN.flush(zlib.Z_FULL_FLUSH)
IRREGULAR = {
    "in two parts": [(b"IDAT", STREAM[:500]), (b"IDAT", STREAM[500:])],
    "parts apart": [(b"IDAT", STREAM[:500]), (b"PLTE", bytes(768)), (b"IDAT", STREAM[500:])],
    "rows are missing": [(b"IDAT", zlib.compress(ROWS[: ROW * 30]))],
    "a byte is missing": [(b"IDAT", zlib.compress(ROWS[:-1]))],
    "more than the rows": [(b"IDAT", zlib.compress(ROWS + bytes(5000)))],
    "two streams": [(b"IDAT", zlib.compress(ROWS[: ROW * 30]) + zlib.compress(ROWS[ROW * 30 :]))],
    "more than the stream": [(b"IDAT", STREAM + b"junk")],
    "rows are missing, and the end": [(b"IDAT", UNFINISHED)],
    "no checksum": [(b"IDAT", STREAM[:-4])],
    "another checksum": [(b"IDAT", STREAM[:-4] + b"none")],
    "no such filter": [(b"IDAT", zlib.compress(b"\x09" + ROWS[1:]))],
    "no pixels": [],
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_an_irregular_png_is_read_or_refused_as_by_pillow(name: str) -> None:
    parts = [hostile.png_chunk(*part) for part in IRREGULAR[name]]
    data = hostile._png(64, 64, *parts, color=6)
    assert read_by_us(data) == read_by_pillow(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_the_exif_orientation_is_applied_and_dropped(orientation: int, form: str) -> None:
    turned = hostile.oriented(orientation)
    data = hostile.encoded(turned, form, exif=hostile._exif(orientation), quality=95)
    image = open_image(data)
    assert (
        np.abs(np.asarray(upright_gray(image)) - np.asarray(hostile.seven()).astype(int)).mean() < 3
    )
    assert "exif" not in image.info


def test_a_picture_opened_elsewhere_is_turned_upright_as_well() -> None:
    data = hostile.encoded(hostile.oriented(6), exif=hostile._exif(6))
    assert np.array_equal(upright_gray(Image.open(BytesIO(data))), hostile.seven())


@pytest.mark.parametrize(
    "exif",
    [
        None,
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff12345678",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"nonsense of some length",
    ],
)
def test_broken_exif_counts_as_upright(exif: object) -> None:
    assert exif_orientation(exif) == 1


def test_an_orientation_out_of_range_counts_as_upright() -> None:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 9, 0)
    assert exif_orientation(b"II*\0\x08\0\0\0\1\0" + entry) == 1


def test_no_metadata_survives_opening() -> None:
    for item in hostile.corpus():
        if item.kind == "polyglot" and item.expect == "accept":
            image = open_image(item.data)
            assert image.info == {}
            assert hostile.CANARY.encode() not in thumbnail_png(image)


def test_only_the_first_frame_is_read() -> None:
    for form in ("PNG", "WEBP"):
        first = open_image(hostile._animated(form, 5))
        assert (
            np.abs(
                np.asarray(upright_gray(first)) - np.asarray(hostile.seven(64)).astype(int)
            ).max()
            < 80
        )
        assert not hasattr(first, "n_frames") or first.n_frames == 1


def test_too_many_bytes_are_refused_before_anything_is_read() -> None:
    with pytest.raises(ImageTooLarge):
        open_image(hostile.encoded(hostile.seven()) + bytes(MAX_BYTES))


@pytest.mark.parametrize(
    ("size", "refused"),
    [((2000, 2000), False), ((4096, 976), False), ((2000, 2001), True), ((4097, 2), True)],
)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_dimensions_are_limited(size: tuple[int, int], refused: bool, form: str) -> None:
    data = hostile.encoded(Image.new("L", size, 200), form)
    if refused:
        with pytest.raises(ImageTooLarge):
            open_image(data)
    else:
        assert max(open_image(data).size) <= KEPT_SIDE


def test_large_pictures_are_kept_small() -> None:
    image = open_image(hostile.encoded(hostile.seven(2000)))
    assert image.size == (1000, 1000)


@pytest.mark.parametrize(
    ("data", "refusal", "code"),
    [
        (b"", ImageBroken, "image_broken"),
        (b"GIF89a" + bytes(50), ImageFormatRefused, "image_format"),
        (hostile.encoded(hostile.seven())[:500], ImageBroken, "image_broken"),
        (hostile._png(5000, 5000), ImageTooLarge, "image_too_large"),
        (hostile._many_scans(64, 100), ImageRefused, "image_refused"),
    ],
)
def test_refusals_name_their_reason(data: bytes, refusal: type[Declined], code: str) -> None:
    with pytest.raises(refusal) as caught:
        open_image(data)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


def test_what_a_decoder_reads_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictions.glyphs.images._screen_png", lambda data: (10, 10, data, None))
    with pytest.raises(Declined):
        open_image(hostile._png(5000, 5000, hostile.png_chunk(b"IDAT", zlib.compress(b""))))


def test_a_bomb_warning_can_not_even_occur(recwarn: pytest.WarningsRecorder) -> None:
    for item in hostile._bombs():
        with contextlib.suppress(Declined):
            open_image(item.data)
    assert not [w for w in recwarn if "Bomb" in w.category.__name__]


def test_no_other_decoder_is_even_loaded() -> None:
    code = """
import sys
from tests import hostile
foreign = [(item.data) for item in hostile._wrong_types()]
for name in [n for n in sys.modules if n.startswith("PIL.") and n.endswith("ImagePlugin")]:
    del sys.modules[name]
from predictions.errors import Declined
from predictions.glyphs.images import open_image
for data in foreign:
    try:
        open_image(data)
    except Declined:
        continue
    raise SystemExit("accepted")
allowed = {"PngImagePlugin", "JpegImagePlugin", "WebPImagePlugin"}
# What Pillow's own JPEG reader imports for itself is loaded, never started.
allowed |= {"TiffImagePlugin", "GifImagePlugin", "MpoImagePlugin"}
print({n[4:] for n in sys.modules if n.startswith("PIL.") and n.endswith("ImagePlugin")} - allowed)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


def test_many_threads_open_at_once() -> None:
    data = [hostile.encoded(hostile.seven(1500)), hostile.encoded(hostile.transparent_seven())]
    sizes: list[tuple[int, int]] = []

    def work() -> None:
        for one in data * 3:
            sizes.append(open_image(one).size)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sizes) == 48
    assert set(sizes) == {(750, 750), (280, 280)}


# Data URLs


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "PNG"])
def test_a_data_url_gives_its_bytes(kind: str) -> None:
    url = f"data:image/{kind};base64," + base64.b64encode(b"\0\1\2\xff").decode()
    assert image_from_data_url(url) == b"\0\1\2\xff"


def test_data_url_and_back() -> None:
    assert image_from_data_url(data_url(b"abc")) == b"abc"


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        b"data:image/png;base64,AAAA",
        "",
        "AAAA",
        "data:image/svg+xml;base64,AAAA",
        "data:image/png,AAAA",
        " data:image/png;base64,AAAA",
        "data:image/png;base64,AA AA",
        "data:image/png;base64,AAAA\n",
        "data:image/png;base64,AAA",
        "data:image/png;base64,AAAA=",
        "data:image/png;base64,AA==AA==",
        "data:image/png;base64,AA-_",
        "data:image/png;base64,AAÄA",
        "data:image/png;base64,\ud800",
        "data:image/png;base64," + " " * 5_000_000,
    ],
)
def test_a_crooked_data_url_is_refused(text: object) -> None:
    with pytest.raises(ImageRefused):
        image_from_data_url(text)


def test_a_data_url_is_measured_before_it_is_decoded() -> None:
    limit = (MAX_BYTES + 2) // 3 * 4
    assert len(image_from_data_url("data:image/png;base64," + "A" * (limit - 4))) <= MAX_BYTES
    with pytest.raises(ImageTooLarge):
        image_from_data_url("data:image/png;base64," + "A" * (limit + 4))


# Thumbnails


def test_a_thumbnail_is_small_gray_and_the_drawing_itself() -> None:
    png = thumbnail_png(open_image(hostile.encoded(hostile.transparent_seven())))
    small = Image.open(BytesIO(png))
    assert small.mode == "L"
    assert max(small.size) <= 112
    want = np.asarray(hostile.seven().resize(small.size, Image.Resampling.BOX)).astype(int)
    assert np.abs(np.asarray(small) - want).mean() < 6
    assert len(png) < 4000


@pytest.mark.parametrize("size", [(1, 1), (112, 112), (113, 50), (3, 1000)])
def test_a_thumbnail_fits_whatever_the_size(size: tuple[int, int]) -> None:
    small = Image.open(BytesIO(thumbnail_png(Image.new("RGB", size, "white"))))
    assert max(small.size) <= 112
    assert min(small.size) >= 1


def test_equal_pixels_give_equal_png_bytes() -> None:
    assert gray_png(hostile.seven()) == gray_png(hostile.seven())
    assert np.array_equal(Image.open(BytesIO(gray_png(hostile.seven()))), hostile.seven())

"""A corpus of hostile uploads, made anew from a seed: `python -m tests.hostile DIR`.

Every file comes with what must happen to it: "accept", "refuse", or "either" where a reasonable
reader may go both ways but may not crash, hang or swell. Nothing here is larger than a few MB;
the danger lies in what the files unfold to.
"""

from __future__ import annotations

import base64
import json
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, PngImagePlugin

CANARY = "XSSCANARY7f3a"
SCRIPT = f"<script>alert('{CANARY}')</script>"
SEED = 20251121


@dataclass(frozen=True)
class Hostile:
    """One upload: its kind, what it calls itself, its bytes, and what must become of it."""

    name: str
    kind: str
    content_type: str
    expect: str  # accept | refuse | either
    data: bytes


def corpus(seed: int = SEED) -> list[Hostile]:
    """Return the whole corpus; the same seed gives the same files."""
    rng = random.Random(seed)
    made: list[Hostile] = []
    for maker in (_controls, _bombs, _wrong_types, _confused, _polyglots):
        made.extend(maker())
    made.extend(_truncated())
    made.extend(_flipped(rng))
    made.extend(_garbage(rng))
    return made


def write(directory: Path, seed: int = SEED) -> Path:
    """Write the corpus and its manifest; return the path of the manifest."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = []
    for item in corpus(seed):
        (directory / item.name).write_bytes(item.data)
        row = asdict(item)
        row["bytes"] = len(row.pop("data"))
        rows.append(row)
    manifest = directory / "manifest.json"
    manifest.write_text(json.dumps({"seed": seed, "files": rows}, indent=1))
    return manifest


# Sound pictures ---------------------------------------------------------------------------------


def seven(side: int = 280, ink: int = 0, paper: int = 255) -> Image.Image:
    """Return a drawn seven as a gray picture, smooth at the edges."""
    big = Image.new("L", (4 * side, 4 * side), paper)
    unit = 4 * side / 280
    path = [(x * unit, y * unit) for x, y in ((70, 60), (200, 60), (120, 230))]
    ImageDraw.Draw(big).line(path, fill=ink, width=round(22 * unit), joint="curve")
    return big.resize((side, side), Image.Resampling.BOX)


def transparent_seven(ink: tuple[int, int, int] = (20, 20, 30), side: int = 280) -> Image.Image:
    """Return the seven as a browser's canvas holds it: ink on nothing."""
    picture = Image.new("RGBA", (side, side), (*ink, 0))
    picture.putalpha(seven(side, 255, 0))
    return picture


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """Return the image as a file of that form."""
    out = BytesIO()
    image.save(out, form, **options)  # type: ignore[arg-type]
    return out.getvalue()


def oriented(orientation: int) -> Image.Image:
    """Return the seven stored so that only the EXIF orientation makes it upright again."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return seven().transpose(undo[orientation]) if orientation in undo else seven()


def _exif(orientation: int = 1, *, gps: bool = False, text: str = "") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if text:
        exif[0x010E] = text
        exif[0x013B] = text
    if gps:
        exif.get_ifd(0x8825).update({1: "N", 2: (40.0, 41.0, 21.5), 3: "W", 4: (74.0, 2.0, 40.2)})
    return exif.tobytes()


def _accept(name: str, content_type: str, data: bytes, kind: str = "control") -> Hostile:
    return Hostile(name, kind, content_type, "accept", data)


def _refuse(name: str, content_type: str, data: bytes, kind: str) -> Hostile:
    return Hostile(name, kind, content_type, "refuse", data)


def _either(name: str, content_type: str, data: bytes, kind: str) -> Hostile:
    return Hostile(name, kind, content_type, "either", data)


def _sixteen_bit() -> Image.Image:
    return Image.frombytes(
        "I;16", (280, 280), b"".join(struct.pack("<H", v * 257) for v in seven().tobytes())
    )


@cache
def sound_pictures() -> dict[str, bytes]:
    """Return the same seven in every guise that must be read alike: bytes by file name."""
    return dict(_guises())


def _guises() -> Iterator[tuple[str, bytes]]:
    gray = seven()
    rgb = gray.convert("RGB")
    yield "canvas-dark-on-nothing.png", encoded(transparent_seven())
    yield "canvas-light-on-nothing.png", encoded(transparent_seven((250, 250, 240)))
    yield "dark-on-light.png", encoded(gray)
    yield "light-on-dark.png", encoded(seven(280, 255, 0))
    yield "gray-on-gray.png", encoded(seven(280, 90, 180))
    yield "rgb.png", encoded(rgb)
    yield "rgba-opaque.png", encoded(rgb.convert("RGBA"))
    yield "gray-alpha.png", encoded(gray.convert("LA"))
    yield "palette.png", encoded(rgb.quantize(16))
    yield "palette-see-through.png", encoded(rgb.quantize(16), transparency=0)
    yield "bilevel.png", encoded(gray.convert("1"))
    yield "sixteen-bit.png", encoded(_sixteen_bit())
    yield "plain.jpg", encoded(rgb, "JPEG", quality=90)
    yield "poor.jpg", encoded(rgb, "JPEG", quality=40)
    yield "progressive.jpg", encoded(rgb, "JPEG", progressive=True)
    yield "gray.jpg", encoded(gray, "JPEG")
    yield "cmyk.jpg", encoded(rgb.convert("CMYK"), "JPEG", quality=90)
    yield "lossy.webp", encoded(rgb, "WEBP", quality=80)
    yield "lossless.webp", encoded(rgb, "WEBP", lossless=True)
    yield "transparent.webp", encoded(transparent_seven(), "WEBP", lossless=True)
    yield "large.png", encoded(seven(2000))
    yield "large.jpg", encoded(seven(2000).convert("RGB"), "JPEG")
    yield "large.webp", encoded(seven(2000).convert("RGB"), "WEBP")
    yield "small.png", encoded(seven(40))
    for orientation in range(1, 9):
        turned = oriented(orientation)
        exif = _exif(orientation)
        yield f"orientation-{orientation}.jpg", encoded(turned, "JPEG", exif=exif, quality=95)
        yield f"orientation-{orientation}.png", encoded(turned, "PNG", exif=exif)
        yield f"orientation-{orientation}.webp", encoded(turned, "WEBP", exif=exif, quality=95)


_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


def _type_of(name: str) -> str:
    return _TYPES[name.rsplit(".", 1)[1]]


def _controls() -> Iterator[Hostile]:
    for name, data in sound_pictures().items():
        yield _accept(f"control-{name}", _type_of(name), data)
    for level in (0, 1, 127, 128, 254, 255):
        blank = encoded(Image.new("L", (280, 280), level))
        yield _refuse(f"blank-{level}.png", "image/png", blank, "blank")
    see_through = encoded(Image.new("RGBA", (280, 280)))
    yield _refuse("blank-see-through.png", "image/png", see_through, "blank")
    speck = Image.new("L", (280, 280), 255)
    speck.putpixel((100, 100), 0)
    yield _refuse("blank-speck.png", "image/png", encoded(speck), "blank")
    yield _refuse("blank-one-pixel.png", "image/png", encoded(Image.new("L", (1, 1))), "blank")


# Bombs ------------------------------------------------------------------------------------------


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, color: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    end = png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(chunks) + end


def _with_chunks(*chunks: bytes) -> bytes:
    """Return the sound seven with more chunks before its pixels."""
    plain = encoded(seven())
    return plain[:33] + b"".join(chunks) + plain[33:]


def _webp(kind: bytes, body: bytes) -> bytes:
    body += b"\0" * (len(body) & 1)
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def _huge_webp(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    # Every code of the picture is a single symbol, so that no bit of data follows.
    return _webp(b"VP8L", b"\x2f" + struct.pack("<I", bits) + bytes((0x88, 0x88, 0x08)) + bytes(6))


def _many_scans(side: int, scans: int) -> bytes:
    data = encoded(Image.new("RGB", (side, side), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    end = data.rindex(b"\xff\xd9")
    return data[:last] + data[last:end] * scans + data[end:]


def _animated(form: str, frames: int, side: int = 64) -> bytes:
    first = seven(side)
    rest = [Image.new("L", (side, side), shade % 256) for shade in range(frames - 1)]
    return encoded(first, form, save_all=True, append_images=rest, duration=10)


def _text_bomb(pieces: int, each: int) -> bytes:
    packed = zlib.compress(b"A" * each, 9)
    return _with_chunks(*[png_chunk(b"zTXt", b"k%d\0\0" % n + packed) for n in range(pieces)])


def _bombs() -> Iterator[Hostile]:
    def bomb(name: str, data: bytes, expect: str = "refuse") -> Hostile:
        return Hostile(f"bomb-{name}", "bomb", _type_of(name), expect, data)

    for width, height in ((9000, 9000), (16383, 16383), (16383, 4900), (4097, 16), (2500, 2500)):
        yield bomb(f"tiny-{width}x{height}.webp", _huge_webp(width, height))
    vp8x = _webp(b"VP8X", bytes(4) + (16_000_000).to_bytes(3, "little") * 2)
    yield bomb("canvas.webp", vp8x)
    zeros = zlib.compress(bytes(1_000_000), 9)
    for width, height in ((100_000, 100_000), (2**31 - 1, 2**31 - 1), (60_000, 1), (1, 60_000)):
        yield bomb(f"dims-{width}x{height}.png", _png(width, height, png_chunk(b"IDAT", zeros)))
    yield bomb("dims-0x0.png", _png(0, 0, png_chunk(b"IDAT", zeros)))
    flat = zlib.compress(bytes(9000 * 9001), 9)
    yield bomb("81-megapixels.png", _png(9000, 9000, png_chunk(b"IDAT", flat)))
    bilevel = zlib.compress(bytes(12_000 * 1501), 9)
    yield bomb("bilevel.png", _png(12_000, 12_000, png_chunk(b"IDAT", bilevel), depth=1))
    # As large as allowed, in the most expensive modes; flat, hence without ink.
    deep = zlib.compress(bytes(2000 * (2000 * 8 + 1)), 9)
    yield bomb(
        "4-megapixels-deep.png", _png(2000, 2000, png_chunk(b"IDAT", deep), depth=16, color=6)
    )
    yield bomb("4-megapixels.webp", _huge_webp(2000, 2000))
    overrun = zlib.compress(bytes(100_000_000), 9)
    yield bomb("unfolds-100-MB.png", _png(100, 100, png_chunk(b"IDAT", overrun)))
    yield bomb("text-64-MB.png", _text_bomb(64, 1_000_000), "accept")
    yield bomb("text-400-MB.png", _text_bomb(400, 1_000_000), "accept")
    yield bomb("text-too-long.png", _text_bomb(1, 50_000_000), "accept")
    profile = zlib.compress(bytes(50_000_000), 9)
    yield bomb("profile.png", _with_chunks(png_chunk(b"iCCP", b"p\0\0" + profile)), "accept")
    nested = b"A" * 30_000_000
    for _ in range(3):
        nested = zlib.compress(nested, 9)
    yield bomb("nested.png", _with_chunks(png_chunk(b"zTXt", b"n\0\0" + nested)), "accept")
    international = b"i\0\1\0\0\0" + zlib.compress(b"A" * 20_000_000, 9)
    yield bomb("international.png", _with_chunks(png_chunk(b"iTXt", international)), "accept")
    yield bomb(
        "long-text.png", _with_chunks(png_chunk(b"tEXt", b"k\0" + b"A" * 1_500_000)), "accept"
    )
    many = _with_chunks(*[png_chunk(b"tEXt", b"k\0v")] * 10_000)
    yield bomb("10000-texts.png", many, "accept")
    yield bomb("100000-texts.png", _with_chunks(*[png_chunk(b"tEXt", b"k\0v")] * 100_000))
    pieces = zlib.compress(seven().tobytes(), 9)
    bits = [png_chunk(b"IDAT", pieces[n : n + 1]) for n in range(len(pieces))]
    yield bomb("one-byte-pieces.png", _png(280, 280, *bits), "either")
    yield bomb("too-many-bytes.png", encoded(seven()) + bytes(2 * 1024 * 1024))
    yield from _grainy()
    for scans in (30, 500, 20_000):
        yield bomb(f"{scans}-scans.jpg", _many_scans(1024, scans))
    yield bomb("2000x2000-scans.jpg", _many_scans(2000, 13), "either")
    yield bomb("dims.jpg", _resized_jpeg(65_000, 65_000))
    yield bomb("dims-wide.jpg", _resized_jpeg(4000, 1001))
    yield bomb("dims-none.jpg", _resized_jpeg(0, 0))
    comments = b"\xff\xfe\x00\x02" * 60_000
    plain = encoded(seven(), "JPEG")
    yield bomb("comments.jpg", plain[:2] + comments + plain[2:])
    yield bomb("few-comments.jpg", plain[:2] + comments[:4000] + plain[2:], "accept")
    yield bomb("animated.png", _animated("PNG", 60), "accept")
    yield bomb("animated.webp", _animated("WEBP", 300), "accept")


def _grainy() -> Iterator[Hostile]:
    """Pictures as large as allowed and hard to unpack: grain in every pixel."""
    rng = random.Random(SEED)
    grain = Image.frombytes("RGB", (250, 250), rng.randbytes(250 * 250 * 3))
    field = Image.new("RGB", (2000, 2000))
    for number in range(64):
        field.paste(grain, (number % 8 * 250, number // 8 * 250))
    for progressive in (False, True):
        jpeg = encoded(field, "JPEG", quality=15, progressive=progressive)
        name = f"grain-{'progressive' if progressive else 'plain'}.jpg"
        yield _either(name, "image/jpeg", jpeg, "bomb")
    webp = encoded(field, "WEBP", quality=5, method=0)
    yield _either("grain.webp", "image/webp", webp, "bomb")
    lossless = encoded(field, "WEBP", lossless=True, method=0)
    yield _either("grain-lossless.webp", "image/webp", lossless, "bomb")
    yield _either("grain.png", "image/png", encoded(field.quantize(4), bits=2), "bomb")


def _resized_jpeg(width: int, height: int) -> bytes:
    data = bytearray(encoded(seven(), "JPEG"))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, height, width)
    return bytes(data)


# What is no PNG, JPEG or WebP -------------------------------------------------------------------


def _foreign() -> Iterator[tuple[str, str, bytes]]:
    gray = seven()
    yield "a.gif", "image/gif", encoded(gray, "GIF")
    yield "a.bmp", "image/bmp", encoded(gray, "BMP")
    yield "a.tiff", "image/tiff", encoded(gray, "TIFF")
    yield "a.ico", "image/x-icon", encoded(gray, "ICO")
    yield "a.ppm", "image/x-portable-anymap", encoded(gray, "PPM")
    yield "a.tga", "image/x-tga", encoded(gray, "TGA")
    yield "a.pcx", "image/x-pcx", encoded(gray, "PCX")
    yield "a.eps", "application/postscript", encoded(gray, "EPS")
    yield (
        "loop.eps",
        "application/postscript",
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99999 99999\n%%EndComments\n{} loop\n"),
    )
    yield (
        "a.psd",
        "image/vnd.adobe.photoshop",
        (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3) + bytes(64)),
    )
    yield "a.fits", "image/fits", _fits()
    yield (
        "a.svg",
        "image/svg+xml",
        (f'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">{SCRIPT}</svg>'.encode()),
    )
    yield (
        "a.pdf",
        "application/pdf",
        b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<<>>\n%%EOF",
    )
    yield "a.zip", "application/zip", _zip()
    yield "a.txt", "text/plain", b"seven\n"
    yield "a.html", "text/html", f"<html><body>{SCRIPT}</body></html>".encode()
    yield "empty.png", "image/png", b""
    yield "nul.png", "image/png", b"\0"
    yield "zeros.png", "image/png", bytes(100_000)
    yield "a.exe", "application/x-msdownload", b"MZ" + bytes(512)
    yield "a.pickle", "application/octet-stream", b"cos\nsystem\n(S'true'\ntR."
    yield "a.jp2", "image/jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200)
    yield "a.avif", "image/avif", b"\0\0\0\x1cftypavif" + bytes(200)
    yield "a.xbm", "image/xbm", b"#define a_width 9\n#define a_height 9\nstatic char a_bits[]={0};"
    yield "billion.xml", "application/xml", b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>'


def _fits() -> bytes:
    cards = ("SIMPLE  =                    T", "BITPIX  =                    8",
             "NAXIS   =                    2", "NAXIS1  =                 9000",
             "NAXIS2  =                 9000", "END")  # fmt: skip
    return "".join(card.ljust(80) for card in cards).ljust(2880).encode()


def _zip() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("zeros"), bytes(10_000_000), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _wrong_types() -> Iterator[Hostile]:
    for name, content_type, data in _foreign():
        yield _refuse(f"wrong-{name}", content_type, data, "wrong type")


def _confused() -> Iterator[Hostile]:
    """Files whose name and declared type lie: only their bytes count."""
    for name, _, data in _foreign():
        for ending, content_type in _TYPES.items():
            yield _refuse(f"confused-{name}.{ending}", content_type, data, "confused")
    sound = {name: encoded(seven(), form) for name, form in
             (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"))}  # fmt: skip
    for real, data in sound.items():
        for ending in ("png", "jpg", "webp", "gif", "html"):
            content_type = _TYPES.get(ending, "text/html")
            yield _accept(f"confused-{real}-as.{ending}", content_type, data, "confused")
    for first, second in (("png", "jpg"), ("jpg", "png"), ("webp", "png")):
        data = sound[first][:12] + sound[second]
        yield _refuse(f"confused-{first}-then-{second}", _TYPES[first], data, "confused")
    yield _refuse("signature-only.png", "image/png", b"\x89PNG\r\n\x1a\n", "confused")
    yield _refuse("signature-only.jpg", "image/jpeg", b"\xff\xd8\xff", "confused")
    yield _refuse("signature-only.webp", "image/webp", b"RIFF\4\0\0\0WEBP", "confused")
    html = b"\x89PNG\r\n\x1a\n" + SCRIPT.encode()
    yield _refuse("signature-html.png", "image/png", html, "polyglot")


# Polyglots: sound pictures that carry something else ----------------------------------------------


def _polyglots() -> Iterator[Hostile]:
    def carrier(name: str, data: bytes) -> Hostile:
        return _accept(f"polyglot-{name}", _type_of(name), data, "polyglot")

    script = SCRIPT.encode()
    for ending, form in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")):
        yield carrier(f"html-behind.{ending}", encoded(seven(), form) + script)
        yield carrier(f"zip-behind.{ending}", encoded(seven(), form) + _zip())
        exif = _exif(1, gps=True, text=SCRIPT)
        yield carrier(f"exif.{ending}", encoded(seven(), form, exif=exif))
        broken = b"Exif\0\0II*\0\xff\xff\xff\xff" + script
        yield carrier(f"broken-exif.{ending}", encoded(seven(), form, exif=broken))
        around = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x87\x69\0\4\0\0\0\1\0\0\0\x08" * 9
        yield carrier(f"looping-exif.{ending}", encoded(seven(), form, exif=around))
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SCRIPT)
    text.add_text("Title", SCRIPT, zip=True)
    text.add_itxt("Author", SCRIPT)
    yield carrier("text.png", encoded(seven(), "PNG", pnginfo=text))
    yield carrier("comment.jpg", encoded(seven(), "JPEG", comment=script))
    photoshop = b"Photoshop 3.0\x008BIM\x03\xed\0\0\xff\xff\xff\xff"
    plain = encoded(seven(), "JPEG")
    app13 = b"\xff\xed" + struct.pack(">H", len(photoshop) + 2) + photoshop
    yield carrier("photoshop.jpg", plain[:2] + app13 + plain[2:])
    mpf = b"MPF\0II*\0\xff\xff\xff\x7f"
    app2 = b"\xff\xe2" + struct.pack(">H", len(mpf) + 2) + mpf
    yield carrier("multi-picture.jpg", plain[:2] + app2 + plain[2:])
    yield carrier("script-chunk.png", _with_chunks(png_chunk(b"scRp", script)))


# Damage -----------------------------------------------------------------------------------------


def _bases() -> dict[str, bytes]:
    return {
        "canvas.png": encoded(transparent_seven()),
        "palette.png": encoded(seven().convert("RGB").quantize(16)),
        "plain.jpg": encoded(seven().convert("RGB"), "JPEG"),
        "progressive.jpg": encoded(seven().convert("RGB"), "JPEG", progressive=True),
        "lossy.webp": encoded(seven().convert("RGB"), "WEBP"),
        "lossless.webp": encoded(transparent_seven(), "WEBP", lossless=True),
        "animated.png": _animated("PNG", 3),
        "animated.webp": _animated("WEBP", 3),
    }


def _truncated() -> Iterator[Hostile]:
    for name, data in _bases().items():
        for share in (0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9):
            cut = data[: max(1, int(len(data) * share))]
            # An animation may be cut behind its first frame, the only one that is read.
            expect = "either" if name.startswith("animated") else "refuse"
            file = f"truncated-{round(share * 100):02}-{name}"
            yield Hostile(file, "truncated", _type_of(name), expect, cut)
        yield _either(f"truncated-last-{name}", _type_of(name), data[:-1], "truncated")


def _flipped(rng: random.Random) -> Iterator[Hostile]:
    for name, data in _bases().items():
        for number in range(32):
            damaged = bytearray(data)
            # Half of the damage goes to the headers, where it does the most.
            reach = min(len(data), 120) if number % 2 else len(data)
            for _ in range(rng.choice((1, 2, 4, 8, 16, 32))):
                damaged[rng.randrange(reach)] ^= 1 << rng.randrange(8)
            yield _either(f"flipped-{number:02}-{name}", _type_of(name), bytes(damaged), "flipped")


def _garbage(rng: random.Random) -> Iterator[Hostile]:
    starts = (
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"RIFF\xff\xff\0\0WEBPVP8 ",
        b"GIF89a",
    )
    for number in range(40):
        data = starts[number % len(starts)] + rng.randbytes(rng.choice((40, 400, 4000, 40_000)))
        yield _refuse(f"garbage-{number:02}.bin", "application/octet-stream", data, "garbage")


# Bodies of requests -------------------------------------------------------------------------------


def odd_json_bodies() -> list[tuple[str, str, bytes]]:
    """Return name, content type and body of requests that must be refused with a reason."""
    url = "data:image/png;base64," + base64.b64encode(encoded(seven())).decode()
    typical: dict[str, object] = {
        "missing-field": {},
        "null": {"image": None},
        "number": {"image": 7},
        "float": {"image": 0.5},
        "boolean": {"image": True},
        "list": {"image": [url]},
        "object": {"image": {"url": url}},
        "empty-string": {"image": ""},
        "no-prefix": {"image": url.partition(",")[2]},
        "http-url": {"image": "http://127.0.0.1:1/a.png"},
        "file-url": {"image": "file:///etc/passwd"},
        "svg-url": {"image": "data:image/svg+xml;base64,PHN2Zy8+"},
        "not-base64": {"image": "data:image/png,<script>"},
        "bad-base64": {"image": "data:image/png;base64,####"},
        "bad-padding": {"image": url + "="},
        "cut-base64": {"image": url[:-3]},
        "foreign-letters": {"image": url[:60] + "é" + url[61:]},
        "white-space": {"image": url[:60] + " " * 1_000_000 + url[60:]},
        "line-breaks": {"image": url[:60] + "\r\n" * 500_000 + url[60:]},
        "only-padding": {"image": "data:image/png;base64," + "=" * 1_000_000},
        "empty-data": {"image": "data:image/png;base64,"},
        "too-large": {"image": "data:image/png;base64," + "A" * 2_900_000},
        "nul-string": {"image": "\0"},
        "nul-within": {"image": url[:60] + "\0" + url[60:]},
        "top-list": [url],
        "top-string": url,
        "top-number": 7,
        "top-null": None,
        "misspelled-field": {"Image": url},
    }
    bodies = [(name, json.dumps(value).encode()) for name, value in typical.items()]
    bodies += [
        ("empty-body", b""),
        ("nul-body", b"\0"),
        ("nul-key", b'{"image\\u0000": "x"}'),
        ("lone-surrogate", b'{"image": "\\ud800"}'),
        ("lone-surrogate-url", b'{"image": "data:image/png;base64,\\udfff"}'),
        ("raw-surrogate", b'{"image": "\xed\xa0\x80"}'),
        ("not-utf8", b'{"image": "\xff\xfe"}'),
        ("utf-16", '{"image": "x"}'.encode("utf-16")),
        ("byte-order-mark", b'\xef\xbb\xbf{"image": "x"}'),
        ("long-integer", b'{"image": ' + b"9" * 5000 + b"}"),
        ("long-integer-beside", b'{"image": "x", "n": ' + b"9" * 5000 + b"}"),
        ("huge-exponent", b'{"image": 1e999999}'),
        ("not-a-number", b'{"image": NaN}'),
        ("infinity", b'{"image": Infinity}'),
        ("minus-infinity", b'{"image": -Infinity}'),
        ("deep-lists", b"[" * 100_000 + b"]" * 100_000),
        ("deep-objects", b'{"image":' * 100_000 + b"1" + b"}" * 100_000),
        ("open-lists", b"[" * 100_000),
        ("cut-object", b'{"image": "data:ima'),
        ("two-values", b'{"image": "x"} {"image": "x"}'),
        ("single-quotes", b"{'image': 'x'}"),
        ("duplicate-keys", b'{"image": "x", "image": 7}'),
        ("html", SCRIPT.encode()),
    ]  # fmt: skip
    return [(name, "application/json", body) for name, body in bodies]


def main(argv: list[str]) -> int:
    """Write the corpus into the directory that is named."""
    if len(argv) != 1:
        print("usage: python -m tests.hostile DIR", file=sys.stderr)
        return 2
    manifest = write(Path(argv[0]))
    print(f"{len(json.loads(manifest.read_text())['files'])} files, listed in {manifest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""What the way from bytes to glyph costs: `./run bench glyph [REPEATS] [--against COMMIT]`.

With a commit, its code and ours are measured in turn, five times each, in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from predictions.errors import Declined
from predictions.glyphs.glyph import decode_glyph, encode_glyph, glyph_digest, glyph_of
from predictions.glyphs.grayscale import upright_gray
from predictions.glyphs.images import open_image, thumbnail_png
from tests import hostile

ROOT = Path(__file__).parents[2]
TARGET_US = 250.0  # for a canvas of 280 × 280, decoding apart
PHOTO_TARGET_US = 120_000.0  # of the processor, from a file of 4 million pixels to its glyph
ROUNDS = 5


def main(argv: list[str]) -> int:
    """Print a table of microseconds, minimum and median, and as the last line all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repeats", type=int, nargs="?", default=1000)
    parser.add_argument("--against", help="a commit to compare with")
    options = parser.parse_args(argv)
    if options.against:
        return compare(options.against, options.repeats)
    repeats = options.repeats
    figures = {name: _timed(work, repeats) for name, work in _work()}
    print(f"{'what':34} {'min µs':>9} {'median µs':>10} {'cpu min µs':>11} {'n':>6}")
    for name, row in figures.items():
        print(
            f"{name:34} {row['min_us']:9.1f} {row['median_us']:10.1f} "
            f"{row['cpu_min_us']:11.1f} {row['n']:6d}"
        )
    load = os.getloadavg()[0]
    print(f"load of the machine {load:.2f} on {os.cpu_count()} cores")
    targets = {"target_us": TARGET_US, "photo_target_us": PHOTO_TARGET_US}
    print(json.dumps({"bench": "glyph", **targets, "load": load, "figures": figures}))
    return 0


def compare(commit: str, repeats: int) -> int:
    """Print what each piece of work costs here and at a commit: least time of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["git", "archive", commit, "predictions", "tests"],
            cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
        subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
        there, here = {}, {}
        for _ in range(ROUNDS):
            for root, least in ((folder, there), (str(ROOT), here)):
                for name, row in figures_in(root, repeats).items():
                    least[name] = min(row["cpu_min_us"], least.get(name, row["cpu_min_us"]))
    ratios = {name: round(here[name] / there[name], 3) for name in here if name in there}
    print(f"{'what, CPU in µs':40} {commit[:12]:>12} {'here':>10} {'ratio':>7}")
    for name, ratio in ratios.items():
        print(f"{name:40} {there[name]:12.1f} {here[name]:10.1f} {ratio:7.3f}")
    figures = {"there": there, "here": here, "ratio": ratios}
    print(json.dumps({"bench": "glyph", "against": commit, "rounds": ROUNDS, **figures}))
    return 0


def figures_in(root: str, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.glyph", str(repeats)]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["figures"]
    return figures


def _timed(work: Callable[[], object], repeats: int) -> dict[str, float | int]:
    """Time single calls: the minimum is what the work costs, the median shows a busy machine.

    Work that takes longer than a millisecond is repeated less often.
    """
    work()
    begun = time.perf_counter()
    work()
    once = time.perf_counter() - begun
    count = max(20, min(repeats, int(repeats * 0.001 / max(once, 1e-9))))
    walls, cpus = [], []
    for _ in range(count):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        cpus.append(time.process_time() - cpu)
        walls.append(time.perf_counter() - wall)
    return {
        "min_us": round(min(walls) * 1e6, 1),
        "median_us": round(statistics.median(walls) * 1e6, 1),
        "cpu_min_us": round(min(cpus) * 1e6, 1),
        "n": count,
    }


def photograph() -> Image.Image:
    """Return a drawing of 1024 × 768 under uneven light, with grain."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[0:768, 0:1024]
    ink = Image.new("L", (1024, 768))
    ink.paste(hostile.seven(500, 255, 0), (250, 130))
    light = 170 + 50 * (columns / 1024 - 0.5) - 40 * (rows / 768 - 0.5)
    seen = light * (1 - 0.6 * np.asarray(ink) / 255) + rng.normal(0, 5, light.shape)
    gray = Image.fromarray(seen.clip(0, 255).astype(np.uint8))
    return gray.filter(ImageFilter.GaussianBlur(1)).convert("RGB")


def _work() -> list[tuple[str, Callable[[], object]]]:
    pictures: dict[str, Image.Image] = {
        "canvas 280×280, see-through": hostile.transparent_seven(),
        "canvas 280×280, opaque RGB": hostile.seven().convert("RGB"),
        "canvas 280×280, opaque RGBA": hostile.seven().convert("RGBA"),
        "canvas 280×280, gray": hostile.seven(),
        "28×28": Image.fromarray(glyph_of(hostile.seven())),
        "photograph 1024×768": photograph(),
    }
    photo = hostile.encoded(pictures["photograph 1024×768"], "JPEG", quality=85)
    files = {
        "canvas 280×280, see-through": hostile.encoded(pictures["canvas 280×280, see-through"]),
        "canvas 280×280, opaque RGB": hostile.encoded(pictures["canvas 280×280, opaque RGB"]),
        "28×28": hostile.encoded(pictures["28×28"]),
        "photograph 1024×768, JPEG": photo,
        "WebP bomb of 34 bytes, refused": hostile._huge_webp(9000, 9000),
    }
    work: list[tuple[str, Callable[[], object]]] = []
    for name, image in pictures.items():
        work.append((f"glyph: {name}", lambda image=image: glyph_of(image)))
    for name, data in files.items():
        work.append((f"open: {name}", lambda data=data: _opened(data)))
    large = photograph().resize((2309, 1732))
    for form, file in (
        ("JPEG", hostile.encoded(large, "JPEG", quality=85)),
        ("PNG", hostile.encoded(large.quantize(64))),
    ):
        name = f"photograph of 4 Mpx, {form}: file to glyph"
        work.append((name, lambda file=file: glyph_of(open_image(file))))
    gray = upright_gray(pictures["canvas 280×280, see-through"])
    work.append(("thumbnail: gray 280×280", lambda: thumbnail_png(gray)))
    see_through = pictures["canvas 280×280, see-through"]
    work.append(("thumbnail: see-through 280×280", lambda: thumbnail_png(see_through)))
    glyph = glyph_of(hostile.seven())
    png = encode_glyph(glyph)
    work.append(("encode_glyph", lambda: encode_glyph(glyph)))
    work.append(("decode_glyph", lambda: decode_glyph(png)))
    work.append(("glyph_digest", lambda: glyph_digest(glyph)))
    return work


def _opened(data: bytes) -> Image.Image | None:
    try:
        return open_image(data)
    except Declined:
        return None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

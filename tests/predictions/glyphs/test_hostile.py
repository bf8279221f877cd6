from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from predictions.errors import Declined
from predictions.glyphs.glyph import glyph_of
from predictions.glyphs.images import image_from_data_url, open_image, thumbnail_png
from tests import hostile

MB = 1024 * 1024

# Runs alone, so that its memory is that of a worker: reads each file as a request would.
MEASURE = """
import json, sys, time
from pathlib import Path
from predictions.errors import Declined
from predictions.glyphs.glyph import glyph_of
from predictions.glyphs.images import open_image, thumbnail_png

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

def read(path):
    image = open_image(path.read_bytes())
    return glyph_of(image), thumbnail_png(image)

folder = Path(sys.argv[1])
read(folder / "control-canvas-dark-on-nothing.png")
before = memory("VmRSS")
slowest = (0.0, "")
for row in json.loads((folder / "manifest.json").read_text())["files"]:
    costs = []
    for _ in range(3):  # of the processor's time: what else runs here adds to it, never takes away
        begun = time.process_time()
        try:
            read(folder / row["name"])
        except Declined:
            pass
        costs.append(time.process_time() - begun)
        if costs[-1] < 0.5:
            break
    slowest = max(slowest, (min(costs), row["name"]))
print(json.dumps({"growth": memory("VmHWM") - before, "slowest": slowest}))
"""


@pytest.fixture(scope="module")
def corpus() -> list[hostile.Hostile]:
    return hostile.corpus()


def test_the_corpus_is_large_varied_and_reproducible(corpus: list[hostile.Hostile]) -> None:
    assert len(corpus) >= 400
    assert len({item.name for item in corpus}) == len(corpus)
    assert {item.expect for item in corpus} == {"accept", "refuse", "either"}
    again = hostile.corpus()
    assert [item.name for item in corpus if item not in again] == []


def test_every_file_is_read_or_refused_as_expected(corpus: list[hostile.Hostile]) -> None:
    wrong = []
    for item in corpus:
        try:
            image = open_image(item.data)
            glyph_of(image)
            thumbnail_png(image)
            outcome = "accept"
        except Declined as refusal:
            outcome = "refuse"
            assert str(refusal)  # noqa: PT017
        if item.expect not in ("either", outcome):
            wrong.append((item.name, item.expect, outcome))
    assert wrong == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_no_file_costs_much_memory_or_work(tmp_path: Path) -> None:
    hostile.write(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEASURE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["growth"] <= 64 * MB
    assert measured["slowest"][0] <= 1.0


def test_the_manifest_tells_what_to_expect(tmp_path: Path) -> None:
    assert hostile.main([str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "manifest.json",
        *(r["name"] for r in rows),
    }
    assert all((tmp_path / row["name"]).stat().st_size == row["bytes"] for row in rows)


def test_odd_bodies_never_yield_an_image() -> None:
    seen = 0
    for name, content_type, body in hostile.odd_json_bodies():
        assert content_type == "application/json"
        try:
            value = json.loads(body)
            image = value["image"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        seen += 1
        with pytest.raises(Declined):  # noqa: PT012
            glyph_of(open_image(image_from_data_url(image)))
            pytest.fail(name)
    assert seen > 20

"""What a trial costs: reading many drawings in shadow, and visitors' captures meanwhile.

    ./run bench shadow [--drawings 100000] [--rounds 3] [--seconds 60] [--every 60] [--database URL]

First, drawings by 300 visitors are stored, and a candidate's trial reads them; counted are wall and
CPU seconds, and those of a page's counts and of a pass without new drawings. Then clients draw over
HTTP, one drawing after the other, in turns without a trial under way and with one. A process of its
own follows trials all the time, as the workers do.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.bench.predict import multipart, sender
from tests.bench.support.report import finish, spread, table
from tests.bench.support.seed import installation
from tests.bench.support.servers import ROOT, closed_loop, gunicorn, serving

if TYPE_CHECKING:
    from training.models import Trial

PEOPLE = 300
AT_ONCE = 5_000  # rows of one insert
WRITTEN = 500  # different digits, each varied in four pixels
FOLLOWING = """
import time, django
django.setup()
from training.trials.trial import follow
while True:
    follow()
    time.sleep({every})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drawings", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="of drawing without and with a trial")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each round's halves")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two passes")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--database", default="", help="a PostgreSQL URL; SQLite unless given")
    options = parser.parse_args()
    with installation(options.database or None) as house:
        figures = {"database": house.database, "drawings": options.drawings}
        figures |= reading(options.drawings)
        figures |= capturing(house.env, options)
    table([["", "s"], *([name, value] for name, value in figures.items())])
    finish(figures)


def reading(number: int) -> dict[str, Any]:
    """Seconds to take in and read so many drawings, and of a page and a pass afterwards."""
    from labeling.queue.intake import enqueue_new
    from training.trials import shadow, trial
    from training.trials.summary import shown

    begun = begin()
    store(number)
    enqueue_new()  # as every minute, with or without a trial
    networks = shadow.Networks(begun.candidate_id, begun.against_id)
    wall, cpu = time.perf_counter(), time.process_time()
    shadow.read_unread(begun, networks, until=float("inf"))
    figures = {
        "read_wall_s": round(time.perf_counter() - wall, 1),
        "read_cpu_s": round(time.process_time() - cpu, 1),
    }
    assert begun.readings.count() == number
    for name, act in (("page_s", lambda: shown(begun)), ("pass_s", trial.follow)):
        began = time.perf_counter()
        act()
        figures[name] = round(time.perf_counter() - began, 2)
    return figures


def begin() -> Trial:
    """A copy of the live version, made by a run, on trial against it."""
    from dataclasses import replace

    from predictions.models import ModelVersion
    from predictions.serving.registry import BASE_DIR, Bundle, register
    from training.trials import trial

    live = ModelVersion.objects.live().get()
    return trial.begin(register(replace(Bundle.from_folder(BASE_DIR), name="copy"), parent=live))


def store(number: int) -> None:
    """So many drawings that the live version has read."""
    from predictions.glyphs.glyph import encode_glyph, glyph_digest
    from predictions.models import ModelVersion, Prediction
    from training.engine.strokes import written_digits

    live, dice = ModelVersion.objects.live().get(), np.random.default_rng(1)
    written = written_digits(WRITTEN, seed=1)
    glyphs, digits = written.glyphs[:, 0].numpy(), written.labels.tolist()
    people = [uuid.uuid4() for _ in range(PEOPLE)]
    for start in range(0, number, AT_ONCE):
        rows = []
        for at in range(start, min(start + AT_ONCE, number)):
            glyph = glyphs[at % WRITTEN].copy()
            glyph[0, :4] = dice.integers(0, 256, 4)
            rows.append(
                Prediction(
                    version=live,
                    digit=digits[at % WRITTEN],
                    confidence=0.99,
                    probabilities=[0.99, *[0.01 / 9] * 9],
                    strangeness=0.0,
                    glyph=encode_glyph(glyph),
                    glyph_digest=uuid.UUID(glyph_digest(glyph)[:32]),
                    source=Prediction.Source.DRAW,
                    visitor=people[at % PEOPLE],
                    audit_probability=0.05,
                    day="2026-11-30",
                )
            )
        Prediction.objects.bulk_create(rows)


def capturing(env: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Captures a second without a trial and with one, in turns."""
    from training.models import Trial

    Trial.objects.update(state=Trial.State.OVERTAKEN)
    bodies = [multipart(picture) for picture in pictures(4_000)]
    rates: dict[str, list[float]] = {"without": [], "with": []}
    with serving("web", gunicorn, ready="/readyz", env=env) as web, following(env, options.every):
        send = sender("/api/v1/predictions/", bodies)

        def load(seconds: float) -> float:
            return closed_loop(send, port=web.port, clients=options.clients, seconds=seconds).rate

        load(2.0)
        for _ in range(options.rounds):
            rates["without"].append(load(options.seconds))
            begun = begin_again()
            rates["with"].append(load(options.seconds))
            Trial.objects.filter(pk=begun.pk).update(state=Trial.State.OVERTAKEN)
    ratios = [b / a for a, b in zip(rates["without"], rates["with"], strict=True)]
    return {
        "captures_without": spread(rates["without"]),
        "captures_with": spread(rates["with"]),
        "ratio": spread(ratios),
    }


def begin_again() -> Trial:
    """Another trial of the copy, from the newest drawing on."""
    from predictions.models import ModelVersion, Prediction
    from training.trials import trial

    begun = trial.begin(ModelVersion.objects.get(name="copy"))
    begun.after_prediction = Prediction.objects.latest("pk").pk
    begun.save(update_fields=["after_prediction"])
    return begun


@contextmanager
def following(env: dict[str, str], every: float) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOWING.format(every=every)],
        cwd=ROOT,
        env={**os.environ, **env, "DJANGO_SETTINGS_MODULE": "config.settings"},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def pictures(number: int) -> Iterator[bytes]:
    """Different drawings: a line through three random points."""
    from tests.factories import canvas

    dice = np.random.default_rng(2)
    for _ in range(number):
        points = [(int(x), int(y)) for x, y in dice.integers(30, 250, (3, 2))]
        file = io.BytesIO()
        canvas(points).save(file, "PNG")
        yield file.getvalue()


if __name__ == "__main__":
    main()

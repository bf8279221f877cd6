"""The forward pass alone: ONNX Runtime on one thread, the floor of every request."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from predictions.serving.network import open_session
from tests.bench.support.report import finish, quantile, spread, table

BASE = Path(__file__).parents[2] / "predictions" / "base" / "network.onnx"
OUTPUTS = ["probabilities", "strangeness"]
WARM_UP = 20  # runs before any is timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", type=Path, default=BASE)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    session = open_session(options.network.read_bytes())
    noise = np.random.default_rng(0).integers(0, 256, (256, 28, 28), dtype=np.uint8)
    cases: dict[str, tuple[Callable[[], object], int, int]] = {  # act, glyphs, runs in a round
        "one glyph": (lambda: session.run(OUTPUTS, {"glyphs": noise[:1]}), 1, 1000),
        "one glyph, features too": (lambda: session.run(None, {"glyphs": noise[:1]}), 1, 1000),
        "one glyph, probabilities": (
            lambda: session.run(OUTPUTS[:1], {"glyphs": noise[:1]}),
            1,
            1000,
        ),
        "256 glyphs": (lambda: session.run(OUTPUTS, {"glyphs": noise}), 256, 20),
    }
    rows: list[list[object]] = [["case", "ms a glyph (median)", "p95", "best round", "n"]]
    figures = {}
    for name, (act, glyphs, runs) in cases.items():
        rounds = [timed(act, runs, glyphs) for _ in range(options.rounds)]
        medians = [statistics.median(times) for times in rounds]
        every = [one for times in rounds for one in times]
        figures[name] = spread(medians) | {"p95": round(quantile(every, 0.95), 4)}
        middle, best = statistics.median(medians), min(medians)
        late = quantile(every, 0.95)
        rows.append([name, f"{middle:.4f}", f"{late:.4f}", f"{best:.4f}", len(every)])
    table(rows)
    finish({"ms_a_glyph": figures, "rounds": options.rounds})


def timed(act: Callable[[], object], runs: int, glyphs: int) -> list[float]:
    """Milliseconds a glyph, once for each run."""
    for _ in range(WARM_UP):
        act()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        act()
        times.append((time.perf_counter() - begun) * 1000 / glyphs)
    return times


if __name__ == "__main__":
    main()

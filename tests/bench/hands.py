"""How people's digits are read, writer by writer, and how sure the network is of what is no digit.

    ./run bench hands --strokes FILE [FILE …] [--half judging] [--network FILE]

The writers of each file are sorted by the SHA-256 of their name. The first half chooses: recipes,
temperatures and thresholds may be set on it. The second half judges what was chosen, and nothing
is set on it. Each drawing is rendered three times, with other sizes, places and pens.

With `--half choosing`, the last lines say which temperature and which shift of the strangeness
these writers ask for; `training/engine/base.py` holds the values that were chosen so.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from predictions.errors import NoInk
from predictions.glyphs.glyph import glyph_of
from predictions.serving.network import open_session
from tests.bench.support.report import finish, table
from tests.bench.support.strangers import KINDS, UNSEEN, glyphs_of
from training.engine.calibrate import temperature
from training.engine.evaluate import MeasuredShare, reading_report
from training.engine.stylus import StylusDigit, canvas, read_strokes

SHIPPED = Path(__file__).parents[2] / "predictions/base/network.onnx"
RENDERINGS = 3
NO_DIGITS = 500  # drawings of each kind
SURE = 0.9
STRANGE = 0.5
FEW = 0.95  # accuracy of a writer who is read badly
LEFT_STRANGE = 0.003  # of right digits, where the shift is proposed

HALVES = "choosing", "judging", "all"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the network said of some glyphs."""

    probabilities: NDArray[np.float32]  # (N, 10)
    strangeness: NDArray[np.float32]  # (N,)

    @property
    def confidence(self) -> NDArray[np.float32]:
        return self.probabilities.max(axis=1)

    @property
    def sure_and_unmarked(self) -> NDArray[np.bool_]:
        return (self.confidence >= SURE) & (self.strangeness < STRANGE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=Path, nargs="+", default=[], help="files of strokes")
    parser.add_argument("--half", choices=HALVES, default="judging", help="of the writers")
    parser.add_argument("--network", type=Path, default=SHIPPED)
    options = parser.parse_args()
    reader = ServedFile(options.network)
    figures: dict[str, Any] = {"half": options.half, "network": str(options.network)}
    figures["hands"] = [hands(reader, path, options.half) for path in options.strokes]
    show_hands(figures["hands"])
    figures["no_digits"] = no_digits(reader)
    if options.half == "choosing" and options.strokes:
        figures["asked_for"] = asked_for(reader, options.strokes)
    finish(figures)


class ServedFile:
    """A network as it is served."""

    def __init__(self, network: Path) -> None:
        self.session = open_session(network.read_bytes())

    def read(self, glyphs: NDArray[np.uint8]) -> Answers:
        parts = [
            self.session.run(["probabilities", "strangeness"], {"glyphs": part})
            for part in np.array_split(glyphs, max(1, len(glyphs) // 500))
        ]
        return Answers(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def half_of(drawings: Sequence[StylusDigit], half: str) -> list[StylusDigit]:
    """The drawings of the writers who choose, of those who judge, or of all."""
    writers = sorted(
        {drawing.writer for drawing in drawings},
        key=lambda writer: hashlib.sha256(writer.encode()).hexdigest(),
    )
    middle = len(writers) // 2
    chosen = {"choosing": writers[:middle], "judging": writers[middle:], "all": writers}[half]
    return [drawing for drawing in drawings if drawing.writer in set(chosen)]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Every rendering that is not refused."""

    glyphs: NDArray[np.uint8]  # (N, 28, 28)
    labels: NDArray[np.int64]
    writers: list[str]
    refused: int


def renderings(path: Path, half: str) -> Rendered:
    drawings = half_of(read_strokes(path), half) * RENDERINGS
    glyphs: list[NDArray[np.uint8]] = []
    read: list[StylusDigit] = []
    random = np.random.default_rng(0)
    for drawing in drawings:
        try:
            glyphs.append(glyph_of(canvas(drawing, random)))
        except NoInk:  # a thick pen made a blot of it
            continue
        read.append(drawing)
    return Rendered(
        np.stack(glyphs),
        np.array([drawing.digit for drawing in read]),
        [drawing.writer for drawing in read],
        len(drawings) - len(read),
    )


# -- people's digits ---------------------------------------------------------------------------


def hands(reader: ServedFile, path: Path, half: str) -> dict[str, Any]:
    """The figures of one file."""
    drawings = renderings(path, half)
    answers = reader.read(drawings.glyphs)
    report = reading_report(answers.probabilities, drawings.labels)
    right = answers.probabilities.argmax(axis=1) == drawings.labels
    by_writer = defaultdict(list)
    for writer, is_right in zip(drawings.writers, right.tolist(), strict=True):
        by_writer[writer].append(is_right)
    shares = {writer: sum(each) / len(each) for writer, each in by_writer.items()}
    return {
        "file": path.name,
        "writers": len(shares),
        "refused": drawings.refused,
        "accuracy": report.accuracy.as_json(),
        "calibration_error": report.calibration_error,
        "too_sure": report.mean_confidence - right.mean(),
        "misread_surely": share(answers.confidence[~right] >= SURE),
        "right_and_strange": share(answers.strangeness[right] >= STRANGE),
        "worst_writers": sorted(shares.items(), key=lambda each: each[1])[:5],
        "writers_read_badly": sum(each < FEW for each in shares.values()),
    }


def share(which: NDArray[np.bool_]) -> dict[str, Any]:
    return MeasuredShare(int(which.sum()), len(which)).as_json()


def show_hands(figures: Sequence[dict[str, Any]]) -> None:
    rows: list[list[Any]] = [[
        "drawings", "writers", "refused", "n", "read right", "95%", "ECE", "too sure",
        "misread surely", "right, strange", f"writers < {FEW:.0%}", "worst writers",
    ]]  # fmt: skip
    for each in figures:
        accuracy, sure = each["accuracy"], each["misread_surely"]
        low, high = accuracy["interval"]
        rows.append([
            each["file"], each["writers"], each["refused"], accuracy["n"],
            f"{accuracy['value']:.2%}",
            f"{low:.2%} to {high:.2%}", f"{each['calibration_error']:.2%}",
            f"{100 * each['too_sure']:+.2f} points", f"{sure['right']} of {sure['n']}",
            f"{each['right_and_strange']['value']:.2%}", each["writers_read_badly"],
            ", ".join(f"{writer} {value:.1%}" for writer, value in each["worst_writers"][:3]),
        ])  # fmt: skip
    if figures:
        table(rows)
        print()
    else:
        print("No file of strokes was given (--strokes FILE).\n")


# -- drawings of no digit ----------------------------------------------------------------------


def no_digits(reader: ServedFile) -> dict[str, Any]:
    """By kind, how often the network is sure of a digit and does not mark it as strange."""
    rows: list[list[Any]] = [["no digit", "n", "sure, unmarked", "95%", "sure", "marked"]]
    figures = {}
    for kind in KINDS:
        answers = reader.read(glyphs_of(kind, NO_DIGITS, seed=0))
        unmarked, sure, marked = (
            share(which)
            for which in (
                answers.sure_and_unmarked,
                answers.confidence >= SURE,
                answers.strangeness >= STRANGE,
            )
        )
        low, high = unmarked["interval"]
        rows.append([
            kind + " (unseen)" * (kind in UNSEEN), unmarked["n"], f"{unmarked['value']:.1%}",
            f"{low:.1%} to {high:.1%}", f"{sure['value']:.1%}", f"{marked['value']:.1%}",
        ])  # fmt: skip
        figures[kind] = {"sure_and_unmarked": unmarked, "sure": sure, "marked": marked}
    table(rows)
    print()
    return figures


# -- what the choosing writers ask for ----------------------------------------------------------


def asked_for(reader: ServedFile, paths: Sequence[Path]) -> dict[str, float]:
    """The temperature that makes their digits likeliest, and a shift that marks few of them."""
    parts = [renderings(path, "choosing") for path in paths]
    # As many of each file: a file with few drawings has other people in it.
    fewest = min(len(part.labels) for part in parts)
    random = np.random.default_rng(0)
    picked = [random.permutation(len(part.labels))[:fewest] for part in parts]
    pairs = list(zip(parts, picked, strict=True))
    glyphs = np.concatenate([part.glyphs[some] for part, some in pairs])
    labels = np.concatenate([part.labels[some] for part, some in pairs])
    answers = reader.read(glyphs)
    logits = torch.from_numpy(np.log(np.maximum(answers.probabilities, 1e-30)))
    right = answers.probabilities.argmax(axis=1) == labels
    strange = answers.strangeness[right].astype(np.float64).clip(1e-12, 1 - 1e-7)
    asked = {
        "temperature": temperature(logits, torch.from_numpy(labels)),
        "shift": float(np.quantile(np.log(strange / (1 - strange)), 1 - LEFT_STRANGE)),
    }
    print(
        f"Of {len(labels):,} renderings of choosing writers: temperature × "
        f"{asked['temperature']:.3f}, strangeness shifted by {asked['shift']:+.2f} leaves "
        f"{LEFT_STRANGE:.1%} of the right ones strange.\n"
    )
    return asked


if __name__ == "__main__":
    main()

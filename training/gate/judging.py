"""Choose the items of the test split, let both versions read them, and store the report."""

from __future__ import annotations

import gzip
import hashlib
import logging
import struct
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray

from labeling.batches.supporters import items_resting_on
from labeling.models import Label, LabelQuerySet
from predictions.capture.sides import judges
from predictions.glyphs.glyph import decode_glyph
from predictions.models import ModelVersion, Prediction
from predictions.serving.network import Network
from predictions.serving.recognizer import load_version
from training.errors import AlreadyLive, NothingLive
from training.gate.checks import Bounds
from training.gate.comparison import Items, Kind
from training.gate.gate import Judgement, Verdict, judge
from training.messages.outbox import tell_verdict
from training.models import GateReport, SnapshotLabel
from training.snapshots.snapshots import default_rule
from training.versions.promotion import live_version

logger = logging.getLogger(__name__)

BATCH = 1_000  # glyphs in one forward pass; their layers take about 100 MB
MOST_HOLDOUT = 10_000  # the newest; more would cost time and change no verdict
MOST_AUDITS = 20_000
MOST_SHOWN = 100  # most drawings in the report that got better, and that got worse
IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@dataclass(frozen=True, slots=True)
class Judged:
    """One set of items, before the versions read them."""

    name: str
    kind: Kind
    labels: NDArray[np.int64]  # (N,)
    glyphs: NDArray[np.uint8]  # (N, 28, 28)
    ids: tuple[uuid.UUID, ...] = ()  # of the drawings, in the same order


def judge_version(
    version: ModelVersion,
    *,
    bounds: Bounds | None = None,
    each_pass: Callable[[], object] = lambda: None,
) -> GateReport:
    """Compare a version with the live one on items neither learned from, and store the report.

    `each_pass` is called before each batch that is read; it may raise to stop.
    """
    live = live_version()
    if live is None:
        raise NothingLive("No version is live that it could be compared with.")
    if live.pk == version.pk:
        raise AlreadyLive(f"{version} is live: there is nothing to compare it with.")
    judged = list(collect([version, live]))
    digest = digest_of(judged)
    look = look_at(digest, version, live)
    candidate = load_version(version.pk).network
    items = read_by_both(judged, candidate, load_version(live.pk).network, each_pass)
    bounds = bounds or Bounds(**settings.GATE_BOUNDS)
    judgement = judge(items, look=look, bounds=bounds)
    with transaction.atomic():
        report = GateReport.objects.create(
            candidate=version,
            against=live,
            verdict=judgement.verdict,
            labels_needed=judgement.labels_needed,
            reasons=judgement.reasons,
            figures={
                **judgement.figures,
                "items_digest": digest,
                "changed": changed(judged, items),
            },
            look=look,
        )
        note_verdict(version, judgement)
        tell_verdict(report)
    logger.info("gate report %s on model version %s: %s", report.pk, version.pk, report.verdict)
    return report


def note_verdict(version: ModelVersion, judgement: Judgement) -> None:
    """Set the state of a version that never was live from its last verdict."""
    state = ModelVersion.State
    rejected = judgement.verdict is Verdict.REJECT
    ModelVersion.objects.filter(
        pk=version.pk, live_since__isnull=True, state__in=[state.CANDIDATE, state.REJECTED]
    ).update(state=state.REJECTED if rejected else state.CANDIDATE)


def look_at(digest: str, version: ModelVersion, live: ModelVersion) -> int:
    """The number of this comparison with the live version; the same one again keeps its number.

    A new live version starts the count at 1, because alpha is the chance that *it* is replaced by
    one that is no better.
    """
    earlier = GateReport.objects.filter(against=live)
    for report in earlier.filter(candidate=version):
        if report.figures.get("items_digest") == digest:
            return report.look
    highest = earlier.order_by("-look").values_list("look", flat=True).first()
    return (highest or 0) + 1


def digest_of(judged: Sequence[Judged]) -> str:
    """A digest of the items and their labels."""
    digest = hashlib.sha256()
    for each in judged:
        digest.update(f"{each.name} {len(each.labels)} ".encode())
        digest.update(each.labels.tobytes())
        digest.update(b"".join(key.bytes for key in each.ids))
    return digest.hexdigest()


# -- which items --------------------------------------------------------------------------------


def collect(versions: Iterable[ModelVersion]) -> Iterator[Judged]:
    """Yield the holdout, each month's audits, and MNIST's test set if its files are there."""
    seen, rule = learned_glyphs(versions), default_rule()
    withdrawn = items_resting_on(rule.without_labelers, rule.without_visitors)
    standing = standing_labels(rule.without_visitors)
    yield drawings("holdout", Kind.HOLDOUT, list(holdout(standing, seen, withdrawn)))
    for month, rows in by_month(audits(standing, seen, withdrawn)).items():
        yield drawings(f"audits of {month}", Kind.AUDIT, rows)
    base = base_items(settings.MNIST_DIR)
    if base is not None:
        yield base


def standing_labels(without_visitors: Collection[str]) -> LabelQuerySet:
    """Current labels that name a digit, settled or not, the newest first.

    A label that contradicts a confident version waits for a second opinion. With settled labels
    alone, the confident errors of the version that was live would be missing, and it would look
    better than it is. Drawings by withdrawn visitors are left out.
    """
    return (
        Label.objects.readable()
        .pictured()
        .exclude(prediction__visitor__in=without_visitors)
        .select_related("prediction")
        .only(
            "digit",
            "prediction__public_id",
            "prediction__user_id",
            "prediction__visitor",
            "prediction__glyph_digest",
            "prediction__is_audit",
            "prediction__day",
        )
        .order_by("-prediction")
    )


def holdout(standing: LabelQuerySet, seen: set[uuid.UUID], withdrawn: Set[int]) -> Iterator[Label]:
    """Labels of people in the test split, without gold; of equal glyphs the newest."""
    rows = standing.filter(prediction__is_audit=False, prediction__gold__isnull=True)
    believed = (row for row in rows.iterator() if row.pk not in withdrawn)
    judging = (row for row in believed if judges(row.prediction))
    return first_of_each_glyph(judging, seen, MOST_HOLDOUT)


def audits(standing: LabelQuerySet, seen: set[uuid.UUID], withdrawn: Set[int]) -> Iterator[Label]:
    """Labels of audits, as on the dashboard; their gold is included: it comes from two opinions."""
    rows = standing.audited().iterator()
    believed = (row for row in rows if row.pk not in withdrawn)
    return first_of_each_glyph(believed, seen, MOST_AUDITS)


def first_of_each_glyph(rows: Iterable[Label], seen: set[uuid.UUID], most: int) -> Iterator[Label]:
    """Yield each glyph once, and none in `seen`: copies, and glyphs that were learned from."""
    taken = 0
    for row in rows:
        if row.prediction.glyph_digest in seen:
            continue
        seen.add(row.prediction.glyph_digest)
        yield row
        taken += 1
        if taken == most:
            return


def learned_glyphs(versions: Iterable[ModelVersion]) -> set[uuid.UUID]:
    """The glyphs in the snapshots of these versions and their ancestors."""
    lineage: set[int] = set()
    level = {version.pk for version in versions}
    while level:
        lineage |= level
        parents = ModelVersion.objects.filter(pk__in=level).values_list("parent_id", flat=True)
        level = {key for key in parents if key is not None} - lineage
    learned = SnapshotLabel.objects.filter(snapshot__runs__version__in=lineage)
    return set(learned.values_list("event__prediction__glyph_digest", flat=True))


def by_month(rows: Iterable[Label]) -> dict[str, list[Label]]:
    """Labels by month of the day stored with their prediction, oldest month first."""
    months: dict[str, list[Label]] = {}
    for row in rows:
        months.setdefault(f"{row.prediction.day:%Y-%m}", []).append(row)
    return dict(sorted(months.items()))


def drawings(name: str, kind: Kind, rows: Sequence[Label]) -> Judged:
    glyphs = np.zeros((len(rows), 28, 28), np.uint8)
    at = {row.pk: place for place, row in enumerate(rows)}
    for start in range(0, len(rows), BATCH):  # databases limit the keys in a query
        keys = [row.pk for row in rows[start : start + BATCH]]
        for key, png in Prediction.objects.filter(pk__in=keys).values_list("pk", "glyph"):
            glyphs[at[key]] = decode_glyph(bytes(png))
    labels = np.array([row.digit for row in rows], np.int64)
    return Judged(name, kind, labels, glyphs, tuple(row.prediction.public_id for row in rows))


def base_items(folder: Path) -> Judged | None:
    """MNIST's test set, decoded once a process; None if its files are missing."""
    images, labels = (find(folder, name) for name in (IMAGES, LABELS))
    return read_base(images, labels) if images and labels else None


def find(folder: Path, name: str) -> Path | None:
    paths = (folder / name, folder / f"{name}.gz")
    return next((path for path in paths if path.exists()), None)


@lru_cache(maxsize=2)
def read_base(images: Path, labels: Path) -> Judged:
    return Judged("MNIST", Kind.BASE, idx(labels).astype(np.int64), idx(images))


def idx(path: Path) -> NDArray[np.uint8]:
    """Read an array of bytes from an IDX file, MNIST's format."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    zeros, kind, dimensions = struct.unpack(">HBB", content[:4])
    if (zeros, kind) != (0, 8):
        raise ValueError(f"{path.name} is no IDX file of bytes.")
    shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


# -- what both say ------------------------------------------------------------------------------


def read_by_both(
    judged: Iterable[Judged],
    candidate: Network,
    live: Network,
    each_pass: Callable[[], object] = lambda: None,
) -> list[Items]:
    return [
        Items(
            each.name,
            each.kind,
            each.labels,
            probabilities(candidate, each.glyphs, each_pass),
            probabilities(live, each.glyphs, each_pass),
        )
        for each in judged
    ]


def probabilities(
    network: Network, glyphs: NDArray[np.uint8], each_pass: Callable[[], object] = lambda: None
) -> NDArray[np.float32]:
    """Probabilities, (N, 10), read in batches to limit memory."""
    parts = [np.zeros((0, 10), np.float32)]
    for at in range(0, len(glyphs), BATCH):
        each_pass()
        parts.append(network.run(glyphs[at : at + BATCH])[0])
    return np.concatenate(parts)


def changed(judged: Sequence[Judged], items: Sequence[Items]) -> dict[str, list[dict[str, Any]]]:
    """The drawings that went from wrong to right, and from right to wrong."""
    found: dict[str, list[dict[str, Any]]] = {"better": [], "worse": []}
    for each, read in zip(judged, items, strict=True):
        before, after = read.live.argmax(1), read.candidate.argmax(1)
        for way, reader in (("better", after), ("worse", before)):
            places = np.flatnonzero((before != after) & (reader == read.labels)) if each.ids else ()
            found[way] += [
                {
                    "id": str(each.ids[at]),
                    "digit": int(read.labels[at]),
                    "before": int(before[at]),
                    "after": int(after[at]),
                }
                for at in places
            ]
    return {way: rows[:MOST_SHOWN] for way, rows in found.items()}

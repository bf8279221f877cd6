"""Import images, with or without labels, as one batch that can be undone.

Each page of images is one transaction, so a bad image or a power cut loses no good image. What was
stored before is part of the batch. The same import, started again, skips it, because a glyph is
not stored twice. A label for an existing glyph counts only if nobody has labeled it yet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, Self, TypeVar
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from labeling.batches import arrivals
from labeling.batches.batches import locked_items, restate_many
from labeling.batches.bulk import append_verdicts
from labeling.decisions.blindness import unanswered_audits
from labeling.decisions.decisions import Answer
from labeling.errors import Gone
from labeling.files.formats.archive import Limits
from labeling.files.formats.known import read_file
from labeling.files.formats.rows import BadFile, FoundImage, Items, Refused, readable
from labeling.models import Batch, Label, QueueItem
from labeling.queue.intake import enqueue, enqueue_new
from predictions.access.limits import slots
from predictions.capture import capture
from predictions.capture.capture import Sketch
from predictions.errors import TooMany
from predictions.models import Prediction

logger = logging.getLogger(__name__)
AT_ONCE = 128  # images read and stored together; each has at most 2 MB
UPLOAD_MOST = 1_000  # images of a file uploaded on a page or through the API
NARROW = Limits(members=3 * UPLOAD_MOST, bytes=256 << 20)
FIRST = 5  # refusals listed if the whole file is refused
MOST_TOLD = 10_000  # refusals kept with their reasons; more are only counted
Key = TypeVar("Key", int, UUID)  # key of an existing prediction, or digest of a glyph


class NothingTaken(BadFile):
    """Nothing in the file can be imported."""

    @classmethod
    def of(cls, report: ImportReport) -> Self:
        if not report.refused:
            return cls("The file holds no image.")
        told = [f"{each.name}: {each.why}" for each in report.refusals[:FIRST]]
        more = f" And {report.refused - len(told):,} more." if report.refused > len(told) else ""
        return cls(f"Nothing was imported, {report.refused:,} refused. {'; '.join(told)}.{more}")


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would do."""

    batch: Batch | None = None  # None if nothing was imported
    taken: int = 0  # new images
    labeled: int = 0  # labels added, also on existing images
    already: int = 0  # existing images that need no change
    refused: int = 0
    refusals: list[Refused] = field(default_factory=list)

    def refuse(self, name: str, why: str) -> None:
        self.refused += 1
        if len(self.refusals) < MOST_TOLD:
            self.refusals.append(Refused(readable(name), readable(why)))

    def __str__(self) -> str:
        return (
            f"{self.taken:,} images taken in, {self.labeled:,} labels, "
            f"{self.already:,} here already, {self.refused:,} refused."
        )

    def as_json(self) -> dict[str, object]:
        return {
            "batch": self.batch and str(self.batch.pk),
            "taken": self.taken,
            "labeled": self.labeled,
            "already": self.already,
            "refused": self.refused,
            "refusals": [{"name": each.name, "why": each.why} for each in self.refusals],
        }


def take_in_images(
    items: Items,
    *,
    by: User | None,
    source: str,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda count: None,
) -> ImportReport:
    """Import the images of a file; `source` says in words where they come from."""
    enqueue_new()  # enqueue captures first: duplicates are found by their queue rows
    work = DryRun() if dry_run else Import(by, source)
    while items_of_page := list(islice(items, AT_ONCE)):
        work.take(items_of_page)
        progress(len(items_of_page))
    work.end()
    return work.report


def take_in_upload(
    name: str, file: BinaryIO, *, by: User, charge: Callable[[int], None], dry_run: bool = False
) -> ImportReport:
    """Import a small file while its user waits; its pixels are counted first.

    `charge` gets the number of pixels and may refuse.
    """
    with slots().take():
        charge(pixels_of_upload(read_file(name, file, limits=NARROW)))
        items = read_file(name, file, limits=NARROW)
        report = take_in_images(items, by=by, source=name, dry_run=dry_run)
    if not (report.batch or report.taken or report.labeled or report.already):
        raise NothingTaken.of(report)
    return report


def pixels_of_upload(items: Items) -> int:
    pixels = 0
    for count, item in enumerate(items, start=1):
        if count > UPLOAD_MOST:
            raise TooMany(
                f"The file holds more than the {UPLOAD_MOST:,} images that are taken in at once. "
                "On the server, manage.py import_digits takes in any number."
            )
        if isinstance(item, FoundImage) and item.picture is not None:
            pixels += capture.pixels_in([item.picture])
    return pixels


Said = list[tuple[FoundImage, Key]]  # items, each with the prediction or glyph it is about


@dataclass(slots=True)
class GlyphGroups:
    """Items grouped by whether their glyph is new or exists already."""

    new: dict[UUID, tuple[FoundImage, Sketch]] = field(default_factory=dict)  # by digest
    again: Said[UUID] = field(default_factory=list)  # duplicates of an earlier item of this import
    known: Said[int] = field(default_factory=list)

    @property
    def founds(self) -> list[FoundImage]:
        return [found for found, _ in self.new.values()]

    @property
    def sketches(self) -> list[Sketch]:
        return [sketch for _, sketch in self.new.values()]

    def verdicts(self) -> dict[UUID, Answer]:
        """Labels of the new glyphs, by digest."""
        return {
            digest: found.verdict
            for digest, (found, _) in self.new.items()
            if found.verdict is not None
        }


class DryRun:
    """A dry run: it changes nothing and reports what an import would do."""

    def __init__(self) -> None:
        self.report = ImportReport()
        self.seen: dict[UUID, Answer | None] = {}  # glyphs of earlier pages, with their labels

    def take(self, items: Sequence[FoundImage | Refused]) -> None:
        page = self.sort(items)
        self.write(page, self.labels_on_new(page))

    def write(self, page: GlyphGroups, labels: dict[UUID, Answer]) -> None:
        self.seen |= {digest: labels.get(digest) for digest in [*page.new, *labels]}
        self.report.labeled += len(self.labels_on_known(page.known))

    def end(self) -> None:
        """Nothing to do in a dry run."""

    def sort(self, items: Sequence[FoundImage | Refused]) -> GlyphGroups:
        """Group items by whether their glyph is new; add refusals to the report."""
        page = GlyphGroups(known=self.named(items))
        made = self.sketched(items)
        here = keys_of_glyphs({sketch.digest for _, sketch in made})
        for found, sketch in made:
            digest = sketch.digest
            if digest in here:
                page.known.append((found, here[digest]))
            elif digest in page.new or digest in self.seen:
                page.again.append((found, digest))
            else:
                page.new[digest] = found, sketch
        return page

    def named(self, items: Sequence[FoundImage | Refused]) -> Said[int]:
        """Return the items that name an existing prediction by id; add refusals to the report."""
        wanted = [
            item.prediction for item in items if isinstance(item, FoundImage) and item.prediction
        ]
        rows = Prediction.objects.pictured().filter(public_id__in=wanted)
        keys = dict(rows.values_list("public_id", "pk"))
        said = []
        for item in items:
            if isinstance(item, Refused):
                self.report.refuse(item.name, item.why)
            elif item.prediction in keys:
                said.append((item, keys[item.prediction]))
            elif item.prediction is not None:
                self.report.refuse(item.name, "there is no prediction of this id here")
        return said

    def sketched(self, items: Sequence[FoundImage | Refused]) -> list[tuple[FoundImage, Sketch]]:
        pictures = [
            (item, item.picture)
            for item in items
            if isinstance(item, FoundImage) and item.picture is not None
        ]
        sketches = capture.sketch_all([picture for _, picture in pictures])
        made = []
        for (found, _), sketch in zip(pictures, sketches, strict=True):
            if isinstance(sketch, Sketch):
                made.append((found, sketch))
            else:
                self.report.refuse(found.name, str(sketch))
        return made

    def labels_on_new(self, page: GlyphGroups) -> dict[UUID, Answer]:
        """Return labels for glyphs that are new in this page or came earlier in this import."""
        labels = page.verdicts()
        labels |= self.weigh(page.again, {**self.seen, **labels})
        self.report.taken += len(page.new)
        self.report.labeled += len(labels)
        return labels

    def labels_on_known(self, said: Said[int]) -> dict[int, Answer]:
        """Return labels for existing predictions; labels for unanswered audits are refused."""
        keys = [key for _, key in said]
        labels = Label.objects.filter(pk__in=keys).values_list("pk", "digit")
        audits = unanswered_audits(keys)
        may: Said[int] = []
        for found, key in said:
            if key in audits and found.verdict is not None:
                self.report.refuse(found.name, "it is here as an audit, which is labeled blind")
            else:
                may.append((found, key))
        return self.weigh(may, {key: Answer(digit) for key, digit in labels})

    def weigh(self, said: Said[Key], stands: Mapping[Key, Answer | None]) -> dict[Key, Answer]:
        """Return the labels to add; report items that contradict a current label as refused."""
        added: dict[Key, Answer] = {}
        for found, key in said:
            label = added.get(key) or stands.get(key)
            if found.verdict is None or found.verdict == label:
                self.report.already += 1
            elif label is None:
                added[key] = found.verdict
            else:
                self.report.refuse(found.name, f"it is here already, labeled {label.value}")
        return added


class Import(DryRun):
    """An import; its batch is created with its first change."""

    def __init__(self, by: User | None, source: str) -> None:
        super().__init__()
        self.by, self.source = by, source

    def write(self, page: GlyphGroups, labels: dict[UUID, Answer]) -> None:
        predictions = capture.read_imported(page.sketches)
        if predictions or page.known:
            self.store(page, predictions, labels)

    @transaction.atomic
    def store(
        self, page: GlyphGroups, predictions: list[Prediction], labels: dict[UUID, Answer]
    ) -> None:
        if self.report.batch is not None:
            self.check_standing(self.report.batch)
        if predictions:
            capture.store(predictions, page.sketches)
            enqueue(predictions)
        known = sorted({key for _, key in page.known})
        locked_items(known)
        on_known = self.labels_on_known(page.known)
        self.report.labeled += len(on_known)
        brought = {row.glyph_digest: row.pk for row in predictions}
        verdicts = {brought[digest]: verdict for digest, verdict in labels.items()} | on_known
        aside = arrivals.aside(known)
        if not (brought or verdicts or aside):
            return
        batch = self.batch()
        names = [readable(found.name) for found in page.founds]
        arrivals.note_arrivals(dict(zip(brought.values(), names, strict=True)), batch=batch)
        arrivals.bring_back(aside, batch=batch)
        append_verdicts(verdicts, batch=batch)
        restate_many(sorted({*verdicts, *aside}))
        touched = len({*brought.values(), *verdicts, *aside})
        Batch.objects.filter(pk=batch.pk).update(count=F("count") + touched)

    def check_standing(self, batch: Batch) -> None:
        """Stop the import if somebody has undone its batch meanwhile."""
        standing = Batch.objects.select_for_update().filter(pk=batch.pk, undone_at__isnull=True)
        if standing.first() is None:
            raise Gone("This import was taken back while it ran; the rest was not read.")

    def batch(self) -> Batch:
        if self.report.batch is None:
            self.report.batch = Batch.objects.create(
                kind=Batch.Kind.IMPORT, made_by=self.by, chosen_by={"file": self.source}
            )
        return self.report.batch

    def end(self) -> None:
        """Store the numbers of refused and existing images with the batch."""
        batch, report = self.report.batch, self.report
        if batch is None:
            return
        batch.refresh_from_db()
        batch.chosen_by |= {"refused": report.refused, "here already": report.already}
        batch.save(update_fields=["chosen_by"])
        logger.info(
            "batch %s brought %s images and %s labels", batch.pk, report.taken, report.labeled
        )


def keys_of_glyphs(digests: set[UUID]) -> dict[UUID, int]:
    """Return the key of the first existing prediction of each glyph, if there is one."""
    rows = QueueItem.objects.filter(glyph_digest__in=digests).order_by("-pk")
    return dict(rows.values_list("glyph_digest", "pk"))

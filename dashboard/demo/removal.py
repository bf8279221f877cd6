"""Takes the made-up history out again: its rows, and every row that hangs on them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import F

from dashboard.cube.counting import catch_up
from dashboard.demo import presence
from dashboard.demo.learning import PREFIX
from dashboard.demo.plan import PEOPLE
from dashboard.demo.seeding import DemoDeclined
from dashboard.models import (
    Cell,
    Demo,
    DigitMap,
    Mark,
    MonthFlow,
    MonthSums,
    Replay,
    RReport,
)
from dashboard.replay import replay
from labeling.batches.batches import chunks
from labeling.models import Intake
from predictions.database.clock import Moment
from predictions.models import ModelVersion, Prediction
from training.models import Run, Snapshot

logger = logging.getLogger(__name__)
AT_ONCE = 5_000  # keys in one statement
COUNTS: tuple[type[models.Model], ...] = (Cell, MonthSums, MonthFlow)

Keys = defaultdict[type[models.Model], set[Any]]


def remove_demo(*, with_later: bool = False) -> dict[str, int]:
    """Leave the database as it was before; how many rows of which kind are gone.

    What people drew since was read by the demo's versions and cannot stay without them; it is
    taken along only where that was asked for.
    """
    removed = take_out(with_later=with_later)
    presence.forget()
    catch_up()
    logger.info("the demo is removed: %s", removed)
    return removed


@transaction.atomic
def take_out(*, with_later: bool) -> dict[str, int]:
    demo = Demo.objects.select_for_update().first()
    if demo is None:
        raise DemoDeclined("There is no demo here.")
    doomed = everything()
    later = made_since(doomed)
    if later and not with_later:
        raise DemoDeclined(
            f"{' and '.join(later)} hang on the demo; --with-later removes them too."
        )
    removed = {
        str(model._meta.verbose_name_plural): delete(model, keys) for model, keys in doomed.items()
    }
    removed = {name: count for name, count in sorted(removed.items()) if count}
    put_back(demo)
    demo.delete()
    forget_counts()
    forget_derived(demo)
    return removed


def everything() -> Keys:
    """The keys of all rows of the demo: what is marked as its own, and what refers to that."""
    found: Keys = defaultdict(set)
    own: list[tuple[type[models.Model], models.QuerySet[Any]]] = [
        (Prediction, Prediction.objects.filter(source=Prediction.Source.DEMO)),
        (ModelVersion, ModelVersion.objects.filter(name__startswith=PREFIX)),
        (User, own_people()),
    ]
    for model, rows in own:
        gather(model, rows.values_list("pk", flat=True), found)
    gather_learned(found)
    return found


def own_people() -> models.QuerySet[User]:
    return User.objects.filter(username__in=[person.name for person in PEOPLE])


def gather_learned(found: Keys) -> None:
    """Snapshots with a label of the demo, the runs on them and what came of those."""
    before = -1
    while before != (before := sum(map(len, found.values()))):
        for some in parts(found[Prediction]):
            taught = Snapshot.objects.filter(labels__event__prediction__in=some)
            gather(Snapshot, taught.values_list("pk", flat=True).distinct(), found)
        for some in parts(found[Run]):
            runs = Run.objects.filter(pk__in=some)
            gather(Snapshot, runs.values_list("snapshot", flat=True), found)
            made = runs.exclude(version=None).values_list("version", flat=True)
            gather(ModelVersion, made, found)


def gather(model: type[models.Model], keys: Iterable[Any], found: Keys) -> None:
    """Take in rows and, step by step, those that refer to them and cannot do without."""
    fresh = set(keys) - found[model]
    if not fresh:
        return
    found[model] |= fresh
    for reference in references_to(model):
        if reference.remote_field.on_delete is models.SET_NULL:
            continue  # done when the rows are deleted
        for some in parts(fresh):
            referring = reference.model._base_manager.filter(**{f"{reference.name}__in": some})
            gather(reference.model, referring.values_list("pk", flat=True), found)


def references_to(model: type[models.Model]) -> list[Any]:
    """Foreign keys of other tables to this one; the counts, which have no key, are made again."""
    relations: list[Any] = model._meta.get_fields(include_hidden=True)
    return [
        relation.field
        for relation in relations
        if relation.auto_created
        and (relation.one_to_many or relation.one_to_one)
        and relation.field.model not in COUNTS
    ]


def made_since(doomed: Keys) -> list[str]:
    """What people made with the demo's versions, in words."""
    drawn = sum(
        Prediction.objects.filter(pk__in=some).exclude(source=Prediction.Source.DEMO).count()
        for some in parts(doomed[Prediction])
    )
    people = list(own_people().values_list("pk", flat=True))
    runs = sum(
        Run.objects.filter(pk__in=some, asked_by__isnull=False).exclude(asked_by__in=people).count()
        for some in parts(doomed[Run])
    )
    said = {"drawings": drawn, "runs": runs}
    return [f"{count:,} {name} of people" for name, count in said.items() if count]


def delete(model: type[models.Model], keys: set[Any]) -> int:
    """Rows by their keys. Whatever refers to them goes in the same transaction, before its end."""
    for reference in references_to(model):
        if reference.remote_field.on_delete is models.SET_NULL:
            for some in parts(keys):
                rows = reference.model._base_manager.filter(**{f"{reference.name}__in": some})
                rows.update(**{reference.name: None})
    # By hand, because Django refuses to delete protected rows even beside what protects them.
    return sum(
        model._base_manager.filter(pk__in=some)._raw_delete(model._base_manager.db)
        for some in parts(keys)
    )


def parts(keys: Iterable[Any]) -> Iterable[list[Any]]:
    """Databases bound how many keys a query may name."""
    return chunks(sorted(keys), AT_ONCE)


def put_back(demo: Demo) -> None:
    """What was live is live again, since when it was; the queue looks at everything once more."""
    before = demo.before
    if before["live"] is not None and not ModelVersion.objects.live().exists():
        ModelVersion.objects.filter(pk=before["live"]).update(
            state=ModelVersion.State.LIVE, live_since=before["live_since"]
        )
    if before["intake"] is None:
        Intake.objects.filter(pk=1).delete()
    else:
        Intake.objects.filter(pk=1).update(**before["intake"])


def forget_derived(demo: Demo) -> None:
    """Replays, maps and pictures are made of what is gone; workers make them again."""
    if Replay.objects.exists():
        replay.rebuild()
    DigitMap.objects.filter(made_at__gte=demo.made_at).delete()
    RReport.objects.filter(asked_at__gte=demo.made_at).delete()


def forget_counts() -> None:
    """The dashboard counts from nothing again: its counts know keys that are gone."""
    for table in COUNTS:
        table._base_manager.all().delete()
    Mark.objects.filter(pk=1).update(
        prediction=0, event=0, changes=F("changes") + 1, moved_at=Moment()
    )

"""Two people at once on the same drawings, in every pairing, through the doors they use.

Each round makes eight drawings in different states and lets two requests about them meet: both
start at a barrier, and on PostgreSQL they go in step, from one statement that takes rows to the
next, until one waits for a lock of the other's. After each round labels and places are held against
what the events add up to. SQLite has one writer at a time, so there the second request waits for
the first as a whole.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import logging
import random
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg2

from tests.bench.support.report import finish, table
from tests.bench.support.seed import installation, sign_in

if TYPE_CHECKING:
    from django.test import Client

    from labeling.models import Batch
    from predictions.models import Prediction

LEADS = (0, 1, -1, 2, -2, 3, -3)  # rows that one request has taken before the other, in turn
GONE = 1_000_000  # rows; more than any request takes
LOOK_AGAIN = 0.002  # seconds between two looks at whether the other is there
COMES_WITHIN = 20.0  # seconds; whoever has neither come nor waits for a lock by then is stuck
TOUCHES = re.compile(r"(FOR (NO KEY )?UPDATE|^\s*(INSERT|UPDATE|DELETE))", re.IGNORECASE)
OURS = re.compile(r"labeling_|predictions_(prediction|feedback)\b")
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
LABELS = "/api/v1/labels/"
LIST = "/admin/predictions/prediction/"
ADMINS = ("ben", "bob")  # of either side
IN_BULK = {"bulk", "review", "gold"}  # acts on a page that was shown before
ROLES = {"ada": "labeler", "bea": "labeler", "cid": "labeler", "dee": "labeler",
         "rita": "reviewer", "ben": "admin", "bob": "admin"}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    parser.add_argument("--rounds", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", help="only pairs with this act; separated by commas, of these")
    options = parser.parse_args()
    with installation(options.database_url) as installed:
        without_collected_files()
        races = Races(options.database_url is not None, random.Random(options.seed))
        began = time.perf_counter()
        races.run(options.rounds, set((options.pairs or "").split(",")) - {""})
        seconds = time.perf_counter() - began
    return report(installed.database, options.rounds, seconds, races)


def without_collected_files() -> None:
    """Pages are rendered here without a collectstatic before them."""
    from django.conf import settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


# -- what is on the table ------------------------------------------------------------------------


@dataclass
class Scene:
    """Eight drawings of one visitor, as they stand before two requests meet over them."""

    visitor: uuid.UUID
    drawings: list[Prediction]
    grid: Batch  # confirmed by ada: the first three
    grid_answers: list[int]  # its events
    request: uuid.UUID  # ada's own answer to the fourth
    held: dict[str, Any]  # the fifth, in bea's hands
    grid_token: uuid.UUID  # of the sixth and seventh, on cid's grid
    pages: dict[int, dict[str, Any]]  # of a side that acts on all: what its admin was shown
    shown_after: int  # the newest event when they were shown
    answers: list[tuple[str, int, Any]] = field(default_factory=list)  # act, status, body

    @property
    def keys(self) -> list[int]:
        return [each.pk for each in self.drawings]


class Doors:
    """Each person's browser, one for either side of a race."""

    def __init__(self) -> None:
        from django.conf import settings
        from django.contrib.auth.models import Group, User

        self.people: dict[str, User] = {}
        self.sessions: dict[str, str] = {}
        for name, role in ROLES.items():
            user = User.objects.create(username=name, password="!", is_staff=role == "admin")
            user.groups.add(Group.objects.get(name=role))
            self.people[name], self.sessions[name] = user, sign_in(user)
        self.cookie = settings.SESSION_COOKIE_NAME

    def of(self, name: str) -> Client:
        from django.test import Client

        client = Client(raise_request_exception=False, headers={"host": "localhost"})
        client.cookies[self.cookie] = self.sessions[name]
        return client

    def of_visitor(self, visitor: uuid.UUID) -> Client:
        from django.conf import settings
        from django.core.signing import get_cookie_signer
        from django.test import Client

        name = settings.VISITOR_COOKIE_NAME
        client = Client(raise_request_exception=False, headers={"host": "localhost"})
        client.cookies[name] = get_cookie_signer(salt=name).sign(str(visitor))
        return client

    def label_api(self, name: str, path: str, body: Any) -> Any:
        return self.of(name).post(LABELS + path, json.dumps(body), content_type="application/json")


class Stage:
    """Makes scenes."""

    def __init__(self, doors: Doors) -> None:
        from predictions.models import ModelVersion

        self.doors = doors
        self.version = ModelVersion.objects.live().get()

    def drawings(self, visitor: uuid.UUID, count: int) -> list[Prediction]:
        from django.utils import timezone

        from labeling.queue.intake import enqueue
        from predictions.glyphs.glyph import encode_glyph
        from predictions.models import Prediction
        from tests.factories import some_glyph, spread

        now, glyph = timezone.now(), encode_glyph(some_glyph())
        made = Prediction.objects.bulk_create(
            Prediction(
                version=self.version, digit=7, confidence=0.9, probabilities=spread(7, 0.9),
                strangeness=0.0, glyph=glyph, glyph_digest=uuid.uuid4(), visitor=visitor,
                source=Prediction.Source.DRAW, audit_probability=0.05, created_at=now,
                day=timezone.localdate(now),
            )
            for _ in range(count)
        )  # fmt: skip
        enqueue(made)
        return made

    def scene(self, pair: tuple[str, str]) -> Scene:
        from labeling.batches import grid
        from labeling.decisions.decisions import Answer, decide
        from labeling.models import LabelEvent, QueueItem
        from labeling.queue import queue

        # What other scenes left open is nobody's here.
        QueueItem.objects.filter(is_open=True).update(
            is_open=False, holder=None, token=None, leased_until=None
        )
        people, visitor = self.doors.people, uuid.uuid4()
        made = self.drawings(visitor, 8)
        token = uuid.uuid4()
        queue.lease(people["ada"], dict.fromkeys([each.pk for each in made[:3]], token))
        confirmed = grid.confirm_grid(
            people["ada"], digit=7, token=token, request_id=uuid.uuid4(),
            shown=[each.public_id for each in made[:3]],
        )  # fmt: skip
        request, own = uuid.uuid4(), uuid.uuid4()
        queue.lease(people["ada"], {made[3].pk: own})
        decide(made[3].public_id, Answer(7), labeler=people["ada"], token=own, request_id=request)
        held, grid_token = uuid.uuid4(), uuid.uuid4()
        queue.lease(people["bea"], {made[4].pk: held})
        queue.lease(people["cid"], dict.fromkeys([made[5].pk, made[6].pk], grid_token))
        events = LabelEvent.objects.filter(batch=confirmed.batch).order_by("pk")
        pages = {
            side: self.page_of_everything(ADMINS[side], made)
            for side, act in enumerate(pair)
            if act in IN_BULK
        }
        return Scene(
            visitor, made, confirmed.batch, list(events.values_list("pk", flat=True)), request,
            {"id": str(made[4].public_id), "token": str(held)}, grid_token, pages,
            LabelEvent.objects.latest("pk").pk,
        )  # fmt: skip

    def page_of_everything(self, name: str, made: list[Prediction]) -> dict[str, Any]:
        """An admin ticks the drawings and is asked what to do with them."""
        asked = {"action": "decide_in_bulk", "select_across": "0", "index": "0",
                 "_selected_action": [each.pk for each in made]}  # fmt: skip
        page = self.doors.of(name).post(LIST, asked)
        assert page.status_code == 200, page
        form: dict[str, Any] = dict(HIDDEN.findall(page.content.decode()))
        return {**form, "_selected_action": [each.pk for each in made]}


# -- what people do ------------------------------------------------------------------------------


class Acts:
    """One request each; what it is about overlaps with that of the others."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors

    def claim(self, scene: Scene, side: int) -> Any:
        return self.doors.label_api(("dee", "bea")[side], "next/", {"count": 5, "holding": []})

    def submit(self, scene: Scene, side: int) -> Any:
        body = {**scene.held, "digit": 3, "request_id": str(uuid.UUID(int=scene.visitor.int + 1))}
        return self.doors.label_api("bea", "", body)

    def undo(self, scene: Scene, side: int) -> Any:
        asked = {"request_id": str(uuid.uuid4()), "of": str(scene.request)}
        return self.doors.label_api("ada", "undo/", asked)

    def answer_back(self, scene: Scene, side: int) -> Any:
        """One answer of the grid, taken back on the page of one's own answers."""
        return self.doors.of("ada").post("/label/answers/", {"event": scene.grid_answers[1]})

    def settle(self, scene: Scene, side: int) -> Any:
        about = scene.drawings[2 if side else 3]
        body = {"id": str(about.public_id), "digit": 1, "request_id": str(uuid.uuid4())}
        return self.doors.label_api("rita", "settle/", body)

    def grid(self, scene: Scene, side: int) -> Any:
        shown = [str(each.public_id) for each in scene.drawings[5:7]]
        body = {
            "digit": 7, "token": str(scene.grid_token), "ids": shown, "wrong": shown[1:],
            "request_id": str(uuid.UUID(int=scene.visitor.int + 2)),
        }  # fmt: skip
        return self.doors.label_api("cid", "grid/confirm/", body)

    def batch(self, scene: Scene, side: int) -> Any:
        return self.doors.label_api("ada", f"batches/{scene.grid.pk}/undo/", {})

    def bulk(self, scene: Scene, side: int) -> Any:
        return self.decide_in_bulk(scene, side, str(side))

    def review(self, scene: Scene, side: int) -> Any:
        return self.decide_in_bulk(scene, side, "review")

    def gold(self, scene: Scene, side: int) -> Any:
        return self.decide_in_bulk(scene, side, "gold")

    def decide_in_bulk(self, scene: Scene, side: int, act: str) -> Any:
        return self.doors.of(ADMINS[side]).post(LIST, {**scene.pages[side], "act": act})

    def withdraw(self, scene: Scene, side: int) -> Any:
        return self.doors.label_api("ben", "withdraw/", {"labeler": "ada"})

    def erase(self, scene: Scene, side: int) -> Any:
        return self.doors.of_visitor(scene.visitor).post("/predictions/erase/", {"sure": "yes"})

    def keep(self, scene: Scene, side: int) -> Any:
        return self.doors.label_api("cid", "keep/", {"tokens": [str(scene.grid_token)]})

    def release(self, scene: Scene, side: int) -> Any:
        ids = [str(each.public_id) for each in reversed(scene.drawings)]
        return self.doors.label_api("cid", "release/", {"ids": ids})

    def feedback(self, scene: Scene, side: int) -> Any:
        """A trusted person's word, which is a label at once."""
        about = scene.drawings[3 * side + 1]
        return self.doors.of("dee").post(f"/predictions/{about.public_id}/", {"said": "5"})


ACTS = (
    "claim", "submit", "undo", "answer_back", "settle", "grid", "batch", "bulk", "review", "gold",
    "withdraw", "erase", "keep", "release", "feedback",
)  # fmt: skip


# -- the meeting ---------------------------------------------------------------------------------


class Meeting:
    """Two requests in step: after each row it takes, one waits until the other is as far.

    With a lead, the second is to be so many rows ahead of the first. Whoever waits for a lock of
    the other's is waited for no longer.
    """

    def __init__(self, lead: int, is_waiting: Callable[[int], bool]) -> None:
        self.ahead = (lead, -lead)  # how far the other has to be ahead of each
        self.is_waiting = is_waiting
        self.taken = [0, 0]
        self.moved = threading.Condition()
        self.has_met = False

    def in_step(self, side: int) -> Callable[..., Any]:
        def executed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            result = execute(sql, params, many, context)
            if TOUCHES.search(sql) and OURS.search(sql):
                self.took(side)
            return result

        return executed

    def took(self, side: int) -> None:
        other = 1 - side
        until = time.monotonic() + COMES_WITHIN
        with self.moved:
            self.taken[side] += 1
            self.moved.notify_all()
            while self.taken[other] < self.taken[side] + self.ahead[side]:
                if not self.moved.wait(LOOK_AGAIN) and self.is_waiting(other):
                    break
                if time.monotonic() > until:
                    raise TimeoutError("the other request neither comes nor waits for a lock")
            self.has_met = self.has_met or 0 < self.taken[other] < GONE

    def leave(self, side: int) -> None:
        with self.moved:
            self.taken[side] = GONE
            self.moved.notify_all()


class Onlooker:
    """Another connection to PostgreSQL, which sees who waits for a lock."""

    def __init__(self, is_postgresql: bool) -> None:
        from django.db import connection

        self.lock = threading.Lock()
        self.pids = [0, 0]
        self.connection = None
        if is_postgresql:
            self.connection = psycopg2.connect(**connection.get_connection_params())
            self.connection.autocommit = True

    def is_waiting(self, side: int) -> bool:
        assert self.connection is not None
        with self.lock, self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s",
                [self.pids[side]],
            )
            found = cursor.fetchone()
        return bool(found and found[0])

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


class DeadlockLog(logging.Handler):
    """Counts the deadlocks that were tried again."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "deadlock" in record.getMessage()


class Races:
    """Rounds, and what came of them."""

    def __init__(self, is_postgresql: bool, dice: random.Random) -> None:
        from labeling.batches import gold_items

        assert gold_items  # everything is imported before two threads want it
        self.is_postgresql = is_postgresql
        self.dice = dice
        self.doors = Doors()
        self.stage = Stage(self.doors)
        self.acts = Acts(self.doors)
        self.onlooker = Onlooker(is_postgresql)
        self.violations: collections.Counter[str] = collections.Counter()
        self.statuses: dict[str, collections.Counter[int]] = collections.defaultdict(
            collections.Counter
        )
        self.examples: dict[str, str] = {}  # of each violation the first pair that showed it
        self.met = 0

    @cached_property
    def deadlocks(self) -> DeadlockLog:
        handler = DeadlockLog()
        logger = logging.getLogger("predictions.database.deadlock")
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        return handler

    def run(self, rounds: int, among: set[str]) -> None:
        pairs = [
            pair
            for pair in itertools.combinations_with_replacement(ACTS, 2)
            if set(pair) <= among or (len(among) == 1 and set(pair) & among) or not among
        ]
        with ThreadPoolExecutor(2) as threads:
            self.deadlocks.count = 0
            for pair, lead in itertools.islice(self.shuffled(pairs), rounds):
                self.round(pair, lead, threads)
            barrier = threading.Barrier(2)
            list(threads.map(lambda _: self.close(barrier), range(2)))
        self.violations["deadlocks tried again"] = self.deadlocks.count
        self.onlooker.close()

    def shuffled(self, pairs: list[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], int]]:
        """Every pair with one lead, then every pair with the next, each time in another order."""
        for lead in itertools.cycle(LEADS):
            self.dice.shuffle(pairs)
            yield from ((pair, lead) for pair in pairs)

    def close(self, barrier: threading.Barrier) -> None:
        from django.db import connection

        barrier.wait()
        connection.close()

    def round(self, pair: tuple[str, str], lead: int, threads: ThreadPoolExecutor) -> None:
        scene = self.stage.scene(pair)
        meeting = Meeting(lead, self.onlooker.is_waiting)
        start = threading.Barrier(2)
        sides = [
            threads.submit(self.act, name, scene, side, meeting, start)
            for side, name in enumerate(pair)
        ]
        for side in sides:
            side.result()
        self.met += meeting.has_met or not self.is_postgresql
        before = self.violations.copy()
        self.check(scene)
        for what in self.violations - before:
            said = f"{pair[0]} with {pair[1]}, lead {lead}: {scene.answers}"
            self.examples.setdefault(what, said)

    def act(
        self, name: str, scene: Scene, side: int, meeting: Meeting, start: threading.Barrier
    ) -> None:
        from django.db import connection

        connection.ensure_connection()
        if self.is_postgresql:
            self.onlooker.pids[side] = connection.connection.get_backend_pid()
        start.wait()
        try:
            if self.is_postgresql:
                with connection.execute_wrapper(meeting.in_step(side)):
                    answer = getattr(self.acts, name)(scene, side)
            else:
                answer = getattr(self.acts, name)(scene, side)
        finally:
            meeting.leave(side)
        self.statuses[name][answer.status_code] += 1
        is_json = "json" in answer.headers.get("Content-Type", "")
        scene.answers.append((name, answer.status_code, answer.json() if is_json else None))

    # -- the check -------------------------------------------------------------------------------

    def check(self, scene: Scene) -> None:
        from labeling.batches.rebuild import Differences, compare_items
        from labeling.models import LabelEvent, QueueItem

        self.violations["answers of 5xx"] += sum(status >= 500 for _, status, _ in scene.answers)
        found = Differences()
        compare_items(scene.keys, found, mend=False)
        self.violations["labels that are not what their events say"] += len(found.labels)
        self.violations["places that are not what their events say"] += len(found.places)
        events = LabelEvent.objects.filter(prediction__in=scene.keys)
        undone = events.standing().filter(batch__undone_at__isnull=False)
        self.violations["standing answers of a batch taken back"] += undone.count()
        places = QueueItem.objects.filter(pk__in=scene.keys)
        erased = places.filter(prediction__erased_at__isnull=False)
        self.violations["erased drawings in the queue"] += erased.count()
        self.violations["acknowledged decisions lost"] += self.lost(scene)
        self.violations["decisions a bulk act wrote over"] += self.overwritten(scene)

    def lost(self, scene: Scene) -> int:
        from labeling.models import LabelEvent

        said = [body["event"] for _, status, body in scene.answers
                if status == 200 and body and "event" in body]  # fmt: skip
        return len(set(said)) - LabelEvent.objects.filter(pk__in=said).count()

    def overwritten(self, scene: Scene) -> int:
        """Since the page was shown, whatever was decided first about a drawing is left alone."""
        from labeling.models import LabelEvent

        since = LabelEvent.objects.filter(prediction__in=scene.keys, pk__gt=scene.shown_after)
        decided: set[int] = set()
        count = 0
        for event in since.order_by("pk"):
            count += event.kind == LabelEvent.Kind.CORRECT and event.prediction_id in decided
            decided.add(event.prediction_id)
        return count


def report(database: str, rounds: int, seconds: float, races: Races) -> int:
    print(f"{database}, {rounds:,} rounds, {seconds:.0f} s")
    statuses = {name: dict(sorted(races.statuses[name].items())) for name in ACTS}
    table([["act", "answers"], *((name, counts) for name, counts in statuses.items())])
    table([["violation", "count"], *races.violations.items()])
    for what, example in races.examples.items():
        print(f"{what}: {example[:600]}")
    finish(
        {
            "bench": "races", "database": database, "rounds": rounds, "met": races.met,
            "seconds": round(seconds, 1), "violations": dict(races.violations),
            "statuses": statuses,
        }
    )  # fmt: skip
    return 1 if any(races.violations.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

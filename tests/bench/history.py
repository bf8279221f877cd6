"""Many labelers at once while web processes are killed: is every label where it was put?

Every operation is logged when it is sent and when it is answered; what got no answer is sent again
under the same request id. Afterwards the database is read and held against the log. With
--broken-claim two labelers ask a server whose claim is not atomic at the same moment, and the
check has to fail.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from tests.bench.support.labeler import Page, Unknown
from tests.bench.support.report import finish, quantile, table
from tests.bench.support.seed import Amounts, fill, installation, make_labelers, sign_in
from tests.bench.support.servers import gunicorn, serving

LEASE = 180.0  # seconds
TRY_AGAIN = 0.05  # seconds between two attempts at what got no answer
SETTLE_WITHIN = 30.0  # seconds for the last unanswered operations after the end
COLLISIONS = 10  # of two labelers whom a broken claim gives the same
TROUBLE_ENDS_WITHIN = 90.0  # seconds after the labelers have stopped
NO_LONGER_HELD = 409
UNAVAILABLE = 503


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    parser.add_argument("--labelers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--kill-every", type=float, default=5.0, help="seconds; 0: never")
    parser.add_argument("--predictions", type=int, default=40_000)
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    parser.add_argument("--broken-claim", action="store_true", help="the check has to fail")
    parser.add_argument("--log", type=Path, help="where the log of operations is to be kept")
    options = parser.parse_args()
    with installation(options.database_url) as installed:
        labeled = options.predictions // 4
        amounts = Amounts(labeled, options.predictions - labeled, labeled * 3)
        fill(amounts)
        before = make_gold()
        run = Run(options, sessions(options.labelers))
        env = {
            **installed.env,
            "WEB_PROCESSES": "1" if options.broken_claim else str(options.processes),
            "GOLD_RATE": "0.05", "SECOND_OPINION_RATE": "0.1",
        }  # fmt: skip
        run.go(env)
        if options.log:
            options.log.write_text("".join(json.dumps(each) + "\n" for each in run.log))
        violations, counts = Findings(run, before).all()
    return report(options, installed.database, run, violations, counts)


def make_gold(count: int = 20) -> int:
    """Some items' answers are known; the last event there is before the labelers begin."""
    from labeling.models import Gold, LabelEvent, QueueItem

    unsure = QueueItem.objects.filter(is_open=True, stream="unsure").order_by("-rank")
    for item in unsure[:count]:
        Gold.objects.create(prediction_id=item.pk, digit=7)
        QueueItem.objects.filter(pk=item.pk).update(is_open=False, is_parked=True)
    return LabelEvent.objects.order_by("-pk").values_list("pk", flat=True)[0]


def sessions(count: int) -> list[tuple[int, str]]:
    from django.db import connection

    people = [(user.pk, sign_in(user)) for user in make_labelers(count)]
    connection.close()
    return people


# -- the run -----------------------------------------------------------------------------------


class Run:
    """The labelers, the killing, and the log of everything that was asked and answered."""

    def __init__(self, options: argparse.Namespace, people: list[tuple[int, str]]) -> None:
        self.options = options
        self.kill_every: float = getattr(options, "kill_every", 0.0)  # hosts are cut off instead
        self.people = people
        self.log: list[dict[str, Any]] = []
        self.kills: list[float] = []
        self.seconds = 0.0
        self.stop_at = 0.0

    def go(self, env: dict[str, str]) -> None:
        app = ["tests.bench.support.broken_claim:application"] if self.options.broken_claim else []
        command = partial(gunicorn_of, app)
        with serving("inkloop", command, ready="/readyz", env=env) as server:
            if self.options.broken_claim:
                self.collide(server.port)
            else:
                self.drive(server.port, lambda: self.kill(server.process.pid))

    def collide(self, port: int) -> None:
        """Two labelers ask at the same moment, and answer once both have been given something."""
        began = time.monotonic()
        self.stop_at = began + self.options.seconds
        pair = [Labeler(self, user, session, port) for user, session in self.people[:2]]
        for _ in range(COLLISIONS):
            threads = [threading.Thread(target=labeler.take) for labeler in pair]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for labeler in pair:
                while labeler.held:
                    labeler.label(labeler.held.pop(0))
        self.seconds = time.monotonic() - began

    def drive(self, port: int, trouble: Callable[[], None]) -> None:
        """The labelers at work for as long as was asked, while the trouble is made."""
        began = time.monotonic()
        self.stop_at = began + self.options.seconds
        labelers = [Labeler(self, user, session, port) for user, session in self.people]
        threads = [threading.Thread(target=labeler.work) for labeler in labelers]
        maker = threading.Thread(target=trouble, daemon=True)
        for thread in (*threads, maker):
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.monotonic() - began
        maker.join(TROUBLE_ENDS_WITHIN)

    def is_over(self) -> bool:
        """After the seconds that were asked for; on a slow machine, once there is what to check."""
        if time.monotonic() < self.stop_at:
            return False
        labeled = any(each["op"] == "label" and each["status"] == 200 for each in self.log)
        return labeled and (bool(self.kills) or not self.kill_every)

    def kill(self, master: int) -> None:
        """A random web process dies every few seconds without a warning; its master is spared."""
        dice = random.Random(0)
        while self.kill_every:
            time.sleep(self.kill_every)
            if self.is_over():
                return
            workers = psutil.Process(master).children()
            if workers:
                os.kill(dice.choice(workers).pid, signal.SIGKILL)
                self.kills.append(time.monotonic())


def gunicorn_of(app: list[str], port: int) -> list[str]:
    return gunicorn(port, *app)


class Labeler:
    """One person: takes items, answers most, passes some on, takes some back, comes and goes."""

    def __init__(self, run: Run, user: int, session: str, port: int) -> None:
        self.run = run
        self.user = user
        self.page = Page(port, session)
        self.dice = random.Random(user)
        self.grip = str(uuid.UUID(int=self.dice.getrandbits(128)))
        self.held: list[dict[str, Any]] = []

    def work(self) -> None:
        while not self.run.is_over():
            if not self.held:
                self.take()
            else:
                self.answer_or_else()

    def take(self) -> None:
        holding = [item["id"] for item in self.held]
        count = self.dice.choice([1, 1, 2, 5])
        asked = {"count": count, "holding": holding, "page": self.grip}
        body = self.ask("next", "next/", asked)
        self.held += body.get("items", [])
        if not self.held:
            time.sleep(0.2)

    def answer_or_else(self) -> None:
        item = self.held.pop(0)
        chance = self.dice.random()
        if chance < 0.03:
            self.ask("skip", "skip/", {"id": item["id"], "token": item["token"]})
        elif chance < 0.05:
            ids = [each["id"] for each in (item, *self.held)]
            tokens = [each["token"] for each in (item, *self.held)]
            self.held = []
            self.ask("release", "release/", {"ids": ids, "tokens": tokens})
        elif chance < 0.08:
            self.held.insert(0, item)
            self.ask("keep", "keep/", {"tokens": [each["token"] for each in self.held]})
        else:
            self.label(item)
            if chance > 0.95:
                self.take_back()

    def label(self, item: dict[str, Any]) -> None:
        digit = self.dice.choice([*range(10), None])
        body = {"id": item["id"], "token": item["token"], "digit": digit, "seconds": 1.0}
        self.ask(
            "label", "", {**body, "request_id": str(uuid.UUID(int=self.dice.getrandbits(128)))}
        )

    def take_back(self) -> None:
        request_id = str(uuid.UUID(int=self.dice.getrandbits(128)))
        asked = {"request_id": request_id, "page": self.grip}
        if item := self.ask("undo", "undo/", asked).get("item"):
            self.held.insert(0, item)

    def ask(self, op: str, path: str, args: dict[str, Any]) -> dict[str, Any]:
        """Until there is an answer, as the page does it; every attempt is logged.

        A 503 is none: an attempt before it may still be on its way.
        """
        give_up_at = self.run.stop_at + SETTLE_WITHIN
        while True:
            t0 = time.monotonic()
            try:
                status, body = self.page.post(path, args)
                self.note(op, args, t0, status, body)
                if status != UNAVAILABLE:
                    return body if status < 300 else {}
            except Unknown as broken:
                self.note(op, args, t0, "unknown", {"why": str(broken)})
            if time.monotonic() > give_up_at:
                return {}
            time.sleep(TRY_AGAIN)

    def note(self, op: str, args: dict[str, Any], t0: float, status: Any, body: Any) -> None:
        slim = {key: value for key, value in body.items() if key != "items"}
        items = body.get("items") or [each for each in [body.get("item")] if each]
        granted = [{"id": item["id"], "token": item["token"]} for item in items]
        self.run.log.append(
            {
                "t0": t0, "t1": time.monotonic(), "client": self.user, "op": op,
                "request_id": args.get("request_id"), "args": args, "status": status,
                "answer": {**slim, "item": None}, "granted": granted,
            }
        )  # fmt: skip


# -- the check ---------------------------------------------------------------------------------


@dataclass
class Hold:
    """From the answer that gave an item to the moment its holder sent what ends the hold."""

    client: int
    start: float
    end: float = field(default=0.0)


class Findings:
    """What the database says, held against what was answered."""

    def __init__(self, run: Run, before: int) -> None:
        from labeling.models import Gold, LabelEvent
        from predictions.models import Prediction

        self.log = sorted(run.log, key=lambda each: each["t1"])
        events = LabelEvent.objects.filter(pk__gt=before).order_by("pk")
        self.events = list(events.select_related("prediction").defer("prediction__glyph"))
        known = Gold.objects.values("pk")
        self.gold = set(
            map(str, Prediction.objects.filter(pk__in=known).values_list("public_id", flat=True))
        )
        self.counts: collections.Counter[str] = collections.Counter()
        for each in self.log:
            self.counts[f"{each['op']} {each['status']}"] += 1

    def all(self) -> tuple[dict[str, int], dict[str, int]]:
        lost, altered = self.lost_and_altered()
        violations = {
            "acknowledged labels lost": lost,
            "acknowledged labels altered": altered,
            "double leases": self.double_leases(),
            "answers refused to the holder": self.refused_holders(),
            "events without an operation": self.events_without_operation(),
            "request ids with several events": self.doubled_requests(),
            "people counted twice on an item": self.doubled_opinions(),
            "labels that are not what their events say": self.labels_that_differ(),
            "answers of 5xx": sum(self.is_fault(each) for each in self.log),
        }
        return violations, dict(sorted(self.counts.items()))

    def is_fault(self, each: dict[str, Any]) -> bool:
        return isinstance(each["status"], int) and each["status"] >= 500

    def acknowledged(self, op: str) -> list[dict[str, Any]]:
        return [each for each in self.log if each["op"] == op and each["status"] == 200]

    def lost_and_altered(self) -> tuple[int, int]:
        by_key = {event.pk: event for event in self.events}
        lost = altered = 0
        for each in self.acknowledged("label") + self.acknowledged("undo"):
            event = by_key.get(each["answer"]["event"])
            if event is None:
                lost += 1
            elif each["op"] == "label":
                said = (each["args"]["id"], each["args"]["digit"], each["client"])
                stored = (str(event.prediction.public_id), event.digit, event.labeler_id)
                altered += said != stored or str(event.request_id) != each["request_id"]
            else:
                altered += (event.kind, event.labeler_id) != ("undo", each["client"])
        return lost, altered

    def holds(self) -> dict[str, list[Hold]]:
        """Of each item, by the log alone, as narrow as it allows."""
        open_holds: dict[tuple[int, str], Hold] = {}
        found: dict[str, list[Hold]] = collections.defaultdict(list)
        # A hold ends when its end is sent and begins when its beginning is answered.
        moments = [(each["t0"], 0, at, each) for at, each in enumerate(self.log)]
        moments += [(each["t1"], 1, at, each) for at, each in enumerate(self.log)]
        for at, is_answer, _, each in sorted(moments, key=lambda moment: moment[:3]):
            who = each["client"]
            if is_answer:
                for item in each["granted"]:
                    hold = Hold(who, at, at + LEASE)
                    open_holds[who, item["id"]] = hold
                    found[item["id"]].append(hold)
            else:
                for item_id in ended_by(each):
                    if hold := open_holds.pop((who, item_id), None):
                        hold.end = min(hold.end, at)
        return found

    def double_leases(self) -> int:
        doubled = 0
        for item_id, holds in self.holds().items():
            if item_id in self.gold:  # many people may answer gold at once
                continue
            holds.sort(key=lambda hold: hold.start)
            doubled += sum(
                later.start < earlier.end and later.client != earlier.client
                for at, earlier in enumerate(holds)
                for later in holds[at + 1 :]
            )
        return doubled

    def refused_holders(self) -> int:
        """No lease runs out in this run, and one thing alone may end another's hold: an undo."""
        return sum(
            each["op"] == "label"
            and each["status"] == NO_LONGER_HELD
            and each["args"]["id"] not in self.gold
            and not self.was_closed(each)
            for each in self.log
        )

    def was_closed(self, refused: dict[str, Any]) -> bool:
        """Whether somebody took an answer back meanwhile: what is left may need no opinion."""
        item, client = refused["args"]["id"], refused["client"]
        held_since = max(
            each["t0"]
            for each in self.log
            if each["client"] == client
            and each["t1"] <= refused["t0"]
            and any(granted["id"] == item for granted in each["granted"])
        )
        undone = {
            str(event.request_id)
            for event in self.events
            if event.kind == "undo" and str(event.prediction.public_id) == item
        }
        return any(
            each["request_id"] in undone
            and each["client"] != client
            and each["t0"] <= refused["t1"]
            and each["t1"] >= held_since
            for each in self.log
            if each["op"] == "undo"
        )

    def events_without_operation(self) -> int:
        sent = {
            each["request_id"]: (each["client"], each["op"], each["args"].get("digit"))
            for each in self.log
            if each["op"] in {"label", "undo"}
        }
        return sum(
            sent.get(str(event.request_id)) != (event.labeler_id, event.kind, event.digit)
            for event in self.events
        )

    def doubled_requests(self) -> int:
        return len(self.events) - len({event.request_id for event in self.events})

    def doubled_opinions(self) -> int:
        undone = {event.reverses_id for event in self.events}  # nobody withdraws here
        standing = collections.Counter(
            (event.prediction_id, event.labeler_id)
            for event in self.events
            if event.kind == "label" and event.pk not in undone
        )
        return sum(count > 1 for count in standing.values())

    def labels_that_differ(self) -> int:
        from labeling.models import Label, LabelEvent, QueueItem
        from labeling.queue.places import place_of
        from labeling.standing import standing

        by_item: dict[int, list[LabelEvent]] = collections.defaultdict(list)
        for event in LabelEvent.objects.order_by("pk").iterator(5_000):
            by_item[event.prediction_id].append(event)
        labels = Label.objects.in_bulk()
        differ = 0
        for item in QueueItem.objects.iterator(5_000):
            stands = standing(by_item.get(item.pk, ()))
            label = labels.pop(item.pk, None)
            said = label and (label.digit, label.is_unreadable, label.state, label.opinions)
            ruled = stands and (stands.digit, stands.is_unreadable, stands.state, stands.opinions)
            place = place_of(item, stands)
            differ += said != ruled or place != (item.is_open, item.stream)
        return differ + len(labels)


def ended_by(each: dict[str, Any]) -> Iterable[str]:
    if each["op"] in {"label", "skip"}:
        return [each["args"]["id"]]
    return each["args"]["ids"] if each["op"] == "release" else []


def report(
    options: argparse.Namespace,
    database: str,
    run: Run,
    violations: dict[str, int],
    counts: dict[str, int],
) -> int:
    answered = [each for each in run.log if each["op"] == "label" and each["status"] == 200]
    waits = [each["t1"] - each["t0"] for each in answered] or [0.0]
    figures: dict[str, Any] = {
        "bench": "history", "database": database, "labelers": options.labelers,
        "seconds": round(run.seconds, 1), "kills": len(run.kills),
        "broken_claim": options.broken_claim, "operations": len(run.log),
        "labels": len(answered), "labels_per_second": round(len(answered) / run.seconds, 1),
        "label_p50_ms": round(quantile(waits, 0.5) * 1000, 1),
        "label_p95_ms": round(quantile(waits, 0.95) * 1000, 1),
        "violations": violations, "operations_by_answer": counts,
    }  # fmt: skip
    head = f"{options.labelers} labelers, {run.seconds:.0f} s, {len(run.kills)} kills, {database}"
    print(f"{head}: {len(run.log)} operations, {len(answered)} labels acknowledged")
    table([["violation", "count"], *violations.items()])
    finish(figures)
    return 1 if any(violations.values()) or not answered else 0


if __name__ == "__main__":
    sys.exit(main())

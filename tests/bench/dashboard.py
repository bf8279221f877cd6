"""Does the dashboard's cost stay flat? The same endpoints on ten thousand drawings and on millions.

A year of drawings, a tenth of them labeled: three versions, four sources, every stream. Each size
gets a database and a process of its own. Endpoints are asked within the process, through every
middleware, never with an ETag they know; so are the pages that show them. Then 100,000 new label
events are counted, half of them on drawings that had a label; and drawings are captured with and
without counting beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.bench.support.report import finish, quantile, spread, table
from tests.bench.support.seed import (
    NUMBERS,
    PAST_LABELERS,
    dialect,
    filling,
    installation,
    make_labelers,
    make_samples,
    reset_sequences,
)

DAYS = 365
P95 = 50.0  # ms, what an endpoint may take
QUERIES = 6
PAGES = {"page for everybody": "/dashboard/", "page for analysts": "/dashboard/technical/"}
PAGE_P95 = 120.0  # ms, what a page with all its figures may take
RATIO = 1.3  # of the largest size to the smallest
CATCH_UP = 10.0  # seconds for NEW_EVENTS
NEW_EVENTS = 100_000
SLOWER = 1.05
QUERY_OF = {"plain": "", "filtered": "digit=7&source=draw&first=2020-01"}

PREDICTIONS = """
INSERT INTO predictions_prediction (id, public_id, version_id, digit, confidence, probabilities,
  strangeness, glyph, glyph_digest, source, visitor, is_audit, audit_probability, created_at, day)
{numbers} SELECT i, {uuid_of_i}, {version} + CAST(i AS BIGINT) * 3 / {after_last},
  s.digit, 1 - (1 - s.confidence) * (CAST(i AS BIGINT) * 7919 % 1009) / 1009.0, s.probabilities,
  0.1, s.glyph, {uuid_of_i},
  CASE WHEN i * 31 % 10 < 6 THEN 'draw' WHEN i * 31 % 10 < 8 THEN 'upload'
    WHEN i * 31 % 10 < 9 THEN 'api' ELSE 'batch' END,
  {uuid_of_writer}, i % 20 = 0, CASE WHEN i / 20 % 100 < 22 THEN 0.225
    WHEN i / 20 % 100 < 40 THEN 0.09 ELSE 0.035 END, d.created_at, d.day
FROM n JOIN bench_sample AS s ON s.k = i % 365
JOIN bench_sample AS d ON d.k = CAST(i AS BIGINT) * 365 / {after_last}"""
# What is labeled is the event's number times ten; three in a hundred contradict the guess.
EVENTS = """
INSERT INTO labeling_labelevent (id, prediction_id, kind, digit, is_unreadable, labeler_id,
  created_at, stream, score, version_id, guess_shown, seconds, wants_second, is_gold)
{numbers} SELECT i, p.id, 'label',
  CASE WHEN CAST(i AS BIGINT) * 7919 % 1000 < 30 THEN (p.digit + 1 + i % 9) % 10 ELSE p.digit END,
  {false}, {first_labeler} + {labeler}, p.created_at,
  CASE WHEN p.is_audit THEN 'audit' WHEN i % 8 = 1 THEN 'feedback' WHEN i % 8 = 3 THEN 'review'
    WHEN i % 8 = 5 THEN 'second' ELSE 'unsure' END,
  0.5, p.version_id, {false}, 1.5, {false}, {false}
FROM n JOIN predictions_prediction AS p ON p.id = {prediction}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="a PostgreSQL server; without it SQLite")
    parser.add_argument("--predictions", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--asked", type=int, default=40, help="times for each endpoint")
    parser.add_argument("--captures", type=int, default=150, help="in each of six turns; 0: none")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        return alone(options)
    found = [apart(options, count) for count in options.predictions]
    return report(found)


def apart(options: argparse.Namespace, count: int) -> dict[str, Any]:
    """One size, in a process and a database of its own."""
    command = [sys.executable, "-m", "tests.bench.dashboard", "--alone"]
    command += ["--predictions", str(count), "--asked", str(options.asked)]
    command += ["--captures", str(options.captures)]
    if options.database_url:
        command += ["--database-url", options.database_url]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def alone(options: argparse.Namespace) -> int:
    (count,) = options.predictions
    with installation(options.database_url) as installed:
        say(f"{count:,} predictions on {installed.database}: filling")
        fill(count)
        say("counting them from nothing")
        figures: dict[str, Any] = {"predictions": count, "database": installed.database}
        figures["from_nothing_s"] = took(count_all)
        figures["rows"] = sizes()
        say("asking every endpoint")
        figures["endpoints"] = endpoints(options.asked)
        say("counting new events")
        figures["new_events"] = add_events(count)
        figures["catch_up_s"] = took(count_all)
        say("holding the cube against a recount")
        figures["differences"], figures["check_s"] = check()
        if options.captures:
            say("capturing")
            figures["capture"] = captures(options.captures)
    print(json.dumps(figures))
    return 0


def say(what: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


def took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 3)


def count_all() -> None:
    from dashboard.cube.counting import catch_up

    catch_up()


def check() -> tuple[int, float]:
    from dashboard.cube.rebuild import check_counts

    made = check_counts()
    assert made.months == made.of_months
    return made.differences, round(made.seconds, 2)


# -- rows --------------------------------------------------------------------------------------


def fill(count: int) -> None:
    from django.db import connection

    first = make_versions()
    labelers = make_labelers(PAST_LABELERS, prefix="past")
    common = {
        **dialect(), "version": first, "after_last": count + 1, "first_labeler": labelers[0].pk,
    }  # fmt: skip
    with filling("predictions_prediction", "labeling_labelevent") as cursor:
        make_samples(cursor)
        numbers = NUMBERS.format(first=1, last=count)
        cursor.execute(PREDICTIONS.format(numbers=numbers, **common))
        numbers = NUMBERS.format(first=1, last=count // 10)
        said = {"prediction": "i * 10", "labeler": f"i % {PAST_LABELERS}"}
        cursor.execute(EVENTS.format(numbers=numbers, **common, **said))
        cursor.execute("DROP TABLE bench_sample")
        reset_sequences(cursor)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def make_versions() -> int:
    """Three, one after the other; the first one's key. The last is live."""
    from predictions.models import ModelVersion
    from training.models import Promotion

    live = ModelVersion.objects.live().get()
    made = [
        ModelVersion.objects.create(name=f"bench-{at}", canary={}, state="retired")
        for at in range(3)
    ]
    for before, after in zip(made, [*made[1:], live], strict=True):
        Promotion.objects.create(kind="promotion", before=before, after=after, why="bench")
    return made[0].pk


def add_events(count: int) -> int:
    """Half on drawings that had none, half by somebody else on drawings that had one."""
    from django.contrib.auth.models import User
    from django.db import connection, transaction

    from labeling.models import LabelEvent

    new = min(NEW_EVENTS, count // 10)
    last = LabelEvent.objects.order_by("-pk").values_list("pk", flat=True)[0]
    first_labeler = User.objects.filter(username="past0").values_list("pk", flat=True)[0]
    stride = max(count // 10 // new, 1) * 10  # all over the year
    numbers = NUMBERS.format(first=last + 1, last=last + new)
    with transaction.atomic(), connection.cursor() as cursor:
        sql = EVENTS.format(
            numbers=numbers,
            **dialect(),
            first_labeler=first_labeler,
            labeler=f"(i + 1) % {PAST_LABELERS}",
            prediction=f"(i - {last}) * {stride} - (i % 2) * 3",
        )
        cursor.execute(sql)
        added = int(cursor.rowcount)
        reset_sequences(cursor)
    return added


def sizes() -> dict[str, int]:
    from dashboard.models import Cell, MonthFlow, MonthSums

    return {table.__name__: table.objects.count() for table in (Cell, MonthSums, MonthFlow)}


# -- endpoints ---------------------------------------------------------------------------------


def endpoints(asked: int) -> dict[str, dict[str, Any]]:
    """Milliseconds for each, in turns, so that a slow moment of the machine hits all of them."""
    from django.conf import settings
    from django.db import connection, reset_queries
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from dashboard.figures.catalog import FIGURES

    # Pages name static files, which nothing has collected here.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    client = Client(headers={"host": "localhost"})
    addresses = {
        f"{name} {how}": f"/dashboard/data/{name}.json?{query}"
        for name in FIGURES
        for how, query in QUERY_OF.items()
    } | PAGES
    queries, times = {}, {name: [] for name in addresses}  # type: ignore[var-annotated]
    for name, address in addresses.items():
        with CaptureQueriesContext(connection) as caught:
            assert client.get(address).status_code == 200
        queries[name] = len(caught)
    reset_queries()
    for _ in range(asked):
        for name, address in addresses.items():
            began = time.perf_counter()
            client.get(address)
            times[name].append(1000 * (time.perf_counter() - began))
    return {
        name: {**spread(each), "p95": round(quantile(each, 0.95), 2), "queries": queries[name]}
        for name, each in times.items()
    }


# -- capture -----------------------------------------------------------------------------------


def captures(count: int) -> dict[str, Any]:
    """Captures a second, in turns without and with a thread that counts every second; and what
    counting costs for each drawing, against what capturing it costs."""
    from dashboard.cube.counting import catch_up
    from predictions.capture.capture import capture
    from predictions.models import Owner, Prediction
    from tests.factories import a_seven, png

    picture = png(a_seven())

    def turn() -> float:
        began = time.perf_counter()
        for _ in range(count):
            capture(picture, owner=Owner(), source=Prediction.Source.API)
        return count / (time.perf_counter() - began)

    turn()  # warm
    catch_up()
    without, beside, counting = [], [], []
    for _ in range(3):
        without.append(turn())
        counting.append(took(catch_up) / count)
        with counted_beside():
            beside.append(turn())
    each = 1 / quantile(without, 0.5)
    ratios = [one / other for one, other in zip(without, beside, strict=True)]
    return {
        "without": spread(without),
        "beside": spread(beside),
        "slower": spread(ratios),
        "counting_share": round(quantile(counting, 0.5) / each, 4),
    }


class counted_beside:  # noqa: N801  (used like a function)
    """While this lasts, another thread counts once a second, sixty times as often as the job."""

    def __enter__(self) -> None:
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self) -> None:
        from django.db import connection

        from dashboard.cube.counting import catch_up

        while not self.ended.wait(1.0):
            catch_up()
        connection.close()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


# -- report ------------------------------------------------------------------------------------


def report(found: list[dict[str, Any]]) -> int:
    smallest, largest = found[0], found[-1]
    rows = [["endpoint", *(f"{each['predictions']:,}" for each in found), "ratio", "queries"]]
    for name in smallest["endpoints"]:
        ask = [each["endpoints"][name] for each in found]
        ratio = ask[-1]["median"] / ask[0]["median"]
        told = [f"{each['median']:.1f} ms, p95 {each['p95']:.1f}" for each in ask]
        rows.append([name, *told, f"{ratio:.2f}", max(each["queries"] for each in ask)])
    table(rows)
    for each in found:
        print(
            f"\n{each['predictions']:,} predictions on {each['database']}: counted from nothing in"
            f" {each['from_nothing_s']:.1f} s; {each['new_events']:,} new events in"
            f" {each['catch_up_s']:.1f} s; {each['differences']} differences after a check of"
            f" {each['check_s']:.1f} s; rows {each['rows']}"
        )
        if "capture" in each:
            told = each["capture"]
            print(
                f"captures: {told['slower']['median']:.2f} times slower beside counting"
                f" ({told['slower']['min']:.2f} to {told['slower']['max']:.2f}, n = 3); counting a"
                f" drawing costs {told['counting_share']:.1%} of capturing it"
            )
    missed = misses(found, smallest, largest)
    print("\nAs promised." if not missed else "\nNot as promised: " + "; ".join(missed))
    finish({"bench": "dashboard", "sizes": found, "ratio": overall(smallest, largest),
            "missed": missed})  # fmt: skip
    return 1 if missed else 0


def overall(smallest: dict[str, Any], largest: dict[str, Any]) -> float:
    """The geometric mean of the endpoints' ratios."""
    ratios = [
        largest["endpoints"][name]["median"] / each["median"]
        for name, each in smallest["endpoints"].items()
    ]
    return round(math.exp(sum(map(math.log, ratios)) / len(ratios)), 3)


def misses(
    found: list[dict[str, Any]], smallest: dict[str, Any], largest: dict[str, Any]
) -> list[str]:
    missed = []
    for each in found:
        size = f"{each['predictions']:,}"
        for name, ask in each["endpoints"].items():
            is_page = name in PAGES
            slow = ask["p95"] > (PAGE_P95 if is_page else P95)
            if slow or (ask["queries"] > QUERIES and not is_page):
                missed.append(f"{name} at {size}: {ask['p95']} ms, {ask['queries']} queries")
        if each["catch_up_s"] > CATCH_UP:
            missed.append(f"catching up at {size}: {each['catch_up_s']} s")
        if each["differences"]:
            missed.append(f"{each['differences']} differences at {size}")
        if "capture" in each and each["capture"]["slower"]["median"] > SLOWER:
            missed.append(f"capture at {size}: {each['capture']['slower']['median']} times slower")
    if (ratio := overall(smallest, largest)) > RATIO:
        missed.append(f"cost of the largest over the smallest: {ratio}")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())

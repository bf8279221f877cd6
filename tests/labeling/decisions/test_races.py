"""Two requests at once over the same drawings wait for each other in one order, and none loses."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from labeling.turns import in_turn, lock_items
from tests.bench.support.servers import ROOT
from tests.labeling.decisions.test_histories import database
from tests.labeling.door import make_item
from tests.operation.installation import plain_environment


@pytest.mark.slow
def test_no_pair_of_requests_deadlocks_or_leaves_what_its_events_do_not_say(tmp_path: Path):
    """Every pair once, in step; `./run bench races` is the long form."""
    argv = [sys.executable, "-m", "tests.bench.races", "--rounds", "120", *database()]
    done = subprocess.run(
        argv, cwd=ROOT, env=plain_environment(tmp_path), capture_output=True, text=True, timeout=400
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["violations"].values()) == {0}, done.stdout
    assert all(found["statuses"].values()), "everything was done"


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestADeadlockAllTheSame:
    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
    def test_two_that_lock_in_opposite_order_are_both_done(self):
        items, tries = [make_item().pk, make_item().pk], []
        both_have_one, results = threading.Barrier(2), [None, None]

        @in_turn
        def lock_both(order: list[int]) -> str:
            lock_items(order[:1])
            tries.append(order)
            if len(tries) <= 2:
                both_have_one.wait(20)
            lock_items(order[1:])
            return "done"

        def run(at: int, order: list[int]) -> None:
            try:
                results[at] = lock_both(order)
            finally:
                connection.close()

        orders = enumerate([items, items[::-1]])
        threads = [threading.Thread(target=run, args=each) for each in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert results == ["done", "done"]
        assert len(tries) == 3

    def test_it_is_tried_once_more_and_not_for_ever(self):
        assert self.tries_of(Deadlock) == 2
        assert self.tries_of(LockTimeout) == 1

    def tries_of(self, cause: type[Exception]) -> int:
        tries = 0

        @in_turn
        def refused() -> None:
            nonlocal tries
            tries += 1
            raise OperationalError("refused") from cause()

        with pytest.raises(OperationalError):
            refused()
        return tries


class Deadlock(Exception):
    pgcode = "40P01"


class LockTimeout(Exception):
    pgcode = "55P03"

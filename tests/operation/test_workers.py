"""Workers killed in every way: jobs pass again soon, and nothing is left behind."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.operation.installation import Installation, gone, title_of, until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]
TITLES = {
    "main": {"start": "inkloop: work"},
    "guard": {"start": "inkloop: guard"},
    "worker": {"start": "qcluster", "end": "idle"},
    "pusher": {"start": "qcluster", "end": "pusher"},
}


def cluster_of(main: psutil.Process) -> list[psutil.Process]:
    return [main, *main.children(recursive=True)]


def main_of(installation: Installation, cluster: str = "inkloop") -> psutil.Process:
    return until(lambda: installation.named(f"inkloop: work {cluster}"), what="workers started")[0]


def all_started(main: psutil.Process) -> list[psutil.Process]:
    """Main, guard, worker, monitor and pusher."""
    until(lambda: len(cluster_of(main)) >= 5, what="the cluster is complete")
    return cluster_of(main)


def kill(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)


def pick(processes: list[psutil.Process], *, start: str = "", end: str = "") -> psutil.Process:
    titles = {process: title_of(process) for process in processes}
    return next(
        process
        for process, title in titles.items()
        if title.startswith(start) and title.endswith(end)
    )


@pytest.mark.parametrize("victim", ["worker", "pusher", "guard", "main", "group"])
def test_jobs_pass_again_after_a_kill_and_no_process_is_left_over(
    installation: Installation, victim: str
) -> None:
    old = all_started(main_of(installation))
    until(lambda: installation.worked_at("inkloop"), what="a job passed before")
    if victim == "group":
        os.killpg(old[0].pid, signal.SIGKILL)
    else:
        kill(pick(old, **TITLES[victim]))
    until(lambda: gone(old), what="the old cluster is gone")
    before = installation.worked_at("inkloop")
    until(
        lambda: installation.worked_at("inkloop") != before,
        what="a job passed again",
    )


def test_the_training_cluster_is_guarded_too(installation: Installation) -> None:
    old = all_started(main_of(installation, "training"))
    kill(pick(old, start="inkloop: guard training"))
    until(lambda: gone(old), what="the old cluster is gone")
    before = installation.worked_at("training")
    until(
        lambda: installation.worked_at("training") != before,
        what="a job passed again",
    )
    assert "Inkloop is ready" in installation.log


def test_no_process_of_ours_has_loaded_torch(installation: Installation) -> None:
    main_of(installation)
    assert installation.get("/readyz") == 200
    looked_at = 0
    for process in installation.processes():
        try:
            loaded = {mapped.path for mapped in process.memory_maps()}
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue  # ended since it was listed
        looked_at += 1
        assert not [path for path in loaded if "/torch/" in path], title_of(process)
    assert looked_at > 5

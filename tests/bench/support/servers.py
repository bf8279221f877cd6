"""Real servers and a real client for benches: processes of their own, on loopback."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
READY_WITHIN = 180.0  # seconds; a busy machine is no fault of the server's


@dataclass
class Server:
    name: str
    port: int
    process: subprocess.Popen[bytes]
    ready_after: float  # seconds from the start of the process to its first answer

    def memory(self) -> float:
        """Resident memory of the serving process in MB: the largest of the family."""
        parent = psutil.Process(self.process.pid)
        family = [parent, *parent.children(recursive=True)]
        return max(each.memory_info().rss for each in family) / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(
    name: str,
    command: Callable[[int], list[str]],
    *,
    ready: str,
    env: Mapping[str, str],
    within: float = READY_WITHIN,
) -> Iterator[Server]:
    """A server process, from its first answer at `ready` until the block ends."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        command(port), cwd=ROOT, env={**os.environ, **env}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until_ready(process, port, ready, within)
        yield Server(name, port, process, time.perf_counter() - started)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def working(cluster: str, env: Mapping[str, str]) -> Iterator[None]:
    """A worker as ./run starts it, gone with its children when the block ends.

    `cluster` is "training", or empty for the short jobs.
    """
    command = [sys.executable, "manage.py", "work", *([cluster] if cluster else [])]
    environment = {**os.environ, **env, "Q_CLUSTER_NAME": cluster}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(
    process: subprocess.Popen[bytes], port: int, path: str, within: float = READY_WITHIN
) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"A server of the bench ended with {process.returncode} before it answered.")
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            try:
                connection.request("GET", path)
                if connection.getresponse().status < 500:
                    return
            finally:
                connection.close()
        time.sleep(0.02)
    sys.exit(f"A server of the bench did not answer within {within:.0f} s.")


def last_line_of(command: list[str]) -> str:
    """What a story in a process of its own printed last.

    When this process is told to stop, that one is asked to stop too, and not killed: it stops the
    servers that it started.
    """
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        printed, _ = process.communicate()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return str(printed.splitlines()[-1])


def manage(env: Mapping[str, str], *arguments: str) -> str:
    """A management command in the bench's own installation; what it printed."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True, text=True
    )
    return done.stdout


def gunicorn(port: int, *options: str) -> list[str]:
    """The web server as ./run starts it."""
    return [
        sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py",
        "--bind", f"127.0.0.1:{port}", *options,
    ]  # fmt: skip


@dataclass
class Load:
    """What a closed loop of clients saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # seconds
    failures: int = 0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def closed_loop(
    send: Callable[[http.client.HTTPConnection, int], int],
    *,
    port: int,
    clients: int,
    seconds: float,
) -> Load:
    """`clients` connections, each sending its next request when the last is answered."""
    load = Load()
    lock = threading.Lock()
    began = time.perf_counter()

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        latencies, failures, at = [], 0, number * 7919
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            failures += send(connection, at) >= 400
            latencies.append(time.perf_counter() - sent)
            at += 1
        connection.close()
        with lock:
            load.latencies += latencies
            load.failures += failures

    threads = [threading.Thread(target=client, args=[number]) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - began
    return load

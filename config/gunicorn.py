"""Settings of the web server, under ./run and elsewhere: gunicorn --config config/gunicorn.py.

One process with four threads: ONNX Runtime and the databases release the GIL, and one process has
one copy of the network. There is no max_requests: the process does not grow (a test checks this),
and while a single process restarts, clients wait.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from gunicorn.glogging import Logger

from config import counts, env
from config.logs import JsonLines
from training.workers.die_with_parent import LIBC, die_with

wsgi_app = "config.wsgi:application"
proc_name = "inkloop"
bind = f"{env.text('HOST', '127.0.0.1')}:{env.whole('PORT', default=8000, least=1, most=65535)}"
# Seconds. A host that loses its network may hold a lock. Clients that retry would then block one
# thread after another; with this limit they get 503 and the thread is free.
os.environ.setdefault("LOCK_TIMEOUT", "3")
workers = env.whole("WEB_PROCESSES", default=1, least=1, most=64)
worker_class = "gthread"
threads = env.whole("WEB_THREADS", default=4, least=1, most=64)
timeout = 60  # seconds without a heartbeat of a worker process
graceful_timeout = 20  # seconds that requests have to finish when the server stops
keepalive = 5  # seconds
preload_app = False  # the application has threads, which do not survive a fork
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  (memory, not disk)
limit_request_line = 8190  # bytes, gunicorn's maximum; shorter lines get errors in the API's format
forwarded_allow_ips = ""  # only settings.py decides which proxies are trusted
control_socket_disable = True
loglevel = env.text("LOG_LEVEL", "info").lower()


class logger_class(Logger):  # noqa: N801  (gunicorn's name for it)
    """gunicorn's own log lines, without client addresses and URLs, which may contain secrets.

    `inkloop.access` logs requests. A `logconfig_dict` would turn on gunicorn's access log.
    """

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if env.choice("LOG_FORMAT", default="text", of=("text", "json")) == "json":
            for handler in self.error_log.handlers:
                handler.setFormatter(JsonLines())

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if str(msg).startswith("Invalid request from"):  # the message contains the request
            msg, args = "Invalid request: it was refused before the application saw it", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if str(msg).startswith("Error handling request"):
            msg, args = "Error handling request", ()
        super().exception(msg, *args, **kwargs)


# Optional imports of our packages, installed with the tests or torch; no request needs them.
UNUSED = ("jinja2", "markdown", "pydantic", "pygments", "requests")
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h


def on_starting(server: Any) -> None:
    """Make the folder for the metrics of all processes, in memory if possible."""
    counts.make_folder(worker_tmp_dir)


def on_exit(server: Any) -> None:
    counts.remove_folder()


def child_exit(server: Any, worker: Any) -> None:
    counts.forget_process(worker.pid)


def post_fork(server: Any, worker: Any) -> None:
    die_with(worker.ppid)
    give_memory_back()
    for package in UNUSED:
        sys.modules[package] = None  # type: ignore[assignment]  # as if it were not installed


def give_memory_back() -> None:
    """Let the process return the memory of large images to the system.

    By default glibc has an arena for each thread and keeps ever larger freed blocks in it. Here
    blocks over 1 MB are mapped and unmapped one by one, and smaller ones share two arenas
    (docs/decisions/2026-11-21-memory-of-web-processes.md).
    """
    if LIBC is not None and hasattr(LIBC, "mallopt"):
        LIBC.mallopt(M_MMAP_THRESHOLD, 1 << 20)
        LIBC.mallopt(M_ARENA_MAX, 2)


def post_worker_init(worker: Any) -> None:
    """Load the network and the pages before the first request asks for them."""
    from django.db import DatabaseError, connection
    from django.urls import get_resolver

    from predictions.serving.recognizer import NoModel, recognizer

    try:
        recognizer.serving()
    except (NoModel, DatabaseError) as missing:
        worker.log.error("nothing serves yet: %s", missing)
    finally:
        connection.close()  # this thread serves no requests
    get_resolver().url_patterns  # noqa: B018  (imports every page and endpoint)

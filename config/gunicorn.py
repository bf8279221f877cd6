"""How the web server runs, under ./run and anywhere else: gunicorn --config config/gunicorn.py.

One process of four threads: ONNX Runtime and the databases let go of the interpreter's lock, and
one process keeps one copy of the network. It is not recycled after so many requests: it does not
grow (a test holds it to that), and a lone process that ends leaves its callers waiting.
"""

from __future__ import annotations

import gc
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
# Seconds. Whoever sends again what a host that was cut off has locked would else hold one thread
# after another until none is left for anybody; 503 lets go of it.
os.environ.setdefault("LOCK_TIMEOUT", "3")
workers = env.whole("WEB_PROCESSES", default=1, least=1, most=64)
worker_class = "gthread"
threads = env.whole("WEB_THREADS", default=4, least=1, most=64)
timeout = 60  # seconds without a sign of life from a worker process
graceful_timeout = 20  # seconds requests have to end when told to stop
keepalive = 5  # seconds
preload_app = False  # what runs threads must not be forked
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  (memory, not disk)
limit_request_line = 8190  # bytes, the most it takes; up to there refusals have the API's own shape
forwarded_allow_ips = ""  # settings.py alone decides which proxy is believed
control_socket_disable = True
loglevel = env.text("LOG_LEVEL", "info").lower()


class logger_class(Logger):  # noqa: N801  (gunicorn's name for it)
    """gunicorn's own lines, without the addresses it names requests by: they may be secrets.

    Requests are told by `inkloop.access`. A `logconfig_dict` would turn on gunicorn's access log.
    """

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if env.choice("LOG_FORMAT", default="text", of=("text", "json")) == "json":
            for handler in self.error_log.handlers:
                handler.setFormatter(JsonLines())

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if str(msg).startswith("Invalid request from"):  # its text holds what was sent
            msg, args = "Invalid request: it was refused before the application saw it", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if str(msg).startswith("Error handling request"):
            msg, args = "Error handling request", ()
        super().exception(msg, *args, **kwargs)


# Our packages import these where the tests or torch have brought them, and no request needs them.
UNUSED = ("jinja2", "markdown", "pydantic", "pygments", "requests")
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h


def on_starting(server: Any) -> None:
    """Its processes count together, in files that lie in memory."""
    counts.make_folder(worker_tmp_dir)


def on_exit(server: Any) -> None:
    counts.remove_folder()


def child_exit(server: Any, worker: Any) -> None:
    counts.forget(worker.pid)


def post_fork(server: Any, worker: Any) -> None:
    die_with(worker.ppid)
    give_memory_back()
    for package in UNUSED:
        sys.modules[package] = None  # type: ignore[assignment]  # as if it were not installed
    gc.disable()  # until all is loaded, of which nothing is garbage


def give_memory_back() -> None:
    """Keep what a large picture took from staying with the process once it is read.

    glibc gives each thread an arena, and serves ever larger blocks from it once one was freed:
    after a few hundred pictures of 4 Mpx a worker had grown by 108 MB. Blocks over a megabyte now
    come from the system and go back to it; smaller ones share two arenas.
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
        connection.close()  # this thread answers no request
    get_resolver().url_patterns  # noqa: B018  (imports every page and endpoint)
    # What is loaded stays, and need not be looked through for garbage again and again: of the
    # 12.3 ms of CPU that handing out an item and taking its label cost, 10.0 are left.
    gc.collect()
    gc.freeze()
    gc.enable()

"""Many hosts with nothing in common but PostgreSQL: one is cut off, one after the other restarted.

Three web hosts and two worker hosts, each in a network namespace of its own, behind nginx with the
configuration that is shipped. Labelers work through it all; afterwards the database is held
against the log of what they were told, as in `./run bench history`. Needs root.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.history import Findings, Run, make_gold, sessions
from tests.bench.predict import BOUNDARY, drawings, multipart
from tests.bench.support import network
from tests.bench.support.labeler import Page
from tests.bench.support.network import Host, Switch
from tests.bench.support.report import finish, table
from tests.bench.support.seed import Amounts, Installation, fill, installation
from tests.bench.support.servers import ROOT, closed_loop, free_port

WEB_PORT = 8000
READY_WITHIN = 60.0  # seconds
PROMOTED_WITHIN = 2.0  # seconds until every host serves the new version
DRAINED_AFTER = 1.0  # seconds until the proxy's former processes have ended
PROXY_SAYS = "the proxy answered"
LOCKED_FOR = 18.0  # seconds: 11 until the server lets go of a host that is cut off, and a request
BACK_WITHIN = 15.0  # seconds until a host that was cut off answers again
SECRET = "bench-secret-that-all-hosts-share-0123456789-abcdefghijk"
NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_conn_zone $binary_remote_addr zone=connections:1m;
    limit_req_zone $binary_remote_addr zone=requests:1m rate=100000r/s;
    upstream inkloop {{
        least_conn;
        {servers}
        keepalive 32;
        keepalive_timeout 4s;
    }}
    server {{
        listen 127.0.0.1:{port};
        set $forwarded_for $remote_addr;
        set $forwarded_proto $scheme;
        include {root}/deploy/nginx/inkloop.inc;
    }}
}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True, help="a PostgreSQL server")
    parser.add_argument("--labelers", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the labelers' work")
    parser.add_argument("--cut-after", type=float, default=8.0, help="seconds")
    parser.add_argument("--cut-for", type=float, default=12.0, help="seconds")
    parser.add_argument("--round", type=float, default=6.0, help="seconds of load a host count")
    parser.add_argument("--predictions", type=int, default=20_000)
    options = parser.parse_args()
    if missing := refusal():
        sys.exit(f"This bench cannot run here: {missing}.")
    os.environ["SECRET_KEY"] = SECRET  # for sessions and jobs that are made in this process
    with installation(options.database_url) as installed:
        labeled = options.predictions // 4
        fill(Amounts(labeled, options.predictions - labeled, labeled))
        before = make_gold()
        run = Run(options, sessions(options.labelers))
        with cluster(installed) as hosts:
            figures = throughput(hosts, options.round)
            story = Story(hosts, options)
            Page.timeout = 6.0
            run.drive(hosts.proxy.port, story.happen)
        violations, counts = AroundACut(run, before, story.cut_at).all()
    return report(run, story, figures, violations, counts)


def refusal() -> str:
    """What keeps this bench from running here; empty when nothing does."""
    return network.refusal() or ("" if shutil.which("nginx") else "nginx is not installed")


# -- the hosts ---------------------------------------------------------------------------------


@dataclass
class Proxy:
    """nginx in front of some of the hosts."""

    folder: Path
    port: int = field(default_factory=free_port)

    def serve(self, hosts: Sequence[Host]) -> None:
        lines = (f"server {host.address}:{WEB_PORT} max_fails=1 fail_timeout=2s;" for host in hosts)
        is_running = (self.folder / "nginx.pid").exists()
        (self.folder / "nginx.conf").write_text(
            NGINX.format(folder=self.folder, root=ROOT, port=self.port, servers="\n".join(lines))
        )
        self.call("-s", "reload") if is_running else self.call()

    def call(self, *words: str) -> None:
        conf = str(self.folder / "nginx.conf")
        subprocess.run(["nginx", "-p", str(self.folder), "-c", conf, *words], check=True)

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.call("-s", "stop")


@dataclass
class Hosts:
    web: list[Host]
    workers: list[Host]
    proxy: Proxy


@contextlib.contextmanager
def cluster(installed: Installation) -> Iterator[Hosts]:
    folder = Path(installed.env["DATA_DIR"])
    with (
        Switch(folder).on() as switch,
        switch.database(installed.env["DATABASE_URL"]) as database_url,
    ):
        web = [switch.add_host(f"web{number}") for number in range(3)]
        workers = [switch.add_host(f"work{number}") for number in range(2)]
        env = {
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "ALLOWED_HOSTS": ",".join(["127.0.0.1", *(host.address for host in web)]),
            "PORT": str(WEB_PORT),
            "HTTPS": "false",
            "PROXY_COUNT": "1",
            "CAPTURES_PER_MINUTE": "0",
            "PREVIEWS_PER_MINUTE": "0",
            "LOG_LEVEL": "ERROR",
        }
        serve = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py"]
        for host in web:
            host.start(serve, {**env, "HOST": host.address})
        for host in workers:
            host.start([sys.executable, "manage.py", "work"], env)
        proxy = Proxy(folder)
        for host in web:
            wait_until(lambda host=host: is_ready(host), READY_WITHIN, f"{host.name} is ready")
        proxy.serve(web)
        try:
            yield Hosts(web, workers, proxy)
        finally:
            proxy.stop()


def wait_until(claim: Any, within: float, what: str) -> float:
    """Seconds until the claim is true."""
    began = time.monotonic()
    while not claim():
        if time.monotonic() - began > within:
            raise SystemExit(f"Not within {within:.0f} s: {what}.")
        time.sleep(0.05)
    return time.monotonic() - began


def ask(host: Host, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """One request to this host itself; status 0 where no answer comes."""
    connection = http.client.HTTPConnection(host.address, WEB_PORT, timeout=2)
    try:
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if body else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return 0, None
    finally:
        connection.close()


def is_ready(host: Host) -> bool:
    return ask(host, "GET", "/readyz")[0] == 200


# -- what is measured --------------------------------------------------------------------------


def throughput(hosts: Hosts, seconds: float) -> dict[str, Any]:
    """Stored predictions a second through one, two and three hosts, same clients, in turn."""
    bodies = [multipart(png) for png in drawings()]
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    def send(connection: http.client.HTTPConnection, at: int) -> int:
        connection.request("POST", "/api/v1/predictions/", bodies[at % len(bodies)], headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    rates = {}
    for count in (1, 2, 3):
        hosts.proxy.serve(hosts.web[:count])
        time.sleep(1)
        closed_loop(send, port=hosts.proxy.port, clients=12, seconds=1)
        load = closed_loop(send, port=hosts.proxy.port, clients=12, seconds=seconds)
        rates[f"{count} hosts"] = {"per_second": round(load.rate, 1), "failures": load.failures}
    return {"predictions": rates}


class Story:
    """One host of each kind is cut off and comes back; two versions are promoted meanwhile."""

    def __init__(self, hosts: Hosts, options: argparse.Namespace) -> None:
        from predictions.serving.registry import register
        from tests.factories import make_bundle

        self.hosts = hosts
        self.options = options
        self.drawing = multipart(drawings()[0])
        self.versions = [
            register(make_bundle(f"new{number}", favorite=number + 1, seed=number))
            for number in range(2)
        ]
        self.told: dict[str, float] = {}
        self.faults: list[str] = []
        self.cut_at = self.rolling_since = float("inf")

    def happen(self) -> None:
        try:
            self.tell()
        except (SystemExit, OSError, subprocess.CalledProcessError) as fault:
            self.faults.append(str(fault))

    def tell(self) -> None:
        web, workers = self.hosts.web, self.hosts.workers
        time.sleep(self.options.cut_after / 2)
        self.told["promotion on three hosts"] = self.promote(0, web)
        time.sleep(self.options.cut_after / 2)
        web[1].cut_off()
        workers[0].cut_off()
        self.cut_at = cut_at = time.monotonic()
        self.told["promotion on the two that are left"] = self.promote(1, [web[0], web[2]])
        self.told["a job on the worker that is left"] = self.job_passes()
        time.sleep(max(0.0, self.options.cut_for - (time.monotonic() - cut_at)))
        web[1].reconnect()
        workers[0].reconnect()
        back = wait_until(
            lambda: is_ready(web[1]), BACK_WITHIN, "the host that was cut off is back"
        )
        self.told["the host that was cut off answers again"] = back
        self.told["... with the version that is live"] = self.seen(1, [web[1]])
        self.told["a release rolled over three hosts"] = self.roll_a_release()

    def roll_a_release(self) -> float:
        """Expand, restart one host after the other, contract, while everybody works."""
        began = self.rolling_since = time.monotonic()
        self.change_tables("ADD COLUMN of_the_next_release integer NULL")
        for host in self.hosts.web:
            self.hosts.proxy.serve([other for other in self.hosts.web if other is not host])
            time.sleep(DRAINED_AFTER)
            host.restart()
            wait_until(lambda host=host: is_ready(host), READY_WITHIN, f"{host.name} is back")
        self.hosts.proxy.serve(self.hosts.web)
        self.change_tables("DROP COLUMN of_the_next_release")
        return time.monotonic() - began

    def change_tables(self, what: str) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            for table_name in ("predictions_prediction", "labeling_labelevent"):
                cursor.execute(f"ALTER TABLE {table_name} {what}")
        connection.close()

    def promote(self, number: int, hosts: Sequence[Host]) -> float:
        from django.db import connection

        from training.versions import promotion

        promotion.promote(self.versions[number], by=None, why="bench")
        connection.close()
        took = self.seen(number, hosts)
        if took > PROMOTED_WITHIN:
            self.faults.append(f"a promotion took {took:.1f} s to reach every host")
        return took

    def seen(self, number: int, hosts: Sequence[Host]) -> float:
        """Seconds until the last of these hosts answers with this version, asked side by side."""
        name = self.versions[number].name
        waits: list[float] = []

        def watch(host: Host) -> None:
            waits.append(wait_until(lambda: self.model_of(host) == name, 20, f"{name} serves"))

        threads = [threading.Thread(target=watch, args=[host]) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(waits) < len(hosts):
            raise SystemExit(f"{name} did not reach every host.")
        return max(waits)

    def model_of(self, host: Host) -> str:
        status, body = ask(host, "POST", "/api/v1/predictions/preview/", self.drawing)
        return str(body["model"]) if status == 200 else ""

    def job_passes(self) -> float:
        from django.db import connection
        from django_q.models import Success
        from django_q.tasks import async_task

        task = async_task("math.hypot", 3, 4)
        took = wait_until(lambda: Success.objects.filter(pk=task).exists(), 30, "a job passes")
        connection.close()
        return took


class AroundACut(Findings):
    """Whoever sends again what the host that was cut off has locked is asked to wait, by a 503."""

    def __init__(self, run: Run, before: int, cut_at: float) -> None:
        super().__init__(run, before)
        self.cut_at = cut_at

    def is_fault(self, each: dict[str, Any]) -> bool:
        is_locked = each["status"] == 503 and 0 <= each["t1"] - self.cut_at <= LOCKED_FOR
        return super().is_fault(each) and not is_locked


def report(
    run: Run,
    story: Story,
    figures: dict[str, Any],
    violations: dict[str, int],
    counts: dict[str, int],
) -> int:
    answered = sum(count for what, count in counts.items() if what == "label 200")
    failures = sum(each["failures"] for each in figures["predictions"].values())
    table([["what happened", "after s"], *((k, round(v, 2)) for k, v in story.told.items())])
    table([["violation", "count"], *violations.items()])
    unanswered = sum(
        PROXY_SAYS in each["answer"].get("why", "") and each["t1"] > story.rolling_since
        for each in run.log
    )
    if unanswered:
        story.faults.append(f"{unanswered} requests found no host while a release rolled")
    for fault in story.faults:
        print(f"FAILED: {fault}")
    finish(
        {
            "bench": "hosts", "labelers": len(run.people), "seconds": round(run.seconds, 1),
            "labels": answered, **figures, "after_s": story.told, "faults": story.faults,
            "violations": violations, "operations_by_answer": counts,
        }
    )  # fmt: skip
    done = len(story.told) == 6 and answered
    return 0 if done and not (any(violations.values()) or story.faults or failures) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What a web process is made of: the packages it imports, and its memory."""

from __future__ import annotations

import http.cookiejar
import importlib.util
import json
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.predict import BOUNDARY, multipart
from tests.bench.support.servers import Server, gunicorn, manage, serving
from tests.factories import canvas, png
from tests.migrated import prepare
from tests.operation.installation import database_url, plain_environment

# What a request needs, and what these import in their turn.
NEEDED = {
    # ours
    "config", "predictions", "labeling", "training", "dashboard",
    # the server
    "gunicorn", "packaging", "setproctitle", "psutil", "prometheus_client",
    # Django and what it is extended by
    "django", "asgiref", "sqlparse", "psycopg2", "axes", "csp", "unfold", "whitenoise", "brotli",
    "_brotli",
    # the API, and its description
    "rest_framework", "drf_spectacular", "drf_spectacular_sidecar", "uritemplate", "inflection",
    "yaml", "typing_extensions",
    # jobs are queued and shown
    "django_q", "picklefield", "croniter", "dateutil",
    # pictures and the network
    "numpy", "PIL", "zlib_ng", "onnxruntime", "safetensors",
}  # fmt: skip
# Python runs this first. It asks nothing of whoever imports, and takes no part in importing.
WATCH = """
import json, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if "." not in name:
            through, frame = [], sys._getframe(1)
            while frame is not None:
                module = frame.f_globals.get("__name__", "?")
                if not module.startswith("importlib") and module not in through[-1:]:
                    through.append(module)
                frame = frame.f_back
            with open(LOG, "a") as log:
                log.write(json.dumps([name, through[:6]]) + "\\n")

sys.meta_path.insert(0, Watch())
"""
PAGES = [
    "/", "/predictions/", "/label/", "/label/grid/", "/label/answers/", "/dashboard/",
    "/dashboard/compare/", "/training/", "/versions/", "/accounts/tokens/", "/admin/",
    "/admin/predictions/prediction/", "/metrics", "/api/", "/api/schema/", "/api/v1/versions/",
]  # fmt: skip
PROMISED_MB = 150

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web process")]  # they look at one


@dataclass(frozen=True, slots=True)
class Used:
    """A server after the first request for each of the usual pages."""

    statuses: dict[str, int]
    memory: float  # MB
    imported: dict[str, list[str]]  # package to the modules through which it came, nearest first


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    folder = tmp_path_factory.mktemp("web")
    watch, log = folder / "watch", folder / "imports"
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(WATCH.replace("LOG", repr(str(log))))
    with database_url() as url:
        env = plain_environment(folder, DEBUG="true", LOG_LEVEL="ERROR")
        env |= {"DATABASE_URL": url} if url else {}
        prepare(folder)
        manage(env, "migrate", "--verbosity", "0")
        manage(env, "install_base")
        roles = [f"--role={role}" for role in ("labeler", "reviewer", "trainer", "admin")]
        password = manage(env, "create_account", "ada", *roles).split()[-1]
        watched = env | {"PYTHONPATH": str(watch)}
        with serving("web", gunicorn, ready="/readyz", env=watched) as server:
            statuses = visit(server, password)
            yield Used(statuses, server.memory(), imports_in(log))


def visit(server: Server, password: str) -> dict[str, int]:
    """The status of every page, for somebody who has signed in and drawn."""
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    opener = urllib.request.build_opener(cookies)
    address = f"http://127.0.0.1:{server.port}"
    with opener.open(f"{address}/accounts/login/") as page:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token is not None
    fields = {"username": "ada", "password": password, "csrfmiddlewaretoken": token[1]}
    opener.open(f"{address}/accounts/login/", urllib.parse.urlencode(fields).encode()).close()
    drawn = urllib.request.Request(
        f"{address}/api/v1/predictions/",
        multipart(png(canvas([(80, 60), (200, 60), (120, 220)]))),
        {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )
    statuses = {}
    with urllib.request.urlopen(drawn) as answer:
        statuses["drawing"] = answer.status
    for path in PAGES:
        with opener.open(f"{address}{path}") as page:
            page.read()
            statuses[path] = page.status if page.url == f"{address}{path}" else 302
    return statuses


def imports_in(log: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in log.read_text().splitlines():
        name, through = json.loads(line)
        found.setdefault(name, through)
    return {
        name: through
        for name, through in found.items()
        if not is_standard(name) and is_installed(name)
    }


def is_standard(name: str) -> bool:
    return name in sys.stdlib_module_names or name.startswith("_sysconfigdata_")


def is_installed(name: str) -> bool:
    """Packages also look for what is not here."""
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # what Python itself names, __main__ for one
        return False


def test_it_imports_no_package_that_no_request_needs(used: Used) -> None:
    assert used.statuses == {"drawing": 201, **dict.fromkeys(PAGES, 200)}
    assert {"django", "onnxruntime"} <= used.imported.keys()
    unneeded = sorted(used.imported.keys() - NEEDED)
    assert not [f"{name} ← {' ← '.join(used.imported[name])}" for name in unneeded]


def test_after_the_first_requests_it_is_as_small_as_promised(used: Used) -> None:
    assert 0 < used.memory <= PROMISED_MB

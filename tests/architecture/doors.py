"""Every door of the platform and what it answers to whom, as a table.

`python -m tests.architecture.doors` asks every door again and writes the table; with a word behind
it only the doors that are new or have it in their route. What has changed is seen by `git diff`,
and is either meant or a hole.
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signing import get_cookie_signer
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TABLE = Path(__file__).with_name("doors.txt")
WRITE = "WRITE_DOORS"  # in the environment: the test writes the doors with this in their route
ROLES = ["labeler", "reviewer", "trainer", "analyst", "admin"]
PEOPLE = ["visitor", "cy", *ROLES]  # Cy has an account and no role
SCOPES = ["predict", "label", "train", "read"]
CALLERS = [*PEOPLE, *SCOPES]  # the programs' tokens belong to an admin
API = "api/v1/"
SAME = "="  # as a visitor
SILENT = {"admin/(?P<url>.*)$"}  # the admin's word for what it does not know
NOWHERE = "00000000-0000-4000-8000-000000000000"

HEADER = """\
# What every door answers to everybody: status codes, "login" where somebody is sent to log in.
# `whose` says whose object the address or the body names: one's own, another's, or none there is.
# The last four are tokens of an admin with one scope each; "=" where a token is nothing and its
# bearer a visitor. Written by `python -m tests.architecture.doors`; a route that is missing here
# fails the tests.
"""


@dataclass(frozen=True, order=True)
class Door:
    route: str
    method: str
    whose: str  # "-", "own", "other", "none" or "that" (nobody's)


@dataclass
class House:
    """Somebody of every role, and something of everybody's own behind every door."""

    users: dict[str, User]
    secrets: dict[str, str]  # of the tokens, by scope
    own: dict[str, dict[str, Any]]  # by caller; "olga" is the other one
    that: dict[str, Any] = field(default_factory=dict)  # what belongs to nobody

    def client(self, caller: str) -> Client:
        client = Client(raise_request_exception=False)
        if caller in self.secrets:
            return Client(
                raise_request_exception=False,
                headers={"authorization": f"Bearer {self.secrets[caller]}"},
            )
        if caller == "visitor":
            signer = get_cookie_signer(salt="visitor")
            client.cookies["visitor"] = signer.sign(str(self.own["visitor"]["visitor"]))
        else:
            client.force_login(self.users[caller])
        return client

    def things(self, caller: str, whose: str) -> dict[str, Any]:
        if whose == "none":
            return {"prediction": NOWHERE, "item": NOWHERE, "lease": NOWHERE, "batch": NOWHERE,
                    "run": NOWHERE, "version": "nothing", "token": "00000000",
                    "account": "nobody"}  # fmt: skip
        owner = "olga" if whose == "other" else "admin" if caller in SCOPES else caller
        return {**self.that, **self.own.get(owner, {})}


# -- routes --------------------------------------------------------------------------------------


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[str]:
    """Every address the platform answers at, as its patterns say it."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and route not in SILENT:
            yield route


# What an address's parameter is, by the beginning of its route and its name.
PARAMETERS: list[tuple[str, str, str]] = [
    ("api/v1/runs/", "public_id", "run"),
    ("training/runs/", "public_id", "run"),
    ("", "public_id", "prediction"),
    ("", "batch_id", "batch"),
    ("", "name", "version"),
    ("", "prefix", "token"),
    ("", "username", "account"),
]
PLAIN = {
    "uidb64": "MQ", "token": "set-password", "content_type_id": "999999", "app_label": "auth",
    "form": "json", "kind": "png", "report_id": "1", "doc": "tutorial",
}  # fmt: skip
OWNED = {"prediction", "batch", "token", "item", "lease", "account"}
ADMIN_OBJECT = re.compile(r"^admin/(\w+)/(\w+)/.*<(?:path:object_id|id)>")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")  # a parameter where a route is a regular expression
FIGURES = {  # what the dashboard's names are of, by the beginning of the route
    "^dashboard/months/": "2026-11",
    "^dashboard/data/": "accuracy-by-month",
    "^dashboard/r/": "accuracy-by-month",
    "api/v1/figures/": "accuracy-by-month",
}


def kinds_in(route: str) -> list[str]:
    """The things a route's address names."""
    return [
        next(kind for start, known, kind in PARAMETERS if known == name and route.startswith(start))
        for name in PARAMETER.findall(route)
        if any(known == name for _, known, _ in PARAMETERS)
        and not route.startswith(("admin/", "^dashboard/", "api/v1/figures/"))
    ]


def doors() -> list[Door]:
    found = []
    for route in sorted(set(routes())):
        for method in ("GET", "POST"):
            kinds = {*kinds_in(route), *BODY_THINGS.get((method, route), ())}
            if kinds & OWNED:
                whose = ["own", "other", "none"]
            else:
                whose = ["that", "none"] if kinds else ["-"]
            found += [Door(route, method, each) for each in whose]
    return found


def address(door: Door, things: dict[str, Any]) -> str:
    if made := ADMIN_OBJECT.match(door.route):
        return "/" + re.sub(r"<[^>]+>", admin_key(*made.groups()), door.route)
    route = re.sub(r"^(.*)\^\(\?P<app_label>.*$", r"\1auth/", door.route)
    route = GROUP.sub(r"<\1>", route).strip("^$").replace("\\.", ".")

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        for start, figure in FIGURES.items():
            if name == "name" and door.route.startswith(start):
                return figure
        for start, known, kind in PARAMETERS:
            if known == name and door.route.startswith(start) and name not in PLAIN:
                return str(things[kind])
        return PLAIN.get(name, "1")

    return "/" + PARAMETER.sub(value, route)


def admin_key(app: str, model: str) -> str:
    """The key of some row the admin could show."""
    first = apps.get_model(app, model)._default_manager.order_by("pk").first()
    return str(first.pk) if first else "1"


# -- bodies --------------------------------------------------------------------------------------


def image() -> SimpleUploadedFile:
    from tests.factories import png

    return SimpleUploadedFile("seven.png", png())


def line_of_pixels() -> SimpleUploadedFile:
    values = [255 if at in range(300, 308) else 0 for at in range(784)]
    return SimpleUploadedFile("x.csv", ",".join(map(str, [7, *values])).encode())


def answer_to(things: dict[str, Any]) -> dict[str, Any]:
    held = {"id": things["item"], "token": things["lease"]}
    return {**held, "digit": 7, "request_id": str(uuid.uuid4())}


Body = Callable[[dict[str, Any]], dict[str, Any]]
# What is sent where an empty body would not get far enough to tell who may what.
BODIES: dict[str, Body] = {
    "api/v1/predictions/preview/": lambda things: {"image": image()},
    "api/v1/predictions/": lambda things: {"image": image()},
    "api/v1/predictions/batch/": lambda things: {"images": [image()]},
    "api/v1/predictions/<uuid:public_id>/feedback/": lambda things: {"digit": 3},
    "api/v1/labels/": answer_to,
    "api/v1/labels/many/": lambda things: {"labels": [answer_to(things)]},
    "api/v1/labels/skip/": lambda things: {"id": things["item"], "token": things["lease"]},
    "api/v1/labels/keep/": lambda things: {"tokens": [things["lease"]]},
    "api/v1/labels/release/": lambda things: {"ids": [things["item"]]},
    "api/v1/labels/settle/": lambda things: {
        "id": things["item"], "digit": 7, "request_id": str(uuid.uuid4()),
    },
    "api/v1/labels/notes/": lambda things: {
        "id": things["item"], "token": things["lease"], "text": "Is it a seven?",
    },
    "label/guidelines/": lambda things: {"text": "A seven may have a bar."},
    "api/v1/labels/undo/": lambda things: {"request_id": str(uuid.uuid4())},
    "api/v1/labels/grid/": lambda things: {"digit": 7},
    "api/v1/labels/grid/confirm/": lambda things: {
        "digit": 7, "token": things["lease"], "ids": [things["item"]],
        "request_id": str(uuid.uuid4()),
    },
    "api/v1/labels/withdraw/": lambda things: {"labeler": "labeler"},
    "review/withdrawals/": lambda things: {"labeler": "labeler", "sure": "on"},
    "api/v1/labels/import/": lambda things: {"file": line_of_pixels()},
    "label/import/": lambda things: {"file": line_of_pixels()},
    "api/v1/labels/suspicious/": lambda things: {"limit": 1},
    "api/v1/versions/<str:name>/promote/": lambda things: {"why": "It reads better."},
    "api/v1/versions/rollback/": lambda things: {"why": "It does not."},
    **{
        f"api/v1/label-studio/{path}": lambda things: {
            "tasks": [], "label_config": "", "action": "ANNOTATION_CREATED",
        }
        for path in ("predict", "predict/", "webhook", "webhook/")
    },
    "": lambda things: {"image": image()},
    "predictions/<uuid:public_id>/": lambda things: {"said": "right"},
    "accounts/tokens/": lambda things: {"name": "new", "scopes": ["read"], "days": 1},
    "versions/<str:name>/promote/": lambda things: {"why": "It reads better."},
}  # fmt: skip
BODY_THINGS = {  # whose item a body names
    ("POST", f"{API}labels/{act}"): ("item",)
    for act in ("", "many/", "skip/", "notes/", "keep/", "release/", "settle/", "grid/confirm/")
}


def ask_all(house: House, door: Door, clients: dict[str, Client]) -> list[str]:
    takes_tokens = door.route.startswith(API)
    return [
        SAME if caller in SCOPES and not takes_tokens else ask(house, door, caller, clients[caller])
        for caller in CALLERS
    ]


def ask(house: House, door: Door, caller: str, client: Client) -> str:
    """What the door answers, after which everything is as it was."""
    things = house.things(caller, door.whose)
    body = BODIES.get(door.route, lambda things: {})(things) if door.method == "POST" else {}
    cookies = client.cookies.copy()
    with transaction.atomic():
        answer = send(client, door.method, address(door, things), body)
        transaction.set_rollback(True)
    client.cookies = cookies  # also after a logout
    location = answer.headers.get("Location", "")
    if location.startswith(("/accounts/login/", "/admin/login/")):
        return "login"
    return str(answer.status_code)


def send(client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    if method == "GET":
        return client.get(path)
    has_files = any(
        isinstance(each, SimpleUploadedFile)
        for value in body.values()
        for each in (value if isinstance(value, list) else [value])
    )
    if path.startswith("/api/") and not has_files:
        return client.post(path, json.dumps(body), content_type="application/json")
    return client.post(path, body)


# -- the table -----------------------------------------------------------------------------------

Found = dict[Door, list[str]]


def written(found: Found) -> str:
    rows = [["method", "whose", *CALLERS, "route"]]
    rows += [[d.method, d.whose, *found[d], "/" + d.route] for d in sorted(found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    return HEADER + "\n".join(lines) + "\n"


def read() -> Found:
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    found: Found = {}
    for line in lines[1:]:
        method, whose, *cells = line.split(maxsplit=2 + len(CALLERS))
        *statuses, route = cells
        found[Door(route.removeprefix("/"), method, whose)] = statuses
    return found


if __name__ == "__main__":
    test = ["tests/architecture/test_door_table.py", "-q", "-k", "answers_as_the_table_says"]
    command = [sys.executable, "-m", "pytest", *test]
    os.execve(sys.executable, command, {**os.environ, WRITE: "".join(sys.argv[1:2]) or "/"})

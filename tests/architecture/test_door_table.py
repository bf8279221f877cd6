"""Who gets what at every door: asked of each, and held against the table that was reviewed."""

from __future__ import annotations

import os
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from labeling.batches import grid
from labeling.batches.erasure import erase
from labeling.models import QueueItem
from labeling.queue import queue
from predictions.access.tokens import make_token
from predictions.models import Prediction, Token
from tests.architecture import doors
from tests.architecture.doors import API, CALLERS, PEOPLE, ROLES, SAME, SCOPES, Door, House
from tests.factories import make_live, make_prediction, make_user, make_version, some_glyph
from tests.labeling.door import make_item
from tests.training.lessons import labeled
from training.models import Run
from training.runs import retrain

pytestmark = [
    pytest.mark.django_db, pytest.mark.slow, pytest.mark.xdist_group("doors"),
    pytest.mark.same_on_any_database,  # who may do what; that all doors open: test_headers.py
]  # fmt: skip


@pytest.fixture
def house(settings: Any) -> House:
    settings.TRUST_FEEDBACK = False
    make_live("live")
    for at in range(2):
        labeled(3, glyph=some_glyph(at))
    users = {"cy": make_user("cy"), "olga": make_user("olga", role="admin", is_staff=True)}
    users |= {role: make_user(role, role=role, is_staff=role == "admin") for role in ROLES}
    tokens = {scope: make_token(users["admin"], name=scope, scopes=[scope])[1] for scope in SCOPES}
    own = {name: things_of(user) for name, user in users.items()}
    visitor = uuid.uuid4()
    drawn = make_prediction(visitor=visitor)
    # Leases that last, however slow the machine.
    QueueItem.objects.filter(holder__isnull=False).update(
        leased_until=timezone.now() + timedelta(days=1)
    )
    own["visitor"] = {**own["cy"], "visitor": visitor, "prediction": drawn.public_id}
    return House(users, tokens, own, {"run": a_run(), "version": make_version("new").name})


def things_of(user: User) -> dict[str, Any]:
    """A drawing, a token, a batch and a held item of one person's own."""
    for _ in range(2):
        make_item(digit=7, user=user)
    shown = grid.claim_grid(user, digit=7, count=1)
    batch = grid.confirm_grid(
        user, digit=7, token=shown[0].token, request_id=uuid.uuid4(),
        shown=[each.public_id for each in shown],
    ).batch  # fmt: skip
    make_item(digit=7)
    (held,) = queue.claim(user, count=1)
    return {
        "prediction": make_prediction(user=user).public_id,
        "item": str(held.public_id),
        "lease": str(held.token),
        "batch": batch.pk,
        "token": make_token(user, name="own", scopes=["read"])[0].prefix,
        "account": user.get_username(),
    }


def a_run() -> uuid.UUID:
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    Run.objects.filter(pk=run.pk).update(asked_at=timezone.now())
    return run.public_id


def test_every_route_stands_in_the_table():
    known = {door.route for door in doors.read()}
    there = set(doors.routes())
    assert not there - known, "run `python -m tests.architecture.doors` and review what it adds"
    assert not known - there, "these are gone; run `python -m tests.architecture.doors`"


def test_every_door_answers_as_the_table_says(house: House):
    clients = {caller: house.client(caller) for caller in CALLERS}
    table = doors.read()
    wanted = os.environ.get(doors.WRITE, "")
    chosen = [door for door in doors.doors() if wanted in f"/{door.route}" or door not in table]
    found = {door: doors.ask_all(house, door, clients) for door in chosen}
    if wanted:
        table = {door: table.get(door, []) for door in doors.doors()} | found
        doors.TABLE.write_text(doors.written(table))
    assert "500" not in {cell for cells in found.values() for cell in cells}
    differences = {
        (door, caller, told, said)
        for door, cells in found.items()
        for caller, told, said in zip(CALLERS, cells, table.get(door, cells), strict=True)
        if told != said
    }
    assert not differences
    assert set(doors.doors()) == set(table)


def test_every_door_opens_after_every_drawing_was_erased(house: House):
    erase(Prediction.objects.pictured())
    cache.clear()  # what a run would learn is kept for minutes
    client = house.client("admin")
    pages = [door for door in doors.doors() if door.method == "GET"]
    assert [door for door in pages if doors.ask(house, door, "admin", client) == "500"] == []


def test_outside_the_api_a_token_is_nothing(house: House):
    """All scopes together, on every page a visitor may not see."""
    secret = make_token(house.users["admin"], name="all", scopes=SCOPES)[1]
    program = House(house.users, {"visitor": secret}, house.own, house.that)
    client, visitor = program.client("visitor"), CALLERS.index("visitor")
    opened = {
        door
        for door, cells in doors.read().items()
        if door.method == "GET" and SAME in cells and cells[visitor] == "login"
        and doors.ask(program, door, "visitor", client) != "login"
    }  # fmt: skip
    assert not opened


LET_IN = {"200", "201", "204", "302", "400", "409", "422"}


def test_no_token_opens_what_its_owners_login_does_not(house: House):
    """Scope and role, never one of them: every role's tokens against the same role's session."""
    secrets = {
        (role, scope): make_token(house.users[role], name=f"t {scope}", scopes=[scope])[1]
        for role in ("cy", *ROLES)
        for scope in SCOPES
    }
    endpoints = [door for door in doors.doors() if door.route.startswith(API)]
    beyond = set()
    for role in ("cy", *ROLES):
        session = house.client(role)
        allowed = {door for door in endpoints if doors.ask(house, door, role, session) in LET_IN}
        for scope in SCOPES:
            program = House(house.users, {role: secrets[role, scope]}, house.own, house.that)
            client = program.client(role)
            beyond |= {
                (role, scope, door)
                for door in endpoints
                if door not in allowed and doors.ask(program, door, role, client) in LET_IN
            }
    assert not beyond


def test_a_visitor_changes_nothing_but_drawings_feedback_and_their_own_login():
    """A reading of the table itself, so that a careless review of it is noticed."""
    at = CALLERS.index("visitor")
    opened = {
        door.route
        for door, cells in doors.read().items()
        if door.method == "POST" and cells[at] in {"200", "201", "204"}
    }
    assert opened == {
        "api/v1/predictions/",
        "api/v1/predictions/batch/",
        "api/v1/predictions/preview/",
        "api/v1/predictions/<uuid:public_id>/feedback/",
        "accounts/login/",
        "accounts/reset/",
        "accounts/reset/<uidb64>/<token>/",
    }


def test_the_table_names_everybody():
    assert len(PEOPLE) == 7
    assert all(len(cells) == len(CALLERS) for cells in doors.read().values())
    assert Door("label/", "GET", "-") in doors.read()
    assert Token.objects.count() == 0

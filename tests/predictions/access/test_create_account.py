"""An account from the command line."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

pytestmark = pytest.mark.django_db


def made(*arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command("create_account", *arguments, "--json", stdout=out, stderr=StringIO())
    answer: dict[str, object] = json.loads(out.getvalue())
    return answer


def signed_in(name: str, password: object) -> Client:
    client = Client()
    form = {"username": name, "password": password}
    assert client.post("/accounts/login/", form).status_code == 302
    return client


def test_a_labeler_signs_in_with_the_password_that_is_shown():
    told = made("ada", "--role", "labeler")
    client = signed_in("ada", told["password"])
    assert client.get("/label/").status_code == 200
    assert client.get("/training/").status_code == 403
    assert client.get("/admin/").status_code != 200


def test_an_admin_may_open_the_admin():
    told = made("ben", "--role", "admin", "--role", "labeler")
    client = signed_in("ben", told["password"])
    assert client.get("/admin/").status_code == 200
    assert told["roles"] == ["admin", "labeler"]


@pytest.mark.parametrize("name", ["ada", "no spaces allowed", ""])
def test_a_name_that_is_taken_or_none_is_refused_and_nothing_is_made(name: str):
    made("ada")
    with pytest.raises(CommandError):
        made(name)
    assert User.objects.get().username == "ada"

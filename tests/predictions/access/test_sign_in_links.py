"""The link that ./run prints: it signs in once, and only at this machine."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from predictions.access.sign_in_links import path_for_first_admin

pytestmark = pytest.mark.django_db
ENDED = b"This link has ended"


@pytest.fixture
def admin() -> User:
    return User.objects.create_superuser("ada", password="made-up-by-nobody")


def link() -> str:
    path = path_for_first_admin()
    assert path is not None
    return path


def test_one_click_signs_in_and_leads_to_the_pages(admin: User) -> None:
    client = Client()
    answer = client.get(link(), follow=True)
    assert answer.redirect_chain == [("/", 302)]
    for page in ("/", "/label/", "/training/", "/dashboard/technical/"):
        assert client.get(page).status_code == 200, page


def test_it_works_once(admin: User) -> None:
    path = link()
    Client().get(path)
    again = Client()
    answer = again.get(path)
    assert answer.status_code == 404
    assert ENDED in answer.content
    assert "_auth_user_id" not in again.session


def test_a_login_by_password_ends_it(admin: User) -> None:
    path = link()
    Client().force_login(admin)
    User.objects.filter(pk=admin.pk).update(last_login=timezone.now() + timedelta(seconds=2))
    assert Client().get(path).status_code == 404


@pytest.mark.parametrize("address", ["192.168.0.7", "10.0.0.1", "2001:db8::1", "", "nonsense"])
def test_another_machine_is_refused_and_the_link_stays(admin: User, address: str) -> None:
    path = link()
    assert Client(REMOTE_ADDR=address).get(path).status_code == 404
    assert Client(REMOTE_ADDR="::1").get(path).status_code == 302


def test_a_public_installation_has_none(admin: User, settings: Any) -> None:
    path = link()
    settings.PUBLIC = True
    assert path_for_first_admin() is None
    assert Client().get(path).status_code == 404


def test_an_altered_link_and_one_of_somebody_else_are_refused(admin: User) -> None:
    path = link()
    other = User.objects.create_user("bob")
    assert Client().get(path[:-2] + "x/").status_code == 404
    *start, _, token, _ = path.split("/")
    for account in ("MQ", "Mg", "AAAA", "%00", "x" * 300):
        if account != path.split("/")[-3]:
            assert Client().get("/".join([*start, account, token, ""])).status_code == 404
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert Client().get(path).status_code == 404
    assert not other.is_superuser


def test_setup_prints_a_new_one_each_time_with_the_port(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "8123")
    said = StringIO()
    call_command("setup", no_static=True, stdout=said)
    (address,) = [word for word in said.getvalue().split() if word.startswith("http")]
    assert address.startswith("http://127.0.0.1:8123/accounts/enter/")
    assert Client().get(address.removeprefix("http://127.0.0.1:8123")).status_code == 302

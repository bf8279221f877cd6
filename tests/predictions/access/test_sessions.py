"""Logins: where they lead, how long they last, what ends them, and which passwords they take."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Group
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.signing import get_cookie_signer
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tests.factories import make_ada, make_ben, make_prediction

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
LOGIN, CHANGE = "/accounts/login/", "/accounts/password/"


def log_in(client: Client, password: str = PASSWORD, **query: str) -> Any:
    return client.post(LOGIN, {"username": "ada", "password": password, **query})


def is_in(client: Client) -> bool:
    return client.get(CHANGE).status_code == 200


class TestWhereALoginLeads:
    @pytest.mark.parametrize(
        "address",
        ["https://elsewhere.example.com/", "//elsewhere.example.com", "/\\elsewhere.example.com",
         "javascript:alert(1)", "https:elsewhere.example.com"],
    )  # fmt: skip
    def test_never_to_another_host(self, client: Client, address: str):
        make_ada()
        assert log_in(client, next=address)["Location"] == "/label/"  # Ada's own, as a labeler

    @pytest.mark.parametrize(
        ("roles", "home"),
        [([], "/"), (["labeler"], "/label/"), (["labeler", "reviewer"], "/review/"),
         (["reviewer"], "/review/"), (["trainer"], "/training/"),
         (["labeler", "trainer"], "/training/"),
         (["analyst"], "/dashboard/technical/"), (["admin"], "/")],
    )  # fmt: skip
    def test_to_the_page_of_the_role(self, client: Client, roles: list[str], home: str):
        ada = make_ada()
        ada.groups.set(Group.objects.filter(name__in=roles))
        answer = log_in(client)
        assert answer["Location"] == home
        assert client.get(home).status_code == 200

    def test_to_the_page_that_was_asked_for(self, client: Client):
        make_ada()
        assert log_in(client, next="/label/")["Location"] == "/label/"


class TestASession:
    def test_every_login_has_a_key_nobody_knew_before_or_guesses(self, client: Client):
        make_ada()
        planted = SessionStore()
        planted["left by"] = "somebody else"
        planted.create()
        client.cookies[configured.SESSION_COOKIE_NAME] = planted.session_key
        log_in(client)
        first = client.session.session_key
        client.post(reverse("logout"))
        log_in(client)
        keys = {planted.session_key, first, client.session.session_key}
        assert len(keys) == 3
        assert all(re.fullmatch("[a-z0-9]{32}", key or "") for key in keys)
        assert Session.objects.get().session_key == client.session.session_key

    def test_it_is_looked_up_on_the_server(self, client: Client):
        make_ada()
        log_in(client)
        assert is_in(client)
        Session.objects.all().delete()
        assert not is_in(client)

    def test_it_ends_two_weeks_after_the_login_however_often_it_is_used(self, client: Client):
        make_ada()
        cookie = log_in(client).cookies[configured.SESSION_COOKIE_NAME]
        assert int(cookie["max-age"]) == 14 * 24 * 3600
        begun = Session.objects.get()
        assert abs(begun.expire_date - timezone.now() - timedelta(days=14)) < timedelta(minutes=1)
        assert is_in(client)
        assert Session.objects.get().expire_date == begun.expire_date
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
        assert not is_in(client)

    def test_a_new_password_ends_all_others_and_not_the_one_that_set_it(self, client: Client):
        make_ada()
        other = Client()
        log_in(client), log_in(other)
        fresh = {"new_password1": "seven-inky-loops", "new_password2": "seven-inky-loops"}
        assert client.post(CHANGE, {"old_password": PASSWORD, **fresh}).status_code == 302
        assert is_in(client)
        assert not is_in(other)

    def test_an_admin_ends_those_of_one_account(self, client: Client):
        ada, other = make_ada(), Client()
        log_in(other)
        client.force_login(make_ben())
        path = f"/admin/auth/user/{ada.pk}/password/"
        fresh = {"password1": "seven-inky-loops", "password2": "seven-inky-loops"}
        assert client.post(path, {**fresh, "usable_password": "true"}).status_code == 302
        assert not is_in(other)

    @pytest.mark.parametrize("page", ["/", "/predictions/", "/dashboard/", CHANGE])
    def test_the_way_out_is_on_every_page(self, client: Client, page: str):
        client.force_login(make_ada())
        assert f'action="{reverse("logout")}"' in client.get(page).content.decode()


class TestPasswords:
    def change(self, client: Client, password: str) -> str:
        client.force_login(make_ada())
        sent = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
        return client.post(CHANGE, sent, follow=True).content.decode()

    @pytest.mark.parametrize(
        ("password", "why"),
        [("inkyl00", "at least 8"), ("password1234", "too common"), ("iloveyou", "too common"),
         ("ada@example.org", "too similar")],
    )  # fmt: skip
    def test_short_and_common_ones_are_refused(self, client: Client, password: str, why: str):
        assert why in self.change(client, password)
        assert log_in(Client()).status_code == 302  # the old one is good still

    @pytest.mark.parametrize(
        "password",
        ["inkyloop", "  seven inky loops  ", "Siebenmal tintig: öäü 七", "x%Y7" * 40],
        ids=["of 8", "with spaces", "with any letters", "of 160"],
    )
    def test_others_are_taken_as_they_were_typed(self, client: Client, password: str):
        assert "Password changed" in self.change(client, password)
        for near in (password[:-1], password.strip() + " ", password.swapcase()):
            if near != password:
                assert log_in(Client(), near).status_code == 200
        assert log_in(Client(), password).status_code == 302

    def test_the_fields_hide_what_is_typed_and_let_managers_fill_them(self, client: Client):
        login = client.get(LOGIN).content.decode()
        (field,) = re.findall(r'<input[^>]*name="password"[^>]*>', login)
        assert 'type="password"' in field
        assert 'autocomplete="current-password"' in field
        client.force_login(make_ada())
        fields = re.findall(
            r'<input[^>]*name="new_password\d"[^>]*>', client.get(CHANGE).content.decode()
        )
        assert len(fields) == 2
        assert all('type="password"' in each and "new-password" in each for each in fields)
        assert not any("maxlength" in each or "onpaste" in each for each in [field, *fields])


class TestWhatIsSigned:
    def test_a_link_for_a_new_password_works_for_an_hour(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ):
        ada = make_ada()
        token = default_token_generator.make_token(ada)
        name = urlsafe_base64_encode(force_bytes(ada.pk))
        path = reverse("password_reset_confirm", args=[name, token])
        assert "new_password1" in client.get(path, follow=True).content.decode()
        later = default_token_generator._now() + timedelta(seconds=3601)
        monkeypatch.setattr(type(default_token_generator), "_now", lambda self: later)
        assert "new_password1" not in Client().get(path, follow=True).content.decode()

    @pytest.mark.parametrize(
        ("changed", "owns"),
        [({}, True), ({"salt": "sessions"}, False), ({"algorithm": "sha1"}, False),
         ({"key": "the secret of somebody else"}, False)],
    )  # fmt: skip
    def test_a_visitors_cookie_is_signed_for_one_purpose_by_one_key_and_algorithm(
        self, client: Client, changed: dict[str, str], owns: bool
    ):
        visitor = uuid.uuid4()
        made = make_prediction(visitor=visitor)
        signer = get_cookie_signer(salt=configured.VISITOR_COOKIE_NAME)
        for name, value in changed.items():
            setattr(signer, name, value)
        client.cookies[configured.VISITOR_COOKIE_NAME] = signer.sign(str(visitor))
        assert (str(made.public_id) in client.get("/predictions/").content.decode()) is owns

"""Tokens: shown once, kept as a digest, never more than scope and role together allow."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from labeling.models import LabelEvent
from predictions.access import tokens
from predictions.access.tokens import TokenRefused, make_token
from predictions.models import Feedback, ModelVersion, Prediction, Token
from tests.factories import make_ada, make_ben, make_cy, make_user
from tests.labeling.door import make_item
from tests.predictions.api.test_api import PREDICTIONS, post_file, post_json

pytestmark = pytest.mark.django_db
PAGE = "/accounts/tokens/"
LABELS = "/api/v1/labels/"


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    tokens.forget_noted()


def bearer(secret: str) -> Client:
    return Client(headers={"authorization": f"Bearer {secret}"})


def program(owner: User, *scopes: str) -> Client:
    return bearer(make_token(owner, name=" ".join(scopes), scopes=scopes)[1])


def post(client: Client, path: str, body: Any = None) -> Any:
    return post_json(client, path, body or {})


class TestMaking:
    def form(self, client: Client, **fields: Any) -> Any:
        return client.post(PAGE, {"name": "robot", "scopes": ["read"], "days": 7, **fields})

    def test_the_secret_is_shown_once_and_kept_nowhere(self, client: Client):
        client.force_login(make_ada())
        answer = self.form(client)
        assert "no-store" in answer["Cache-Control"]
        (secret,) = re.findall(r"ink_[0-9a-f]{8}_[\w-]{43}", answer.content.decode())
        assert secret not in client.get(PAGE).content.decode()
        stored = Token.objects.values().get()
        assert stored["digest"] == tokens.secret_digest(secret)
        assert not any(secret[12:] in str(value) for value in stored.values())
        assert not any(secret[12:] in str(value) for value in client.session.values())
        assert bearer(secret).get(PREDICTIONS).status_code == 200

    def test_a_name_is_kept_as_it_was_typed_and_shown_as_text(self, client: Client):
        client.force_login(make_ada())
        name = """<img src=x onerror="alert(1)"> '&amp;"""
        assert self.form(client, name=name).status_code == 200
        assert Token.objects.get().name == name
        page = client.get(PAGE).content.decode()
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &#x27;&amp;amp;" in page

    def test_a_second_press_makes_no_second_token(self, client: Client):
        client.force_login(make_ada())
        assert self.form(client).status_code == 200
        assert self.form(client).status_code == 409
        assert Token.objects.count() == 1

    @pytest.mark.parametrize(
        "fields",
        [{"name": ""}, {"name": "x" * 61}, {"scopes": []}, {"scopes": ["all"]},
         {"scopes": ["read", "all"]}, {"days": 0}, {"days": 31}, {"days": "x"}],
    )  # fmt: skip
    def test_what_makes_no_sense_is_refused(self, client: Client, fields: Any):
        client.force_login(make_ada())
        assert self.form(client, **fields).status_code == 422
        assert not Token.objects.exists()

    def test_one_unknown_scope_among_known_ones_makes_no_token(self):
        with pytest.raises(TokenRefused, match="Choose among the scopes"):
            make_token(make_ada(), name="robot", scopes=["read", "all"])
        assert not Token.objects.exists()

    def test_a_name_is_free_again_once_its_token_is_over(self, client: Client):
        ada = make_ada()
        make_token(ada, name="robot", scopes=["read"])
        Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        make_token(ada, name="robot", scopes=["read"])
        assert Token.objects.live().count() == 1

    def test_a_visitor_is_sent_to_the_login(self, client: Client):
        assert client.get(PAGE).status_code == 302
        assert self.form(client).status_code == 302
        assert not Token.objects.exists()

    def test_a_token_makes_no_tokens(self):
        client = program(make_ben(), *tokens.settings.TOKEN_SCOPES)
        assert client.get(PAGE).status_code == 302
        assert self.form(client).status_code == 302
        assert client.get("/admin/").status_code == 302

    def test_the_command_prints_it_and_nothing_else_to_its_output(self):
        make_ada()
        out, err = StringIO(), StringIO()
        call_command(
            "create_token", "ada", "--name=robot", "--scope=read", "--scope=label",
            stdout=out, stderr=err,
        )  # fmt: skip
        secret = out.getvalue().strip()
        assert bearer(secret).get(LABELS + "progress/").status_code == 200
        assert secret not in err.getvalue()
        out = StringIO()
        call_command("create_token", "ada", "--name=b", "--scope=read", "--json", stdout=out)
        assert set(json.loads(out.getvalue())) == {"token", "prefix", "expires_at"}

    @pytest.mark.parametrize(
        ("account", "options"),
        [("nobody", []), ("ada", ["--days=31"]), ("ada", ["--days=0"]), ("ada", ["--name= "]),
         ("ada", ["--scope=all"])],
    )  # fmt: skip
    def test_the_command_declines_with_a_reason(self, account: str, options: list[str]):
        make_ada()
        with pytest.raises(CommandError):
            call_command("create_token", account, "--name=x", "--scope=read", *options)
        assert not Token.objects.exists()

    def test_the_command_makes_none_for_an_account_that_was_switched_off(self):
        ada = make_ada()
        ada.is_active = False
        ada.save()
        with pytest.raises(CommandError, match="not active"):
            call_command("create_token", "ada", "--name=x", "--scope=read")
        assert not Token.objects.exists()

    def test_an_account_has_fifty_live_tokens_at_most(self):
        ada = make_ada()
        made = [make_token(ada, name=f"robot {number}", scopes=["read"])[0] for number in range(50)]
        with pytest.raises(TokenRefused, match="has 50 tokens already"):
            make_token(ada, name="one more", scopes=["read"])
        tokens.revoke(made[:1])
        assert make_token(ada, name="one more", scopes=["read"])


class TestEnding:
    def test_a_revoked_token_is_dead_at_once(self, client: Client):
        ada = make_ada()
        token, secret = make_token(ada, name="robot", scopes=["read"])
        client.force_login(ada)
        assert bearer(secret).get(PREDICTIONS).status_code == 200
        client.post(f"{PAGE}{token.prefix}/revoke/")
        answer = bearer(secret).get(PREDICTIONS)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "not_signed_in"
        assert answer["WWW-Authenticate"].startswith("Bearer")

    def test_nobody_revokes_anothers(self, client: Client):
        token, secret = make_token(make_ada(), name="robot", scopes=["read"])
        client.force_login(make_cy())
        assert client.post(f"{PAGE}{token.prefix}/revoke/").status_code == 404
        assert bearer(secret).get(PREDICTIONS).status_code == 200

    def test_an_expired_one_is_dead(self):
        _, secret = make_token(make_ada(), name="robot", scopes=["read"])
        Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert bearer(secret).get(PREDICTIONS).status_code == 401

    def test_one_of_an_inactive_account_is_dead(self):
        ada = make_ada()
        client = program(ada, "read")
        ada.is_active = False
        ada.save()
        assert client.get(PREDICTIONS).status_code == 401

    def test_a_role_that_is_taken_away_is_gone_from_the_token(self):
        ada = make_ada()
        client = program(ada, "label")
        assert client.get(LABELS + "progress/").status_code == 200
        ada.groups.clear()
        assert client.get(LABELS + "progress/").status_code == 403

    def test_a_new_password_ends_every_token(self, client: Client):
        ada = make_ada()
        program_of_ada = program(ada, "read")
        client.force_login(ada)
        new = "another-horse-battery"
        form = {"old_password": "correct-horse-battery", "new_password1": new}
        assert client.post("/accounts/password/", {**form, "new_password2": "x"}).status_code == 200
        assert program_of_ada.get(PREDICTIONS).status_code == 200
        assert client.post("/accounts/password/", {**form, "new_password2": new}).status_code == 302
        assert program_of_ada.get(PREDICTIONS).status_code == 401

    def test_a_password_an_admin_sets_ends_every_token(self, client: Client):
        ada = make_ada()
        program_of_ada = program(ada, "read")
        client.force_login(make_ben())
        form = {"password1": "another-horse-battery", "usable_password": "true"}
        address = f"/admin/auth/user/{ada.pk}/password/"
        assert client.post(address, {**form, "password2": "x"}).status_code == 200
        assert program_of_ada.get(PREDICTIONS).status_code == 200
        done = client.post(address, {**form, "password2": form["password1"]})
        assert done.status_code == 302
        assert program_of_ada.get(PREDICTIONS).status_code == 401

    def test_a_password_set_by_the_command_ends_every_token(self, monkeypatch: Any):
        ada, cy = make_ada(), make_cy()
        program_of_ada, program_of_cy = program(ada, "read"), program(cy, "read")
        monkeypatch.setattr("getpass.getpass", lambda prompt: "")
        with pytest.raises(CommandError):
            call_command("changepassword", "ada", stdout=StringIO())
        assert program_of_ada.get(PREDICTIONS).status_code == 200
        monkeypatch.setattr("getpass.getpass", lambda prompt: "another-horse-battery")
        out = StringIO()
        call_command("changepassword", "ada", stdout=out)
        assert "1 of its tokens ended" in out.getvalue()
        assert program_of_ada.get(PREDICTIONS).status_code == 401
        assert program_of_cy.get(PREDICTIONS).status_code == 200

    def test_an_admin_ends_anothers_and_makes_none(self, client: Client):
        token, secret = make_token(make_ada(), name="robot", scopes=["read"])
        client.force_login(make_ben())
        assert client.get("/admin/predictions/token/add/").status_code == 403
        page = client.get("/admin/predictions/token/").content.decode()
        assert f"ink_{token.prefix}…" in page
        assert token.digest not in page
        form = {"action": "revoke_selected", "_selected_action": [token.pk]}
        client.post("/admin/predictions/token/", form)
        assert bearer(secret).get(PREDICTIONS).status_code == 401

    def test_the_command_ends_one_or_all_of_an_account(self):
        ada = make_ada()
        clients = [program(ada, scope) for scope in ("read", "label", "train")]
        call_command("revoke_token", Token.objects.get(scopes="read").prefix)
        assert [each.get(PREDICTIONS).status_code for each in clients] == [401, 403, 403]
        call_command("revoke_token", account="ada")
        assert [each.get(PREDICTIONS).status_code for each in clients] == [401, 401, 401]
        with pytest.raises(CommandError):
            call_command("revoke_token", "00000000")

    @pytest.mark.parametrize("sent", ["", "x", "ink_00000000_" + "x" * 43, "é", "a b"])
    def test_what_is_no_token_is_refused_where_a_visitor_would_not_be(self, sent: str):
        client = Client(headers={"authorization": f"Bearer {sent}"})
        assert client.get(PREDICTIONS).status_code == 401

    def test_another_scheme_is_somebody_elses_business(self):
        client = Client(headers={"authorization": "Basic YTpi"})
        assert client.get(PREDICTIONS).status_code == 200


class TestScopes:
    def test_it_captures_for_its_owner(self, live_version: ModelVersion):
        ada = make_ada()
        client = program(ada, "predict")
        made = post_file(client)
        assert made.status_code == 201
        assert Prediction.objects.get().user == ada
        assert [row["id"] for row in client.get(PREDICTIONS).json()["results"]] == [
            made.json()["id"]
        ]

    def test_reading_changes_nothing(self, live_version: ModelVersion):
        client = program(make_user("eve", role="trainer"), "read")
        assert client.get("/api/v1/runs/").status_code == 200
        assert client.get("/api/v1/versions/").status_code == 200
        assert post_file(client).status_code == 403
        assert post(client, "/api/v1/runs/").status_code == 403
        assert post(client, "/api/v1/versions/rollback/", {"why": "x"}).status_code == 403
        assert not Prediction.objects.exists()

    def test_a_labelers_feedback_through_a_predicting_token_is_no_label(
        self, live_version: ModelVersion, settings: Any
    ):
        settings.TRUST_FEEDBACK = False
        ada = make_ada()
        made = make_item(user=ada)
        url = f"{PREDICTIONS}{made.public_id}/feedback/"
        assert post(program(ada, "predict"), url, {"digit": 3}).json()["label"] is False
        assert Feedback.objects.get().digit == 3
        assert not LabelEvent.objects.exists()
        assert post(program(ada, "predict", "label"), url, {"digit": 3}).json()["label"] is True

    def test_nor_is_a_superusers(self, live_version: ModelVersion, settings: Any):
        settings.TRUST_FEEDBACK = False
        root = make_user("root", is_superuser=True)
        url = f"{PREDICTIONS}{make_item().public_id}/feedback/"
        assert post(program(root, "predict"), url, {"digit": 3}).json()["label"] is False
        assert post(program(root, "predict", "label"), url, {"digit": 3}).json()["label"] is True

    @pytest.mark.parametrize("scope", ["predict", "label", "train", "read"])
    def test_a_scope_gives_nobody_a_role(self, scope: str):
        client = program(make_cy(), scope)
        for path in ("labels/progress/", "labels/", "runs/", "versions/", "labels/export/"):
            assert client.get(f"/api/v1/{path}").status_code == 403
        for path in ("labels/next/", "runs/", "versions/x/promote/", "labels/settle/"):
            assert post(client, f"/api/v1/{path}").status_code == 403

    def test_a_superusers_token_is_held_to_its_scopes_too(self):
        root = User.objects.create_superuser("root", password="correct-horse-battery")
        labels = program(root, "label")
        assert labels.get(LABELS + "progress/").status_code == 200
        assert labels.get("/api/v1/runs/").status_code == 403
        assert post(labels, "/api/v1/runs/").status_code == 403
        assert program(root, "train").get(LABELS + "progress/").status_code == 403
        root.refresh_from_db()
        assert root.is_superuser

    def test_it_needs_no_csrf_token_and_a_session_still_does(self, live_version: ModelVersion):
        ada = make_ada()
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(ada)
        refused = post(strict, LABELS + "next/")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "csrf")
        _, secret = make_token(ada, name="x", scopes=["label"])
        strict = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {secret}"})
        assert post(strict, LABELS + "next/").status_code == 200


class TestUse:
    def test_the_last_use_is_noted_once_a_minute(self, django_assert_num_queries: Any):
        client = program(make_ada(), "read")
        client.get(PREDICTIONS)
        first = Token.objects.get()
        assert first.last_used_at is not None
        assert first.last_used_from == "127.0.0.1"
        with django_assert_num_queries(2):  # the token with its owner's rights, the page
            client.get(PREDICTIONS)
        tokens.forget_noted()  # as another process would
        client.get(PREDICTIONS)
        assert Token.objects.get().last_used_at == first.last_used_at
        Token.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
        tokens.forget_noted()
        client.get(PREDICTIONS)
        assert Token.objects.get().last_used_at > first.last_used_at

    def test_it_is_found_by_an_index(self):
        make_token(make_ada(), name="x", scopes=["read"])
        with connection.cursor() as cursor:
            explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(explain + tokens.holder_sql(connection.vendor), ["x" * 64])
            plan = str(cursor.fetchall())
        assert "digest" in plan

    def test_no_log_holds_a_secret(self, caplog: Any, live_version: ModelVersion):
        with caplog.at_level(logging.DEBUG):
            token, secret = make_token(make_ada(), name="x", scopes=["read"])
            bearer(secret).get(PREDICTIONS)
            post_file(bearer(secret))
            bearer(secret + "x").get(PREDICTIONS)
            tokens.revoke([token])
        said = caplog.text
        assert token.prefix in said
        assert secret not in said
        assert secret[13:] not in said

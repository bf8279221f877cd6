"""Logging in and forgotten passwords: what one caller may try, and what nobody learns from it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher, PBKDF2PasswordHasher
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from config import settings as shipped
from predictions.access import resets
from predictions.access.limits import address_of, network_of, slots
from predictions.access.passwords import PasswordHasher
from predictions.models import PasswordReset, RequestCount
from tests.factories import make_ada, make_cy
from tests.operation.installation import PATIENCE
from training import tasks

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
LOGIN, RESET = "/accounts/login/", "/accounts/reset/"
NOON = 1_800_000_000.0  # where spans of 15 and of 60 minutes begin


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What limits go by; a second after noon."""
    shown = SimpleNamespace(time=lambda: NOON + 1)
    monkeypatch.setattr("predictions.access.limits.time", shown)
    return shown


class Counted(MD5PasswordHasher):
    """Tells how often a password was hashed."""

    algorithm = "counted"
    calls: ClassVar[list[str]] = []

    def encode(self, password: str, salt: str) -> str:
        self.calls.append(password)
        return f"{self.algorithm}${super().encode(password, salt).partition('$')[2]}"


@pytest.fixture
def hashed(settings: Any) -> list[str]:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counted"]
    Counted.calls.clear()
    return Counted.calls


def log_in(
    client: Client, name: str, password: str = "guess", *, address: str = "192.0.2.7"
) -> HttpResponse:
    form = {"username": name, "password": password}
    return client.post(LOGIN, form, REMOTE_ADDR=address)


# -- who is one caller ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "address", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:DB8:1:2:0::9", "2001:db8:1:2::9", "2001:db8:1:2::"),
        ("[2001:db8:1:2::9]:4711", "2001:db8:1:2::9", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::9%eth0", "2001:db8:1:2:ffff::9", "2001:db8:1:2::"),
        ("nobody", "0.0.0.0", "0.0.0.0"),
        ("", "0.0.0.0", "0.0.0.0"),
    ],
)
def test_an_address_has_one_spelling_and_an_ipv6_network_is_one_caller(
    rf: RequestFactory, settings: Any, told: str, address: str, network: str
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    request = rf.get("/", headers={"X-Forwarded-For": f"198.51.100.1, {told}"})
    assert (address_of(request), network_of(request)) == (address, network)


# -- logging in ----------------------------------------------------------------------------------


def test_one_place_may_fail_twenty_times_whatever_names_it_tries(
    client: Client, hashed: list[str]
) -> None:
    make_ada()
    tried = [log_in(client, f"name{number}").status_code for number in range(20)]
    assert tried == [200] * 20
    hashed.clear()
    refused = log_in(client, "ada", PASSWORD)
    assert (refused.status_code, hashed) == (429, [])
    assert int(refused["Retry-After"]) == 15 * 60
    assert "Try again in 15 min." in refused.content.decode()
    assert log_in(client, "ada", PASSWORD, address="192.0.2.8").status_code == 302


def test_failures_of_different_minutes_of_a_quarter_of_an_hour_add_up(
    client: Client, clock: SimpleNamespace
) -> None:
    for number in range(20):
        clock.time = lambda number=number: NOON + 40 * number
        assert log_in(client, f"name{number}").status_code == 200
    clock.time = lambda: NOON + 14 * 60
    assert log_in(client, "name20").status_code == 429


def test_a_quarter_of_an_hour_later_it_may_try_again(
    client: Client, clock: SimpleNamespace
) -> None:
    for number in range(21):
        log_in(client, f"name{number}")
    clock.time = lambda: NOON + 15 * 60
    assert log_in(client, "name21").status_code == 200


def test_who_gets_in_is_not_counted(client: Client) -> None:
    make_ada()
    assert {log_in(Client(), "ada", PASSWORD).status_code for _ in range(25)} == {302}


def test_an_unknown_name_is_hashed_as_often_as_a_known_one(
    client: Client, hashed: list[str]
) -> None:
    make_ada()
    hashed.clear()
    log_in(client, "ada")
    known = len(hashed)
    log_in(client, "eve")
    assert (known, len(hashed) - known) == (1, 1)


@contextmanager
def long_work_under_way(count: int) -> Iterator[None]:
    """As many threads as this are at long work until the block ends."""
    begun, end = threading.Barrier(count + 1, timeout=PATIENCE), threading.Event()

    def work() -> None:
        with slots().take():
            begun.wait()
            end.wait(PATIENCE)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    begun.wait()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_passwords_are_hashed_by_half_of_the_threads_and_the_rest_answer_others(
    client: Client, settings: Any
) -> None:
    settings.PASSWORD_HASHERS = shipped.PASSWORD_HASHERS
    settings.WEB_THREADS = 4
    make_ada()
    with long_work_under_way(1):
        assert log_in(Client(), "eve").status_code == 200
    with long_work_under_way(2):
        refused = [log_in(client, name, PASSWORD) for name in ("ada", *["eve"] * 25)]
        assert {answer.status_code for answer in refused} == {503}
        assert int(refused[0]["Retry-After"]) == 2
        assert client.get(LOGIN).status_code == 200
    assert log_in(client, "ada", PASSWORD).status_code == 302  # none of them counted as failed


def test_a_hash_is_as_strong_as_djangos() -> None:
    made = PasswordHasher().encode(PASSWORD, "salt" * 6)
    assert made == PBKDF2PasswordHasher().encode(PASSWORD, "salt" * 6)


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        ("2001:db8:1:2::{}", "2001:db8:1:3::1"),
        ("::ffff:192.0.2.7", "192.0.2.8"),
    ],
)
def test_a_name_is_locked_for_a_whole_network(client: Client, mine: str, others: str) -> None:
    make_ada()
    tried = [log_in(client, "ada", address=mine.format(number)) for number in range(1, 7)]
    assert [answer.status_code for answer in tried] == [200] * 4 + [429] * 2
    assert log_in(client, "ada", PASSWORD, address=others).status_code == 302


# -- a forgotten password ------------------------------------------------------------------------


def ask(mailbox: str, *, address: str = "192.0.2.7", host: str = "testserver") -> HttpResponse:
    return Client().post(
        RESET, {"email": mailbox}, REMOTE_ADDR=address, HTTP_HOST=host, secure=True
    )


def link_in(body: str) -> str:
    (found,) = re.findall(r"^https?://\S+$", body, re.M)
    return found


def test_the_page_does_the_same_for_a_known_and_an_unknown_mailbox() -> None:
    ada = make_ada()
    asked = {}
    for mailbox in (ada.email, "eve@example.org"):
        with CaptureQueriesContext(connection) as queries:
            assert ask(mailbox).status_code == 302
        asked[mailbox] = [re.sub(r" VALUES .*|[\d_x]+", "", query["sql"]) for query in queries]
    assert len({tuple(each) for each in asked.values()}) == 1
    assert not any("auth_user" in sql for sql in asked[ada.email])
    assert mail.outbox == []
    assert resets.send_due() == {"sent": 2, "failed": 0}
    assert [sent.to for sent in mail.outbox] == [[ada.email]]
    assert not PasswordReset.objects.exists()


def test_a_mailbox_gets_three_mails_an_hour_however_many_ask(clock: SimpleNamespace) -> None:
    ada, cy = make_ada(), make_cy()
    for number in range(30):
        spelled = ada.email.upper() if number % 2 else ada.email
        assert ask(spelled, address=f"192.0.2.{number}").status_code == 302
        resets.send_due()
    assert len(mail.outbox) == 3
    ask(cy.email, address="192.0.2.40")
    resets.send_due()
    assert mail.outbox[-1].to == [cy.email]
    clock.time = lambda: NOON + 3600
    ask(ada.email)
    resets.send_due()
    assert len(mail.outbox) == 5


def test_one_place_asks_for_ten_links_an_hour() -> None:
    answers = [ask(f"name{number}@example.org") for number in range(11)]
    assert [answer.status_code for answer in answers] == [302] * 10 + [429]
    assert int(answers[-1]["Retry-After"]) == 3600
    assert PasswordReset.objects.count() == 10
    assert ask("eve@example.org", address="192.0.2.8").status_code == 302


@pytest.mark.parametrize(
    ("host", "origins", "starts"),
    [
        ("digits.example.org:6666", [], "https://digits.example.org/accounts/"),
        (
            "digits.example.org:8443",
            ["https://digits.example.org:8443"],
            "https://digits.example.org:8443/accounts/",
        ),
    ],
)
def test_a_link_leads_to_no_port_but_one_of_the_settings(
    settings: Any, host: str, origins: list[str], starts: str
) -> None:
    settings.PUBLIC, settings.ALLOWED_HOSTS = True, ["digits.example.org"]
    settings.CSRF_TRUSTED_ORIGINS = origins
    ask(make_ada().email, host=host)
    resets.send_due()
    assert link_in(mail.outbox[0].body).startswith(starts)


class Unreachable(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise SMTPServerDisconnected("on purpose")


def test_a_link_that_could_not_be_mailed_is_mailed_later(settings: Any) -> None:
    works = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.Unreachable"
    ada = make_ada()
    ask(ada.email)
    assert resets.send_due() == {"sent": 0, "failed": 1}
    settings.EMAIL_BACKEND = works
    assert resets.send_due() == {"sent": 0, "failed": 0}  # not yet
    OrmQ.objects.all().delete()
    assert tasks.every_minute()["resets_due"] is False
    PasswordReset.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    assert tasks.every_minute()["resets_due"] is True
    assert OrmQ.objects.exists()
    assert resets.send_due() == {"sent": 1, "failed": 0}
    assert mail.outbox[0].to == [ada.email]


def test_a_link_that_is_an_hour_late_is_not_mailed() -> None:
    ask(make_ada().email)
    PasswordReset.objects.update(asked_at=timezone.now() - timedelta(minutes=61))
    assert resets.send_due() == {"sent": 0, "failed": 1}
    assert mail.outbox == []
    assert not PasswordReset.objects.exists()


def test_a_link_that_waits_is_not_printed_where_no_mail_is_set_up_any_more(
    settings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    ada = make_ada()
    for is_public in (True, False):
        settings.PUBLIC = False
        ask(ada.email)
        settings.PUBLIC = is_public
        resets.send_due()
        assert ("/accounts/reset/" in capfd.readouterr().out) is not is_public
        assert not PasswordReset.objects.exists()


@pytest.mark.parametrize("is_public", [True, False])
def test_where_no_mail_is_set_up_nobody_in_public_asks_for_a_link(
    settings: Any, *, is_public: bool
) -> None:
    """It would be printed: on a laptop for its owner, elsewhere into a log."""
    settings.PUBLIC = is_public
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    answers = [Client().get(RESET), ask(make_ada().email)]
    assert [answer.status_code for answer in answers] == ([404, 404] if is_public else [200, 302])
    assert PasswordReset.objects.exists() is not is_public
    if is_public:
        assert "Ask an admin for a new password." in answers[0].content.decode()


# -- counts --------------------------------------------------------------------------------------


def test_counts_no_limit_asks_for_any_more_are_forgotten() -> None:
    minute = int(NOON // 60)
    for ago in (0, 60, 121):
        RequestCount.objects.create(caller="ada", minute=minute - ago, taken=1)
    tasks.every_minute()
    assert set(RequestCount.objects.values_list("minute", flat=True)) == {minute, minute - 60}

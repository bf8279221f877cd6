"""Who is told what happens: signed, once, tried again, and nobody inside the network."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from labeling.models import Batch
from predictions.database.clock import Moment
from predictions.models import ModelVersion
from tests.factories import make_user, make_version
from training import tasks
from training.messages import outbox, webhooks
from training.models import Endpoint, Message
from training.versions import promotion

pytestmark = pytest.mark.django_db
OUTSIDE = "93.184.215.14"


class Receiver(http.server.ThreadingHTTPServer):
    """Another program, on loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers = 200
        self.location = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?of=ours"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.answers)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(b"thanks")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOKS_INSIDE = True
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def endpoint(receiver: Receiver) -> Endpoint:
    return Endpoint.objects.create(name="ours", url=receiver.url)


def tell_something() -> Message:
    outbox.tell(Message.Kind.RUN, "run 1", {"state": "done"})
    return Message.objects.get()


def marks_of(header: str) -> tuple[str, list[str]]:
    at, *marks = header.split(",")
    return at.removeprefix("t="), [mark.removeprefix("v1=") for mark in marks]


def mark_of(secret: str, at: str, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


class TestDelivery:
    def test_a_message_arrives_signed_with_its_time(self, receiver: Receiver, endpoint: Endpoint):
        message = tell_something()
        assert tasks.deliver() == {"delivered": 1, "failed": 0}
        ((headers, body),) = receiver.got
        at, marks = marks_of(headers["Inkloop-Signature"])
        assert marks == [mark_of(endpoint.secret, at, body)]
        assert abs(timezone.now().timestamp() - int(at)) < 60
        said = json.loads(body)
        assert (said["event"], said["data"]) == ("run.finished", {"state": "done"})
        assert said["id"] == headers["Inkloop-Delivery"] == str(message.public_id)
        message.refresh_from_db()
        assert (message.state, message.answer) == ("delivered", "200 thanks")
        assert tasks.deliver() == {"delivered": 0, "failed": 0}

    def test_for_a_day_the_former_secret_signs_too(self, receiver: Receiver, endpoint: Endpoint):
        former = endpoint.secret
        outbox.rotate(endpoint)
        endpoint.refresh_from_db()
        assert former not in {endpoint.secret, ""}
        tell_something()
        tasks.deliver()
        at, marks = marks_of(receiver.got[0][0]["Inkloop-Signature"])
        body = receiver.got[0][1]
        assert marks == [mark_of(secret, at, body) for secret in (endpoint.secret, former)]
        Endpoint.objects.update(rotated_at=timezone.now() - timedelta(days=2))
        endpoint.refresh_from_db()
        assert outbox.secrets_of(endpoint) == [endpoint.secret]

    def test_what_fails_is_tried_again_later_and_given_up_in_the_end(
        self, receiver: Receiver, endpoint: Endpoint
    ):
        receiver.answers = 500
        message = tell_something()
        waits = []
        for _ in range(len(outbox.WAITS)):
            assert tasks.deliver() == {"delivered": 0, "failed": 1}
            assert tasks.deliver() == {"delivered": 0, "failed": 0}  # not yet due again
            message.refresh_from_db()
            waits.append(message.next_at - timezone.now())
            Message.objects.update(next_at=Moment())
        assert waits == sorted(waits)
        assert message.state == "waiting"
        tasks.deliver()
        message.refresh_from_db()
        assert (message.state, message.answer) == ("dead", "500 thanks")
        assert outbox.try_again([message]) == 1
        tasks.deliver()
        message.refresh_from_db()
        assert (message.state, message.attempts) == ("waiting", 1)  # all retries are left again
        receiver.answers = 200
        Message.objects.update(next_at=Moment())
        assert tasks.deliver()["delivered"] == 1

    def test_a_redirect_is_not_followed(self, receiver: Receiver, endpoint: Endpoint):
        receiver.answers, receiver.location = 302, receiver.url
        message = tell_something()
        assert tasks.deliver()["failed"] == 1
        assert len(receiver.got) == 1
        message.refresh_from_db()
        assert "redirects are not followed" in message.answer

    def test_two_processes_do_not_make_the_same_attempt(
        self, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ):
        for run in ("run 1", "run 2"):
            outbox.tell(Message.Kind.RUN, run, {"state": "done"})
        deliver = outbox.deliver_message

        def beside_another_process(message: Message) -> bool:
            monkeypatch.setattr(outbox, "deliver_message", deliver)
            assert tasks.deliver() == {"delivered": 1, "failed": 0}  # it takes the second one
            return deliver(message)

        monkeypatch.setattr(outbox, "deliver_message", beside_another_process)
        assert tasks.deliver() == {"delivered": 1, "failed": 0}
        assert len(receiver.got) == 2


class TestTheOutbox:
    def test_what_did_not_happen_is_not_told(self, live_version: ModelVersion, endpoint: Endpoint):
        candidate = make_version("toy-next")
        with transaction.atomic():
            promotion.promote(candidate, by=None, why="it is better")
            assert Message.objects.count() == 1
            transaction.set_rollback(True)
        assert not Message.objects.exists()
        assert not OrmQ.objects.exists()

    def test_a_promotion_and_its_rollback_are_told_to_programs_and_trainers(
        self, live_version: ModelVersion, endpoint: Endpoint, receiver: Receiver
    ):
        make_user("tess", role="trainer")
        make_user("lea", role="labeler")
        gone = make_user("gil", role="trainer")
        gone.is_active = False
        gone.save()
        promotion.promote(make_version("toy-next"), by=None, why="it is better")
        promotion.rollback(by=None, why="it is not")
        assert tasks.deliver() == {"delivered": 4, "failed": 0}
        events = [json.loads(body)["event"] for _, body in receiver.got]
        assert sorted(events) == ["version.promoted", "version.rolled_back"]
        assert [sent.bcc for sent in mail.outbox] == [["tess@example.org"]] * 2
        assert "Why: it is better" in mail.outbox[0].body

    def test_a_promotion_of_the_past_is_no_news(
        self, live_version: ModelVersion, endpoint: Endpoint
    ):
        """The demo writes a year of them."""
        past = timezone.now() - timedelta(days=90)
        promotion.promote(make_version("toy-next"), by=None, why="it was better", at=past)
        assert not Message.objects.exists()

    def test_a_batch_that_was_taken_back_is_told_once(self, endpoint: Endpoint):
        batch = Batch.objects.create(kind="grid", made_by=make_user("ada"), count=12)
        tasks.every_minute()
        assert not Message.objects.exists()
        Batch.objects.filter(pk=batch.pk).update(undone_at=timezone.now())
        tasks.every_minute()
        tasks.every_minute()
        assert Message.objects.get().data["labels"] == 12

    def test_a_withdrawal_takes_labels_back_and_its_undo_does_not(self, endpoint: Endpoint):
        batch = Batch.objects.create(kind="withdrawal", made_by=make_user("ada"), count=12)
        tasks.every_minute()
        assert Message.objects.get().data == {
            "batch": str(batch.pk), "kind": "withdrawal", "labels": 12, "by": "ada",
        }  # fmt: skip
        Batch.objects.filter(pk=batch.pk).update(undone_at=timezone.now())
        tasks.every_minute()
        assert Message.objects.count() == 1

    def test_an_endpoint_that_is_switched_off_is_told_nothing(self, endpoint: Endpoint):
        Endpoint.objects.update(is_active=False)
        assert outbox.tell(Message.Kind.RUN, "run 1", {}) == 0


class TestInsideTheNetwork:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
            "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1",
            "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
            "2002:7f00:1::", "2002:a00:1::1", "192.0.0.1", "192.0.0.255", "192.88.99.1",
            "::ffff:192.88.99.1", "3fff::1", "3fff:fff:ffff::1", "2001:1ff::1",
        ],
    )  # fmt: skip
    def test_an_address_that_is_not_of_the_open_internet_is_inside(self, address: str):
        assert webhooks.is_inside(address)

    @pytest.mark.parametrize(
        "address",
        [
            OUTSIDE,
            "2606:2800:21f:cb07::1",
            f"::ffff:{OUTSIDE}",
            "192.0.1.1",
            "192.88.98.255",
            "3ffe::1",
        ],
    )
    def test_an_address_of_the_open_internet_is_not(self, address: str):
        assert not webhooks.is_inside(address)

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org/", "ftp://example.org/", "https://", "https://a:b@example.org/",
            "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://2130706433/",
            "https://example.org:99999/", "https://0x7f.1/",
        ],
    )  # fmt: skip
    def test_such_an_endpoint_is_refused_and_nothing_is_asked(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ):
        def never(*args: Any) -> None:
            raise AssertionError("a connection was opened")

        monkeypatch.setattr(socket, "create_connection", never)
        with pytest.raises(webhooks.DeliveryRefused):
            webhooks.post(url, b"{}", secrets=["s"], headers={})

    def test_nothing_is_sent_without_encryption(self, monkeypatch: pytest.MonkeyPatch):
        asked = resolve(monkeypatch, [OUTSIDE])
        with pytest.raises(webhooks.DeliveryRefused, match="https"):
            webhooks.post("http://example.org/", b"{}", secrets=["s"], headers={})
        assert asked == []

    def test_one_address_inside_among_several_is_enough_to_refuse(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        resolve(monkeypatch, [OUTSIDE, "10.0.0.1"])
        with pytest.raises(webhooks.DeliveryRefused, match=r"leads to 10\.0\.0\.1"):
            webhooks.safe_address(webhooks.checked("https://example.org/"))

    def test_a_name_that_changes_its_mind_is_asked_once(self, monkeypatch: pytest.MonkeyPatch):
        """The connection goes to the address that was checked, whatever the name says next."""
        asked = resolve(monkeypatch, [OUTSIDE], then=["127.0.0.1"])
        reached: list[tuple[str, int]] = []

        def connect(address: tuple[str, int], *args: Any) -> None:
            reached.append(address)
            raise OSError("no network in tests")

        monkeypatch.setattr(socket, "create_connection", connect)
        with pytest.raises(webhooks.DeliveryRefused):
            webhooks.post("https://example.org/", b"{}", secrets=["s"], headers={})
        assert (asked, reached) == (["example.org"], [(OUTSIDE, 443)])


def resolve(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], *, then: list[str] | None = None
) -> list[str]:
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> list[Any]:
        found = then if asked and then else addresses
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


class TestTheAdmin:
    def signed_in(self, role: str) -> Client:
        client = Client()
        client.force_login(make_user(role, role=role, is_staff=True))
        return client

    def test_an_admin_adds_an_endpoint_and_one_inside_is_refused_with_the_reason(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        resolve(monkeypatch, [OUTSIDE])
        client, form = self.signed_in("admin"), {"name": "ours", "is_active": "on"}
        add = "/admin/training/endpoint/add/"
        blank = client.get(add).content.decode()
        assert "Url" in blank
        assert "Created at" not in blank  # it has no time yet, nor a secret
        assert client.post(add, {**form, "url": "https://example.org/x"}).status_code == 302
        assert len(Endpoint.objects.get().secret) > 40
        resolve(monkeypatch, ["10.0.0.1"])
        refused = client.post(add, {**form, "name": "theirs", "url": "https://example.org/x"})
        assert "inside the network" in refused.content.decode()

    def test_a_trainer_sees_what_was_given_up_and_no_secret(self, endpoint: Endpoint):
        message = tell_something()
        Message.objects.update(state="dead", answer="500 thanks")
        client = self.signed_in("trainer")
        page = client.get("/admin/training/message/?state__exact=dead").content.decode()
        assert "500 thanks" in page
        answer = client.get(f"/admin/training/endpoint/{endpoint.pk}/change/")
        assert endpoint.secret not in answer.content.decode()
        assert message.pk

    def test_an_admin_sends_it_again(self, endpoint: Endpoint):
        message = tell_something()
        Message.objects.update(state="dead")
        outbox.tell(Message.Kind.RUN, "run 2", {"state": "done"})
        arrived = Message.objects.exclude(pk=message.pk).get()
        Message.objects.filter(pk=arrived.pk).update(state="delivered")
        body = {"action": "try_again", "_selected_action": [message.pk, arrived.pk]}
        self.signed_in("admin").post("/admin/training/message/", body)
        message.refresh_from_db()
        arrived.refresh_from_db()
        assert (message.state, arrived.state) == ("waiting", "delivered")

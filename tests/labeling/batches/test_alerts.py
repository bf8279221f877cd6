"""Somebody clearly below the others: who is told, with what evidence, and until when."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.batches import gold_items
from labeling.batches.withdrawal import withdraw
from labeling.decisions.decisions import Answer, decide
from labeling.models import LabelerAlert, QueueItem
from labeling.queue.gold import new_gold_token
from labeling.queue.queue import LEASE
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_user
from tests.labeling.door import Door, correct, make_item
from training import tasks
from training.models import Message

pytestmark = pytest.mark.django_db
REVIEW, AGREEMENT, EVE = "/review/", "/review/agreement/", "/review/labelers/eve/"
SENTENCE = "eve is clearly below the others"
ITEMS = 10  # of each kind


@pytest.fixture
def ada() -> User:
    return make_ada()


@pytest.fixture
def bea() -> User:
    return make_user("bea", role="labeler")


@pytest.fixture
def eve() -> User:
    return make_user("eve", role="labeler")


@pytest.fixture
def rita() -> Client:
    client = Client()
    client.force_login(make_user("rita", role="reviewer"))
    return client


def answer(user: User, digit: int, items: list[Prediction], *, gold: bool = False) -> None:
    """Answer items that the queue has handed out."""
    for item in items:
        token = new_gold_token(user.pk, item.pk) if gold else uuid.uuid4()
        if not gold:
            QueueItem.objects.filter(pk=item.pk).update(
                holder=user, token=token, leased_until=timezone.now() + LEASE
            )
        decide(item.public_id, Answer(digit), labeler=user, token=token, request_id=uuid.uuid4())


def first(user: User, digit: int, *others: User, count: int = ITEMS) -> list[Prediction]:
    """Somebody answers new items first; the others read them all as a seven."""
    items = [make_item(confidence=0.99) for _ in range(count)]  # a three calls for a second
    answer(user, digit, items)
    for other in others:
        answer(other, 7, items)
    return items


def work(eve_says: int, ada: User, bea: User, eve: User) -> None:
    """All of them are first on some items; ada and bea look at what of eve's is doubtful."""
    first(eve, eve_says, *([] if eve_says == 7 else [ada, bea]))
    usual(ada, bea)


def usual(*people: User) -> None:
    for person in people:
        first(person, 7, count=2 * ITEMS)


def tonight() -> dict[str, int]:
    return tasks.look_at_labelers()


def page(client: Client, path: str) -> str:
    return client.get(path).content.decode()


class TestWhoIsNamed:
    def test_reviewers_are_told_with_the_numbers_and_nobody_else(
        self, ada: User, bea: User, eve: User, rita: Client
    ):
        work(3, ada, bea, eve)
        assert tonight()["alerts_raised"] == 1
        for path in (REVIEW, AGREEMENT, EVE):
            text = page(rita, path)
            assert SENTENCE in text
            assert "10 of 10 first answers were contradicted by two people" in text
            assert "(others: 0 of 40)" in text
        assert f'href="{EVE}"' in page(rita, REVIEW)
        for user in (ada, eve):
            client = Door(user).client
            assert client.get(EVE).status_code == 403
            assert SENTENCE not in page(client, "/label/") + page(client, "/label/answers/")

    def test_not_where_all_are_alike(self, ada: User, bea: User, eve: User, rita: Client):
        work(7, ada, bea, eve)
        assert tonight()["alerts_raised"] == 0
        assert SENTENCE not in page(rita, REVIEW) + page(rita, AGREEMENT)
        assert "No answer of eve is contradicted" in page(rita, EVE)

    def test_not_on_the_word_of_one_person(self, ada: User, bea: User, eve: User):
        items = first(eve, 3)
        contradicted = Prediction.objects.filter(pk__in=[item.pk for item in items])
        correct(contradicted, Answer(7), by=ada)
        usual(ada, bea)
        assert tonight()["alerts_raised"] == 0

    def test_not_for_second_opinions_which_are_asked_for_where_it_is_hard(
        self, ada: User, bea: User, eve: User, settings: Any
    ):
        usual(bea)
        first(eve, 7, count=3)
        settings.SECOND_OPINION_RATE = 1.0
        items = first(ada, 7)
        answer(eve, 3, items)
        answer(bea, 7, items)
        assert tonight()["alerts_raised"] == 0

    def test_not_for_a_few_wrong_answers(self, ada: User, bea: User, eve: User):
        first(eve, 3, ada, bea, count=4)
        usual(ada, bea)
        assert tonight()["alerts_raised"] == 0
        first(eve, 3, ada, bea, count=4)
        assert tonight()["alerts_raised"] == 1

    def test_answers_to_gold_are_enough(
        self, ada: User, bea: User, eve: User, rita: Client, settings: Any, monkeypatch: Any
    ):
        monkeypatch.setattr(gold_items, "MOST_SHARE", 1.0)
        settings.GOLD_FROM_AGREED = settings.SECOND_OPINION_RATE = 1.0
        fay, gus = make_user("fay", role="labeler"), make_user("gus", role="labeler")
        first(eve, 7, fay, count=1)
        items = first(ada, 7, bea, count=12)
        assert tonight()["gold_added"] == 13
        for user, digit in ((eve, 3), (fay, 7), (gus, 7)):
            answer(user, digit, items, gold=True)
        assert tonight()["alerts_raised"] == 1
        assert "12 of 12 answers to gold items were wrong" in page(rita, REVIEW)


class TestTelling:
    def test_reviewers_get_one_mail_and_webhooks_one_message(
        self, ada: User, bea: User, eve: User, rita: Client
    ):
        work(3, ada, bea, eve)
        assert tonight()["told"] == 1
        assert tonight()["told"] == 0
        tasks.deliver()
        (sent,) = mail.outbox
        assert sent.bcc == ["rita@example.org"]
        assert SENTENCE in sent.body
        assert EVE in sent.body
        message = Message.objects.get()
        assert (message.kind, message.data["labeler"]) == ("labeler.below", "eve")

    def test_a_reviewer_is_told_nothing_about_themselves(
        self, ada: User, bea: User, eve: User, rita: Client
    ):
        eve.groups.set([Group.objects.get(name="reviewer")])
        work(3, ada, bea, eve)
        tonight()
        tasks.deliver()
        assert mail.outbox[0].bcc == ["rita@example.org"]
        client = Door(eve).client
        assert SENTENCE not in page(client, REVIEW) + page(client, AGREEMENT)
        assert client.get(EVE).status_code == 404
        assert client.get("/api/v1/labels/agreement/").json()["alerts"] == []
        client.post(EVE)
        assert LabelerAlert.objects.get().ended_at is None

    def test_programs_of_reviewers_read_it(self, ada: User, bea: User, eve: User, rita: Client):
        work(3, ada, bea, eve)
        tonight()
        (alert,) = rita.get("/api/v1/labels/agreement/").json()["alerts"]
        assert (alert["labeler"], alert["first"]["wrong"], alert["first"]["n"]) == ("eve", 10, 10)
        assert alert["gold"] == {"wrong": 0, "n": 0, "others_wrong": 0, "others_n": 0}
        assert alert["sentence"].startswith(SENTENCE)


class TestTheEvidence:
    def test_each_answer_is_shown_with_what_the_others_said(
        self, ada: User, bea: User, eve: User, rita: Client
    ):
        work(3, ada, bea, eve)
        text = page(rita, EVE)
        prediction = Prediction.objects.order_by("pk").first()
        assert prediction is not None
        assert prediction.glyph_url in text
        assert text.count('<span class="answer-value">3</span>') == ITEMS
        assert text.count("ada: <b>7</b>, bea: <b>7</b>") == ITEMS
        assert "No answer of ada is contradicted" in page(rita, "/review/labelers/ada/")

    def test_an_admin_is_led_to_the_withdrawals(self, ada: User, bea: User, eve: User):
        work(3, ada, bea, eve)
        tonight()
        assert 'href="/review/withdrawals/"' in page(Door(make_ben()).client, EVE)

    def test_a_page_of_many_costs_as_many_queries_as_of_one(
        self, ada: User, bea: User, eve: User, rita: Client,
        django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch,
    ):  # fmt: skip
        monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 3600)  # which is live
        first(eve, 3, ada, bea, count=1)
        page(rita, EVE)
        with CaptureQueriesContext(connection) as one:
            page(rita, EVE)
        queries = len(one)
        first(eve, 3, ada, bea)
        with django_assert_num_queries(queries):
            page(rita, EVE)

    def test_nobody_has_the_page_of_somebody_unknown(self, rita: Client, live_version: Any):
        assert rita.get("/review/labelers/nobody/").status_code == 404


class TestUntilWhen:
    def test_it_ends_when_the_answers_are_withdrawn(
        self, ada: User, bea: User, eve: User, rita: Client
    ):
        work(3, ada, bea, eve)
        tonight()
        withdraw(eve, by=None)
        assert tonight()["alerts_ended"] == 1
        assert SENTENCE not in page(rita, REVIEW)

    def test_it_ends_when_a_reviewer_has_dealt_with_it_and_only_later_answers_count(
        self, ada: User, bea: User, eve: User, rita: Client
    ):
        work(3, ada, bea, eve)
        tonight()
        text = rita.post(EVE, follow=True).content.decode()
        assert "Only later answers of eve count" in text
        assert SENTENCE not in text
        assert tonight() == {
            "gold_added": 0, "gold_removed": 0, "alerts_raised": 0, "alerts_ended": 0, "told": 0,
        }  # fmt: skip
        assert "There is no open alert" in rita.post(EVE, follow=True).content.decode()
        first(eve, 3, ada, bea)
        done = tonight()
        assert (done["alerts_raised"], done["told"]) == (1, 1)

    def test_its_numbers_follow_the_answers(self, ada: User, bea: User, eve: User, rita: Client):
        work(3, ada, bea, eve)
        tonight()
        first(eve, 3, ada, bea)
        assert tonight()["alerts_raised"] == 0
        assert "20 of 20 first answers" in page(rita, REVIEW)

    def test_who_is_named_is_no_measure_for_the_others(
        self, ada: User, bea: User, eve: User, rita: Client
    ):
        work(3, ada, bea, eve)
        tonight()
        fay = make_user("fay", role="labeler")
        first(fay, 5, ada, bea)
        assert tonight()["alerts_raised"] == 1
        figures = LabelerAlert.objects.get(labeler=fay).figures
        assert figures["first"]["others_wrong"] == 0

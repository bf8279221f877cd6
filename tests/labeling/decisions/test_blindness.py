"""What labelers are not shown: in the admin any reading, elsewhere that of an audit."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.decisions.decisions import Answer
from predictions.models import Prediction
from tests.factories import make_feedback, make_live, make_user
from tests.labeling.door import Door, correct, let_lease_expire, make_item

pytestmark = pytest.mark.django_db
LIST = "/admin/predictions/prediction/"
DIGIT, CONFIDENCE = 4, 0.8317


@pytest.fixture
def item() -> Prediction:
    make_live()
    made = make_item(digit=DIGIT, confidence=CONFIDENCE, is_audit=True)
    make_feedback(made, 8)
    return made


def signed_in(name: str, *roles: str, **fields: Any) -> tuple[Client, User]:
    from django.contrib.auth.models import Group

    user = make_user(name, **fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    client = Client()
    client.force_login(user)
    return client, user


def labeler(*more: str) -> Client:
    """Ada labels, and may open the admin."""
    return signed_in("ada", "labeler", *more, is_staff=True)[0]


def reviewer() -> Client:
    return signed_in("rita", "reviewer", is_staff=True)[0]


class TestTheAdmin:
    @pytest.mark.parametrize("path", [LIST, f"{LIST}{{key}}/change/"])
    def test_a_labeler_sees_the_drawing_and_nothing_that_was_read_or_said(
        self, item: Prediction, path: str
    ):
        address = path.format(key=item.pk)
        shown, told = (
            client.get(address).content.decode().lower()
            for client in (labeler("analyst"), reviewer())
        )
        assert item.glyph_url in shown
        for word in ("83.2%", "audit", "confidence", "toy-live", "visitor said"):
            assert word in told
            assert word not in shown

    def test_a_labeler_has_no_filter_by_what_was_read_or_said(self, item: Prediction):
        ada = labeler()
        page = ada.get(LIST)
        assert [spec.title for spec in page.context["cl"].filter_specs] == ["month drawn", "source"]
        assert [row.pk for row in ada.get(LIST + "?source=api").context["cl"].result_list] == [
            item.pk
        ]

    @pytest.mark.parametrize(
        "query",
        [
            "predicted=4", "digit=4", "digit__exact=4", "is_audit=1", "is_audit__exact=1",
            "audit=yes", "label=none", "label__digit=4", "feedback=wrong", "feedback__digit=8",
            "confidence__gte=0.5", "confidence=low", "strange=no", "version__exact=1",
            "stream=audit", "queue_item__stream=audit", "audit_probability__gt=0",
        ],
    )  # fmt: skip
    def test_nor_does_an_address_filter_for_them(self, item: Prediction, query: str):
        ada = labeler()
        answer = ada.get(f"{LIST}?{query}")
        assert answer.status_code == 400, answer.headers

    def test_a_reviewer_filters_by_all_of_it(self, item: Prediction):
        rita = reviewer()
        for query in ("predicted=4", "audit=yes", "label=none", "confidence=high", "digit=4"):
            assert [row.pk for row in rita.get(f"{LIST}?{query}").context["cl"].result_list] == [
                item.pk
            ]

    def test_an_audit_that_an_admin_changed_is_marked_as_no_longer_blind(self, item: Prediction):
        bea = Door(make_user("bea", role="labeler"))
        bea.label(bea.item(), 7)
        rita, mark = reviewer(), "no longer blind: an admin changed it"
        assert mark not in rita.get(f"{LIST}{item.pk}/change/").content.decode()
        correct(Prediction.objects.filter(pk=item.pk), Answer(4), by=make_user("ben"))
        assert mark in rita.get(f"{LIST}{item.pk}/change/").content.decode()


class TestThePredictionItself:
    @pytest.fixture
    def addresses(self, item: Prediction) -> list[str]:
        return [f"{place}predictions/{item.public_id}/" for place in ("/", "/api/v1/")]

    def test_no_labeler_looks_up_what_an_audit_was_read_as(
        self, item: Prediction, addresses: list[str]
    ):
        ada, rita = labeler(), reviewer()
        for address in addresses:
            refused = ada.get(address)
            assert refused.status_code == 403
            assert "0.83" not in refused.content.decode()
            assert rita.get(address).status_code == 200
            assert Client().get(address).status_code == 200  # an id is a capability

    def test_nor_by_saying_something_about_it(self, item: Prediction, addresses: list[str]):
        ada, rita = labeler(), reviewer()
        for client, status in ((ada, 403), (rita, 200)):
            for said in ({"correct": True}, {"digit": 3}):
                answer = client.post(
                    f"{addresses[1]}feedback/", said, content_type="application/json"
                )
                assert answer.status_code == status
        assert ada.post(addresses[0], {"said": "correct"}).status_code == 403

    def test_who_drew_it_was_told_and_may_look_again(self):
        make_live()
        ada, user = signed_in("ada", "labeler")
        own = make_item(is_audit=True, user=user)
        for place in ("/", "/api/v1/"):
            assert ada.get(f"{place}predictions/{own.public_id}/").status_code == 200

    def test_what_waits_for_a_label_is_refused_in_the_same_words_and_shown_afterwards(
        self, item: Prediction
    ):
        ada = labeler()
        plain = make_item(visitor=uuid.uuid4())
        for place in ("/", "/api/v1/"):
            audit, other = (
                ada.get(f"{place}predictions/{each.public_id}/") for each in (item, plain)
            )
            assert audit.status_code == other.status_code == 403
            assert words_of(audit) == words_of(other)
        bea = Door(make_user("bea", role="labeler"))
        for held in bea.items(2):
            bea.label(held, 7)
        for place in ("/", "/api/v1/"):
            assert ada.get(f"{place}predictions/{plain.public_id}/").status_code == 200
            assert ada.get(f"{place}predictions/{item.public_id}/").status_code == 403


class TestWhileSomebodyHoldsIt:
    """A reviewer labels too, and anybody can sign out."""

    @pytest.fixture
    def rita(self) -> Client:
        return signed_in("rita", "reviewer", "labeler", is_superuser=True, is_staff=True)[0]

    def hold(self, client: Client) -> Door:
        door = Door()
        door.client = client
        (held,) = door.items()
        self.held = held
        return door

    @pytest.mark.parametrize("is_audit", [True, False])
    def test_nobody_but_its_author_looks_up_what_it_was_read_as(self, rita: Client, is_audit: bool):
        make_live()
        author, drew = signed_in("cy")
        made = make_item(digit=DIGIT, confidence=CONFIDENCE, is_audit=is_audit, user=drew)
        addresses = [f"{place}predictions/{made.public_id}/" for place in ("/", "/api/v1/")]
        door = self.hold(rita)
        for address in addresses:
            for client in (rita, Client()):
                refused = client.get(address)
                assert refused.status_code == 403
                assert "0.83" not in refused.content.decode()
            assert author.get(address).status_code == 200
        said = {"correct": True}
        answer = rita.post(f"{addresses[1]}feedback/", said, content_type="application/json")
        assert answer.status_code == 403
        door.label(self.held, 7)
        for address in addresses:
            for client in (rita, Client()):
                assert client.get(address).status_code == 200

    def test_the_admin_does_not_show_it_to_who_holds_it(self, rita: Client, item: Prediction):
        other = signed_in("otto", is_superuser=True, is_staff=True)[0]
        pages = [
            f"{LIST}{item.pk}/change/", f"/admin/predictions/feedback/{item.pk}/change/",
        ]  # fmt: skip
        lists = [LIST, "/admin/predictions/feedback/"]
        self.hold(rita)
        for path in lists:
            assert len(other.get(path).context["cl"].result_list) == 1
            assert len(rita.get(path).context["cl"].result_list) == 0
        for path in pages:
            assert other.get(path).status_code == 200
            assert rita.get(path).status_code == 302
        let_lease_expire(item)
        assert len(rita.get(LIST).context["cl"].result_list) == 1

    def test_nor_what_another_said_of_it(self, rita: Client):
        make_live()
        made = make_item(digit=DIGIT, confidence=0.99)
        bea = Door(make_user("bea", role="labeler"))
        bea.label(bea.item(), 3)
        lists = [f"/admin/labeling/{name}/" for name in ("label", "labelevent")]
        for path in lists:
            assert len(rita.get(path).context["cl"].result_list) == 1
        self.hold(rita)
        assert self.held["id"] == str(made.public_id)
        for path in lists:
            assert len(rita.get(path).context["cl"].result_list) == 0


def words_of(answer: Any) -> str:
    """The answer without what differs from request to request."""
    return re.sub(
        r"[0-9a-f-]{36}|csrfmiddlewaretoken\" value=\"[^\"]*|nonce=\"[^\"]*",
        "",
        answer.content.decode(),
    )

"""What labelers are not shown: in the admin any reading, elsewhere that of an audit."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from predictions.models import Prediction
from tests.factories import make_feedback, make_live, make_user
from tests.labeling.door import make_item

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
    @pytest.mark.parametrize(
        ("path", "reading"), [(LIST, "83.2%"), (f"{LIST}{{key}}/change/", "0.83")]
    )
    def test_a_labeler_sees_the_drawing_and_nothing_that_was_read_or_said(
        self, item: Prediction, path: str, reading: str
    ):
        address = path.format(key=item.pk)
        shown, told = (
            client.get(address).content.decode().lower()
            for client in (labeler("analyst"), reviewer())
        )
        assert item.glyph_url in shown
        for word in (reading, "audit", "confidence", "toy-live", "visitor said"):
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

    def test_what_is_no_audit_is_shown_to_everybody(self):
        make_live()
        ada, _ = signed_in("ada", "labeler")
        plain = make_item(visitor=uuid.uuid4())
        for place in ("/", "/api/v1/"):
            assert ada.get(f"{place}predictions/{plain.public_id}/").status_code == 200

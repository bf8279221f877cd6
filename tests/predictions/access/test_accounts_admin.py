"""Admins delete accounts and roles; whose work is in the history cannot be deleted."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from labeling.models import LabelEvent, Stream
from tests.factories import make_ada, make_prediction, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def test_a_page_of_deletion_lists_no_rows_that_join_two_tables(admin: Client) -> None:
    ada = make_ada()
    page = admin.get(f"/admin/auth/user/{ada.pk}/delete/").content.decode()
    assert "User: ada" in page or ">ada</a>" in page
    assert "relationship" not in page
    group = Group.objects.get(name="labeler")
    assert group.permissions.exists()
    assert "relationship" not in admin.get(f"/admin/auth/group/{group.pk}/delete/").content.decode()
    admin.post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(username="ada").exists()


def test_whose_work_is_in_the_history_is_closed_and_not_deleted(admin: Client) -> None:
    ada, made = make_ada(), make_prediction()
    LabelEvent.objects.create(
        prediction=made, digit=7, labeler=ada, kind=LabelEvent.Kind.LABEL, stream=Stream.UNSURE
    )
    for answer in (
        admin.get(f"/admin/auth/user/{ada.pk}/delete/", follow=True),
        admin.post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"}, follow=True),
    ):
        assert "ada cannot be deleted" in answer.content.decode()
        assert answer.redirect_chain[-1][0] == f"/admin/auth/user/{ada.pk}/change/"
    assert User.objects.filter(username="ada").exists()


def test_a_history_without_changes_says_so(admin: Client) -> None:
    ada = make_ada()
    page = admin.get(f"/admin/auth/user/{ada.pk}/history/").content.decode()
    assert "Nothing was changed here" in page

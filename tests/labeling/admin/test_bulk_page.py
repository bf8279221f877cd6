"""What an admin reads before and after a bulk action, its undo, and the first page of tasks."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.batches.bulk import correct_each
from labeling.decisions.decisions import Answer
from labeling.models import Batch, Label, LabelEvent
from tests.factories import make_ada, make_ben, make_user
from tests.labeling.admin.test_admin import LIST, decide, many, select
from tests.labeling.door import make_item

pytestmark = pytest.mark.django_db
HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|back)" value="([^"]*)"')


@pytest.fixture
def ben() -> User:
    return make_ben()


@pytest.fixture
def admin(ben: User) -> Client:
    client = Client(enforce_csrf_checks=False)
    client.force_login(ben)
    return client


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_the_page_says_what_stands_now_and_how_many_are_shown(admin: Client, ben: User) -> None:
    rows = many(30)
    correct_each(
        {row.pk: Answer(3) for row in rows[:4]},
        by=ben, kind=Batch.Kind.CORRECTION, chosen_by={},
    )  # fmt: skip
    audit = make_item(digit=7, is_audit=True)
    answered = make_item(digit=7, is_audit=True)
    LabelEvent.objects.create(prediction=answered, kind="label", digit=7, labeler=make_ada())
    Label.objects.create(
        prediction=answered, digit=7, state="settled", opinions=1, event=LabelEvent.objects.last()
    )
    page = words(select(admin, audit, across=True, predicted="7"))
    assert "All that match digit predicted: 7 ." in page
    assert "The newest 24 of 32:" in page
    assert "no label: 27 , 3: 4 , 7: 1" in page
    assert "Labels that differ from the guess 4" in page
    assert "Audits 2 , 1 of them without an answer: these are left alone" in page


def test_a_parameter_that_is_no_filter_of_the_list_is_named_too(admin: Client) -> None:
    (row,) = many(1)
    page = words(select(admin, row, across=True, digit__exact="7"))
    assert "All that match digit__exact: 7 ." in page


def test_the_success_line_undoes_what_was_done(admin: Client) -> None:
    rows = many(5)
    done = decide(admin, select(admin, rows[0], across=True, predicted="7"), "1")
    assert Label.objects.filter(digit=1).count() == 5
    address = re.search(r'action="(/admin/labeling/batch/[^"]+/undo/)"', done.content.decode())
    assert address
    form = dict(HIDDEN.findall(done.content.decode().partition(address[0])[2]))
    undone = admin.post(address[1], form, follow=True)
    assert undone.redirect_chain == [(f"{LIST}?predicted=7", 302)]
    assert "5 labels are as they were" in words(undone)
    assert not Label.objects.exists()
    again = admin.post(address[1], form, follow=True)
    assert "Undone:" not in words(again)


@pytest.mark.parametrize("back", ["https://elsewhere.example.org/", "//elsewhere.example.org", ""])
def test_an_undo_leads_to_no_other_site(admin: Client, back: str) -> None:
    rows = many(1)
    decide(admin, select(admin, *rows), "1")
    batch = Batch.objects.get()
    answer = admin.post(f"/admin/labeling/batch/{batch.pk}/undo/", {"back": back})
    assert answer["Location"] == "/admin/labeling/batch/"


def test_an_undo_needs_a_press_and_the_permission(admin: Client) -> None:
    rows = many(1)
    decide(admin, select(admin, *rows), "1")
    path = f"/admin/labeling/batch/{Batch.objects.get().pk}/undo/"
    assert admin.get(path).status_code == 405
    rita = Client()
    rita.force_login(make_user("rita", role="reviewer", is_staff=True))
    assert rita.post(path).status_code == 403
    assert Label.objects.exists()


def test_the_batches_say_in_words_how_their_items_were_chosen(admin: Client) -> None:
    rows = many(3)
    decide(admin, select(admin, rows[0], across=True, predicted="7", confidence="high"), "1")
    decide(admin, select(admin, rows[0]), "2")
    Batch.objects.create(kind="correction", chosen_by={"filter": {"predicted": "7"}})
    Batch.objects.create(kind="import", chosen_by={"file": "x.zip", "refused": 2})
    page = words(admin.get("/admin/labeling/batch/"))
    assert "It is a 1; all that match digit predicted: 7, confidence: 80% or more" in page
    assert "It is a 2; ticked in the list" in page
    assert "file: x.zip; refused: 2" in page
    assert "{" not in page.partition("Chosen by")[2].partition("Undone")[0]


def test_a_normal_row_of_a_list_has_no_red_cross(admin: Client) -> None:
    many(1)
    LabelEvent.objects.create(prediction=make_item(), kind="label", digit=1, labeler=make_ada())
    for path in (LIST, "/admin/labeling/labelevent/", "/admin/auth/user/"):
        assert 'title="False"' not in admin.get(path).content.decode(), path


def test_the_first_page_and_the_sidebar_start_from_tasks_and_lead_back(admin: Client) -> None:
    page = admin.get("/admin/").content.decode()
    for address in (f"{LIST}?label=disagrees", "/label/import/", "/review/", "/admin/auth/user/"):
        assert page.count(f'href="{address}"') >= 2, address
    assert '<a href="/" ' in page
    rita = Client()
    rita.force_login(make_user("rita", role="reviewer", is_staff=True))
    page = rita.get("/admin/").content.decode()
    assert "Settle disputes" in page
    assert "Import images" not in page

"""The admin's lists: what they find, what they keep, and one act on everything selected."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from labeling.batches.batches import undo_batch
from labeling.batches.erasure import erase_owner
from labeling.batches.rebuild import rebuild_labels
from labeling.models import (
    Ask,
    Batch,
    Gold,
    Label,
    LabelEvent,
    QueueItem,
    SavedView,
    Selection,
    Stream,
)
from labeling.queue.intake import enqueue_new
from predictions.models import Feedback, ModelVersion, Owner, Prediction
from tests.factories import (
    make_ada,
    make_ben,
    make_cy,
    make_feedback,
    make_live,
    make_prediction,
    make_user,
    make_version,
    spread,
)
from tests.labeling.door import Door, make_item

pytestmark = pytest.mark.django_db
LIST = "/admin/predictions/prediction/"
HIDDEN = re.compile(r'name="(selection)" value="([0-9a-f-]+)"')


@pytest.fixture
def ben() -> User:
    return make_ben()


@pytest.fixture
def admin(ben: User) -> Client:
    client = Client()
    client.force_login(ben)
    return client


def found(client: Client, **query: str) -> set[int]:
    answer = client.get(f"{LIST}?{urlencode(query)}")
    assert answer.status_code == 200, answer.headers
    return {prediction.pk for prediction in answer.context["cl"].result_list}


def listed(client: Client, path: str, **query: str) -> set[int]:
    answer = client.get(f"{path}?{urlencode(query)}")
    assert answer.status_code == 200, answer.headers
    return {row.pk for row in answer.context["cl"].result_list}


def fields_of(form: Any) -> list[Any]:
    """The cells of a row of an inline, as its template walks them."""
    return [field for fieldset in form for line in fieldset for field in line]


def select(client: Client, *rows: Prediction, across: bool = False, **query: str) -> Any:
    """Press the button of the list, having ticked these rows."""
    return client.post(
        f"{LIST}?{urlencode(query)}",
        {
            "action": "decide_in_bulk",
            "select_across": "1" if across else "0",
            "index": "0",
            "_selected_action": [row.pk for row in rows],
        },
    )


def decide(client: Client, page: Any, act: str, **changes: str) -> Any:
    """Send the page that came, as a browser would."""
    text = page.content.decode()
    form = {
        "action": "decide_in_bulk",
        "confirmed": "yes",
        "act": act,
        "select_across": "1" if page.context["across"] else "0",
        "_selected_action": page.context["keys"],
        **dict(HIDDEN.findall(text)),
        **changes,
    }
    return client.post(page.context["here"], form, follow=True)


def said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def many(count: int, *, digit: int = 7, confidence: float = 0.9) -> list[Prediction]:
    """Rows by one insert; each glyph a digest of its own."""
    version = ModelVersion.objects.live().first() or make_live()
    model = make_prediction(version=version, digit=digit, confidence=confidence)
    made = [
        Prediction(
            version=version,
            digit=digit,
            confidence=confidence,
            probabilities=spread(digit, confidence),
            strangeness=0.0,
            glyph=bytes(model.glyph),
            glyph_digest=uuid.uuid4(),
            source=model.source,
            audit_probability=0.05,
            day=model.day,
        )
        for _ in range(count - 1)
    ]
    Prediction.objects.bulk_create(made)
    enqueue_new()
    return [model, *made]


class TestFinding:
    def test_each_filter_finds_what_its_words_say(self, admin: Client, ben: User):
        ada = make_ada()
        plain = make_item(digit=7, confidence=0.5)
        wrong = make_item(digit=3)
        make_feedback(wrong, 8)
        right = make_item(digit=4)
        make_feedback(right, 4)
        scribble = make_item(digit=1)
        make_feedback(scribble, None)
        door = Door(ada)
        for _ in range(4):
            item = door.item()
            if item["id"] == str(wrong.public_id):
                door.label(item, 8)
                break
            door.label(item, None if item["id"] == str(scribble.public_id) else 4)
        labeled = set(Label.objects.values_list("pk", flat=True))
        everything = {plain.pk, wrong.pk, right.pk, scribble.pk}
        assert found(admin) == everything
        assert found(admin, predicted="3") == {wrong.pk}
        assert found(admin, feedback="wrong") == {wrong.pk, scribble.pk}
        assert found(admin, feedback="right") == {right.pk}
        assert found(admin, feedback="no_digit") == {scribble.pk}
        assert found(admin, feedback="none") == {plain.pk}
        assert found(admin, confidence="low") == {plain.pk}
        assert found(admin, label="none") == everything - labeled
        assert found(admin, labeler=str(ada.pk)) == labeled
        assert found(admin, labeler=str(ben.pk)) == set()
        disagreeing = {
            label.pk for label in Label.objects.select_related("prediction")
            if label.digit != label.prediction.digit
        }  # fmt: skip
        assert found(admin, label="disagrees") == disagreeing
        assert wrong.pk in disagreeing
        assert found(admin, version=str(plain.version_id)) == everything
        assert found(admin, month=f"{plain.day:%Y-%m}") == everything
        assert found(admin, audit="yes") == set()

    def test_streams_and_disputes_are_found(self, admin: Client):
        item = make_item()
        assert found(admin, stream="unsure") == {item.pk}
        assert found(admin, stream="review") == set()
        LabelEvent.objects.create(prediction=item, kind="correct", digit=1)
        other = LabelEvent.objects.create(prediction=item, kind="label", digit=2)
        rebuild_labels()
        assert Label.objects.get().event == other
        assert found(admin, label="disputed") == {item.pk}

    def test_a_value_nobody_offered_filters_nothing_by_accident(self, admin: Client):
        make_item()
        for name in ("label", "month", "version", "labeler", "stream", "predicted"):
            answer = admin.get(f"{LIST}?{name}=bogus")
            assert answer.status_code == 302, name
            assert answer["Location"].endswith("?e=1")

    def test_a_field_that_is_no_filter_is_refused(self, admin: Client):
        assert admin.get(f"{LIST}?user__password__startswith=x").status_code == 400

    def test_an_id_is_looked_up(self, admin: Client):
        item, _ = make_item(), make_item()
        assert found(admin, q=str(item.public_id)) == {item.pk}
        assert found(admin, q="nonsense") == set()

    @pytest.mark.parametrize(
        "path",
        [LIST, "/admin/labeling/label/", "/admin/labeling/labelevent/", "/admin/labeling/batch/",
         "/admin/labeling/gold/", "/admin/predictions/feedback/"],
    )  # fmt: skip
    def test_a_list_asks_as_many_queries_for_100_rows_as_for_1(
        self, admin: Client, ben: User, path: str, django_assert_num_queries: Any
    ):
        def fill(count: int) -> None:
            from labeling.batches.bulk import correct_each
            from labeling.decisions.decisions import Answer

            for row in many(count):
                make_feedback(row, 7)
                correct_each({row.pk: Answer(1)}, by=ben, kind=Batch.Kind.CORRECTION, chosen_by={})
                Gold.objects.create(prediction=row, digit=1, added_by=ben)

        fill(1)
        admin.get(path)
        with CaptureQueriesContext(connection) as one:
            assert len(admin.get(path).context["cl"].result_list) == 1
        fill(99)
        with django_assert_num_queries(len(one)):
            assert len(admin.get(path).context["cl"].result_list) == 100

    def test_scribbles_are_found_ordered_and_marked_unreadable_at_once(self, admin: Client):
        strange = [make_item(digit=0) for _ in range(3)]
        plain, scribble, worst = strange
        for row, strangeness in ((plain, 0.49), (scribble, 0.5), (worst, 0.97)):
            Prediction.objects.filter(pk=row.pk).update(strangeness=strangeness)
        assert found(admin, strange="yes") == {scribble.pk, worst.pk}
        assert found(admin, strange="no") == {plain.pk}
        columns = admin.get(LIST).context["cl"].list_display
        order = f"-{columns.index('strange')}"
        rows = admin.get(f"{LIST}?o={order}").context["cl"].result_list
        assert [row.pk for row in rows] == [worst.pk, scribble.pk, plain.pk]
        decide(admin, select(admin, scribble, across=True, strange="yes"), "unreadable")
        assert set(Label.objects.values_list("pk", "is_unreadable")) == {
            (scribble.pk, True), (worst.pk, True)
        }  # fmt: skip
        answer = decide(admin, select(admin, plain, across=True, strange="no"), "review")
        assert "Send to review: 1 done" in said(answer)

    def test_the_count_stops_where_nobody_pages(self, admin: Client, monkeypatch: Any):
        monkeypatch.setattr("predictions.admin.registered.BoundedPaginator.LIMIT", 5)
        many(9)
        answer = admin.get(LIST)
        assert answer.context["cl"].result_count == 5
        assert "more than 5" in answer.content.decode()

    def test_cy_and_labelers_are_sent_away(self):
        for user in (make_cy(), make_ada()):
            client = Client()
            client.force_login(user)
            for path in (LIST, "/admin/labeling/label/", "/admin/labeling/batch/"):
                assert client.get(path).status_code == 302
        assert Client().get(LIST).status_code == 302

    def test_labels_are_found_by_prediction_month_labeler_and_version(
        self, admin: Client, ben: User
    ):
        ada, path = make_ada(), "/admin/labeling/label/"
        autumn = make_item(created_at=datetime(2026, 9, 30, 12, tzinfo=UTC))
        winter = make_item(version=make_version("other"))
        LabelEvent.objects.create(prediction=autumn, kind="label", digit=1, labeler=ada)
        LabelEvent.objects.create(prediction=winter, kind="correct", digit=2, labeler=ben)
        rebuild_labels()
        assert listed(admin, path) == {autumn.pk, winter.pk}
        assert listed(admin, path, q=str(winter.public_id)) == {winter.pk}
        assert listed(admin, path, q="nonsense") == set()
        assert listed(admin, path, month="2026-09") == {autumn.pk}
        assert listed(admin, path, labeler=str(ben.pk)) == {winter.pk}
        assert listed(admin, path, version=str(winter.version_id)) == {winter.pk}
        assert admin.get(f"{path}?month=1926-01").status_code == 302

    def test_events_are_found_by_ids_and_by_who_said_what_when(self, admin: Client, ben: User):
        path, asked = "/admin/labeling/labelevent/", uuid.uuid4()
        last_year = datetime(2025, 11, 30, 12, tzinfo=UTC)
        early, late = make_item(created_at=last_year), make_item()
        once = make_user("once")  # no role any more, and still in the history
        first = LabelEvent.objects.create(
            prediction=early, kind="label", digit=1, labeler=once, stream="unsure",
            created_at=last_year, request_id=asked,
        )  # fmt: skip
        undo = LabelEvent.objects.create(
            prediction=early, kind="undo", reverses=first, labeler=once
        )
        last = LabelEvent.objects.create(prediction=late, kind="correct", digit=2, labeler=ben)
        assert listed(admin, path) == {first.pk, undo.pk, last.pk}
        assert listed(admin, path, q=str(early.public_id)) == {first.pk, undo.pk}
        assert listed(admin, path, q=str(asked)) == {first.pk}
        assert listed(admin, path, q=str(uuid.uuid4())) == listed(admin, path, q="x") == set()
        assert listed(admin, path, labeler=str(once.pk)) == {first.pk, undo.pk}
        assert listed(admin, path, kind="correct") == {last.pk}
        assert listed(admin, path, stream="unsure") == {first.pk}
        assert listed(admin, path, month="2025-11") == {first.pk}
        assert listed(admin, path, month="2025-12") == set()

    def test_a_predictions_page_tells_who_said_what_when(self, admin: Client, ben: User):
        item = make_item(digit=9)
        page = f"/admin/predictions/prediction/{item.pk}/change/"
        assert "none" in admin.get(page).content.decode()
        door = Door(make_ada())
        door.label(door.item(), 4, seconds=1.5)
        door.undo()
        door.label(door.item(), None)
        decide(admin, select(admin, item), "3")

        answer = admin.get(page)
        first, undo, again, correction = LabelEvent.objects.order_by("pk")
        (formset,) = answer.context["inline_admin_formsets"]
        told = [[unescape(str(cell.contents())) for cell in fields_of(form)] for form in formset]
        assert [row[1] for row in told] == [
            "a labeler's opinion", "takes another event back", "a labeler's opinion",
            "an admin's correction",
        ]  # fmt: skip
        assert [row[2] for row in told] == ["4", "", "unreadable", "3"]
        assert [row[3] for row in told] == ["ada", "ada", "ada", "ben"]
        text = answer.content.decode()
        assert f"event {first.pk}" in text
        assert "1.5 s" in text
        assert "bulk correction of 1" in text
        assert "3 (settled)</a>, 1 opinion" in text
        assert f"{reverse('admin:labeling_labelevent_change', args=[again.pk])}" in text
        assert (undo.reverses, correction.batch) == (first, Batch.objects.get())
        assert admin.post(page, {"events-0-digit": 1}).status_code == 403

    def test_a_long_history_costs_no_more_queries(
        self, admin: Client, ben: User, django_assert_num_queries: Any
    ):
        item = make_item()
        page = f"/admin/predictions/prediction/{item.pk}/change/"

        def say(count: int) -> None:
            for each in range(count):
                batch = Batch.objects.create(kind=Batch.Kind.CORRECTION, made_by=ben)
                LabelEvent.objects.create(
                    prediction=item, kind="correct", digit=each % 10, labeler=ben, batch=batch,
                    version=item.version,
                )  # fmt: skip
            rebuild_labels()

        say(1)
        admin.get(page)
        with CaptureQueriesContext(connection) as one:
            admin.get(page)
        say(20)
        with django_assert_num_queries(len(one)):
            admin.get(page)

    def test_history_cannot_be_edited(self, admin: Client, ben: User):
        item = make_item()
        event = LabelEvent.objects.create(prediction=item, kind="label", digit=1, labeler=ben)
        url = reverse("admin:labeling_labelevent_change", args=[event.pk])
        assert admin.get(url).status_code == 200
        assert admin.post(url, {"digit": 3}).status_code == 403
        assert admin.post(url.replace("change", "delete"), {"post": "yes"}).status_code == 403
        event.refresh_from_db()
        assert event.digit == 1


class TestSavedViews:
    VIEWS = LIST + "views/"

    def test_a_filter_is_kept_under_a_name_and_shown_as_a_link(self, admin: Client, ben: User):
        answer = admin.post(
            self.VIEWS, {"name": "Odd sevens", "querystring": "label=disagrees&predicted=7"}
        )
        assert answer["Location"] == f"{LIST}?label=disagrees&predicted=7"
        view = SavedView.objects.get(owner=ben)
        page = admin.get(LIST).content.decode()
        assert "Odd sevens" in page
        assert view.querystring.replace("&", "&amp;") in page
        assert found(admin, label="disagrees", predicted="7") == set()

    def test_the_page_offers_to_keep_the_filter_as_it_stands(self, admin: Client):
        page = admin.get(f"{LIST}?predicted=7&p=1")
        assert page.context["current_query"] == "predicted=7"

    def test_the_same_name_replaces(self, admin: Client):
        for query in ("predicted=7", "predicted=3"):
            admin.post(self.VIEWS, {"name": "mine", "querystring": query})
        assert SavedView.objects.get().querystring == "predicted=3"

    @pytest.mark.parametrize(
        ("name", "query"),
        [("x", "user__password=1"), ("", "predicted=7"), ("n" * 41, ""), ("x", "q=" + "y" * 600)],
    )
    def test_what_the_list_does_not_offer_is_refused(self, admin: Client, name: str, query: str):
        admin.post(self.VIEWS, {"name": name, "querystring": query})
        assert not SavedView.objects.exists()

    def test_ones_own_view_is_forgotten_and_nobody_elses(self, admin: Client):
        other = SavedView.objects.create(owner=make_ada(), name="hers", querystring="")
        admin.post(self.VIEWS, {"forget": str(other.pk)})
        assert SavedView.objects.exists()
        admin.post(self.VIEWS, {"name": "mine", "querystring": ""})
        admin.post(self.VIEWS, {"forget": str(SavedView.objects.get(name="mine").pk)})
        assert [view.name for view in SavedView.objects.all()] == ["hers"]

    def test_cy_keeps_nothing(self):
        client = Client()
        client.force_login(make_cy())
        assert client.post(self.VIEWS, {"name": "x", "querystring": ""}).status_code == 302
        assert client.get(self.VIEWS).status_code == 302
        assert not SavedView.objects.exists()


class TestDecidingInBulk:
    def test_ticked_rows_are_corrected_and_no_others(self, admin: Client, ben: User):
        one, other, rest = make_item(), make_item(), make_item()
        page = select(admin, one, other)
        assert page.context["count"] == 2
        assert not Label.objects.exists()
        answer = decide(admin, page, "3")
        assert "2 done" in said(answer)
        assert set(Label.objects.values_list("pk", "digit")) == {(one.pk, 3), (other.pk, 3)}
        batch = Batch.objects.get()
        assert (batch.count, batch.made_by) == (2, ben)
        assert rest.queue_item.is_open

    def test_all_that_match_the_filter_however_many(self, admin: Client):
        rows = many(500)
        others = many(30, digit=3)
        page = select(admin, *rows[:3], across=True, predicted="7")
        assert page.context["count"] == 500
        assert page.context["keys"] == ["all"]  # no list of ids travels
        answer = decide(admin, page, "1")
        assert "500 done" in said(answer)
        assert Batch.objects.get().count == Label.objects.filter(digit=1).count() == 500
        assert Batch.objects.get().chosen_by["filter"] == {"predicted": "7"}
        assert not Label.objects.filter(pk__in=[row.pk for row in others]).exists()

    def test_one_undo_takes_it_all_back(self, admin: Client):
        rows = many(120)
        places = list(QueueItem.objects.order_by("pk").values())
        decide(admin, select(admin, rows[0], across=True, predicted="7"), "unreadable")
        assert Label.objects.filter(is_unreadable=True).count() == 120
        batch = Batch.objects.get()
        answer = admin.post(
            "/admin/labeling/batch/",
            {"action": "undo", "index": "0", "select_across": "0", "_selected_action": [batch.pk]},
            follow=True,
        )
        assert "120 labels" in said(answer)
        assert not Label.objects.exists()
        assert list(QueueItem.objects.order_by("pk").values()) == places
        assert LabelEvent.objects.filter(kind="undo").count() == 120

    def test_an_empty_selection_never_means_all(self, admin: Client):
        make_item()
        for across in (False, True):
            answer = select(admin, across=across)
            assert answer.status_code == 302
        admin.post(
            LIST,
            {"action": "decide_in_bulk", "confirmed": "yes", "act": "3", "count": 1, "newest": 99,
             "select_across": "1", "selection": str(uuid.uuid4())},
        )  # fmt: skip
        assert not LabelEvent.objects.exists()

    def test_what_came_after_the_count_is_left_out(self, admin: Client):
        item = make_item()
        page = select(admin, item, across=True, predicted="7")
        late = make_item()
        decide(admin, page, "1")
        assert Label.objects.filter(pk=item.pk).exists()
        assert not Label.objects.filter(pk=late.pk).exists()

    def test_while_people_label_the_rest_is_corrected_and_theirs_left_alone(self, admin: Client):
        rows = many(40)
        page = select(admin, rows[0], across=True, label="none")
        for name in ("ada", "bea", "cid"):
            door = Door(make_user(name, role="labeler"))
            assert door.label(door.item(), 4).status_code == 200
        told = said(decide(admin, page, "1"))
        assert "37 done. 3 left alone: changed since they were shown." in told
        assert Label.objects.filter(digit=4).count() == 3
        assert Label.objects.filter(digit=1).count() == Batch.objects.get().count == 37

    def test_an_answer_taken_back_meanwhile_is_a_change_too(self, admin: Client):
        make_item()
        ada = Door(make_ada())
        ada.label(ada.item(), 4)
        page = select(admin, Prediction.objects.get(), across=True, label="4")
        ada.undo()
        assert "1 left alone: changed" in said(decide(admin, page, "1"))
        assert not Label.objects.exists()

    def test_of_two_admins_the_later_changes_nothing_that_changed_meanwhile(self, admin: Client):
        rows, bob = many(30), Client()
        bob.force_login(make_user("bob", role="admin", is_staff=True))
        late = select(bob, rows[0], across=True, predicted="7")
        ticked = select(admin, *rows[:20])
        assert "20 done" in said(decide(admin, ticked, "1"))
        told = said(decide(bob, late, "2"))
        assert "10 done. 20 left alone: changed since they were shown." in told
        assert Label.objects.filter(digit=1).count() == 20
        assert Label.objects.filter(digit=2).count() == 10
        assert LabelEvent.objects.count() == 30

    def test_a_visitor_who_changed_their_mind_meanwhile_is_asked_about_again(self, admin: Client):
        kept, changed = make_item(), make_item()
        make_feedback(kept, 8)
        make_feedback(changed, 8)
        page = select(admin, kept, changed)
        Feedback.objects.filter(pk=changed.pk).update(digit=3)
        told = said(decide(admin, page, "feedback"))
        assert "1 done. 1 left alone: changed since they were shown." in told
        assert set(Label.objects.values_list("pk", "digit")) == {(kept.pk, 8)}

    def test_what_was_erased_meanwhile_is_counted_and_left_alone(self, admin: Client):
        visitor = uuid.uuid4()
        page = select(admin, make_item(visitor=visitor), make_item())
        erase_owner(Owner(visitor=visitor))
        assert "1 done. 1 left alone: erased." in said(decide(admin, page, "1"))
        assert Label.objects.count() == 1

    @pytest.mark.parametrize("act", ["review", "gold"])
    def test_the_other_acts_leave_alone_what_changed_too(self, admin: Client, act: str):
        rows = many(3)
        decide(admin, select(admin, *rows), "1")
        page = select(admin, *rows)
        decide(admin, select(admin, rows[0]), "2")
        told = said(decide(admin, page, act))
        assert "1 left alone: changed since they were shown" in told
        changed = Ask.objects.all() if act == "review" else Gold.objects.all()
        assert {row.prediction_id for row in changed} == {row.pk for row in rows[1:]}

    def test_a_second_press_of_the_button_finds_nothing(self, admin: Client):
        page = select(admin, make_item())
        assert "1 done" in said(decide(admin, page, "1"))
        assert "acted on already" in said(decide(admin, page, "1"))
        assert LabelEvent.objects.count() == 1

    def test_a_refusal_leaves_the_page_good_for_another_act(self, admin: Client):
        page = select(admin, make_item())
        assert "Nothing selected has feedback" in said(decide(admin, page, "feedback"))
        assert "1 done" in said(decide(admin, page, "1"))

    def test_what_was_shown_to_somebody_else_or_an_hour_ago_is_acted_on_by_nobody(
        self, admin: Client
    ):
        page, bob = select(admin, make_item()), Client()
        bob.force_login(make_user("bob", role="admin", is_staff=True))
        assert "Select it again" in said(decide(bob, page, "1"))
        Selection.objects.update(shown_at=timezone.now() - timedelta(minutes=61))
        assert "Select it again" in said(decide(admin, page, "1"))
        assert not LabelEvent.objects.exists()
        select(bob, make_item())
        assert Selection.objects.get().owner.username == "bob"  # and what is old is gone

    def test_without_an_act_nothing_happens(self, admin: Client):
        page = select(admin, make_item())
        for act in ("", "11", "drop"):
            assert decide(admin, page, act).context["form"].errors
        assert not LabelEvent.objects.exists()

    def test_feedback_is_accepted_item_by_item(self, admin: Client):
        eight, scribble, silent = make_item(), make_item(), make_item()
        audit = make_item(is_audit=True)
        make_feedback(eight, 8)
        make_feedback(scribble, None)
        make_feedback(audit, 1)
        page = select(admin, eight, scribble, silent, audit)
        told = said(decide(admin, page, "feedback"))
        assert "2 done" in told
        assert "1 left alone: without feedback" in told
        assert "1 left alone: audits" in told
        assert Label.objects.get(pk=eight.pk).digit == 8
        assert Label.objects.get(pk=scribble.pk).is_unreadable
        assert Label.objects.count() == 2
        assert Batch.objects.get().count == 2

    def test_without_any_feedback_there_is_no_batch(self, admin: Client):
        told = said(decide(admin, select(admin, make_item()), "feedback"))
        assert "Nothing selected has feedback" in told
        assert not Batch.objects.exists()

    def test_an_audit_nobody_answered_stays_blind(self, admin: Client):
        audit, plain = make_item(is_audit=True), make_item()
        told = said(decide(admin, select(admin, audit, plain), "3"))
        assert "1 left alone: audits" in told
        assert [label.pk for label in Label.objects.all()] == [plain.pk]

    def test_items_are_sent_to_review_and_back(self, admin: Client):
        item, audit = make_item(), make_item(is_audit=True)
        before = QueueItem.objects.values().get(pk=item.pk)
        told = said(decide(admin, select(admin, item, audit), "review"))
        assert "1 done" in told
        assert "1 left alone: audits" in told
        assert QueueItem.objects.get(pk=item.pk).stream == Stream.REVIEW
        assert Ask.objects.count() == 1
        batch = Batch.objects.get()
        assert batch.kind == Batch.Kind.REVIEW
        admin.post(
            "/admin/labeling/batch/",
            {"action": "undo", "index": "0", "select_across": "0", "_selected_action": [batch.pk]},
        )
        assert QueueItem.objects.values().get(pk=item.pk) == before

    def test_undoing_a_request_leaves_an_item_to_a_later_one(self, admin: Client):
        item, ada = make_item(), Door(make_ada())
        decide(admin, select(admin, item), "review")
        first = Batch.objects.get()
        ada.label(ada.item())
        decide(admin, select(admin, item), "review")
        asked = QueueItem.objects.values().get(pk=item.pk)
        assert (asked["is_open"], asked["stream"]) == (True, Stream.REVIEW)
        undo_batch(first, by=User.objects.get(username="ada"))
        assert QueueItem.objects.values().get(pk=item.pk) == asked

    def test_a_disputed_item_waits_for_a_reviewer_already(self, admin: Client):
        item, other = make_item(), make_item()
        for made, digit in ((item, 1), (item, 2), (other, 1)):
            kind = "correct" if digit == 1 else "label"
            LabelEvent.objects.create(prediction=made, kind=kind, digit=digit)
        rebuild_labels()
        told = said(decide(admin, select(admin, item, other), "review"))
        assert "1 done" in told
        assert "1 left alone: disputed" in told

    def test_a_reviewer_may_send_to_review_and_correct_nothing(self):
        rita = make_user("rita", role="reviewer", is_staff=True)
        client = Client()
        client.force_login(rita)
        item = make_item()
        page = select(client, item)
        assert decide(client, page, "3").context["form"].errors
        decide(client, page, "review")
        assert not LabelEvent.objects.exists()
        assert QueueItem.objects.get(pk=item.pk).stream == Stream.REVIEW

    def test_an_analyst_sees_the_list_and_no_action(self):
        client = Client()
        client.force_login(make_user("ann", role="analyst", is_staff=True))
        item = make_item()
        assert client.get(LIST).status_code == 200
        select(client, item)
        assert not LabelEvent.objects.exists()

    def test_the_page_costs_as_many_queries_for_500_as_for_1(
        self, admin: Client, django_assert_num_queries: Any
    ):
        (row,) = many(1)
        with CaptureQueriesContext(connection) as one:
            select(admin, row, across=True, predicted="7")
        many(499)
        with django_assert_num_queries(len(one)):
            assert select(admin, row, across=True, predicted="7").context["count"] == 500


class TestGold:
    def test_settled_labels_become_gold_and_others_do_not(self, admin: Client):
        settled, bare = make_item(), make_item()
        decide(admin, select(admin, settled), "3")
        told = said(decide(admin, select(admin, settled, bare), "gold"))
        assert "1 are gold now" in told
        assert "1 left alone: without a settled digit" in told
        assert list(Gold.objects.values_list("pk", "digit")) == [(settled.pk, 3)]
        assert QueueItem.objects.get(pk=settled.pk).is_parked

    def test_gold_is_given_back(self, admin: Client):
        item = make_item()
        decide(admin, select(admin, item), "3")
        decide(admin, select(admin, item), "gold")
        admin.post(
            "/admin/labeling/gold/",
            {"action": "remove", "index": "0", "select_across": "0", "_selected_action": [item.pk]},
        )
        assert not Gold.objects.exists()
        place = QueueItem.objects.get(pk=item.pk)
        assert (place.is_parked, place.is_open) == (False, False)

    def test_the_label_list_makes_gold_too(self, admin: Client):
        item = make_item()
        decide(admin, select(admin, item), "3")
        page = admin.post(
            "/admin/labeling/label/",
            {"action": "decide_in_bulk", "index": "0", "select_across": "0",
             "_selected_action": [item.pk]},
        )  # fmt: skip
        assert "1 are gold now" in said(decide(admin, page, "gold"))
        assert Gold.objects.get().digit == 3

    def test_the_command_draws_the_surest_in_equal_shares(self):
        from django.core.management import CommandError, call_command

        ada, eve = make_ada(), make_user("eve", role="labeler")
        for digit in (1, 1, 1, 2):
            item = make_item()
            for labeler in (ada, eve):
                LabelEvent.objects.create(
                    prediction=item, kind="label", digit=digit, labeler=labeler
                )
        make_item()
        rebuild_labels()
        call_command("add_gold", count=2)
        assert sorted(Gold.objects.values_list("digit", flat=True)) == [1, 2]
        call_command("add_gold", count=50)
        assert Gold.objects.count() == 4
        with pytest.raises(CommandError):
            call_command("add_gold", count=1)

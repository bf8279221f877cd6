from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from predictions.access import resets
from predictions.models import ModelVersion, Prediction
from predictions.refusals import server_error
from predictions.serving import recognizer
from predictions.templatetags.readings import as_confidence, percent, unbroken
from predictions.templatetags.wording import moment
from tests.factories import (
    a_seven,
    make_ada,
    make_ben,
    make_cy,
    make_feedback,
    make_prediction,
    png,
)

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"


@pytest.fixture
def _one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often a process looks for a promotion hangs on the clock, not on the page."""
    monkeypatch.setattr(recognizer, "LOOK_EVERY", 3600)


def image(content: bytes | None = None) -> dict[str, Any]:
    data = png(a_seven()) if content is None else content
    return {"image": SimpleUploadedFile("seven.png", data, "image/png")}


def visit(client: Client, path: str = "/") -> str:
    return client.get(path).content.decode()


# -- drawing -------------------------------------------------------------------------------------


def test_anybody_may_open_the_draw_page(client: Client, live_version: ModelVersion) -> None:
    page = visit(client)
    assert "Draw a digit" in page
    assert live_version.name in page


def test_the_draw_page_opens_while_no_model_version_can_answer(client: Client) -> None:
    assert client.get("/").status_code == 200


def test_the_upload_form_stores_a_prediction_and_shows_it(
    client: Client, live_version: ModelVersion
) -> None:
    response = client.post("/", image(), follow=True)
    stored = Prediction.objects.get()
    assert response.redirect_chain == [(stored.get_absolute_url(), 302)]
    assert stored.source == Prediction.Source.UPLOAD
    assert "Read as 7" in response.content.decode()
    assert str(stored.public_id) in visit(client, "/predictions/")


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({}, 422, "Choose an image first."),
        (image(b""), 422, "That file is empty."),
        (image(b"GIF89a, or so it says"), 415, ""),
        (image(png(a_seven().point(lambda _: 255))), 422, "ink"),
    ],
)
def test_an_upload_that_cannot_be_read_is_refused_on_the_page(
    client: Client, live_version: ModelVersion, sent: dict[str, Any], status: int, said: str
) -> None:
    response = client.post("/", sent)
    page = response.content.decode()
    assert response.status_code == status
    assert 'role="alert"' in page
    assert said in page
    assert not Prediction.objects.exists()


def test_an_upload_is_refused_in_words_while_no_model_version_can_answer(client: Client) -> None:
    response = client.post("/", image())
    assert response.status_code == 503
    assert 'role="alert"' in response.content.decode()


def test_the_upload_form_asks_for_the_token_of_its_page(live_version: ModelVersion) -> None:
    strict = Client(enforce_csrf_checks=True)
    refused = strict.post("/", image())
    assert refused.status_code == 403
    page = refused.content.decode()
    assert "The page was open too long or cookies are off" in page
    assert "Inkloop" in page
    token = strict.get("/").context["csrf_token"]
    sent = {**image(), "csrfmiddlewaretoken": str(token)}
    assert strict.post("/", sent).status_code == 302


def test_the_forms_share_the_limit_of_the_endpoints(
    client: Client, live_version: ModelVersion, settings: Any
) -> None:
    settings.CAPTURES_PER_MINUTE = 1
    assert client.post("/", image()).status_code == 302
    refused = client.post("/", image())
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1
    assert Prediction.objects.count() == 1


# -- history -------------------------------------------------------------------------------------


def test_the_history_shows_only_ones_own(client: Client) -> None:
    ada, cy = make_ada(), make_cy()
    mine, other = make_prediction(user=ada), make_prediction(user=cy)
    client.force_login(ada)
    page = visit(client, "/predictions/")
    assert str(mine.public_id) in page
    assert str(other.public_id) not in page
    assert str(mine.public_id) not in visit(Client(), "/predictions/")


def test_an_empty_history_says_what_to_do(client: Client, live_version: ModelVersion) -> None:
    assert "Nothing here yet" in visit(client, "/predictions/")


def test_the_history_tells_accuracy_over_what_was_answered(client: Client) -> None:
    ada = make_ada()
    client.force_login(ada)
    for said in (7, 7, 3):
        make_feedback(make_prediction(digit=7, user=ada), said)
    make_prediction(user=ada, confidence=0.75)
    make_prediction(confidence=0.99)
    page = visit(client, "/predictions/")
    assert "66.7%" in page
    assert "2 right of 3 you answered" in page
    assert "90.0%" in page  # own best of today
    assert "99.0%" in page  # anybody's


def test_whoever_opens_a_drawing_is_not_told_that_they_answered_it(client: Client) -> None:
    made = make_prediction(digit=7, user=make_ada())
    make_feedback(made, 7)
    page = client.get(made.get_absolute_url()).content.decode()
    assert "Answered so far: <b>Right</b>." in page
    assert "You said" not in page


def test_older_pages_follow_by_key_and_end(client: Client) -> None:
    ada = make_ada()
    client.force_login(ada)
    rows = [make_prediction(user=ada) for _ in range(5)]
    first = visit(client, "/predictions/?limit=3")
    assert first.count('class="thumb"') == 3
    following = f"?before={rows[2].public_id}&amp;limit=3"
    assert following in first
    second = visit(client, "/predictions/" + following.replace("&amp;", "&"))
    assert second.count('class="thumb"') == 2
    assert 'rel="next"' not in second
    assert "Newest" in second


@pytest.mark.parametrize("query", ["?limit=0", "?limit=101", "?before=abc", "?days=9", "?limit=x"])
def test_a_history_page_that_cannot_be_is_refused(
    client: Client, live_version: ModelVersion, query: str
) -> None:
    response = client.get("/predictions/" + query)
    assert response.status_code == 400
    assert "newest" in response.content.decode()


@pytest.mark.usefixtures("_one_look")
def test_the_history_asks_as_many_queries_for_21_rows_as_for_1(
    client: Client, django_assert_num_queries: Any
) -> None:
    ada = make_ada()
    client.force_login(ada)
    make_feedback(make_prediction(user=ada), 7)
    client.get("/predictions/")  # the network is loaded now
    with django_assert_num_queries(5):  # session, user, page, tally, best of everybody
        client.get("/predictions/")
    for _ in range(20):
        make_feedback(make_prediction(user=ada), 3)
    with django_assert_num_queries(5):
        client.get("/predictions/")


@pytest.mark.usefixtures("_one_look")
def test_the_draw_page_costs_a_visitor_two_queries(
    client: Client, live_version: ModelVersion, django_assert_num_queries: Any
) -> None:
    client.get("/")
    with django_assert_num_queries(2):  # today's best score, labels toward the next run
        client.get("/")


# -- accounts --------------------------------------------------------------------------------------


def test_the_header_offers_what_the_person_may_do(client: Client) -> None:
    assert reverse("login") in visit(client)
    client.force_login(make_cy())
    assert reverse("admin:index") not in visit(client)
    assert reverse("logout") in visit(client)
    client.force_login(make_ben())
    assert reverse("admin:index") in visit(client)


def test_logging_in_and_out(client: Client) -> None:
    make_ada()
    sent = {"username": "ada", "password": PASSWORD}
    assert client.post(reverse("login"), sent).status_code == 302
    assert client.get(reverse("logout")).status_code == 405
    assert client.post(reverse("logout")).status_code == 302
    assert "_auth_user_id" not in client.session


def test_the_fifth_wrong_password_locks_the_door_in_the_look_of_the_product(
    client: Client,
) -> None:
    make_ada()
    wrong = {"username": "ada", "password": "guess"}
    answers = [client.post(reverse("login"), wrong) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert "Locked for a while" in answers[-1].content.decode()
    right = client.post(reverse("login"), {"username": "ada", "password": PASSWORD})
    assert right.status_code == 429


def test_a_forgotten_password_is_set_by_a_link_that_works_once(
    client: Client, mailoutbox: list[Any]
) -> None:
    ada = make_ada()
    assert client.post(reverse("password_reset"), {"email": ada.email}).status_code == 302
    assert resets.send_due()["sent"] == 1
    (mail,) = mailoutbox
    assert mail.subject == "Set a new password for Inkloop"
    link = next(line for line in mail.body.splitlines() if line.startswith("http"))
    path = link.removeprefix("http://testserver")
    form = client.get(path, follow=True)
    fresh = {"new_password1": "seven-inky-loops", "new_password2": "seven-inky-loops"}
    done = client.post(form.request["PATH_INFO"], fresh, follow=True)
    assert "Password set" in done.content.decode()
    ada.refresh_from_db()
    assert ada.check_password("seven-inky-loops")
    assert "no longer works" in visit(Client(), path)


def test_a_reset_for_an_unknown_address_tells_nothing(
    client: Client, mailoutbox: list[Any]
) -> None:
    response = client.post(reverse("password_reset"), {"email": "eve@example.org"}, follow=True)
    assert "If an account has that address" in response.content.decode()
    assert resets.send_due()["sent"] == 1
    assert mailoutbox == []


def test_changing_the_password_asks_for_the_old_one(client: Client) -> None:
    ada = make_ada()
    client.force_login(ada)
    fresh = {"new_password1": "seven-inky-loops", "new_password2": "seven-inky-loops"}
    refused = client.post(reverse("password_change"), {"old_password": "guess", **fresh})
    assert refused.status_code == 200
    changed = client.post(
        reverse("password_change"), {"old_password": PASSWORD, **fresh}, follow=True
    )
    assert "Password changed" in changed.content.decode()
    ada.refresh_from_db()
    assert ada.check_password("seven-inky-loops")


def test_the_admin_uses_the_one_login_page_and_the_one_password_page(client: Client) -> None:
    to_login = client.get("/admin/", follow=True)
    assert to_login.redirect_chain[-1][0] == "/accounts/login/?next=/admin/"
    client.force_login(make_cy())
    assert client.get("/admin/", follow=True).status_code == 403  # and no endless redirect
    client.force_login(make_ben())
    assert client.get("/admin/").status_code == 200
    change = client.get("/admin/password_change/")
    assert change["Location"] == reverse("password_change")


# -- problems -----------------------------------------------------------------------------------


def test_our_own_mistake_is_told_in_the_look_of_the_product(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("predictions.pages.draw.tally", broken)
    client.raise_request_exception = False
    response = client.get("/predictions/")
    page = response.content.decode()
    assert response.status_code == 500
    assert "Our mistake" in page
    assert "broken on purpose" not in page


def test_a_page_about_our_own_mistake_asks_the_database_nothing(
    rf: RequestFactory, django_assert_num_queries: Any
) -> None:
    request = rf.get("/")
    request.user = SimpleLazyObject(make_ada)  # type: ignore[assignment]
    with django_assert_num_queries(0):
        assert server_error(request).status_code == 500


def test_a_page_of_another_address_is_not_found(client: Client, live_version: Any) -> None:
    response = client.get("/nowhere/")
    assert response.status_code in {302, 404}
    assert client.get("/predictions/not-a-uuid/").status_code == 404


@pytest.mark.parametrize("path", ["/", "/predictions/", "/accounts/login/", "/nowhere"])
def test_pages_carry_no_inline_script_or_style(
    client: Client, live_version: ModelVersion, path: str
) -> None:
    page = visit(client, path)
    assert " style=" not in page
    assert "<style" not in page
    assert "<script>" not in page
    assert "onclick" not in page


def test_every_page_asset_is_a_file_of_ours(client: Client, live_version: ModelVersion) -> None:
    page = visit(client)
    assert "//" not in page.replace("http://www.w3.org", "").replace("http://testserver", "")
    assert f'"/{django_settings.STATIC_URL.strip("/")}/css/inkloop.css"' in page


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "–"),
        (0.0, "0.0%"),
        (0.9377, "93.8%"),
        (0.9994, "99.9%"),
        (0.9996, ">99.9%"),
        (1.0, "100.0%"),
    ],
)
def test_a_share_never_claims_certainty_by_rounding(share: float | None, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(("confidence", "words"), [(None, "–"), (0.9377, "93.8%"), (1.0, ">99.9%")])
def test_a_confidence_is_never_certainty(confidence: float | None, words: str) -> None:
    assert as_confidence(confidence) == words


def test_no_line_ends_between_a_number_and_what_belongs_to_it() -> None:
    said = "By Nov 30, 2026, 43 more of digit 1: 5 wait, and of 100 drawings 98 were read right."
    joined = ["Nov_30,_2026", "43_more", "digit_1", "5_wait", "of_100_drawings 98 were read right"]
    assert all(each in unbroken(said).replace("\N{NO-BREAK SPACE}", "_") for each in joined)
    assert unbroken(said).replace("\N{NO-BREAK SPACE}", " ") == said


def test_a_moment_of_another_year_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the installation's zone, in which the new year begins five hours later."""
    eve = datetime(2027, 1, 1, 4, 30, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: eve)
    assert moment(datetime(2026, 3, 1, 17, 5, tzinfo=UTC)) == "Mar 1, 12:05 PM"
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2027, 1, 1, 6, tzinfo=UTC))
    assert moment(eve) == "Dec 31, 2026, 11:30 PM"

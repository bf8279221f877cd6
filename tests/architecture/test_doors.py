"""Every page and endpoint states who may use it; what is unknown is denied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path
from rest_framework.views import APIView

from config.urls import urlpatterns as ours
from predictions.access.permissions import Nobody

# Pages for whoever is signed in, of any role; Django's middleware sees to it. Any page that asks
# for more says so on its view.
SIGNED_IN = {
    "login", "logout", "password_change", "password_change_done", "tokens", "revoke_token",
}  # fmt: skip
ADMIN = "admin/"  # has a permission for each of its pages by itself


def doors(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if route != ADMIN:
                yield from doors(pattern.url_patterns, route)
        else:
            yield route, pattern


def states_who_may_use_it(pattern: URLPattern) -> bool:
    view: Any = pattern.callback
    endpoint = getattr(view, "cls", None)
    if endpoint is not None and issubclass(endpoint, APIView):
        return bool(endpoint.permission_classes) and Nobody not in endpoint.permission_classes
    page = getattr(view, "view_class", None)
    return (
        getattr(view, "login_required", True) is False
        or hasattr(view, "permission_required")
        or hasattr(page, "permission_required")
        or pattern.name in SIGNED_IN
    )


def test_every_page_and_endpoint_states_who_may_use_it() -> None:
    found = list(doors(get_resolver().url_patterns))
    assert len(found) > 15
    silent = [route for route, pattern in found if not states_who_may_use_it(pattern)]
    assert not silent, "say so with login_not_required, permission_required or permission_classes"


def unmarked_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("anybody may read this")


class UnmarkedEndpoint(APIView):
    def get(self, request: Any) -> Any:
        raise AssertionError("nobody may come here")


urlpatterns = [
    *ours,
    path("unmarked/", unmarked_page),
    path("api/v1/unmarked/", UnmarkedEndpoint.as_view()),
]


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_a_page_that_says_nothing_sends_a_visitor_to_the_login(client: Client) -> None:
    answer = client.get("/unmarked/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_an_endpoint_that_says_nothing_serves_nobody(admin_client: Client) -> None:
    assert admin_client.get("/api/v1/unmarked/").status_code == 403
    assert Client().get("/api/v1/unmarked/").status_code in {401, 403}


def test_a_page_that_says_nothing_is_found() -> None:
    silent = [pattern for pattern in urlpatterns if not isinstance(pattern, URLResolver)]
    names = {str(pattern.pattern) for pattern in silent if not states_who_may_use_it(pattern)}
    assert names == {"unmarked/", "api/v1/unmarked/"}


@pytest.mark.django_db
@pytest.mark.parametrize("unknown", ["/nothing/", "/predictions/1/", "/static/../secret_key"])
def test_an_unknown_address_is_not_found(client: Client, unknown: str) -> None:
    assert client.get(unknown).status_code == 404


@pytest.mark.django_db
def test_an_unknown_endpoint_is_not_found_in_the_shape_of_every_error(client: Client) -> None:
    answer = client.get("/api/v1/nothing/")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.django_db
def test_the_admin_is_closed_to_visitors_and_to_accounts_without_a_role(client: Client) -> None:
    assert client.get("/admin/").status_code == 302

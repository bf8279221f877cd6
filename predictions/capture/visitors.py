"""Who a drawing belongs to: the signed-in user, or the browser it was made in."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse

from predictions.models import Owner

NEW_VISITOR = "inkloop.new_visitor"  # key in the request's environment, for the middleware below
COOKIE_AGE = 365 * 24 * 3600  # seconds


def owner_of(request: HttpRequest) -> Owner:
    """Return who sends the request; a browser without the visitor cookie owns nothing yet."""
    if request.user.is_authenticated:
        return Owner(user_id=request.user.pk)
    return Owner(visitor=visitor_of(request))


def make_owner(request: HttpRequest) -> Owner:
    """Return the owner of something new; a browser without the visitor cookie gets one."""
    owner = owner_of(request)
    if owner.user_id is None and owner.visitor is None:
        owner = Owner(visitor=uuid.uuid4())
        request.META[NEW_VISITOR] = owner.visitor
    return owner


def author_of(user_id: int | None, visitor: uuid.UUID | None, glyph_digest: uuid.UUID) -> str:
    """Who drew it: the user, else the visitor, else the glyph, so that its copies count as one."""
    if user_id is not None:
        return f"user {user_id}"
    return f"glyph {glyph_digest}" if visitor is None else f"visitor {visitor}"


def visitor_of(request: HttpRequest) -> uuid.UUID | None:
    if settings.VISITOR_COOKIE_NAME not in request.COOKIES:
        return None
    try:
        return uuid.UUID(request.get_signed_cookie(settings.VISITOR_COOKIE_NAME))
    except (BadSignature, ValueError):
        return None


class VisitorMiddleware:
    """Sets the cookie by which a new visitor owns drawings."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if visitor := request.META.get(NEW_VISITOR):
            response.set_signed_cookie(
                settings.VISITOR_COOKIE_NAME,
                str(visitor),
                max_age=COOKIE_AGE,
                httponly=True,
                samesite="Lax",
                secure=settings.HTTPS,
            )
        return response

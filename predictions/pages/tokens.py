"""The page of one's own tokens: make one, see when each was last used, revoke it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from predictions.access import tokens as verbs
from predictions.access.permissions import signed_in
from predictions.errors import Declined
from predictions.models import Token
from predictions.pages.forms import TokenForm

SHOWN = 100


# Any account may have tokens: they allow nothing its roles do not.
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("secret")
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens. The secret of a new one is shown only in the answer to the form."""
    form = TokenForm(request.POST or None)
    if request.method != "POST":
        return tokens_page(request, form)
    if not form.is_valid():
        return tokens_page(request, form, status=422)
    said = form.cleaned_data
    try:
        made, secret = verbs.make_token(
            signed_in(request), name=said["name"], scopes=said["scopes"], days=said["days"]
        )
    except Declined as declined:
        form.add_error(None, str(declined))
        return tokens_page(request, form, status=409)
    # No redirect: the secret would have to be stored for the next page.
    return tokens_page(request, TokenForm(), made=made, secret=secret)


def tokens_page(
    request: HttpRequest,
    form: TokenForm,
    *,
    made: Token | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "tokens": Token.objects.filter(owner=signed_in(request))[:SHOWN],
        "days": settings.TOKEN_DAYS,
    }
    return render(request, "predictions/tokens.html", context, status=status)


@require_POST
def revoke_page(request: HttpRequest, prefix: str) -> HttpResponse:
    """Revoke one's own token; for a token of another account the answer is a 404."""
    token = get_object_or_404(Token, owner=signed_in(request), prefix=prefix)
    if verbs.revoke([token]):
        messages.success(request, f"{token.name} is revoked: nothing gets in with it any more.")
    return redirect("predictions:tokens")

"""The page of one prediction, where people say what it is, and erasure of one's own drawings."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from labeling.batches.erasure import erase_owner
from labeling.batches.story import story_of
from labeling.decisions.blindness import KEPT, is_kept_from
from labeling.decisions.trust import is_trusted, take_word
from labeling.pages.forms import FeedbackForm
from predictions.access.limits import charge_pixels
from predictions.capture.visitors import make_owner, owner_of
from predictions.errors import Declined
from predictions.models import DIGITS, Prediction
from predictions.refusals import problem, refusal_page


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def prediction(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One prediction, for anybody who knows its unguessable id; its form takes feedback."""
    if is_kept_from(request.user, owner_of(request), public_id):
        return problem(request, "forbidden", KEPT, status=403, title="Not shown")
    shown = get_object_or_404(
        Prediction.objects.for_lists().select_related("feedback"), public_id=public_id
    )
    if request.method == "POST":
        return take_feedback(request, shown)
    return prediction_page(request, shown, FeedbackForm())


def prediction_page(
    request: HttpRequest, shown: Prediction, form: FeedbackForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "prediction": shown,
        "form": form,
        "digits": DIGITS,
        "story": story_of(shown, request.user),
        "link": request.build_absolute_uri(shown.get_absolute_url()),
    }
    return render(request, "labeling/prediction.html", context, status=status)


def take_feedback(request: HttpRequest, shown: Prediction) -> HttpResponse:
    """A trusted person's feedback becomes a label too."""
    form = FeedbackForm(request.POST)
    try:
        charge_pixels(request, 0)
        if not form.is_valid():
            return prediction_page(request, shown, form, status=422)
        digit = form.digit_for(shown)
        take_word(shown, digit, user=request.user, owner=make_owner(request))
    except Declined as declined:
        return refusal_page(request, declined)
    if is_trusted(request.user):
        messages.success(request, "Saved as a label, unless it is an audit.")
    back = request.POST.get("back")  # the page that led here, for the next one's crumb
    return redirect(f"{shown.get_absolute_url()}?{urlencode({'back': back})}" if back else shown)


@login_not_required
@require_POST
def erase_page(request: HttpRequest) -> HttpResponse:
    """Erase everything this user or browser has drawn, if the box is ticked."""
    if request.POST.get("sure") != "yes":
        messages.warning(request, "Nothing was erased: the box was not ticked.")
        return redirect("predictions:history")
    erased = erase_owner(owner_of(request))
    messages.success(request, f"{erased:,} drawing{'' if erased == 1 else 's'} erased, for good.")
    response = redirect("predictions:history")
    # The next drawing gets a new visitor id.
    response.delete_cookie(settings.VISITOR_COOKIE_NAME, samesite="Lax")
    return response

"""The pages a visitor sees: draw, and own history."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from predictions.access.limits import charge_pixels
from predictions.api.paging import PageQuery, page_of
from predictions.capture import capture
from predictions.capture.history import best_of, tally
from predictions.capture.visitors import make_owner, owner_of
from predictions.errors import Declined
from predictions.glyphs.images import pixels_of
from predictions.models import DIGITS, Prediction
from predictions.pages.forms import UploadForm
from predictions.refusals import no_such_page, refusal_page, retry_after, status_of


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def draw(request: HttpRequest) -> HttpResponse:
    """The draw page; without JavaScript its form takes an upload."""
    if request.method == "POST":
        return refusal_when_too_many(request) or upload(request)
    return draw_page(request, UploadForm())


def draw_page(request: HttpRequest, form: UploadForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "best_today": best_of(timezone.localdate()),
        "digits": DIGITS,
        "prediction": None,  # nothing is read yet
    }
    return render(request, "predictions/draw.html", context, status=status)


def upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return draw_page(request, form, status=422)
    data = form.cleaned_data["image"].read()
    try:
        stored = capture.capture(data, owner=make_owner(request), source=Prediction.Source.UPLOAD)
    except Declined as declined:
        form.add_error("image", str(declined))
        response = draw_page(request, form, status=status_of(declined))
        for name, value in retry_after(declined).items():
            response[name] = value
        return response
    return redirect(stored)


@login_not_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """One's own predictions, newest first, and how well they were read."""
    query = PageQuery(data=request.GET)
    if not query.is_valid():
        message = "That page of the history does not exist. Start again from the newest."
        return no_such_page(request, message)
    owner = owner_of(request)
    own = Prediction.objects.owned_by(owner).for_lists().select_related("feedback")
    context = {
        "tally": tally(owner),
        "page": page_of(own, **query.validated_data),
        "is_first": "before" not in query.validated_data,
        "zone": timezone.get_current_timezone_name().rpartition("/")[2].replace("_", " "),
    }
    return render(request, "predictions/history.html", context)


def refusal_when_too_many(request: HttpRequest) -> HttpResponse | None:
    """Apply the limit of the endpoints to a form; None means the request may go on."""
    image = request.FILES.get("image")
    pixels = pixels_of(image.read()) if image else 0
    if image:
        image.seek(0)
    try:
        charge_pixels(request, pixels)
    except Declined as declined:
        return refusal_page(request, declined)
    return None

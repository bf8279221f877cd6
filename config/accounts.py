"""Login, logout, password change and reset: Django's views with our templates and limits."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME, forms, login, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET
from django.views.generic import RedirectView

from predictions.access import resets, sign_in_links
from predictions.access.limits import Allowance, Busy, network_of
from predictions.pages.forms import NewPasswordForm, PasswordChangeForm
from predictions.refusals import problem
from training.pages.system import system

public = login_not_required

LOGINS = Allowance("failed login", 20, 15, "20 attempts to log in failed from where you are")
# Where a login leads without `next`: the first page whose permission the account has. An admin has
# all of them and starts at the drawing page, like everybody else.
HOMES = [
    ("labeling.correct_in_bulk", "predictions:draw"),
    ("training.start_run", "training:training"),
    ("labeling.review_items", "labeling:review"),
    ("labeling.label_items", "labeling:label"),
    ("labeling.view_label", "dashboard:technical"),
]
RESETS = Allowance("reset", 10, 60, "10 links were asked for from where you are")


class LoginView(views.LoginView):
    """Django's login. It limits failures for each network before it checks a password."""

    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        may = self.request.user.has_perm
        home = next((page for permission, page in HOMES if may(permission)), "predictions:draw")
        return reverse(home)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        LOGINS.take(network_of(request))
        try:
            return super().post(request, *args, **kwargs)
        except Busy:
            LOGINS.give_back(network_of(request))
            raise

    def form_valid(self, form: forms.AuthenticationForm) -> HttpResponse:
        LOGINS.give_back(network_of(self.request))
        return super().form_valid(form)


class PasswordResetView(views.PasswordResetView):
    """Accepts a request for a reset link; a background task looks up the account."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not resets.is_possible():
            message = "No mail is set up here. Ask an admin for a new password."
            return problem(request, "no_mail", message, status=404, title="No links by mail")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: forms.PasswordResetForm) -> HttpResponse:
        RESETS.take(network_of(self.request))
        resets.request_reset(form.cleaned_data["email"], site=resets.site_of(self.request))
        return HttpResponseRedirect(self.get_success_url())


@public
@require_GET
def sign_in_link(request: HttpRequest, account: str, token: str) -> HttpResponse:
    """Sign in with the link that ./run printed: on this machine, and once."""
    user = sign_in_links.account_for(request, account, token)
    if user is None:
        said = "This link was used before, or is too old. Start ./run again for another one."
        return problem(request, "not_found", said, status=404, title="This link has ended")
    login(request, user, backend="predictions.access.accounts.RoleBackend")
    return HttpResponseRedirect(reverse("predictions:draw"))


@public
def admin_login(request: HttpRequest) -> HttpResponseRedirect:
    """The admin's login: redirect to the one login page, or 403 if signed in without rights."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index"))


urlpatterns = [
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("enter/<str:account>/<str:token>/", sign_in_link, name="sign_in_link"),
    path(
        "password/",
        views.PasswordChangeView.as_view(form_class=PasswordChangeForm),
        name="password_change",
    ),
    path("password/done/", views.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("reset/", public(PasswordResetView.as_view()), name="password_reset"),
    path("reset/sent/", public(views.PasswordResetDoneView.as_view()), name="password_reset_done"),
    path(
        "reset/<uidb64>/<token>/",
        public(views.PasswordResetConfirmView.as_view(form_class=NewPasswordForm)),
        name="password_reset_confirm",
    ),
    path(
        "reset/done/",
        public(views.PasswordResetCompleteView.as_view()),
        name="password_reset_complete",
    ),
]

# Included before the admin's own URLs, so that login and password change have one page each.
admin_urlpatterns = [
    path("login/", admin_login),
    path("system/", system, name="system"),
    path("password_change/", RedirectView.as_view(pattern_name="password_change")),
]

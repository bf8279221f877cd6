"""Login, logout, password change and reset: Django's views behind our templates."""

from __future__ import annotations

from django.contrib.auth import REDIRECT_FIELD_NAME, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.views.generic import RedirectView

from predictions.forms import NewPasswordForm, PasswordChangeForm
from training.system_page import system

public = login_not_required


@public
def admin_login(request: HttpRequest) -> HttpResponseRedirect:
    """The admin sends strangers here; there is one login page, and a second login helps nobody."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index"))


urlpatterns = [
    path("login/", views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path(
        "password/",
        views.PasswordChangeView.as_view(form_class=PasswordChangeForm),
        name="password_change",
    ),
    path("password/done/", views.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("reset/", public(views.PasswordResetView.as_view()), name="password_reset"),
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

# Mounted above the admin's own: one place to log in and one to change a password.
admin_urlpatterns = [
    path("login/", admin_login),
    path("system/", system, name="system"),
    path("password_change/", RedirectView.as_view(pattern_name="password_change")),
]

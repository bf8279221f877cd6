"""A link that signs in once, printed by ./run for the person at this machine."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.http import HttpRequest
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode


class OnceTokens(PasswordResetTokenGenerator):
    """Tokens that end with the next login, because they contain the time of the last one."""

    key_salt = "predictions.access.sign_in_links"


tokens = OnceTokens()


def path_for_first_admin() -> str | None:
    """The path of a new link for the oldest admin; None in public or without an admin."""
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if settings.PUBLIC or admin is None:
        return None
    account = urlsafe_base64_encode(force_bytes(admin.pk))
    return reverse("sign_in_link", args=[account, tokens.make_token(admin)])


def account_for(request: HttpRequest, account: str, token: str) -> User | None:
    """The account of a link that is valid now, if the request comes from this machine."""
    if settings.PUBLIC or not is_loopback(request.META.get("REMOTE_ADDR", "")):
        return None
    try:
        key = int(urlsafe_base64_decode(account))
    except ValueError:
        return None
    user = User.objects.filter(pk=key, is_superuser=True, is_active=True).first()
    return user if user is not None and tokens.check_token(user, token) else None


def is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False

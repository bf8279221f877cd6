"""API tokens: a program acts for an account, with limited permissions.

A token allows only what both its scopes and its owner's roles allow: a request with it runs as the
owner without all other permissions. Only the SHA-256 of the secret is stored. The secret has 256
random bits, so a slow hash would add nothing.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from predictions.access.accounts import ACCOUNT, FLAGS, GRANTED
from predictions.access.limits import address_of
from predictions.database import clock
from predictions.database.clock import Moment
from predictions.errors import Declined
from predictions.models import Token

logger = logging.getLogger(__name__)
START = "ink"  # the prefix by which secret scanners find tokens
READ = "read"
MOST_TOKENS = 50  # live tokens an account
NOTE_EVERY = 60.0  # seconds between two updates of a token's last use


class TokenRefused(Declined):
    """No such token can be made."""

    code = "token_refused"


def make_token(
    owner: User, *, name: str, scopes: Iterable[str], days: int | None = None
) -> tuple[Token, str]:
    """Create a token; return it and its secret, which cannot be read again."""
    days = settings.TOKEN_DAYS if days is None else days
    name = name.strip()
    chosen = [scope for scope in settings.TOKEN_SCOPES if scope in set(scopes)]
    if not 1 <= len(name) <= 60:
        raise TokenRefused("A token needs a name of at most 60 characters.")
    if not chosen or set(scopes) - set(chosen):
        raise TokenRefused(f"Choose among the scopes {', '.join(settings.TOKEN_SCOPES)}.")
    if not 1 <= days <= settings.TOKEN_DAYS:
        raise TokenRefused(f"A token lives from 1 to {settings.TOKEN_DAYS} days.")
    check_may_own_another(owner)
    expired = Token.objects.filter(owner=owner, name=name, expires_at__lte=Now())
    expired.filter(revoked_at__isnull=True).update(revoked_at=Moment())
    prefix = secrets.token_hex(4)
    secret = f"{START}_{prefix}_{secrets.token_urlsafe(32)}"
    try:
        with transaction.atomic():
            token = Token.objects.create(
                owner=owner,
                name=name,
                prefix=prefix,
                digest=secret_digest(secret),
                scopes=" ".join(chosen),
                expires_at=clock.now() + timedelta(days=days),
            )
    except IntegrityError as taken:
        raise TokenRefused(f"{owner} has a token named {name} already.") from taken
    logger.info("token %s of user %s was made: %s", prefix, owner.pk, token.scopes)
    return token, secret


def check_may_own_another(owner: User) -> None:
    if not owner.is_active:
        raise TokenRefused(f"The account {owner} is not active.")
    if Token.objects.live().filter(owner=owner).count() >= MOST_TOKENS:
        raise TokenRefused(f"{owner} has {MOST_TOKENS} tokens already; revoke one first.")


def revoke(tokens: Iterable[Token]) -> int:
    """Revoke these tokens at once; return how many were not revoked before."""
    prefixes = [token.prefix for token in tokens]
    ended = Token.objects.filter(prefix__in=prefixes, revoked_at__isnull=True).update(
        revoked_at=Moment()
    )
    if ended:
        logger.info("tokens %s were revoked", " ".join(prefixes))
    return ended


def secret_digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# -- a request with a token ---------------------------------------------------------------------


@functools.cache
def holder_sql(vendor: str) -> str:
    """The token, its owner and what the owner's roles allow, in one query."""
    own = [f"owner__{name}" for name in (*ACCOUNT, *GRANTED)]
    found = Token.objects.live().order_by().filter(digest="").values_list("pk", "scopes", *own)
    return str(found.query.sql_with_params()[0])


def holder_of(secret: str) -> tuple[User, Token] | None:
    """Return the owner, limited to the token's scopes, and the token; None if it is not live."""
    with connection.cursor() as cursor:
        cursor.execute(holder_sql(connection.vendor), [secret_digest(secret)])
        rows = cursor.fetchall()
    if not rows:
        return None
    key, scopes, *account = rows[0][: 2 + len(ACCOUNT)]
    values = [
        bool(value) if name in FLAGS else value
        for name, value in zip(ACCOUNT, account, strict=True)
    ]
    owner = User.from_db("default", ACCOUNT, values)
    if not owner.is_active:
        return None
    token = Token(pk=key, scopes=scopes, owner=owner)
    granted = {f"{app}.{codename}" for *_, app, codename in rows if codename}
    return narrowed(owner, granted, token.scope_list), token


def narrowed(owner: User, granted: set[str], scopes: Sequence[str]) -> User:
    """The owner with only the permissions that both roles and scopes allow."""
    if owner.is_superuser:
        names = Permission.objects.values_list("content_type__app_label", "codename")
        granted = {f"{app}.{codename}" for app, codename in names}
        owner.is_superuser = False  # a superuser would pass every permission check
    owner.is_staff = False
    patterns = [pattern for scope in scopes for pattern in settings.TOKEN_SCOPES.get(scope, [])]
    owner._granted = {  # type: ignore[attr-defined]  # read by RoleBackend
        name for name in granted if any(fnmatchcase(name, pattern) for pattern in patterns)
    }
    return owner


def check_scope(request: Request, scope: str) -> None:
    """Require the scope of a token; for reading, the scope `read` is enough too."""
    if not isinstance(request.auth, Token):
        return
    enough = {scope, READ} if request.method in SAFE_METHODS else {scope}
    if not scope or not enough & set(request.auth.scope_list):
        needed = f"the scope {scope}" if scope else "a login: tokens are not taken here"
        raise PermissionDenied(f"This needs {needed}.")


# -- last use -----------------------------------------------------------------------------------

_noted: dict[int, float] = {}  # token id to when this process last tried to store its use
_lock = threading.Lock()


def note_use(token: Token, request: Request) -> None:
    """Store when and from where a token was last used, at most once a minute for each token."""
    now = time.monotonic()
    with _lock:
        if now - _noted.get(token.pk, float("-inf")) < NOTE_EVERY:
            return
        if len(_noted) > 10_000:
            _noted.clear()
        _noted[token.pk] = now
    is_due = Q(last_used_at__isnull=True) | Q(
        last_used_at__lt=Now() - timedelta(seconds=NOTE_EVERY)
    )
    Token.objects.filter(is_due, pk=token.pk).update(
        last_used_at=Moment(), last_used_from=address_of(request)[:45]
    )


def forget_noted() -> None:
    with _lock:
        _noted.clear()

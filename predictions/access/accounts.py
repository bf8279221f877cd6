"""Load an account and the permissions of its roles in one query a request."""

from __future__ import annotations

import functools
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q, QuerySet

# These are not loaded, because only a few pages show them.
TIMES = {"last_login", "date_joined"}
ACCOUNT = [field.attname for field in User._meta.concrete_fields if field.attname not in TIMES]
FLAGS = {"is_superuser", "is_staff", "is_active"}  # SQLite has them as numbers
GRANTED = ["groups__permissions__content_type__app_label", "groups__permissions__codename"]


def who_may(permission: str) -> QuerySet[User]:
    """The active accounts with this permission: by a role, or as superusers."""
    app, _, codename = permission.partition(".")
    by_role = Q(**dict(zip(GRANTED, (app, codename), strict=True)))
    return User.objects.filter(Q(is_superuser=True) | by_role, is_active=True).distinct()


@functools.cache
def account_sql(vendor: str) -> str:
    """Return the SQL, compiled once a process: to compile it takes longer than to run it."""
    return str(User.objects.filter(pk=0).values_list(*ACCOUNT, *GRANTED).query.sql_with_params()[0])


class RoleBackend(ModelBackend):
    """Loads an account with its permissions, which come from roles (groups) only.

    Django makes three queries: the account, its own permissions, its groups' permissions. This
    makes one with a join, because the labeling queue answers in a few milliseconds.
    """

    def get_user(self, user_id: int) -> User | None:
        with connection.cursor() as cursor:
            cursor.execute(account_sql(connection.vendor), [user_id])
            rows = cursor.fetchall()
        if not rows:
            return None
        account = zip(ACCOUNT, rows[0], strict=False)
        values = [bool(value) if name in FLAGS else value for name, value in account]
        user = User.from_db("default", ACCOUNT, values)
        if not self.user_can_authenticate(user):
            return None
        user._granted = {f"{app}.{codename}" for *_, app, codename in rows if codename}  # type: ignore[attr-defined]
        return user

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        if user_obj.is_superuser:
            return self.get_group_permissions(user_obj)
        granted: set[str] | None = getattr(user_obj, "_granted", None)
        return self.get_group_permissions(user_obj) if granted is None else granted

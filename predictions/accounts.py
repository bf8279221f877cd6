"""Who somebody is and what their roles allow, in one query a request."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

ACCOUNT = [field.attname for field in User._meta.concrete_fields]
GRANTED = ["groups__permissions__content_type__app_label", "groups__permissions__codename"]


class RoleBackend(ModelBackend):
    """An account arrives with what its roles allow. Rights are given by role alone.

    Django asks three times: for the account, for its own permissions, for its groups'. The queue
    answers in single milliseconds, so this asks once, by a join.
    """

    def get_user(self, user_id: int) -> User | None:
        rows = list(User.objects.filter(pk=user_id).values_list(*ACCOUNT, *GRANTED))
        if not rows:
            return None
        user = User.from_db(None, ACCOUNT, rows[0][: len(ACCOUNT)])
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

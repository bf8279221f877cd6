"""The five roles. Each app's migrations say what its part of a role may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.management import create_permissions

ROLES = ("labeler", "reviewer", "trainer", "analyst", "admin")


def grant(apps: Any, allowed: Mapping[str, Iterable[str]]) -> None:
    """Give roles permissions ("app.codename") from within a migration; safe to run twice."""
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    for label in {name.split(".")[0] for names in allowed.values() for name in names}:
        make_permissions(apps, label)
    for role in ROLES:
        group, _ = group_model.objects.get_or_create(name=role)
        for name in allowed.get(role, ()):
            app_label, codename = name.split(".")
            group.permissions.add(
                permission_model.objects.get(content_type__app_label=app_label, codename=codename)
            )


def make_permissions(apps: Any, label: str) -> None:
    """Create permissions now: Django creates them only after the last migration."""
    app_config = apps.get_app_config(label)
    app_config.models_module = True  # historical apps have none, and would be skipped
    create_permissions(app_config, apps=apps, verbosity=0)
    app_config.models_module = None

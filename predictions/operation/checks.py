"""System checks: combinations of settings that do not work."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution


@register
def secret_is_shared_by_all_hosts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    postgres = "postgresql" in settings.DATABASES["default"]["ENGINE"]
    if settings.SECRET_KEY_GIVEN or not (postgres and settings.PUBLIC):
        return []
    return [
        Error(
            "A public installation on PostgreSQL signs with a secret only this machine knows.",
            hint="Set SECRET_KEY to the same 50 or more random characters on every host.",
            id="inkloop.E001",
        )
    ]


@register
def sessions_travel_encrypted(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.HTTPS or not settings.PUBLIC:
        return []
    return [
        Caution(
            "ALLOWED_HOSTS is public, but HTTPS is off: passwords travel in the clear.",
            hint="Put a TLS proxy in front and set HTTPS=true and PROXY_COUNT=1.",
            id="inkloop.W001",
        )
    ]


@register
def jobs_are_not_started_twice(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    clusters = {"inkloop": settings.Q_CLUSTER, **settings.Q_CLUSTER["ALT_CLUSTERS"]}
    for name, cluster in clusters.items():
        # A prefetched job waits in memory while its `retry` time already runs.
        waits = (cluster["queue_limit"] + 1) / cluster["workers"] + 1
        if cluster["retry"] <= cluster["timeout"] * waits:
            found.append(
                Error(
                    f"The cluster {name} would start a job again while it still runs.",
                    hint=f"Raise its retry above {cluster['timeout'] * waits:.0f} seconds.",
                    id="inkloop.E003",
                )
            )
    return found

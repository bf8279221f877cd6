"""The schedules of every installation. They are created once; changes by admins are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time
from types import MappingProxyType
from typing import Any

from django.apps import apps
from django.utils.dateformat import time_format
from django_q.models import Schedule

DAILY = re.compile(r"(\d+) (\d+) \* \* \*")  # a cron expression: minute, hour
FINE_TUNE = "training.tasks.by_schedule"
RHYTHM = ["schedule_type", "minutes", "cron", "repeats"]  # what an admin may change
SCHEDULES = [
    {
        "name": "every minute",
        "func": "training.tasks.every_minute",
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
    },
    {
        "name": "trials",
        "func": "training.tasks.follow_trials",
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
    },
    {
        "name": "nightly fine-tune",
        "func": FINE_TUNE,
        "schedule_type": Schedule.CRON,
        "cron": "0 3 * * *",
    },
    {  # on the training workers: it may take long, and only one host has the folder
        "name": "nightly backup",
        "func": "training.tasks.nightly_backup",
        "schedule_type": Schedule.CRON,
        "cron": "15 2 * * *",
        "cluster": "training",
    },
    {
        "name": "nightly erasure",
        "func": "training.tasks.nightly_erasure",
        "schedule_type": Schedule.CRON,
        "cron": "30 1 * * *",
    },
    {
        "name": "nightly look at labelers",
        "func": "training.tasks.look_at_labelers",
        "schedule_type": Schedule.CRON,
        "cron": "0 2 * * *",
    },
    {
        "name": "nightly clean-up",
        "func": "training.tasks.nightly_clean_up",
        "schedule_type": Schedule.CRON,
        "cron": "45 1 * * *",
    },
]


def schedules() -> list[dict[str, Any]]:
    """The schedules above, and those in the AppConfig of other apps."""
    of_apps = (getattr(app, "schedules", []) for app in apps.get_app_configs())
    return [*SCHEDULES, *(schedule for each in of_apps for schedule in each)]


def make_schedules(rhythms: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> int:
    """Add missing schedules, with times from `rhythms` if given; how many were added."""
    made = 0
    for schedule in schedules():
        named = rhythms.get(schedule["name"], {})
        rhythm = {key: named[key] for key in RHYTHM if key in named}
        fields = {**schedule, "repeats": -1, **rhythm}
        wanted = Schedule(**fields)
        if wanted.schedule_type == Schedule.CRON:  # django-q2 would run it at once
            fields["next_run"] = wanted.calculate_next_run()
        _, is_new = Schedule.objects.get_or_create(name=schedule["name"], defaults=fields)
        made += is_new
    return made


def next_fine_tune() -> datetime | None:
    """When the next scheduled run starts; None if the schedule is off."""
    found = Schedule.objects.filter(func=FINE_TUNE).exclude(repeats=0).order_by("next_run")
    return found.values_list("next_run", flat=True).first()


def when_in_words(schedule: Schedule) -> str:
    """How often it runs; cron's own line where it is not simply daily."""
    if schedule.repeats == 0:
        return "off"
    if schedule.schedule_type == Schedule.MINUTES:
        return "every minute" if schedule.minutes == 1 else f"every {schedule.minutes} minutes"
    if daily := DAILY.fullmatch(schedule.cron or ""):
        minute, hour = map(int, daily.groups())
        return f"daily at {time_format(time(hour, minute), 'g:i A')}"
    return schedule.cron or schedule.get_schedule_type_display().lower()

"""The schedules every installation has. Made once; what an admin changed stays changed."""

from __future__ import annotations

from django_q.models import Schedule

SCHEDULES = [
    {
        "name": "every minute",
        "func": "training.tasks.every_minute",
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
    },
    {
        "name": "nightly fine-tune",
        "func": "training.tasks.by_schedule",
        "schedule_type": Schedule.CRON,
        "cron": "0 3 * * *",
    },
]


def make_schedules() -> int:
    """Add those that are missing; how many."""
    made = 0
    for schedule in SCHEDULES:
        _, is_new = Schedule.objects.get_or_create(
            name=schedule["name"], defaults={**schedule, "repeats": -1}
        )
        made += is_new
    return made

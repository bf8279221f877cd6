from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    # Made by training.workers.schedules, which knows nothing of this app.
    schedules = [
        {
            "name": "count the cube",
            "func": "dashboard.tasks.count",
            "schedule_type": "I",  # every so many minutes
            "minutes": 1,
        },
        {
            "name": "check the cube",
            "func": "dashboard.tasks.check",
            "schedule_type": "C",  # as cron would
            "cron": "30 4 * * *",
        },
        {
            "name": "look after the replay",
            "func": "dashboard.tasks.look_after_replay",
            "schedule_type": "I",
            "minutes": 1,
        },
        {
            "name": "recount the replay",
            "func": "dashboard.tasks.recount_replay",
            "schedule_type": "C",
            "cron": "45 4 * * *",
        },
        {
            "name": "watch accuracy",
            "func": "dashboard.tasks.watch_accuracy",
            "schedule_type": "C",
            "cron": "0 5 * * *",
        },
    ]

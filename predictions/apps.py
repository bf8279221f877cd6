from __future__ import annotations

from django.apps import AppConfig, apps


class PredictionsConfig(AppConfig):
    name = "predictions"

    def ready(self) -> None:
        from predictions.operation import checks  # noqa: F401  (registers the system checks)

        # The names under which the admin lists what others wrote.
        apps.get_app_config("auth").verbose_name = "Accounts"
        apps.get_app_config("axes").verbose_name = "Failed logins"

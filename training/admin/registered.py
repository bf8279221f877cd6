from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast, Left
from django.http import HttpRequest
from django_q import admin as jobs
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.admin import ModelAdmin

from predictions.admin.registered import ReadOnlyAdmin
from training.admin.unopened import LONGEST, words_in
from training.messages import outbox
from training.models import Backup, Endpoint, GateReport, Message, Promotion, Run, Snapshot, Trial
from training.pages.forms import EndpointForm
from training.workers.schedules import when_in_words


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ["id", "count", "digest", "created_at"]
    fields = ["count", "digest", "counts", "rule", "created_at"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Snapshot]:
        return super().get_queryset(request).defer("holdout")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ["id", "state", "trigger", "asked_by", "asked_at", "version", "attempts"]
    list_filter = ["state", "trigger"]
    list_select_related = ["asked_by", "version"]
    fields = [
        "public_id", "state", "trigger", "asked_by", "snapshot", "parent", "version", "recipe",
        "attempts", "asked_at", "started_at", "ended_at", "heartbeat_at", "host", "process",
        "progress", "reason", "log",
    ]  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return super().get_queryset(request).defer("checkpoint", "version__canary")


@admin.register(GateReport)
class GateReportAdmin(ReadOnlyAdmin):
    list_display = ["candidate", "against", "verdict", "labels_needed", "look", "made_at"]
    list_filter = ["verdict"]
    list_select_related = ["candidate", "against"]
    fields = [
        "candidate", "against", "verdict", "labels_needed", "reasons", "figures", "look", "made_at",
    ]  # fmt: skip
    readonly_fields = fields


@admin.register(Trial)
class TrialAdmin(ReadOnlyAdmin):
    list_display = ["candidate", "against", "number", "state", "began_at", "ended_at"]
    list_filter = ["state"]
    list_select_related = ["candidate", "against"]
    fields = [
        "candidate", "against", "number", "state", "reason", "after_prediction", "read_up_to",
        "base", "report", "figures", "began_at", "ended_at",
    ]  # fmt: skip
    readonly_fields = fields


@admin.register(Promotion)
class PromotionAdmin(ReadOnlyAdmin):
    list_display = ["made_at", "kind", "before", "after", "by", "why"]
    list_filter = ["kind"]
    list_select_related = ["before", "after", "by"]
    fields = ["made_at", "kind", "before", "after", "by", "why", "report"]
    readonly_fields = fields


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "state", "host", "path", "size", "reason"]
    list_filter = ["state", "host"]
    fields = ["state", "path", "host", "started_at", "ended_at", "size", "sha256", "rows", "reason"]
    readonly_fields = fields


@admin.register(Endpoint)
class EndpointAdmin(ModelAdmin):
    """Webhook receivers; people with the change permission see the secret."""

    list_display = ["name", "url", "is_active", "rotated_at"]
    readonly_fields = ["secret", "rotated_at", "created_at"]
    actions = ["rotate"]

    def get_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> list[str]:
        if obj is None:
            return ["name", "url", "is_active"]
        shown = ["secret"] if self.has_change_permission(request, obj) else []
        return ["name", "url", "is_active", *shown, "rotated_at", "created_at"]

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_form(*args, **{**kwargs, "form": EndpointForm})

    @admin.action(
        description="Give a new secret (the old one signs for a day)", permissions=["change"]
    )
    def rotate(self, request: HttpRequest, endpoints: QuerySet[Endpoint]) -> None:
        for endpoint in endpoints:
            outbox.rotate(endpoint)
        self.message_user(request, f"{len(endpoints)} have a new secret.")


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """The outbox and the log of deliveries."""

    list_display = ["happened_at", "kind", "subject", "receiver", "state", "attempts", "answer"]
    list_filter = ["state", "kind", "endpoint"]
    list_select_related = ["endpoint"]
    fields = [
        "public_id", "kind", "subject", "data", "endpoint", "state", "attempts", "next_at",
        "answer", "happened_at", "delivered_at",
    ]  # fmt: skip
    readonly_fields = fields
    actions = ["try_again"]

    @admin.display(description="to", ordering="endpoint__name")
    def receiver(self, message: Message) -> str:
        return message.endpoint.name if message.endpoint else "by mail"

    def has_try_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("training.change_endpoint")

    @admin.action(description="Try again what was given up", permissions=["try_again"])
    def try_again(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        again = outbox.try_again(messages)
        self.message_user(request, f"{again} of {len(messages)} are on their way again.")


# -- django-q2's models ---------------------------------------------------------------------------

for model in (Schedule, Success, Failure, OrmQ):
    admin.site.unregister(model)


@admin.register(Schedule)
class ScheduleAdmin(jobs.ScheduleAdmin, ModelAdmin):
    """Times can be changed, but not functions: a schedule calls any function by its name."""

    fields = ["name", "func", "schedule_type", "minutes", "cron", "repeats", "next_run"]
    readonly_fields = ["name", "func"]
    list_display = ["name", "how_often", "next_run", "last_ended"]
    list_display_links = ["name"]
    list_filter: list[Any] = []

    @admin.display(description="runs")
    def how_often(self, schedule: Schedule) -> str:
        return when_in_words(schedule)

    @admin.display(description="last ended")
    def last_ended(self, schedule: Schedule) -> str:
        return {True: "well", False: "with an error", None: "not yet"}[schedule.success()]

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        """Compute the next run at once if the time was changed."""
        if {"schedule_type", "cron"} & set(form.changed_data) and obj.schedule_type == obj.CRON:
            obj.next_run = obj.calculate_next_run()
        super().save_model(request, obj, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# Jobs and their results are pickles. django-q2's own fields would load them, so that whoever can
# write a row could run any code when somebody looks at it. Here they are read as text.


def pickle_text(field: str) -> Left:
    """The first LONGEST characters of a stored pickle."""
    return Left(Cast(field, TextField()), LONGEST)


class EndedJobAdmin(ReadOnlyAdmin):
    """Jobs that ended."""

    list_display = ["name", "group", "func", "cluster", "started", "stopped", "result_words"]
    list_filter = ["group", "cluster"]
    search_fields = ["name", "func", "group"]
    fields = [
        "id", "name", "func", "group", "cluster", "started", "stopped", "success", "attempt_count",
        "arguments", "result_words",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).defer("args", "kwargs", "result")
        return rows.annotate(
            args_text=pickle_text("args"),
            kwargs_text=pickle_text("kwargs"),
            result_text=pickle_text("result"),
        )

    @admin.display(description="result")
    def result_words(self, job: Any) -> str:
        return words_in(job.result_text or "")

    @admin.display
    def arguments(self, job: Any) -> str:
        return f"{words_in(job.args_text or '')} {words_in(job.kwargs_text or '')}"


admin.site.register([Success, Failure], EndedJobAdmin)


@admin.register(OrmQ)
class WaitingJobAdmin(ReadOnlyAdmin):
    """Jobs that wait for a worker."""

    list_display = ["id", "key", "lock", "job"]
    list_filter = ["key"]
    fields = ["key", "lock", "job"]

    @admin.display
    def job(self, waiting: OrmQ) -> str:
        return words_in(waiting.payload)

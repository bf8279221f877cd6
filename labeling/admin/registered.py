"""Admin pages of predictions with their feedback and labels, of events, batches and gold."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.admin import TabularInline

from labeling.admin import bulk, filters
from labeling.admin.chosen import chosen_in_words
from labeling.admin.saved_views import SavedViewsMixin
from labeling.batches import gold_items
from labeling.batches.batches import undo_batch
from labeling.decisions.blindness import held_by, labels_blind
from labeling.files import export
from labeling.models import Batch, Gold, Label, LabelEvent
from predictions.admin.registered import (
    FeedbackAdmin,
    LooksUpIds,
    PredictionAdmin,
    ReadOnlyAdmin,
    small,
)
from predictions.errors import Declined
from predictions.models import Feedback, Prediction
from predictions.templatetags.readings import percent

PICTURES = ["prediction__glyph", "prediction__probabilities"]
admin.site.unregister(Prediction)
admin.site.unregister(Feedback)


def who(event: LabelEvent) -> str:
    """Name who made an event, also if nobody was signed in."""
    if event.labeler is not None:
        return event.labeler.get_username()
    return "a command" if event.batch_id else "a visitor"


class EventInWords:
    """Columns of an event, for its own list and for that of its prediction."""

    @admin.display(description="time taken")
    def took(self, event: LabelEvent) -> str:
        return "" if event.seconds is None else f"{event.seconds:.1f} s"

    @admin.display(description="guess")
    def guess(self, event: LabelEvent) -> str:
        return "seen" if event.guess_shown else "not seen"

    @admin.display(description="gold")
    def gold(self, event: LabelEvent) -> str:
        return "gold" if event.is_gold else ""


class LabelEventInline(EventInWords, TabularInline):
    """The events of one prediction, oldest first, read-only."""

    model = LabelEvent
    verbose_name_plural = "label events"
    ordering = ["pk"]
    fields = [
        "event", "kind", "said", "who", "at", "in_stream", "version", "guess", "took",
        "gold", "takes_back", "batch",
    ]  # fmt: skip
    readonly_fields = fields
    hide_title = True
    can_delete = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[LabelEvent]:
        events = super().get_queryset(request).select_related("labeler", "version", "batch")
        return events.defer("version__card", "version__canary", "batch__chosen_by")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="event")
    def event(self, event: LabelEvent) -> str:
        address = reverse("admin:labeling_labelevent_change", args=[event.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, event.pk)

    @admin.display(description="said")
    def said(self, event: LabelEvent) -> str:
        return "" if event.is_reversal else event.value

    @admin.display(description="by")
    def who(self, event: LabelEvent) -> str:
        return who(event)

    @admin.display(description="on")
    def at(self, event: LabelEvent) -> str:
        at = f"{timezone.localtime(event.created_at):%Y-%m-%d %H:%M:%S}"
        return format_html('<span class="whitespace-nowrap">{}</span>', at)

    @admin.display(description="stream")
    def in_stream(self, event: LabelEvent) -> str:
        return event.stream  # the whole reason would take half of the row

    @admin.display(description="takes back")
    def takes_back(self, event: LabelEvent) -> str:
        return "" if event.reverses_id is None else f"event {event.reverses_id}"


class DecidesInBulk:
    """Adds the bulk action to a list of predictions or of labels."""

    actions: ClassVar[list[str]] = ["decide_in_bulk"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(bulk.acts_for(request.user))

    @admin.action(description="Correct, accept feedback, send to review …", permissions=["decide"])
    def decide_in_bulk(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return bulk.decide_in_bulk(self, request, queryset)


BLIND_FILTERS: list[Any] = [filters.ByMonth, filters.BySource]


@admin.register(Prediction)
class LabeledPredictionAdmin(DecidesInBulk, SavedViewsMixin, PredictionAdmin):
    """The list of `predictions`, extended by labels and bulk actions."""

    list_display = [
        "thumbnail", "digit", "percent", "strange", "said", "visitor_said", "version",
        "source", "created_at", "audit",
    ]  # fmt: skip
    list_filter: ClassVar[list[Any]] = [
        filters.ByMonth, filters.ByPredicted, filters.ByLabel, filters.ByFeedback,
        filters.ByConfidence, filters.ByStrangeness, filters.ByLabeler, filters.ByVersion,
        filters.ByStream, filters.BySource, filters.ByAudit,
    ]  # fmt: skip
    list_select_related = ["version", "label", "feedback"]
    fields = ["picture", "stands", "visitor_said", *PredictionAdmin.fields[1:]]
    readonly_fields = fields
    inlines = [LabelEventInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        """Without what this user holds in the queue, so that nobody looks up a guess there."""
        return super().get_queryset(request).exclude(pk__in=held_by(request.user))

    # -- labelers see drawings only: no guess, label or feedback --

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = ["thumbnail", "source", "created_at"]
        return shown if labels_blind(request.user) else super().get_list_display(request)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return BLIND_FILTERS if labels_blind(request.user) else super().get_list_filter(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Limit a labeler's URL parameters to those of the filters they see."""
        if labels_blind(request.user):
            return lookup in {each.parameter_name for each in BLIND_FILTERS}
        return super().lookup_allowed(lookup, value, request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = ["picture", "public_id", "source", "created_at"]
        return shown if labels_blind(request.user) else super().get_fields(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return [] if labels_blind(request.user) else super().get_inlines(request, obj)

    @admin.display(description="label")
    def said(self, prediction: Prediction) -> str:
        label: Label | None = getattr(prediction, "label", None)
        return "" if label is None else str(label)

    @admin.display(description="label")
    def stands(self, prediction: Prediction) -> str:
        """The current label, with a link to it."""
        label: Label | None = getattr(prediction, "label", None)
        if label is None:
            return "none"
        opinions = f"{label.opinions} opinion{'' if label.opinions == 1 else 's'}"
        if prediction.is_audit and label.event.kind == LabelEvent.Kind.CORRECT:
            opinions += ", no longer blind: an admin changed it"
        address = reverse("admin:labeling_label_change", args=[label.pk])
        return format_html('<a class="text-link" href="{}">{}</a>, {}', address, label, opinions)

    @admin.display(description="visitor said")
    def visitor_said(self, prediction: Prediction) -> str:
        feedback = getattr(prediction, "feedback", None)
        if feedback is None:
            return ""
        return "not a digit" if feedback.digit is None else str(feedback.digit)


@admin.register(Feedback)
class BlindFeedbackAdmin(FeedbackAdmin):
    """The list of `predictions`, without what was said of drawings that this user holds."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return super().get_queryset(request).exclude(prediction__in=held_by(request.user))


def key_of_prediction(public_id: UUID) -> Subquery:
    """Look the key up in a subquery; with a join, a filter with OR would use no index."""
    return Subquery(Prediction.objects.filter(public_id=public_id).values("pk")[:1])


class OfPredictionAdmin(LooksUpIds):
    """Rows about a prediction, with its glyph; searched by the prediction's id."""

    ordering = ["-pk"]
    search_fields = ["prediction__public_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).exclude(prediction__in=held_by(request.user))
        return rows.defer(*PICTURES)

    def named(self, named: UUID) -> Q:
        return Q(prediction=key_of_prediction(named))

    @admin.display(description="glyph")
    def thumbnail(self, row: Any) -> str:
        return small(row.prediction)


@admin.register(Label)
class LabelAdmin(DecidesInBulk, OfPredictionAdmin):
    list_display = ["thumbnail", "value", "guess", "state", "opinions", "by", "at"]
    list_filter = [
        filters.LabelByState, filters.LabelByDigit, filters.LabelByGuess, filters.LabelByMonth,
        filters.ByLabeler, filters.LabelByVersion, filters.LabelByAudit,
    ]  # fmt: skip
    list_select_related = ["prediction", "event__labeler"]
    fields = ["thumbnail", "prediction", "value", "state", "opinions", "event"]
    readonly_fields = fields
    list_before_template = "admin/labeling/export_links.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {"formats": list(export.FORMATS), **(extra_context or {})}
        return super().changelist_view(request, context)

    @admin.display(description="guess")
    def guess(self, label: Label) -> int:
        return label.prediction.digit

    @admin.display(description="last said by")
    def by(self, label: Label) -> str:
        return who(label.event)

    @admin.display(description="on")
    def at(self, label: Label) -> Any:
        return label.event.created_at


@admin.register(LabelEvent)
class LabelEventAdmin(EventInWords, OfPredictionAdmin):
    list_display = ["thumbnail", "kind", "said", "labeler", "stream", "created_at", "gold"]
    list_filter = [
        filters.EventByKind, filters.EventByStream, filters.EventByLabeler, filters.EventByMonth,
    ]  # fmt: skip
    list_select_related = ["prediction", "labeler"]
    search_fields = ["prediction__public_id", "request_id"]
    fields = [
        "thumbnail", "prediction", "kind", "said", "labeler", "visitor", "created_at", "stream",
        "chance", "version", "guess", "took", "gold", "reverses", "batch", "request_id",
    ]  # fmt: skip
    readonly_fields = fields
    search_help_text = "The id of a prediction or of a request"

    def named(self, named: UUID) -> Q:
        return super().named(named) | Q(request_id=named)

    @admin.display(description="said")
    def said(self, event: LabelEvent) -> str:
        return "" if event.is_reversal else event.value

    @admin.display(description="chance of being shown")
    def chance(self, event: LabelEvent) -> str:
        return percent(event.selection_probability)


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ["made_at", "kind", "count", "made_by", "chosen", "undone_at", "undone_by"]
    fields = ["id", "kind", "made_by", "made_at", "chosen", "count", "undone_by", "undone_at"]
    readonly_fields = fields
    list_select_related = ["made_by", "undone_by"]
    list_before_template = "admin/labeling/import_link.html"
    ordering = ["-made_at"]
    actions = ["undo"]

    def get_urls(self) -> list[Any]:
        undo = self.admin_site.admin_view(self.undo_page)
        return [
            path("<uuid:batch_id>/undo/", undo, name="labeling_batch_undo"),
            *super().get_urls(),
        ]

    @admin.display(description="chosen by")
    def chosen(self, batch: Batch) -> str:
        return chosen_in_words(batch.chosen_by)

    def has_undo_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(bulk.CORRECT)

    @admin.action(description="Undo", permissions=["undo"])
    def undo(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        """Undo batches, the newest first; a batch that was undone before is left alone."""
        for batch in queryset.order_by("-made_at"):
            undo_and_tell(request, batch)

    def undo_page(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        """Undo one batch, from the message of its action; go back to where that was shown."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_undo_permission(request):
            raise PermissionDenied
        undo_and_tell(request, get_object_or_404(Batch, pk=batch_id))
        back = request.POST.get("back", "")
        is_here = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
        return redirect(back if is_here else reverse("admin:labeling_batch_changelist"))


def undo_and_tell(request: HttpRequest, batch: Batch) -> None:
    assert isinstance(request.user, User)
    try:
        count = undo_batch(batch, by=request.user)
    except Declined as declined:
        messages.warning(request, f"{batch}: {declined}")
    else:
        what = "places" if batch.kind == Batch.Kind.REVIEW else f"{count:,} labels"
        messages.success(request, f"Undone: {batch}. {what.capitalize()} are as they were.")


@admin.register(Gold)
class GoldAdmin(OfPredictionAdmin):
    list_display = ["thumbnail", "digit", "added_by", "added_at"]
    list_select_related = ["prediction", "added_by"]
    actions = ["remove"]

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("labeling.delete_gold")

    @admin.action(description="No longer gold", permissions=["remove"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Gold]) -> None:
        removed = gold_items.remove_gold(list(queryset.values_list("pk", flat=True)))
        messages.success(request, f"{removed:,} are items like any other again.")

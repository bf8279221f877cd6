from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm as UnfoldPasswordChangeForm
from unfold.forms import UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from predictions.access import tokens
from predictions.models import Feedback, ModelVersion, Prediction, Token
from predictions.pages.forms import EndsTokens
from predictions.templatetags.readings import as_confidence, in_words, percent


class AdminPasswordChangeForm(EndsTokens, UnfoldPasswordChangeForm):
    pass


admin.site.empty_value_display = "–"
admin.site.unregister(User)
admin.site.unregister(Group)


class DeletesWithoutLinks:
    """A page of deletion that lists what people know, not the rows that join two tables."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        listed, counts, lacking, protected = super().get_deleted_objects(objs, request)  # type: ignore[misc]
        links = {
            field.through._meta
            for model in (User, Group)
            for field in (getattr(model, each.name) for each in model._meta.many_to_many)
        }
        named = tuple(f"{capfirst(link.verbose_name)}: " for link in links)
        for link in links:
            counts.pop(link.verbose_name_plural, None)
        return without(listed, named), counts, lacking, protected


def without(listed: list[Any], starts: tuple[str, ...]) -> list[Any]:
    """The nested list without the texts that start with one of these."""
    return [
        without(each, starts) if isinstance(each, list) else each
        for each in listed
        if isinstance(each, list) or not str(each).startswith(starts)
    ]


@admin.register(User)
class UserAdmin(DeletesWithoutLinks, DjangoUserAdmin, ModelAdmin):
    """Accounts: a person's roles are their groups."""

    list_display = ["username", "roles", "email", "last_login", "state"]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    filter_horizontal = ()
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("Roles", {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        named = sorted(group.name for group in user.groups.all())
        return ", ".join([*(["superuser"] if user.is_superuser else []), *named])

    @admin.display(description="state", ordering="is_active")
    def state(self, user: User) -> str:
        return "" if user.is_active else "closed"

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Show the few roles as checkboxes, not as two lists."""
        if db_field.name == "groups":
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Only a superuser makes superusers; an admin hands out roles."""
        fields = list(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields.append("is_superuser")
        return fields

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Do not delete a person whose work is in the history; say what to do instead."""
        user = self.get_object(request, object_id)
        may_delete = user is not None and self.has_delete_permission(request, user)
        if may_delete and any(self.get_deleted_objects([user], request)[2:]):
            said = (
                f"{user} cannot be deleted: what they did is part of the history. To close the"
                " account, switch off Active."
            )
            messages.warning(request, said)
            return redirect("admin:auth_user_change", object_id)
        return super().delete_view(request, object_id, extra_context)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)


@admin.register(Group)
class GroupAdmin(DeletesWithoutLinks, DjangoGroupAdmin, ModelAdmin):
    pass


class Counted(int):
    """A count, written with commas."""

    def __str__(self) -> str:
        return f"{int(self):,}"


class AtLeast(int):
    """A count that was cut off at a limit."""

    def __str__(self) -> str:
        return f"more than {int(self):,}"


class BoundedPaginator(Paginator):
    """Counts at most LIMIT rows, so that lists of millions of rows open fast."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows[: self.LIMIT + 1].count()
        return Counted(counted) if counted <= self.LIMIT else AtLeast(self.LIMIT)


def small(prediction: Prediction) -> str:
    """The glyph as a thumbnail of a list."""
    return format_html(
        '<img src="{}" alt="glyph" width="42" height="42" loading="lazy">', prediction.glyph_url
    )


class ReadOnlyAdmin(ModelAdmin):
    """Read-only pages: history is never edited."""

    paginator = BoundedPaginator
    list_per_page = 100
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LooksUpIds(ReadOnlyAdmin):
    """Searches for an exact id; text that is not an id finds nothing."""

    search_help_text = "The id of a prediction"

    def named(self, named: UUID) -> Q:
        """The condition for rows with this id."""
        return Q(public_id=named)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(self.named(UUID(search_term.strip()))), False
        except ValueError:
            return queryset.filter(pk__in=[]), False


@admin.register(Prediction)
class PredictionAdmin(LooksUpIds):
    list_display = [
        "thumbnail", "digit", "percent", "strange", "version", "source", "created_at", "audit",
    ]  # fmt: skip
    list_filter: ClassVar[list[Any]] = ["digit", "source", "is_audit", "version"]
    list_select_related = ["version"]
    ordering = ["-pk"]
    search_fields = ["public_id"]
    fields = [
        "picture", "public_id", "digit", "percent", "strange", "version", "source",
        "user", "visitor", "created_at", "audit", "audit_probability", "erased_at",
    ]  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        return super().get_queryset(request).defer("glyph", "version__card", "version__canary")

    @admin.display(description="glyph")
    def thumbnail(self, prediction: Prediction) -> str:
        return small(prediction)

    @admin.display(description="drawing and glyph")
    def picture(self, prediction: Prediction) -> str:
        return format_html(
            '<img src="{}" alt="drawing" height="112"> <img src="{}" alt="glyph" height="112">',
            prediction.drawing_url,
            prediction.glyph_url,
        )

    @admin.display(description="confidence", ordering="confidence")
    def percent(self, prediction: Prediction) -> str:
        return as_confidence(prediction.confidence)

    @admin.display(description="audit", ordering="is_audit")
    def audit(self, prediction: Prediction) -> str:
        return "audit" if prediction.is_audit else ""

    @admin.display(description="strangeness", ordering="strangeness")
    def strange(self, prediction: Prediction) -> str:
        return percent(prediction.strangeness)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["name", "standing", "parent", "created_at", "live_since", "tags"]
    list_select_related = ["parent"]
    fields = ["name", "standing", "parent", "created_at", "live_since", "tags", "note", "card"]
    readonly_fields = fields

    @admin.display(description="state", ordering="state")
    def standing(self, version: ModelVersion) -> str:
        return version.state_in_words

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).defer("canary")


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    list_display = ["thumbnail", "said", "who", "changed_at"]
    list_select_related = ["prediction", "user"]
    ordering = ["-pk"]

    @admin.display(description="glyph")
    def thumbnail(self, feedback: Feedback) -> str:
        return small(feedback.prediction)

    @admin.display(description="said", ordering="digit")
    def said(self, feedback: Feedback) -> str:
        return in_words(feedback, feedback.prediction)

    @admin.display(description="by", ordering="user")
    def who(self, feedback: Feedback) -> str:
        return "a visitor" if feedback.user is None else feedback.user.get_username()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return super().get_queryset(request).defer("prediction__glyph", "prediction__probabilities")


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    """All tokens. An admin can revoke any of them, and make none for others."""

    list_display = ["name", "start", "owner", "scopes", "state", "expires_at", "last_used_at"]
    list_select_related = ["owner"]
    list_filter: ClassVar[list[Any]] = ["owner"]
    ordering = ["-pk"]
    fields = [
        "name", "start", "owner", "scopes", "created_at", "expires_at", "revoked_at",
        "last_used_at", "last_used_from",
    ]  # fmt: skip
    readonly_fields = fields
    actions = ["revoke_selected"]

    @admin.display(description="starts with")
    def start(self, token: Token) -> str:
        return f"{tokens.START}_{token.prefix}…"

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("predictions.change_token")

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        ended = tokens.revoke(queryset)
        self.message_user(request, f"{ended} ended. {len(queryset) - ended} were over already.")

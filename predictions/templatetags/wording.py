"""How times and commands are written for people, on every page."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.dateformat import format as in_format
from django.utils.safestring import SafeString

from predictions.pages.markdown import inline

register = template.Library()


@register.filter
def moment(time: datetime) -> str:
    """A time in the installation's zone; the year is named when it is not this year."""
    local, now = timezone.localtime(time), timezone.localtime()
    return in_format(local, "M j, g:i A" if local.year == now.year else "M j, Y, g:i A")


@register.filter
def with_code(text: str) -> SafeString:
    """A text whose `commands` stand between backticks."""
    return inline(text, lambda address: "")

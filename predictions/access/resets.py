"""Password reset: requested on a page, mailed by a background job.

The page looks up no account and sends no mail, so its response time does not show whether the
account exists. It stores a PasswordReset row and enqueues a job that mails all rows that are due.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_q.tasks import async_task

from predictions.access.limits import Allowance, UsedUp
from predictions.database.clock import Moment
from predictions.database.retries import attempt_due
from predictions.models import PasswordReset

logger = logging.getLogger(__name__)

MAILS = Allowance("reset mail", 3, 60, "3 links were mailed to this mailbox")
WAITS = [timedelta(minutes=each) for each in (1, 5, 15)]  # after the first, second, … attempt
GIVEN_UP_AFTER = timedelta(hours=1)
AT_ONCE = 5  # requests a job handles, so that other jobs do not wait long


def is_possible() -> bool:
    """Whether links may be mailed: without a mail server, a public site would log them."""
    return not (settings.PUBLIC and settings.EMAIL_BACKEND.endswith("console.EmailBackend"))


def request_reset(mailbox: str, *, site: str) -> None:
    """Store a request for a link and enqueue the job, if the mailbox is within its limit."""
    name = hashlib.sha256(mailbox.casefold().encode()).hexdigest()
    with suppress(UsedUp), transaction.atomic():
        MAILS.take(name)
        PasswordReset.objects.create(mailbox=mailbox, site=site)
        enqueue_links()


def site_of(request: HttpRequest) -> str:
    """The site's address. On a public site, a port is used only if the settings name it."""
    told = f"{request.scheme}://{request.get_host()}"
    if not settings.PUBLIC or told in settings.CSRF_TRUSTED_ORIGINS:
        return told
    return f"{request.scheme}://{split_domain_port(request.get_host())[0]}"


# -- the background job -------------------------------------------------------------------------


def enqueue_links() -> None:
    async_task("predictions.access.resets.send_due", task_name="mail links to reset passwords")


def enqueue_links_if_due() -> bool:
    """Enqueue the job if links are due: for retries, and if an earlier job was lost."""
    is_due = PasswordReset.objects.filter(next_at__lte=Moment()).exists()
    if is_due:
        enqueue_links()
    return is_due


def send_due() -> dict[str, int]:
    """Mail some of the links that are due."""
    due = PasswordReset.objects.filter(next_at__lte=Moment())
    sent, failed = attempt_due(due, send_link, waits=WAITS, at_once=AT_ONCE)
    if due.exists():
        enqueue_links()
    return {"sent": sent, "failed": failed}


def send_link(reset: PasswordReset) -> bool:
    """Mail a link and return whether it was sent; drop it if it is too old or not possible."""
    is_void = reset.asked_at < timezone.now() - GIVEN_UP_AFTER or not is_possible()
    try:
        if not is_void:
            mail_links(reset)
    except (SMTPException, OSError) as refused:
        logger.warning("a link to reset a password was not mailed: %s", type(refused).__name__)
        return False
    reset.delete()
    return not is_void


def mail_links(reset: PasswordReset) -> None:
    """Mail a link to each account with this address, usually one or none."""
    for user in PasswordResetForm().get_users(reset.mailbox):
        context = {"user": user, "link": f"{reset.site}{path_for(user)}"}
        EmailMessage(
            render_to_string("registration/password_reset_subject.txt").strip(),
            render_to_string("registration/password_reset_email.html", context),
            to=[user.email],
        ).send()


def path_for(user: User) -> str:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    return reverse("password_reset_confirm", args=[uid, token])

"""The outbox: messages to webhook receivers and by mail, delivered by a job with retries.

A message is written in the transaction of its event. A receiver may get it twice, because a
response can be lost; `id` is the same both times.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django_q.tasks import async_task

from labeling.batches.alerts import alert_in_words, open_alerts
from labeling.models import Batch
from predictions.access.accounts import who_may
from predictions.database.clock import Moment
from predictions.database.retries import attempt_due
from training.messages import webhooks
from training.models import Endpoint, GateReport, Message, Promotion, Run, new_secret

logger = logging.getLogger(__name__)

# Before each retry. If the last retry fails, the message is given up.
WAITS = [timedelta(minutes=each) for each in (1, 5, 30, 120, 360, 1_440)]
AT_ONCE = 5  # messages in one job, so that other jobs do not wait long
FORMER_SIGNS = timedelta(days=1)
LOOK_BACK = timedelta(days=7)  # batches undone earlier are not reported


# -- write -------------------------------------------------------------------------------------


@transaction.atomic
def tell(kind: Message.Kind, subject: str, data: dict[str, Any]) -> int:
    """Write a message for each receiver. Call it in the transaction of the event."""
    receivers: list[Endpoint | None] = list(Endpoint.objects.filter(is_active=True))
    if addresses(kind, data):
        receivers.append(None)
    messages = [
        Message(kind=kind, subject=subject, data=data, endpoint=endpoint) for endpoint in receivers
    ]
    Message.objects.bulk_create(messages, ignore_conflicts=True)
    if messages:
        enqueue_delivery()
    return len(messages)


def tell_run(run: Run, state: str, reason: str) -> None:
    tell(
        Message.Kind.RUN,
        f"run {run.pk}",
        {"run": str(run.public_id), "state": state, "reason": reason, "trigger": run.trigger},
    )


def tell_verdict(report: GateReport, sentence: str) -> None:
    tell(
        Message.Kind.VERDICT,
        f"{report.candidate.name}, report {report.pk}",
        {
            "sentence": sentence,
            "link": link_to("training:version", report.candidate.name),
            "version": report.candidate.name,
            "against": report.against.name,
            "verdict": report.verdict,
            "reasons": report.reasons,
        },
    )


def tell_promotion(promotion: Promotion) -> None:
    forward = promotion.kind == Promotion.Kind.PROMOTION
    before = promotion.before or "nothing"
    change = f"before it was {before}" if forward else f"{before} was taken back"
    tell(
        Message.Kind.PROMOTED if forward else Message.Kind.ROLLED_BACK,
        f"{promotion.after.name}, ledger {promotion.pk}",
        {
            "sentence": f"{promotion.after} is live; {change}. Why: {promotion.why}",
            "link": link_to("training:version", promotion.after.name),
            "kind": promotion.kind,
            "before": promotion.before and promotion.before.name,
            "after": promotion.after.name,
            "by": promotion.by and promotion.by.get_username(),
            "why": promotion.why,
        },
    )


def link_to(page: str, name: str) -> str:
    """The page of what has this name; without a host if the installation knows none of its own."""
    origin = next(iter(settings.CSRF_TRUSTED_ORIGINS), "")
    return origin + reverse(page, args=[name])


def tell_undone_batches() -> int:
    """Write messages about undone batches, found by their rows."""
    told = 0
    since = timezone.now() - LOOK_BACK
    withdrawn = Q(kind=Batch.Kind.WITHDRAWAL, made_at__gte=since)
    undone = Q(undone_at__gte=since) & ~Q(kind=Batch.Kind.WITHDRAWAL)  # its undo restores labels
    for batch in Batch.objects.filter(withdrawn | undone).select_related("made_by", "undone_by"):
        subject = f"batch {batch.pk}"
        if Message.objects.filter(kind=Message.Kind.UNDONE, subject=subject).exists():
            continue
        person = batch.made_by if batch.kind == Batch.Kind.WITHDRAWAL else batch.undone_by
        by = person.get_username() if person else None
        data = {"batch": str(batch.pk), "kind": batch.kind, "labels": batch.count, "by": by}
        told += tell(Message.Kind.UNDONE, subject, data)
    return told


def tell_alerts() -> int:
    """Write a message about each open alert, once; it is found by its row."""
    told = 0
    for alert in open_alerts():
        subject = f"labeler alert {alert.pk}"
        if Message.objects.filter(kind=Message.Kind.BELOW, subject=subject).exists():
            continue
        name = alert.labeler.get_username()
        link = link_to("labeling:labeler", name)
        data = {"sentence": alert_in_words(alert), "link": link, "labeler": name}
        told += tell(Message.Kind.BELOW, subject, data)
    return told


def addresses(kind: str, data: dict[str, Any]) -> list[str]:
    """The addresses to mail to: of trainers, or of the reviewers whom an alert is not about."""
    if kind == Message.Kind.BELOW:
        people = who_may("labeling.review_items").exclude(username=data["labeler"])
    else:
        people = User.objects.filter(groups__name="trainer", is_active=True)
    return sorted(set(people.exclude(email="").values_list("email", flat=True)))


# -- deliver -----------------------------------------------------------------------------------


def enqueue_delivery() -> None:
    async_task("training.tasks.deliver", task_name="deliver messages")


def messages_due() -> QuerySet[Message]:
    return Message.objects.filter(state=Message.State.WAITING, next_at__lte=Moment())


def enqueue_delivery_if_due() -> dict[str, bool]:
    """Enqueue a job if messages are due: retries, or messages whose job was lost."""
    is_due = messages_due().exists()
    if is_due:
        enqueue_delivery()
    return {"messages_due": is_due}


def deliver_due() -> dict[str, int]:
    """Deliver some of the messages that are due."""
    due = messages_due().select_related("endpoint").order_by("next_at")
    delivered, failed = attempt_due(due, deliver_message, waits=WAITS, at_once=AT_ONCE)
    if due.exists():
        enqueue_delivery()
    return {"delivered": delivered, "failed": failed}


def deliver_message(message: Message) -> bool:
    own = Message.objects.filter(pk=message.pk, state=Message.State.WAITING)
    try:
        answer = send(message)
    except (webhooks.DeliveryRefused, SMTPException, OSError) as refused:
        is_last = message.attempts > len(WAITS)
        state = Message.State.DEAD if is_last else Message.State.WAITING
        own.update(state=state, answer=str(refused)[:300])
        logger.warning("message %s was not delivered: attempt %s", message.pk, message.attempts)
        return False
    own.update(state=Message.State.DELIVERED, answer=answer[:300], delivered_at=Moment())
    return True


def send(message: Message) -> str:
    if message.endpoint is None:
        return mail_people(message)
    endpoint = message.endpoint
    answer = webhooks.post(
        endpoint.url,
        body_of(message),
        secrets=secrets_of(endpoint),
        headers={"Inkloop-Event": message.kind, "Inkloop-Delivery": str(message.public_id)},
    )
    return f"{answer.status} {answer.text}"


def body_of(message: Message) -> bytes:
    return json.dumps(
        {
            "id": str(message.public_id),
            "event": message.kind,
            "happened_at": message.happened_at.isoformat(),
            "subject": message.subject,
            "data": message.data,
        }
    ).encode()


def secrets_of(endpoint: Endpoint) -> list[str]:
    """The secret, and the former one for FORMER_SIGNS after a change."""
    is_fresh = endpoint.rotated_at and endpoint.rotated_at > timezone.now() - FORMER_SIGNS
    return [endpoint.secret, *([endpoint.former_secret] if is_fresh else [])]


def mail_people(message: Message) -> str:
    """Send one mail to all whom it concerns, with their addresses in Bcc."""
    people = addresses(message.kind, message.data)
    if not people:
        return "nobody to tell"
    subject = f"[Inkloop] {message.get_kind_display()}: {message.subject}"
    EmailMessage(
        " ".join(subject.split()), mail_text(message.data), settings.DEFAULT_FROM_EMAIL, bcc=people
    ).send()
    return f"mailed to {len(people)}"


def mail_text(data: dict[str, Any]) -> str:
    """The text of a mail: its sentence and its link, or every value with its name."""
    if "sentence" in data:
        return f"{data['sentence']}\n\n{data['link']}"
    return "\n".join(f"{name}: {value_as_lines(value)}" for name, value in data.items())


def value_as_lines(value: Any) -> str:
    return "\n  ".join(["", *map(str, value)]) if isinstance(value, list) else str(value)


# -- in the admin ------------------------------------------------------------------------------


def rotate(endpoint: Endpoint) -> None:
    """Set a new secret; both sign for FORMER_SIGNS, so that the receiver has time to change."""
    changed = Endpoint.objects.filter(pk=endpoint.pk, secret=endpoint.secret).update(
        former_secret=endpoint.secret, secret=new_secret(), rotated_at=Moment()
    )
    logger.info("endpoint %s %s", endpoint.pk, "has a new secret" if changed else "was overtaken")


@transaction.atomic
def try_again(messages: Iterable[Message]) -> int:
    """Make messages that were given up due again, with all retries; how many."""
    keys = [message.pk for message in messages]
    again = Message.objects.filter(Q(pk__in=keys), state=Message.State.DEAD).update(
        state=Message.State.WAITING, attempts=0, next_at=Moment()
    )
    if again:
        enqueue_delivery()
    return again

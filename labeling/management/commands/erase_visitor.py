from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.batches.erasure import erase_owner
from predictions.models import Feedback, Owner, Prediction
from predictions.operation.json_command import TellingCommand
from predictions.operation.people import person_named


class Command(TellingCommand):
    help = (
        "Erase everything one visitor or one account drew, for good: pictures, owner and "
        "addresses. What was read and labeled stays, to be counted. Without --yes it only says "
        "how much that is. Exit code 0 when done or told, 1 when nobody of that name is known."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument(
            "visitor",
            nargs="?",
            type=uuid.UUID,
            help="the visitor id, as the list of predictions in the admin shows it",
        )
        whose.add_argument("--user", help="a user name")
        whose.add_argument("--prediction", type=uuid.UUID, help="the id of one of their drawings")
        parser.add_argument("--yes", action="store_true", help="confirm; this cannot be undone")

    def handle(self, *args: Any, yes: bool, **options: Any) -> None:
        owner = owner_named(options)
        count = Prediction.objects.owned_by(owner).pictured().count()
        erased = erase_owner(owner) if yes else 0
        words = f"{count:,} drawings would be erased, for good. Say so with --yes."
        self.tell(f"{erased:,} drawings erased." if yes else words, drawings=count, erased=erased)


def owner_named(options: dict[str, Any]) -> Owner:
    if options["user"]:
        return Owner(user_id=person_named(options["user"]).pk)
    visitor = options["visitor"]
    if options["prediction"]:
        drawn = Prediction.objects.filter(public_id=options["prediction"]).first()
        if drawn is None or (drawn.user_id is None and drawn.visitor is None):
            raise CommandError("There is no such drawing, or nobody owns it.")
        if drawn.user_id is not None:
            return Owner(user_id=drawn.user_id)
        visitor = drawn.visitor
    known = (
        Prediction.objects.filter(visitor=visitor).exists()
        or Feedback.objects.filter(visitor=visitor).exists()
    )
    if not known:
        raise CommandError(f"No drawing and no feedback is from the visitor {visitor}.")
    return Owner(visitor=visitor)

"""A batch taken back from the command line."""

from __future__ import annotations

import json
import uuid
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.decisions.decisions import Answer
from labeling.models import Label
from predictions.models import Prediction
from tests.factories import make_user
from tests.labeling.door import correct, make_item

pytestmark = pytest.mark.django_db


def told(*arguments: object) -> Any:
    out = StringIO()
    call_command("undo_batch", *map(str, arguments), "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_batch_is_listed_and_taken_back_once():
    ben = make_user("ben")
    make_item(), make_item()
    batch = correct(Prediction.objects.all(), Answer(5), by=ben)
    (listed,) = told()["batches"]
    assert (listed["batch"], listed["labels"], listed["undone_at"]) == (str(batch.pk), 2, None)
    assert told(batch.pk, "--by", "ben")["labels"] == 2
    assert not Label.objects.exists()
    with pytest.raises(CommandError, match="taken back before"):
        told(batch.pk, "--by", "ben")


def test_nothing_is_taken_back_in_nobodys_name_or_without_a_batch():
    ben = make_user("ben")
    make_item()
    batch = correct(Prediction.objects.all(), Answer(5), by=ben)
    for arguments in ([batch.pk], [batch.pk, "--by", "nobody"], [uuid.uuid4(), "--by", "ben"]):
        with pytest.raises(CommandError):
            told(*arguments)
    assert Label.objects.exists()

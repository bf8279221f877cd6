"""What a page of the admin shows is acted on once."""

from __future__ import annotations

import pytest

from labeling.batches.selections import as_shown, keep_shown, use_up
from labeling.errors import Gone
from predictions.models import Prediction
from tests.factories import make_ada
from tests.labeling.door import make_item

pytestmark = pytest.mark.django_db


def test_of_two_clicks_that_both_found_the_selection_one_acts() -> None:
    made = make_item()
    selection = keep_shown(as_shown(Prediction.objects.all()), owner=make_ada(), chosen_by={})
    assert list(use_up(selection).stood) == [made.pk]
    with pytest.raises(Gone, match="acted on already"):
        use_up(selection)

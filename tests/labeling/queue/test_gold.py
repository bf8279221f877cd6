from __future__ import annotations

from datetime import UTC, datetime, timedelta

from labeling.queue import gold

HOUR = 500_000  # of the epoch; any
MIDDLE = datetime.fromtimestamp(HOUR * 3600 + 1800, UTC)


def test_a_gold_token_is_good_in_its_hour_and_the_next_alone():
    token = gold.token_for(1, 2, hour=HOUR)
    hours = {
        hour: gold.is_token(1, 2, token, at=MIDDLE + timedelta(hours=hour)) for hour in range(-1, 3)
    }
    assert hours == {-1: False, 0: True, 1: True, 2: False}


def test_a_gold_token_is_one_persons_and_one_items():
    token = gold.token_for(1, 2, hour=HOUR)
    assert not gold.is_token(3, 2, token, at=MIDDLE)
    assert not gold.is_token(1, 3, token, at=MIDDLE)

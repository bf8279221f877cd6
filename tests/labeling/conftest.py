from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _no_chance(settings: Any) -> None:
    """No gold and no lots are drawn, unless a test asks for them."""
    settings.GOLD_RATE = 0.0
    settings.SECOND_OPINION_RATE = 0.0
    settings.TRUST_FEEDBACK = False

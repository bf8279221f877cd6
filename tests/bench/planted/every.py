from __future__ import annotations

from tests.bench.planted import dashboard, labeling, predictions, training
from tests.bench.planted.fault import Fault

FAULTS: dict[str, list[Fault]] = {
    **labeling.FAULTS,
    **training.FAULTS,
    **dashboard.FAULTS,
    **predictions.FAULTS,
}

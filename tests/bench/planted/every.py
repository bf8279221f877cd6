from __future__ import annotations

from tests.bench.planted import dashboard, labeling, predictions, training, trials
from tests.bench.planted.fault import Fault

FAULTS: dict[str, list[Fault]] = {
    **labeling.FAULTS,
    **training.FAULTS,
    **trials.FAULTS,
    **dashboard.FAULTS,
    **predictions.FAULTS,
}

"""What one does first in a new installation, and how far that is."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from predictions.models import Prediction
from training.models import Promotion, Run
from training.runs.queue_status import run_preview
from training.runs.retrain import LEAST_LABELS

NOT_DRAWN = [Prediction.Source.DEMO, Prediction.Source.IMPORT]


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    said: str  # how far it is, or what it takes
    is_done: bool
    url: str = ""  # where it is done, with the words of its button
    action: str = ""


def first_steps() -> list[Step]:
    """Draw, say what it is, fine-tune, see it read better; none once a version has gone live."""
    if Promotion.objects.exists():
        return []
    drawn = Prediction.objects.exclude(source__in=NOT_DRAWN)[:LEAST_LABELS].count()
    ready = min(run_preview().count, LEAST_LABELS)
    newest = Run.objects.select_related("version").defer("checkpoint", "version__canary").first()
    made = newest if newest and newest.version else made_before()
    is_ready = ready >= LEAST_LABELS or made is not None
    training = reverse("training:training")
    steps = [
        Step(f"Draw {LEAST_LABELS} digits", f"{drawn} of {LEAST_LABELS}", drawn >= LEAST_LABELS),
        Step("Say what each is", f"{ready} of {LEAST_LABELS} labels", is_ready),
        Step("Fine-tune", "a minute or two", made is not None, training, "Fine-tune"),
    ]
    if newest is not None and newest.is_active:
        steps[2] = Step("Fine-tune", f"run {newest.pk} is {newest.state}", False, training, "Watch")
    return [*steps, trial_step(made)]


def trial_step(made: Run | None) -> Step:
    """The last step: a version on trial."""
    title = "See it read better"
    if made is None or made.version is None:
        return Step(title, "both versions read what you draw next", False)
    trial = made.version.trials.first()
    said = (trial and trial.said) or f"draw on: {made.version} reads along"
    version = reverse("training:version", args=[made.version.name])
    return Step(title, said, False, version, "See its trial")


def made_before() -> Run | None:
    """The newest run that made a version."""
    runs = Run.objects.filter(version__isnull=False).select_related("version")
    return runs.defer("checkpoint", "version__canary").first()

"""What the draw page says about trials, from few rows: nothing is weighed there."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Count, F, Q

from labeling.models import Label
from labeling.queue import priorities
from predictions.models import ModelVersion, Owner
from training.models import Trial, TrialReading


@dataclass(frozen=True, slots=True)
class Gain:
    """How the live version reads one person's drawings, against the version before it."""

    trial: Trial
    drawings: int  # of this person, read by both
    mended: int
    broken: int


def gain_of(owner: Owner) -> Gain | None:
    """What the live version brought a person, also by answers since; None if it mended nothing."""
    if owner.user_id is None and owner.visitor is None:
        return None
    trial = (
        Trial.objects.filter(state=Trial.State.PROMOTED, candidate__state=ModelVersion.State.LIVE)
        .select_related("candidate", "against")
        .only("candidate__name", "against__name")
        .first()
    )
    if trial is None:
        return None
    own = (
        Q(prediction__user=owner.user_id)
        if owner.user_id is not None
        else Q(prediction__visitor=owner.visitor)
    )
    label = "prediction__label__"
    is_disputed = Q(**{f"{label}state": Label.State.DISPUTED}) | Q(
        **{f"{label}state": Label.State.AWAITING, f"{label}opinions__gt": 1}
    )
    differ = ~Q(live_digit=F("candidate_digit")) & ~is_disputed
    found = TrialReading.objects.filter(
        own, trial=trial, prediction__erased_at__isnull=True
    ).aggregate(
        drawings=Count("pk"),
        mended=Count("pk", filter=differ & Q(candidate_digit=F(f"{label}digit"))),
        broken=Count("pk", filter=differ & Q(live_digit=F(f"{label}digit"))),
    )
    return Gain(trial, **found) if found["mended"] else None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is said of the newest trial, and how many drawings this person may answer for trials."""

    said: str
    to_decide: int


def under_way_for(labeler: User) -> UnderWay | None:
    trials = Trial.objects.under_way().exclude(said="")
    said = trials.values_list("said", flat=True).first()
    return UnderWay(said, priorities.open_to(labeler).count()) if said else None

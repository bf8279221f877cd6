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
    """What the live version brought a person, also by answers since; None if it mended nothing.

    A drawing without a label counts as what the person said of it, be it an audit or not.
    """
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
    whose = "visitor" if owner.user_id is None else "user"
    who = owner.visitor if owner.user_id is None else owner.user_id
    label, word = "prediction__label__", "prediction__feedback__"
    is_disputed = Q(**{f"{label}state": Label.State.DISPUTED}) | Q(
        **{f"{label}state": Label.State.AWAITING, f"{label}opinions__gt": 1}
    )
    differ = ~Q(live_digit=F("candidate_digit")) & ~is_disputed
    by_word = Q(**{"prediction__label": None, f"{word}{whose}": who})

    def right(reading: str) -> Q:
        is_label = Q(**{reading: F(f"{label}digit")})
        return differ & (is_label | by_word & Q(**{reading: F(f"{word}digit")}))

    found = TrialReading.objects.filter(
        trial=trial, prediction__erased_at__isnull=True, **{f"prediction__{whose}": who}
    ).aggregate(
        drawings=Count("pk"),
        mended=Count("pk", filter=right("candidate_digit")),
        broken=Count("pk", filter=right("live_digit")),
    )
    return Gain(trial, **found) if found["mended"] else None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is said of the newest trial, and how many drawings this person may answer for trials."""

    candidate: str
    said: str
    to_decide: int


def under_way_for(labeler: User) -> UnderWay | None:
    trials = Trial.objects.under_way().exclude(said="")
    newest = trials.values_list("candidate__name", "said").first()
    return UnderWay(*newest, priorities.open_to(labeler).count()) if newest else None

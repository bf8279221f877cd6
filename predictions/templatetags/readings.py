"""How a prediction's figures are written for people."""

from __future__ import annotations

import math
import re

from django import template

from predictions.models import Feedback, Prediction

register = template.Library()
ALMOST_CERTAIN = 0.9995  # from here, one decimal would round to 100.0%
BELOW_ONE = math.nextafter(1.0, 0.0)
MOST_NINES = 7  # confidences are 32-bit floats, which cannot be nearer to 1
NO_DOUBT = 10**-MOST_NINES
NO_NOUN = "and|at|by|in|of|on|or|read|reads|right|to|was|were|wrong"
# The spaces between a number and its noun, and between a number and what it numbers.
BELONGS = re.compile(
    rf"\d (?!(?:{NO_NOUN})\b)(?=[a-z])"
    r"|\b(?:digit|of|Q[1-4]|[A-Z][a-z]{2,8}) (?=\d)"
    r"|\d, (?=\d{4}\b)"
)


@register.filter
def percent(share: float | None) -> str:
    """0.9377 as 93.8%; a dash for None."""
    if share is None:
        return "–"
    return ">99.9%" if ALMOST_CERTAIN <= share < 1 else f"{share:.1%}"


@register.filter
def unbroken(text: object) -> str:
    """A sentence in which no line ends between what belongs together: 43 labels, Nov 30, 2026."""
    return BELONGS.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), str(text))


@register.filter
def as_confidence(confidence: float | None) -> str:
    """A confidence. It is below 1: only a 32-bit float cannot always tell by how much."""
    return percent(confidence if confidence is None else min(confidence, BELOW_ONE))


@register.filter
def nines(confidence: float | None) -> str:
    """The score of a drawing: the nines of its confidence, so 0.999 is 3.00 nines."""
    if confidence is None:
        return "–"
    if 1 - confidence < NO_DOUBT:
        return f"over {MOST_NINES} nines"
    return f"{math.log10(1 / (1 - confidence)):.2f} nines"


@register.filter
def close_percent(confidence: float | None) -> str:
    """A confidence with as many decimals as it has nines, to stand beside the score."""
    if confidence is None:
        return "–"
    if 1 - confidence < NO_DOUBT:
        return f">{1 - NO_DOUBT:.{MOST_NINES - 2}%}"
    decimals = max(1, math.floor(math.log10(1 / (1 - confidence))))
    return f"{confidence:.{decimals}%}"


@register.filter
def width(share: float) -> str:
    """The length of a bar, for an SVG attribute: the content policy forbids style attributes."""
    return f"{share * 100:.2f}%"


@register.filter
def at(probabilities: list[float] | str | None, digit: int) -> float:
    """One digit's probability; 0 while nothing has been read."""
    return probabilities[digit] if isinstance(probabilities, list) else 0.0


@register.filter
def with_article(digit: int) -> str:
    return f"an {digit}" if digit == 8 else f"a {digit}"


@register.filter
def in_words(feedback: Feedback | None, prediction: Prediction) -> str:
    """What was said: right, the true digit, or not a digit; empty when nothing was."""
    if not feedback:
        return ""
    if feedback.digit is None:
        return "Not a digit"
    if feedback.digit == prediction.digit:
        return "Right"
    return f"It is {with_article(feedback.digit)}"

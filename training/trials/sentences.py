"""What pages, mail, webhooks, commands and the API say about a trial: pure functions of its counts.

Each sentence is true for any counts, also for none. The first sentence says what the new version
mended and broke; the next says what happens now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FEW_ANSWERS, FEW_DRAWINGS = 3, 500  # with fewer of both, nobody can say how many more are needed


@dataclass(frozen=True, slots=True)
class Told:
    """The counts of a trial, and where it stands, as reports keep them."""

    candidate: str
    against: str
    state: str  # a Trial.State
    drawings: int = 0  # read by both
    differ: int = 0
    better: int = 0
    worse: int = 0
    neither: int = 0  # answered, and both were wrong
    waiting: int = 0  # for an answer, with priority
    audits_waiting: int = 0  # for an answer, in the order of audits
    presumed: int = 0  # broken: audits that only their author could label, and did not correct
    behind: int = 0  # answered or presumed, while an earlier one waits
    left_out: int = 0  # unreadable, disputed, erased and so on
    people: int = 0  # it is judged for so few people, who draw nearly everything; 0: for everybody
    by_few: int = 0  # drawings by these few
    drawings_to_go: int | None = None
    answers_to_go: int | None = None
    obstacles: Sequence[str] = field(default_factory=list)  # what holds it, though it is ahead
    reason: str = ""  # why it ended
    live_since: str = ""  # if it is live now

    @property
    def answered(self) -> int:
        return self.better + self.worse + self.neither


def sentences(told: Told) -> list[str]:
    """Everything there is to say, the most important first."""
    said = [
        counted(told), next_step(told), about_presumed(told), about_few(told), *told.obstacles,
    ]  # fmt: skip
    return [sentence for sentence in said if sentence]


def counted(told: Told) -> str:
    """What both versions read, and what the new one mended and broke."""
    if not told.drawings:
        return "No new drawing has been read by both versions yet."
    drawings = number_of(told.drawings, "new drawing")
    if not told.differ:
        return f"The two versions read {drawings} alike."
    if not told.answered:
        return f"The two versions read {drawings} alike but for {told.differ:,}."
    said = f"On {drawings} {told.candidate} mended {told.better:,} and broke {told.worse:,}"
    if told.neither:
        said += f"; both were wrong about {told.neither:,} more"
    is_open = told.state == "under_way" and (told.waiting or told.audits_waiting or told.behind)
    return f"{said} so far." if is_open else f"{said}."


def ending(told: Told) -> str:
    """How the trial ended, for pages that say nothing else of it; empty while it is under way."""
    if told.state == "under_way":
        return ""
    return f"{ended(told, told.candidate)} {counted(told)}"


def ended(told: Told, it: str = "It") -> str:
    live = f"{it} is live since {told.live_since}." if told.live_since else f"{it} went live."
    return {
        "promoted": live,
        "won": f"{it} won its trial and waits to be promoted.",
        "no_better": f"{it} stays out: {told.reason}",
        "harm": f"{it} stays out: {told.reason}",
        "overtaken": f"The trial{'' if it == 'It' else f' of {it}'} was set aside: {told.reason}",
    }[told.state]


def next_step(told: Told) -> str:
    """What happens now, or how the trial ended."""
    if told.state != "under_way":
        return ended(told)
    if told.waiting:
        return waiting_in_words(told)
    if told.audits_waiting:
        return audits_in_words(told)
    more = forecast(told) or "The next drawings will tell"
    return f"{more}; nobody needs to label anything now."


def waiting_in_words(told: Told) -> str:
    verb = "waits" if told.waiting == 1 else "wait"
    said = f"{number_of(told.waiting, 'drawing')} {verb} for an answer."
    is_enough = not told.answers_to_go or told.answers_to_go <= told.waiting
    more = "" if is_enough else forecast(told)
    return f"{said} {more}." if more else said


def audits_in_words(told: Told) -> str:
    audits = "is an audit that waits" if told.audits_waiting == 1 else "are audits that wait"
    said = f"{told.audits_waiting:,} of these {audits} for an answer, in the order of audits."
    more = forecast(told)
    return f"{said} {more}." if more else said


def forecast(told: Told) -> str:
    """About how many more drawings are needed; empty while that is a guess."""
    is_guess = told.answered < FEW_ANSWERS and told.drawings < FEW_DRAWINGS
    if is_guess or not told.drawings_to_go:
        return ""
    digits = len(str(told.drawings_to_go))
    return f"About {number_of(round(told.drawings_to_go, 2 - digits), 'more drawing')} will tell"


def about_presumed(told: Told) -> str:
    """Audits of the only labeler that count against the candidate."""
    if not told.presumed:
        return ""
    audits, so = (
        ("is an audit", "it counts") if told.presumed == 1 else ("are audits", "they count")
    )
    return (
        f"{told.presumed:,} more {audits} by the only person who labels here, who did not correct "
        f"{told.against}: {so} as broken."
    )


def about_few(told: Told) -> str:
    """Where one to five people draw nearly everything: whom the trial is about."""
    if not told.people or not told.drawings:
        return ""
    people = "one person" if told.people == 1 else f"{told.people} people"
    others = told.drawings - told.by_few
    if told.by_few < others:
        return f"Nearly all drawings here are by {people}: this is judged for them, not for others."
    which = f"All but {others:,} of these drawings" if others else "All of these drawings"
    return f"{which} are by {people}: this says how well it reads them, not others."


def number_of(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

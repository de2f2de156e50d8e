"""Compose: the words of all domains become the one status the person has.

The one rule: only words count, never echoes; a pin is above all words.
"""

from __future__ import annotations

from presence_syncd.core.entry import Entry, Observation, Word
from presence_syncd.core.presence import AWAY, Availability, Status
from presence_syncd.core.values import Value, earlier
from presence_syncd.core.view import Compose, Rules, View

BUSIEST = (
    Availability.DND,
    Availability.BUSY,
    Availability.BRB,
    Availability.AWAY,
    Availability.AVAILABLE,
    Availability.OFFLINE,
    Availability.UNKNOWN,
)
"""The ladder of `busiest`, highest first."""


class Composed(Value, frozen=True):
    """The person's status, the domain whose word it is (None: a pin), when it was said, and by which rule it won."""

    status: Status
    domain: str | None
    at: float
    rule: str
    note: str | None = None


def compose(view: View, rules: Rules, now: float) -> Composed | None:
    """Merge the words of a view; None while nobody has said anything."""
    note = _newest_note(view) if rules.notes else None
    if pin := view.pin_at(now):
        return Composed(pin.status, None, now, "pin", note)
    words = {domain: entry.word for domain, entry in view.entries.items() if entry.word}
    if not words:
        return None
    domain = _CHOOSE[rules.compose](words, rules, now)
    return Composed(words[domain].effective(now, rules.settle_fade), domain, words[domain].at, rules.compose, note)


def said_elsewhere(view: View, domain: str, seen: Observation, rules: Rules) -> Composed | None:
    """What we would have a domain show, unless that comes from itself, or they rest elsewhere and are awake here."""
    composed = compose(view, rules, seen.at)
    if composed is None or composed.domain == domain or (composed.status.idle and seen.status.is_awake):
        return None
    return composed


def stands(status: Status | None, view: View, rules: Rules, now: float) -> bool:
    """Whether the status sinks were to show still is what they are asked to show, and writing is not paused.

    None stands for taking back what they show.
    """
    if status is None or view.paused:
        return not view.paused
    composed = compose(view, rules, now)
    return composed is not None and wanted(composed.status, rules) == status


def wanted(status: Status, rules: Rules) -> Status:
    """What sinks are asked to show for a composed status, by the policies for idle and offline."""
    if status.is_absent and rules.offline_away:
        return AWAY
    if status.idle and rules.idle_away and status.availability is Availability.AVAILABLE:
        return AWAY
    return status


def next_fade(view: View, rules: Rules, now: float) -> float | None:
    """When the next fade of a word has lasted long enough to count; None if none is waiting."""
    soonest = None
    for entry in view.entries.values():
        if (word := entry.word) is None or word.faded is None:
            continue
        at = word.faded_at + rules.settle_fade
        if at > now and (soonest is None or at < soonest):
            soonest = at
    return soonest


def next_turn(view: View, rules: Rules, now: float) -> float | None:
    """When a fade starts to count, or the pin ends: then the account's status may be another one."""
    pin = view.pin_at(now)
    return earlier(next_fade(view, rules, now), pin.until if pin else None)


def _latest(words: dict[str, Word], _rules: Rules, _now: float) -> str:
    """The newest word. Of words nobody knows the age of, one of a person who is there, by its time or by place."""

    def rank(domain: str) -> tuple[bool, bool, float]:
        word = words[domain]
        says_much = not (word.status.is_absent or word.status.idle)
        return (not word.initial, says_much or not word.initial, word.at)

    return max(words, key=rank)


def _by_priority(words: dict[str, Word], rules: Rules, now: float) -> str:
    """The first domain of the list whose client is there; domains not listed come last, newest first."""
    listed = [domain for domain in rules.priority if domain in words]
    present = [d for d in listed if not words[d].effective(now, rules.settle_fade).is_absent]
    return (present or [_latest(words, rules, now)])[0]


def _busiest(words: dict[str, Word], rules: Rules, now: float) -> str:
    """The domain whose word is highest on the ladder; of equals the newest."""

    def rank(domain: str) -> tuple[int, float]:
        effective = words[domain].effective(now, rules.settle_fade)
        return (-BUSIEST.index(effective.availability), words[domain].at)

    return max(words, key=rank)


_CHOOSE = {Compose.LATEST: _latest, Compose.PRIORITY: _by_priority, Compose.BUSIEST: _busiest}


def _newest_note(view: View) -> str | None:
    said: list[Entry] = [entry for entry in view.entries.values() if entry.note_word is not None]
    return max(said, key=lambda entry: entry.note_at).note_word if said else None

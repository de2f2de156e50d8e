"""What Graph can show and what it can be told, as tables.

The one rule: values are compared without case and looked for in either field, because the three public lists of
presence values disagree; what is not known is UNKNOWN, never a guess. Source: graph sheet §1.1, §2.2, §3.3; mapping
§2-§4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from presence_syncd.core.presence import (
    AVAILABLE,
    AWAY,
    BRB,
    BUSY,
    DND,
    OFF_WORK,
    OFFLINE,
    UNKNOWN,
    Activity,
    Availability,
    Status,
    status,
)
from presence_syncd.core.values import replace
from presence_syncd.core.vocabulary import Fade, Vocabulary

CALL = Status(Availability.BUSY, Activity.CALL)
CONFERENCE = Status(Availability.BUSY, Activity.CONFERENCE)
MEETING = Status(Availability.BUSY, Activity.MEETING)
PRESENTING = Status(Availability.DND, Activity.PRESENTING)
URGENT_ONLY = Status(Availability.DND, Activity.URGENT_ONLY)
FOCUSING = Status(Availability.DND, Activity.FOCUSING)

_BASES: Mapping[str, Status] = {
    "available": AVAILABLE,
    "availableidle": replace(AVAILABLE, idle=True),
    "availableinactive": replace(AVAILABLE, idle=True),
    "busy": BUSY,
    "busyidle": replace(BUSY, idle=True),
    "busyinactive": replace(BUSY, idle=True),
    "donotdisturb": DND,
    "berightback": BRB,
    "away": AWAY,
    "offline": OFFLINE,
    "offwork": OFF_WORK,
    "outofoffice": replace(AWAY, ooo=True),
    "inacall": CALL,
    "inaconferencecall": CONFERENCE,
    "inameeting": MEETING,
    "presenting": PRESENTING,
    "urgentinterruptionsonly": URGENT_ONLY,
    "focusing": FOCUSING,
}
"""What `availability` says, folded; the activity words are there because the newest list has them in this field."""

_ACTIVITIES: Mapping[str, Activity] = {
    "inacall": Activity.CALL,
    "inaconferencecall": Activity.CONFERENCE,
    "inameeting": Activity.MEETING,
    "presenting": Activity.PRESENTING,
    "urgentinterruptionsonly": Activity.URGENT_ONLY,
    "focusing": Activity.FOCUSING,
    "offwork": Activity.OFF_WORK,
}
"""What `activity` adds, folded; every other word adds nothing."""

_INACTIVE = frozenset({"inactive", "availableinactive", "busyinactive"})
_OUT_OF_OFFICE = frozenset({"outofoffice", "oof"})
_MAY_IDLE = frozenset({Availability.AVAILABLE, Availability.BUSY})

SHORT = 64
"""Most letters of a pair that is remembered: all documented ones are shorter, and a service may send megabytes."""


def read_status(availability: object, activity: object, out_of_office: bool) -> tuple[Status, str]:
    """Turn the two fields of a presence into a status and the raw text for people.

    `activity` may be text or a list of texts, either may be null or anything else; nothing raises. What is short is
    read once and remembered: thousands show the same.
    """
    if isinstance(availability, str) and isinstance(activity, str) and len(availability) + len(activity) <= SHORT:
        return _remembered(availability, activity, out_of_office)
    return _read(availability, activity, out_of_office)


def _read(availability: object, activity: object, out_of_office: bool) -> tuple[Status, str]:
    words = list(_texts(activity))
    raw = "/".join([*_texts(availability)] + [", ".join(words)] * bool(words)) or "null"
    base = _BASES.get(_fold(next(_texts(availability), "")), UNKNOWN)
    if not base.is_known:
        return UNKNOWN, raw
    parts = [_fold(part) for word in words for part in word.split("+")]
    idle = base.idle or (base.availability in _MAY_IDLE and not _INACTIVE.isdisjoint(parts))
    ooo = base.ooo or out_of_office or not _OUT_OF_OFFICE.isdisjoint(parts)
    return status(base.availability, _detail(base, parts), idle=idle, ooo=ooo), raw


_remembered = lru_cache(maxsize=1024)(_read)


def _texts(value: object) -> Iterator[str]:
    """Yield the text, or the texts of a list; nothing for anything else."""
    yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def _fold(word: str) -> str:
    return word.strip().lower().replace(" ", "")


def _detail(base: Status, parts: list[str]) -> Activity:
    """The first activity that is known; the one `availability` itself named comes before all."""
    if base.activity is not Activity.NONE:
        return base.activity
    return next((_ACTIVITIES[part] for part in parts if part in _ACTIVITIES), Activity.NONE)


_PAIRS = (
    "Available/Available",
    "Available/OutOfOffice",
    "Available/AvailableInactive",
    "AvailableIdle/Inactive",
    "Busy/Busy",
    "Busy/InACall",
    "Busy/InAConferenceCall",
    "Busy/InAMeeting",
    "Busy/InACall + OOF",
    "Busy/OutOfOffice",
    "BusyIdle/Inactive",
    "DoNotDisturb/DoNotDisturb",
    "DoNotDisturb/Presenting",
    "DoNotDisturb/UrgentInterruptionsOnly",
    "DoNotDisturb/Focusing",
    "BeRightBack/BeRightBack",
    "Away/Away",
    "Away/OutOfOffice",
    "Offline/Offline",
    "Offline/OffWork",
    "Offline/OutOfOffice",
    "focusing/doNotDisturb",
    "inACall/busy",
    "inAMeeting/busy",
    "presenting/doNotDisturb",
    "OutOfOffice/OutOfOffice",
)
READS: Mapping[str, Status] = {
    f"{availability}/{activity}": read_status(availability, activity, False)[0]
    for availability, _, activity in (pair.partition("/") for pair in _PAIRS)
}
"""Every documented pair of availability and activity, with its meaning."""

FADES: frozenset[Fade] = frozenset(
    {
        (Availability.AVAILABLE, Availability.AVAILABLE, True),
        (Availability.AVAILABLE, Availability.AWAY, False),
        (Availability.BUSY, Availability.BUSY, True),
    }
)
"""What becomes of a state when nobody types (mapping §4.2)."""

_SESSION_WORDS: Mapping[Status, str] = {
    AVAILABLE: "Available/Available",
    CALL: "Busy/InACall",
    CONFERENCE: "Busy/InAConferenceCall",
    MEETING: "Busy/InAConferenceCall",
    PRESENTING: "DoNotDisturb/Presenting",
    BRB: "Away/Away",
    AWAY: "Away/Away",
}
_PREFERRED_WORDS: Mapping[Status, str] = {
    AVAILABLE: "Available/Available",
    BUSY: "Busy/Busy",
    CALL: "Busy/InACall",
    CONFERENCE: "Busy/InAConferenceCall",
    MEETING: "Busy/InAConferenceCall",
    DND: "DoNotDisturb/DoNotDisturb",
    PRESENTING: "DoNotDisturb/Presenting",
    BRB: "BeRightBack/BeRightBack",
    AWAY: "Away/Away",
    OFF_WORK: "Offline/OffWork",
}
SESSION_ONLY = frozenset({"Busy/InACall", "Busy/InAConferenceCall", "DoNotDisturb/Presenting"})
"""Words that only a session can say; a preferred state would hide them."""
PRESENT = "Available/Available"
"""The word that fades by itself, and the only one that claims somebody is there."""
QUIET = "Away/Away"
"""The session word of the lowest rank, which does not fade: it makes a preferred state visible, itself is not seen."""
_NOT_IN_BETA = "DoNotDisturb/Presenting"


def _echoes(words: Iterable[str]) -> dict[str, frozenset[Status]]:
    """Word -> what may be read because of it: itself, or offline where no session is left.

    Both also with out of office: the service lays it over from the mailbox, whatever the presence is (§1.3).
    """
    shown = {word: (READS[word], OFFLINE) for word in words}
    return {word: frozenset(replace(s, ooo=ooo) for s in each for ooo in (False, True)) for word, each in shown.items()}


def vocabulary(preferred: bool, *, beta: bool = False) -> Vocabulary:
    """The tables for one way of writing: sessions alone, or sessions and the preferred state together.

    `beta` leaves out what the first beta contract did not have.
    """
    words = dict(_PREFERRED_WORDS if preferred else _SESSION_WORDS)
    if beta:
        words = {status: word for status, word in words.items() if word != _NOT_IN_BETA}
    top = frozenset(words.values()) - SESSION_ONLY - {PRESENT} if preferred else frozenset()
    return Vocabulary(READS, words, _echoes(dict.fromkeys(words.values())), FADES, top=top)


SESSION = vocabulary(preferred=False)
"""What can be said with sessions alone."""
PREFERRED = vocabulary(preferred=True)
"""What can be said with sessions and the preferred state."""


@lru_cache(maxsize=64)
def iso_duration(seconds: float) -> str:
    """Write a duration as Graph takes it: `PT5M`, `PT1H30M`, `PT90S` as `PT1M30S`. Parts of a second are dropped."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if value]
    return "PT" + ("".join(parts) or "0S")

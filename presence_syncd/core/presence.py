"""The status model the services share: availability and activity, plus idle and out of office.

The one rule: an activity that does not belong to its availability is dropped, and UNKNOWN says nothing at all.
Source: the mapping tables of the project (RFC 4480 names the activities).
"""

from __future__ import annotations

from enum import StrEnum

from presence_syncd.core.values import Value, replace


class Availability(StrEnum):
    """The ladder the services share."""

    AVAILABLE = "available"
    BUSY = "busy"
    DND = "dnd"
    BRB = "brb"
    AWAY = "away"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Activity(StrEnum):
    """What the person is doing, where the service says so."""

    NONE = "none"
    CALL = "call"
    CONFERENCE = "conference"
    MEETING = "meeting"
    PRESENTING = "presenting"
    URGENT_ONLY = "urgent-only"
    FOCUSING = "focusing"
    OFF_WORK = "off-work"


BELONGS: dict[Activity, Availability] = {
    Activity.CALL: Availability.BUSY,
    Activity.CONFERENCE: Availability.BUSY,
    Activity.MEETING: Availability.BUSY,
    Activity.PRESENTING: Availability.DND,
    Activity.URGENT_ONLY: Availability.DND,
    Activity.FOCUSING: Availability.DND,
    Activity.OFF_WORK: Availability.OFFLINE,
}
"""The availability each activity goes with."""
PRESENT = frozenset({Availability.AVAILABLE, Availability.BUSY, Availability.DND})
"""Availabilities that claim the person is there."""


class Status(Value, frozen=True):
    """One person's state: what they would say if asked.

    `idle` means signed in without recent input; a service derives it, nobody chooses it. `ooo` (out of office) is
    orthogonal to availability.
    """

    availability: Availability
    activity: Activity = Activity.NONE
    idle: bool = False
    ooo: bool = False

    def __str__(self) -> str:
        text = str(self.availability)
        if self.activity is not Activity.NONE:
            text += f"/{self.activity}"
        return text + ("+idle" if self.idle else "") + ("+ooo" if self.ooo else "")

    @property
    def is_known(self) -> bool:
        """Whether this says anything."""
        return self.availability is not Availability.UNKNOWN

    @property
    def is_absent(self) -> bool:
        """Whether this only says that no client is there (offline without off work)."""
        return self.availability is Availability.OFFLINE and self.activity is Activity.NONE

    @property
    def is_awake(self) -> bool:
        """Whether this says that the person is there, and not idle."""
        return not self.idle and self.availability in PRESENT

    @property
    def awake(self) -> Status:
        """The same status without the idle flag."""
        return replace(self, idle=False)


def status(
    availability: Availability, activity: Activity = Activity.NONE, *, idle: bool = False, ooo: bool = False
) -> Status:
    """Make a status of parts that may not fit: an activity of another availability is dropped."""
    if BELONGS.get(activity) is not availability:
        activity = Activity.NONE
    return Status(availability, activity, idle, ooo)


def parse_status(text: str) -> Status:
    """Read what `str(status)` prints. Raises ValueError, naming the legal parts."""
    head, *flags = text.strip().lower().split("+")
    name, _, activity = head.partition("/")
    try:
        parsed = status(Availability(name), Activity(activity or "none"), idle="idle" in flags, ooo="ooo" in flags)
    except ValueError:
        parsed = UNKNOWN
    if str(parsed) != text.strip().lower():
        legal = ", ".join(Availability)
        raise ValueError(f"{text!r} is no status; legal: one of {legal}, then /activity, +idle, +ooo")
    return parsed


AVAILABLE = Status(Availability.AVAILABLE)
BUSY = Status(Availability.BUSY)
DND = Status(Availability.DND)
BRB = Status(Availability.BRB)
AWAY = Status(Availability.AWAY)
OFFLINE = Status(Availability.OFFLINE)
OFF_WORK = Status(Availability.OFFLINE, Activity.OFF_WORK)
UNKNOWN = Status(Availability.UNKNOWN)

"""What Symphony shows and understands: the categories, their meaning, and what is read back after each write.

The one rule: a category nobody documented says nothing. Source: the `V2Presence` schema and the "Get Presence" page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
)
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.errors import RemoteProtocolError

READS: dict[str, Status] = {
    "AVAILABLE": AVAILABLE,
    "BUSY": BUSY,
    "ON_THE_PHONE": Status(Availability.BUSY, Activity.CALL),
    "IN_A_MEETING": Status(Availability.BUSY, Activity.MEETING),
    "BE_RIGHT_BACK": BRB,
    "AWAY": AWAY,
    "OUT_OF_OFFICE": Status(Availability.AWAY, ooo=True),
    "DO_NOT_DISTURB": DND,
    "OFF_WORK": OFF_WORK,
    "OFFLINE": OFFLINE,
}
"""Every category that means something; `UNDEFINED` is the service's word for a value it does not know itself."""

WRITES: dict[Status, str] = {
    AVAILABLE: "AVAILABLE",
    BUSY: "BUSY",
    Status(Availability.BUSY, Activity.CALL): "ON_THE_PHONE",
    Status(Availability.BUSY, Activity.CONFERENCE): "IN_A_MEETING",
    Status(Availability.BUSY, Activity.MEETING): "IN_A_MEETING",
    BRB: "BE_RIGHT_BACK",
    AWAY: "AWAY",
    Status(Availability.AWAY, ooo=True): "OUT_OF_OFFICE",
}
"""What to write; "do not disturb" and "off work" are configured, "offline" is never said."""

SUBSTITUTES = {"DO_NOT_DISTURB": "BUSY", "OFF_WORK": "OFFLINE"}
"""The categories deprecated since 20.16, which a pod may refuse, and what says nearly the same."""

ALWAYS_WRITABLE = frozenset({*WRITES.values(), "OFFLINE"})
"""Categories every current pod takes."""

EXTERNAL_VIEW = {"BE_RIGHT_BACK": AWAY, "DO_NOT_DISTURB": AWAY, "OFF_WORK": OFFLINE}
"""Categories that a viewer of another company sees as something else."""

FADES = frozenset(
    {(Availability.AVAILABLE, Availability.AWAY, False), (Availability.BUSY, Availability.AWAY, False)},
)
"""Available and busy turn to away while the person is idle, and back."""

STEADY = frozenset({READS["ON_THE_PHONE"], READS["IN_A_MEETING"]})
"""Other kinds of busy do not; away after one of them is the person's doing."""


def vocabulary(dnd_as: str = "BUSY", off_work_as: str = "OFFLINE", *, external: bool = False) -> Vocabulary:
    """Make the tables of one pod; `external` if its people are seen from another company's pod."""
    words = {**WRITES, DND: dnd_as, OFF_WORK: off_work_as}
    echoes = {word: _echoes(word, external=external) for word in sorted(ALWAYS_WRITABLE | {dnd_as, off_work_as})}
    return Vocabulary(READS, words, echoes, FADES, STEADY)


def _echoes(word: str, *, external: bool) -> frozenset[Status]:
    if word in ("OFFLINE", "OFF_WORK"):  # a pod of 20.16 or later may show either for the other
        return frozenset({OFFLINE, OFF_WORK})
    seen_outside = {EXTERNAL_VIEW[word]} if external and word in EXTERNAL_VIEW else set()
    return frozenset({READS[word], *seen_outside})


@dataclass(frozen=True, slots=True)
class Record:
    """One `V2Presence`: `category` as sent ("" if none), the user's id, and the Unix milliseconds it was set at."""

    category: str
    user_id: int | None
    timestamp: int | None

    @property
    def status(self) -> Status:
        """What the category means; UNKNOWN for one that is not documented."""
        return READS.get(self.category, UNKNOWN)

    @property
    def order(self) -> int | None:
        """The timestamp where it orders readings: while offline it is only the time of the call."""
        return None if self.category == "OFFLINE" else self.timestamp


def record(data: Any) -> Record:
    """Read one `V2Presence`, of which only the category is sure to be there. Raises RemoteProtocolError."""
    if not isinstance(data, dict):
        raise RemoteProtocolError(f"a presence is a JSON {type(data).__name__}, not an object")
    category = data.get("category")
    return Record(
        category[:40] if isinstance(category, str) else "", _integer(data, "userId"), _integer(data, "timestamp")
    )


def _integer(data: dict[str, Any], name: str) -> int | None:
    """A 64-bit integer; one that went through a float may be another person's id, and a larger one is nobody's."""
    value = data.get(name)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None

"""What Skype for Business shows and can be told, as tables.

The one rule: only the eight documented availabilities mean something; `activity` is text in the reader's language and
is never parsed. Sources: the UCWA pages Availability, PreferredAvailability and presence; Lync keeps off work under
the number of away, so that `Offwork` is not expected to be read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from presence_syncd.core.presence import (
    AVAILABLE,
    AWAY,
    BRB,
    BUSY,
    DND,
    OFF_WORK,
    OFFLINE,
    UNKNOWN,
    Availability,
    Status,
    status,
)
from presence_syncd.core.vocabulary import Fade, Vocabulary


class Preferred(StrEnum):
    """What can be written: the values of PreferredAvailability, in their exact case."""

    ONLINE = "Online"
    BUSY = "Busy"
    DO_NOT_DISTURB = "DoNotDisturb"
    BE_RIGHT_BACK = "BeRightBack"
    AWAY = "Away"
    OFFWORK = "Offwork"


READS: Mapping[str, Status] = {
    "Online": AVAILABLE,
    "Busy": BUSY,
    "DoNotDisturb": DND,
    "BeRightBack": BRB,
    "Away": AWAY,
    "Offline": OFFLINE,
    "IdleOnline": status(Availability.AVAILABLE, idle=True),
    "IdleBusy": status(Availability.BUSY, idle=True),
}
"""The documented values of Availability, each with its meaning."""

UNDOCUMENTED: Mapping[str, Status] = {"Offwork": OFF_WORK, "None": UNKNOWN}
"""Values seen in clients' code that no page promises; anything else is unknown too."""

WORDS: Mapping[Status, str] = {
    AVAILABLE: Preferred.ONLINE,
    BUSY: Preferred.BUSY,
    DND: Preferred.DO_NOT_DISTURB,
    BRB: Preferred.BE_RIGHT_BACK,
    AWAY: Preferred.AWAY,
    OFF_WORK: Preferred.OFFWORK,
}
"""What to write for a status. There is no word for offline: nobody can be made to appear offline."""

ECHOES: Mapping[str, frozenset[Status]] = {
    Preferred.ONLINE: frozenset({AVAILABLE}),
    Preferred.BUSY: frozenset({BUSY}),
    Preferred.DO_NOT_DISTURB: frozenset({DND}),
    Preferred.BE_RIGHT_BACK: frozenset({BRB}),
    Preferred.AWAY: frozenset({AWAY}),
    Preferred.OFFWORK: frozenset({AWAY, OFFLINE, OFF_WORK}),
}
"""What may be read back because of each word."""

FADES: frozenset[Fade] = frozenset(
    {
        (Availability.AVAILABLE, Availability.AVAILABLE, True),
        (Availability.AVAILABLE, Availability.AWAY, False),
        (Availability.BUSY, Availability.BUSY, True),
    }
)
"""What the server makes of a state by itself when no activity is reported (reportMyActivity)."""

TOP = frozenset({Preferred.DO_NOT_DISTURB.value})
"""The word that nothing outranks, no call and no other client. Inferred: no page ranks them, Lync's clients do."""

VOCABULARY = Vocabulary(reads=READS, words=WORDS, echoes=ECHOES, fades=FADES, top=TOP)


def status_of(availability: str) -> Status:
    """Find what an availability means; unknown for a value that is not documented."""
    return READS.get(availability) or UNDOCUMENTED.get(availability, UNKNOWN)

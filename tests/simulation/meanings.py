"""What a person's word becomes in each service: the mapping (§2, §3), written out once more for the oracle.

The one rule: nothing here is taken from the daemon's tables, so that a mistake there cannot hide here.
"""

from __future__ import annotations

from presence_syncd.core.presence import (
    AVAILABLE,
    AWAY,
    BRB,
    BUSY,
    DND,
    OFF_WORK,
    OFFLINE,
    Activity,
    Availability,
    Status,
)

CALL = Status(Availability.BUSY, Activity.CALL)
CONFERENCE = Status(Availability.BUSY, Activity.CONFERENCE)
MEETING = Status(Availability.BUSY, Activity.MEETING)
PRESENTING = Status(Availability.DND, Activity.PRESENTING)
OOO = Status(Availability.AWAY, ooo=True)
IDLE = Status(Availability.AVAILABLE, idle=True)
IDLE_BUSY = Status(Availability.BUSY, idle=True)

GRAPH_READS = {
    "Available/Available": AVAILABLE,
    "Available/AvailableInactive": IDLE,
    "Busy/Busy": BUSY,
    "Busy/BusyInactive": IDLE_BUSY,
    "Busy/InACall": CALL,
    "Busy/InAConferenceCall": CONFERENCE,
    "Busy/InAMeeting": MEETING,
    "DoNotDisturb/DoNotDisturb": DND,
    "DoNotDisturb/Presenting": PRESENTING,
    "BeRightBack/BeRightBack": BRB,
    "Away/Away": AWAY,
    "Offline/Offline": OFFLINE,
    "Offline/OffWork": OFF_WORK,
}
SYMPHONY_READS = {
    "AVAILABLE": AVAILABLE,
    "BUSY": BUSY,
    "ON_THE_PHONE": CALL,
    "IN_A_MEETING": MEETING,
    "BE_RIGHT_BACK": BRB,
    "AWAY": AWAY,
    "OUT_OF_OFFICE": OOO,
    "DO_NOT_DISTURB": DND,
    "OFF_WORK": OFF_WORK,
    "OFFLINE": OFFLINE,
}
UCWA_READS = {
    "Online": AVAILABLE,
    "IdleOnline": IDLE,
    "Busy": BUSY,
    "IdleBusy": IDLE_BUSY,
    "DoNotDisturb": DND,
    "BeRightBack": BRB,
    "Away": AWAY,
    "Offline": OFFLINE,
}

_PLAIN = {AVAILABLE: AVAILABLE, BUSY: BUSY, CALL: BUSY, CONFERENCE: BUSY, MEETING: BUSY}
GRAPH = {
    AVAILABLE: AVAILABLE,
    BUSY: BUSY,
    CALL: CALL,
    CONFERENCE: CONFERENCE,
    MEETING: CONFERENCE,
    DND: DND,
    PRESENTING: PRESENTING,
    BRB: BRB,
    AWAY: AWAY,
    OOO: AWAY,
    OFF_WORK: OFF_WORK,
}
GRAPH_SESSION = {AVAILABLE: AVAILABLE, CALL: CALL, CONFERENCE: CONFERENCE, MEETING: CONFERENCE, PRESENTING: PRESENTING, BRB: AWAY, AWAY: AWAY, OOO: AWAY}  # fmt: skip
SYMPHONY = {
    AVAILABLE: AVAILABLE,
    BUSY: BUSY,
    CALL: CALL,
    CONFERENCE: MEETING,
    MEETING: MEETING,
    DND: BUSY,
    PRESENTING: BUSY,
    BRB: BRB,
    AWAY: AWAY,
    OOO: OOO,
    OFF_WORK: OFFLINE,
}
UCWA = {**_PLAIN, DND: DND, PRESENTING: DND, BRB: BRB, AWAY: AWAY, OOO: AWAY, OFF_WORK: AWAY}
BEMS = {**_PLAIN, DND: BUSY, PRESENTING: BUSY, BRB: AWAY, AWAY: AWAY, OOO: AWAY, OFF_WORK: AWAY}
"""Each: what colleagues see in that service after the word was said elsewhere. A word that is missing cannot be said."""


def idle_forms(status: Status) -> frozenset[Status]:
    """What a service may make of a state when nobody types there."""
    forms = {AVAILABLE: {IDLE, AWAY}, BUSY: {IDLE_BUSY}}
    return frozenset({status, *forms.get(status, set())})

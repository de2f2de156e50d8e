"""The mapping as the project's tables say it, written out once more: tests compare the services' own tables with it.

`None` as a word: no write. The second of a pair is what reading the written value gives; None: the status itself.
"""

from __future__ import annotations

from presence_syncd.core.presence import parse_status

Cell = tuple[str | None, str | None]

NO_WRITE: Cell = (None, None)

COLUMNS = ("preferred", "session", "symphony", "ucwa", "bems")

ROWS: dict[str, tuple[Cell, Cell, Cell, Cell, Cell]] = {
    "available": (
        ("Available/Available", None),
        ("Available/Available", None),
        ("AVAILABLE", None),
        ("Online", None),
        ("available", None),
    ),
    "available+idle": (
        ("Available/Available", "available"),
        ("Available/Available", "available"),
        ("AVAILABLE", "available"),
        ("Online", "available"),
        ("available", "available"),
    ),
    "available+ooo": (
        ("Available/Available", "available"),
        ("Available/Available", "available"),
        ("AVAILABLE", "available"),
        ("Online", "available"),
        ("available", "available"),
    ),
    "busy": (("Busy/Busy", None), NO_WRITE, ("BUSY", None), ("Busy", None), ("busy", None)),
    "busy+idle": (("Busy/Busy", "busy"), NO_WRITE, ("BUSY", "busy"), ("Busy", "busy"), ("busy", "busy")),
    "busy+ooo": (("Busy/Busy", "busy"), NO_WRITE, ("BUSY", "busy"), ("Busy", "busy"), ("busy", "busy")),
    "busy/call": (
        ("Busy/Busy", "busy"),
        ("Busy/InACall", None),
        ("ON_THE_PHONE", None),
        ("Busy", "busy"),
        ("busy", "busy"),
    ),
    "busy/conference": (
        ("Busy/Busy", "busy"),
        ("Busy/InAConferenceCall", None),
        ("IN_A_MEETING", "busy/meeting"),
        ("Busy", "busy"),
        ("busy", "busy"),
    ),
    "busy/meeting": (
        ("Busy/Busy", "busy"),
        ("Busy/InAConferenceCall", "busy/conference"),
        ("IN_A_MEETING", None),
        ("Busy", "busy"),
        ("busy", "busy"),
    ),
    "dnd": (
        ("DoNotDisturb/DoNotDisturb", None),
        NO_WRITE,
        ("BUSY", "busy"),
        ("DoNotDisturb", None),
        ("busy", "busy"),
    ),
    "dnd/presenting": (
        ("DoNotDisturb/DoNotDisturb", "dnd"),
        ("DoNotDisturb/Presenting", None),
        ("BUSY", "busy"),
        ("DoNotDisturb", "dnd"),
        ("busy", "busy"),
    ),
    "dnd/urgent-only": (
        ("DoNotDisturb/DoNotDisturb", "dnd"),
        NO_WRITE,
        ("BUSY", "busy"),
        ("DoNotDisturb", "dnd"),
        ("busy", "busy"),
    ),
    "brb": (
        ("BeRightBack/BeRightBack", None),
        ("Away/Away", "away"),
        ("BE_RIGHT_BACK", None),
        ("BeRightBack", None),
        ("away", "away"),
    ),
    "away": (("Away/Away", None), ("Away/Away", None), ("AWAY", None), ("Away", None), ("away", None)),
    "away+ooo": (
        ("Away/Away", "away"),
        ("Away/Away", "away"),
        ("OUT_OF_OFFICE", None),
        ("Away", "away"),
        ("away", "away"),
    ),
    "offline/off-work": (
        ("Offline/OffWork", None),
        NO_WRITE,
        ("OFFLINE", "offline"),
        ("Offwork", "away"),
        ("away", "away"),
    ),
    "offline": (NO_WRITE,) * 5,
    "offline+ooo": (NO_WRITE,) * 5,
    "unknown": (NO_WRITE,) * 5,
}

SESSIONS_SAY = frozenset({"busy/call", "busy/conference", "busy/meeting", "dnd/presenting"})
"""What the recommended combination says with a session although a preferred state could say less (note 1)."""

EXPECTED = {
    column: {parse_status(row): cells[place] for row, cells in ROWS.items()} for place, column in enumerate(COLUMNS)
}
EXPECTED["combined"] = {parse_status(row): cells[1 if row in SESSIONS_SAY else 0] for row, cells in ROWS.items()}

GRAPH_READS = {
    "Available/Available": "available",
    "AvailableIdle/AvailableIdle": "available+idle",
    "AvailableIdle/Inactive": "available+idle",
    "Available/AvailableInactive": "available+idle",
    "Available/Inactive": "available+idle",
    "Available/OutOfOffice": "available+ooo",
    "Busy/Busy": "busy",
    "BusyIdle/BusyIdle": "busy+idle",
    "Busy/BusyInactive": "busy+idle",
    "Busy/Inactive": "busy+idle",
    "Busy/InACall": "busy/call",
    "Busy/InAConferenceCall": "busy/conference",
    "Busy/InAMeeting": "busy/meeting",
    "Busy/OutOfOffice": "busy+ooo",
    "DoNotDisturb/DoNotDisturb": "dnd",
    "DoNotDisturb/Presenting": "dnd/presenting",
    "DoNotDisturb/UrgentInterruptionsOnly": "dnd/urgent-only",
    "DoNotDisturb/Focusing": "dnd/focusing",
    "BeRightBack/BeRightBack": "brb",
    "Away/Away": "away",
    "Away/InACall": "away",
    "Away/OutOfOffice": "away+ooo",
    "Offline/Offline": "offline",
    "Offline/OffWork": "offline/off-work",
    "Offline/OutOfOffice": "offline+ooo",
    "PresenceUnknown/PresenceUnknown": "unknown",
    "FutureState/FutureState": "unknown",
}
SYMPHONY_READS = {
    "AVAILABLE": "available",
    "BUSY": "busy",
    "ON_THE_PHONE": "busy/call",
    "IN_A_MEETING": "busy/meeting",
    "BE_RIGHT_BACK": "brb",
    "AWAY": "away",
    "OUT_OF_OFFICE": "away+ooo",
    "DO_NOT_DISTURB": "dnd",
    "OFF_WORK": "offline/off-work",
    "OFFLINE": "offline",
    "UNDEFINED": "unknown",
}
UCWA_READS = {
    "Online": "available",
    "IdleOnline": "available+idle",
    "Busy": "busy",
    "IdleBusy": "busy+idle",
    "DoNotDisturb": "dnd",
    "BeRightBack": "brb",
    "Away": "away",
    "Offline": "offline",
    "None": "unknown",
    "": "unknown",
}
BEMS_READS: dict[float | str, str] = {
    -1: "unknown",
    0: "available",
    3500: "available",
    4499: "available",
    4500: "available+idle",
    5999: "available+idle",
    6000: "busy",
    6500: "busy",
    7499: "busy",
    7500: "busy+idle",
    8999: "busy+idle",
    9000: "dnd",
    11999: "dnd",
    12000: "brb",
    14999: "brb",
    15000: "away",
    17999: "away",
    18000: "offline",
    18500: "offline",
    "available": "available",
    "Busy": "busy",
    "away": "away",
    "focus": "unknown",
}

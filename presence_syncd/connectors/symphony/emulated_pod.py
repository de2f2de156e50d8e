"""The people of an emulated pod: what they chose, whether they are there, and what the pod shows of both.

The one rule: what is shown follows from these facts alone (soft writes, idleness, clients coming and going).
"""

from __future__ import annotations

from dataclasses import dataclass, field

CATEGORIES = frozenset(
    {
        "AVAILABLE",
        "BUSY",
        "DO_NOT_DISTURB",
        "ON_THE_PHONE",
        "BE_RIGHT_BACK",
        "IN_A_MEETING",
        "AWAY",
        "OUT_OF_OFFICE",
        "OFF_WORK",
        "OFFLINE",
    }
)
"""What may be set."""
FADING = frozenset({"AVAILABLE", "BUSY"})
"""Categories that turn to AWAY while the person is idle, and back."""
SEEN_OUTSIDE = {"BE_RIGHT_BACK": "AWAY", "DO_NOT_DISTURB": "AWAY", "OFF_WORK": "OFFLINE"}
"""Categories that another company's viewers see as something else."""
INTEREST_SECONDS = 3600.0
"""How long a registered interest in an external user lasts."""
EXTERNAL_SECONDS = 300.0
"""How far apart readings of an external user must be."""


@dataclass(slots=True)
class Person:
    """One user. `category` is the last one set, at `set_at` (Unix s); `waiting` a soft write until they come online.

    `is_forced`: a write that did not respect where the user is holds until their client says something new.
    `hidden` counts the listings that still leave them out. The interest and reading times are for external users.
    """

    user_id: int
    username: str
    category: str = "AVAILABLE"
    set_at: float = 0.0
    is_online: bool = True
    is_idle: bool = False
    is_forced: bool = False
    is_external: bool = False
    waiting: str | None = None
    hidden: int = 0
    interest_until: float = 0.0
    read_at: float = field(default=float("-inf"))

    def shown(self) -> str:
        """The category a viewer of the same company sees."""
        if self.is_forced:
            return self.category
        if not self.is_online:
            return "OFFLINE"
        return "AWAY" if self.is_idle and self.category in FADING else self.category

    def choose(self, category: str, now: float) -> None:
        """The person picks a category in the client, and so is there."""
        self.category, self.set_at, self.waiting = category, now, None
        self.is_online, self.is_idle, self.is_forced = True, False, False

    def be_idle(self, *, idle: bool) -> None:
        """The person stops typing, or types again."""
        self.is_idle, self.is_forced = idle, False

    def be_online(self, now: float, *, online: bool) -> None:
        """The person's client comes or goes; what waited for it takes effect."""
        self.is_online, self.is_forced = online, False
        if online and self.waiting is not None:
            self.category, self.set_at, self.waiting = self.waiting, now, None

    def write(self, category: str, now: float, *, soft: bool) -> None:
        """Set the category through the API."""
        if soft and not self.is_online:
            self.waiting = category
            return
        self.category, self.set_at, self.waiting = category, now, None
        self.is_forced = not soft

    def record(self, now: float) -> dict[str, object]:
        """The `V2Presence`; of an offline user the time is that of the call."""
        shown = self.shown()
        at = now if shown == "OFFLINE" else self.set_at
        return {"category": shown, "userId": self.user_id, "timestamp": int(at * 1000)}

    def record_outside(self, now: float, *, local: bool) -> dict[str, object]:
        """The `V2Presence` of an external user, who is offline to those who did not register an interest."""
        self.read_at = now
        if local or now >= self.interest_until:
            return {"category": "OFFLINE", "userId": self.user_id, "timestamp": int(now * 1000)}
        inside = self.record(now)
        return {**inside, "category": SEEN_OUTSIDE.get(self.shown(), self.shown())}

    def summary(self) -> dict[str, object]:
        """What the person who steers the emulator sees."""
        return {
            "id": self.user_id,
            "username": self.username,
            "category": self.category,
            "shown": self.shown(),
            "online": self.is_online,
            "idle": self.is_idle,
            "waiting": self.waiting,
            "external": self.is_external,
        }

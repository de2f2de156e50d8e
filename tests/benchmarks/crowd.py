"""The people of a benchmark, by number: what they are called in each service, and what each service shows of them.

The one rule: a number is enough to say everything, so that ten thousand of them cost nothing to make.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

FIRST_ID = 1_000_000
"""The first person's id in the pod."""
DOMAIN = "bench.example"
OTHER = "BeRightBack"
"""What people turn to from Online and back: a word that every service has, and that none sets by itself."""
TEAMS_OF = {"Online": "Available/Available", OTHER: "Away/Away"}
SYMPHONY_OF = {"Online": "AVAILABLE", OTHER: "BE_RIGHT_BACK"}


def guid(number: int) -> str:
    """A person's object id."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def number_of(guid_text: str) -> int:
    """The person whose object id it is."""
    return int(guid_text[:8], 16)


def sip(number: int) -> str:
    """A person's sign-in address."""
    return f"sip:u{number}@{DOMAIN}"


def person_of(address: str) -> int:
    """The person whose sign-in address it is, with `sip:` or without."""
    return int(address.removeprefix("sip:").partition("@")[0].removeprefix("u"))


@dataclass
class Waiting:
    """A change that was told, and the services that have not been told of it by us yet.

    A write of ours that was on its way to Skype may hide the change there for a moment; `said` is what counts.
    """

    at: float
    said: str
    left: set[str]


@dataclass
class Crowd:
    """What is shown of everybody. `fade` is the end of an Available session, in seconds; None: nobody looks.

    `lapses` counts sessions that ended before they were renewed, `changed` people's changes, `times` the seconds
    from one to its acceptance.
    """

    size: int
    fade: float | None = None
    teams: list[str] = field(default_factory=list)
    symphony: list[str] = field(default_factory=list)
    skype: list[str] = field(default_factory=list)
    written_at: dict[int, float] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    changed: int = 0
    writes: dict[str, int] = field(default_factory=dict)
    lapses: int = 0
    worst_gap: float = 0.0

    def __post_init__(self) -> None:
        self.teams = ["Offline/Offline"] * self.size  # so that our session is what shows, and must be renewed
        self.symphony = ["AVAILABLE"] * self.size
        self.skype = ["Online"] * self.size

    def to_teams(self, number: int, pair: str) -> None:
        """A session was written."""
        now = time.monotonic()
        if self.fade is not None and pair == TEAMS_OF["Online"]:
            gap = now - self.written_at.get(number, now)
            self.worst_gap = max(self.worst_gap, gap)
            self.lapses += gap > self.fade
            self.written_at[number] = now
        elif pair != TEAMS_OF["Online"]:
            self.written_at.pop(number, None)
        self.teams[number] = pair
        self._took("teams", number, now)

    def to_symphony(self, number: int, category: str) -> None:
        """A category was written."""
        self.symphony[number] = category
        self._took("symphony", number, time.monotonic())

    def _took(self, service: str, number: int, now: float) -> None:
        self.writes[service] = self.writes.get(service, 0) + 1
        waiting = self.waiting.get(number)
        if waiting is None:
            return
        wanted = (TEAMS_OF if service == "teams" else SYMPHONY_OF).get(waiting.said)
        if (self.teams if service == "teams" else self.symphony)[number] == wanted:
            waiting.left.discard(service)
        if not waiting.left:
            self.times.append(now - waiting.at)
            del self.waiting[number]

    def changes(self, number: int) -> None:
        """The person will be right back, or is, in Skype."""
        self.changed += 1
        self.skype[number] = OTHER if self.skype[number] == "Online" else "Online"
        self.waiting[number] = Waiting(time.monotonic(), self.skype[number], {"teams", "symphony"})

    def left(self, number: int) -> dict[str, object]:
        """Who did not tell all services of a change yet, and what each shows."""
        return {
            "person": number,
            "seconds": time.monotonic() - self.waiting[number].at,
            "left": sorted(self.waiting[number].left),
            "shown": [self.skype[number], self.teams[number], self.symphony[number]],
        }

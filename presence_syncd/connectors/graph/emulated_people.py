"""The people of an emulated tenant: sessions, the two clocks, rank, and the preferred state.

The one rule: what is shown is computed from what was set and from the time, never stored. Source: graph sheet §1.3,
§1.4, §2; the lengths are parameters, because a demonstration has no ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Pair = tuple[str, str]
OFFLINE: Pair = ("Offline", "Offline")
TEAMS = "teams"
"""Key of the session of the person's own Teams client; the others are keyed by application id."""
_RANK = {"DoNotDisturb": 5, "Busy": 4, "Available": 3, "BeRightBack": 2, "Away": 1}
_FADED_ONCE = {"Available": ("Available", "AvailableInactive"), "Busy": ("Busy", "BusyInactive")}
_FADED_TWICE: Pair = ("Away", "Away")
PREFERRED_LIFE = {"Busy": 86_400.0, "DoNotDisturb": 86_400.0}
"""Seconds a preferred state lives if no duration is given; 7 days for the others."""
SEVEN_DAYS = 604_800.0


@dataclass(frozen=True, slots=True)
class Session:
    """One session: what it was set to, when, until when (None: as long as its client runs), and whether it fades.

    `staged` is the first beta contract: every state fades, and the third time-out ends the session.
    """

    pair: Pair
    set_at: float
    expires_at: float | None = None
    fade: float | None = None
    staged: bool = False

    def pair_at(self, now: float) -> Pair | None:
        """What it says at `now`; None when it is gone."""
        if self.expires_at is not None and now >= self.expires_at:
            return None
        if self.fade is None or not (self.staged or self.pair[0] == "Available"):
            return self.pair
        stage = int((now - self.set_at) / self.fade)
        if stage >= 3 and self.staged:
            return None
        return (self.pair, _FADED_ONCE.get(self.pair[0], self.pair), _FADED_TWICE)[min(stage, 2)]

    def has_lapsed(self, now: float) -> bool:
        """Whether time has changed or ended it."""
        return self.pair_at(now) != self.pair


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that decides what a person shows, as it was from `since` on."""

    since: float
    sessions: Mapping[str, Session] = field(default_factory=dict)
    preferred: Pair | None = None
    preferred_until: float = 0.0
    message: str = ""
    out_of_office: bool = False
    in_meeting: bool = False

    def shown(self, now: float) -> Pair:
        """The aggregate: the preferred state, if any session is there, else the session of the highest rank."""
        pairs = [(session.pair_at(now), session) for session in self.sessions.values()]
        alive = [(pair, session) for pair, session in pairs if pair is not None]
        if not alive:
            return OFFLINE
        if self.preferred is not None and now < self.preferred_until:
            return self.preferred
        best, _ = max(alive, key=lambda each: _weight(*each))
        return ("Busy", "InAMeeting") if self.in_meeting and best[0] == "Available" else best


def _weight(pair: Pair, session: Session) -> tuple[int, bool, float]:
    return _RANK.get(pair[0], 0), not pair[1].endswith("Inactive"), session.set_at


class Person:
    """One user: every standing since the one that is visible now, the newest last."""

    def __init__(self, user_id: str, now: float) -> None:
        self.id = user_id
        self._standings = [Standing(now)]
        self._sequence = 0
        self._told: tuple[object, ...] = ()
        self.lapsed = 0

    @property
    def standing(self) -> Standing:
        """What holds, visible or not."""
        return self._standings[-1]

    def change(self, now: float, **changes: object) -> None:
        """Put a new standing on top."""
        self._standings.append(replace(self.standing, since=now, **changes))  # type: ignore[arg-type]  # fields by name

    def put(self, key: str, session: Session | None, now: float) -> None:
        """Set, replace or end a session."""
        if key != TEAMS and (old := self.standing.sessions.get(key)) and old.has_lapsed(now):
            self.lapsed += 1
        sessions = {k: s for k, s in self.standing.sessions.items() if k != key}
        self.change(now, sessions=sessions if session is None else {**sessions, key: session})

    def is_alive(self, key: str, now: float) -> bool:
        """Whether there is such a session."""
        session = self.standing.sessions.get(key)
        return session is not None and session.pair_at(now) is not None

    def lapsed_by(self, now: float) -> int:
        """How many application sessions time has changed or ended so far."""
        running = (s for key, s in self.standing.sessions.items() if key != TEAMS)
        return self.lapsed + sum(session.has_lapsed(now) for session in running)

    def visible(self, now: float, delay: float) -> Standing:
        """The newest standing that is `delay` seconds old; older ones are forgotten."""
        while len(self._standings) > 1 and self._standings[1].since <= now - delay:
            del self._standings[0]
        return self._standings[0]

    def told(self, *facts: object) -> str:
        """The version of what is told: a text that sorts, higher whenever `facts` differ from the last ones."""
        if facts != self._told:
            self._told, self._sequence = facts, self._sequence + 1
        return f"{self._sequence:020d}"

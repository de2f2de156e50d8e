"""The people of the emulated deployment, and what is shown of them: one state over all their endpoints.

Written from the UCWA pages MeDashboard, makeMeAvailable, presence and note; what they leave open follows the Lync
clients: the state set last holds for every endpoint, and the most active endpoint decides how idle the person is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SETTABLE = ("Online", "Busy", "DoNotDisturb", "BeRightBack", "Away", "Offwork")
"""The values of PreferredAvailability."""
_IDLE = {"Online": ("Online", "IdleOnline", "Away"), "Busy": ("Busy", "IdleBusy", "IdleBusy")}
"""What is shown of a state when the most active endpoint is active, inactive, away."""
_SAT_AT = {"IdleOnline": ("Online", 1), "IdleBusy": ("Busy", 1)}


@dataclass(slots=True)
class Endpoint:
    """Where a person is signed in. An application goes idle without reports; at a client somebody sits."""

    active_at: float
    is_client: bool = False
    idleness: int = 0


@dataclass(slots=True)
class Person:
    """One user: where they are homed, what they set, and their endpoints."""

    sip: str
    password: str
    pool: str
    idle_after: float
    away_after: float
    preferred: str = "Online"
    note: str = ""
    note_type: str = "Personal"
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    told: str = "Offline"

    def shown(self, now: float) -> str:
        """The availability everybody sees."""
        if not self.endpoints:
            return "Offline"
        if self.preferred == "Offwork":
            return "Away"
        level = min(self._idleness(endpoint, now) for endpoint in self.endpoints.values())
        return _IDLE.get(self.preferred, (self.preferred,) * 3)[level]

    def next_change(self, now: float) -> float:
        """When what is shown may next change by itself."""
        times = [
            endpoint.active_at + after
            for endpoint in self.endpoints.values()
            if not endpoint.is_client
            for after in (self.idle_after, self.idle_after + self.away_after)
        ]
        return min((at for at in times if at > now), default=float("inf"))

    def sit_at_client(self, availability: str | None, now: float) -> None:
        """Let the person's own client set a state (`IdleOnline`: nobody types), or sign out with None."""
        if availability is None:
            self.endpoints.pop("client", None)
            return
        self.preferred, idleness = _SAT_AT.get(availability, (availability, 0))
        self.endpoints["client"] = Endpoint(now, is_client=True, idleness=idleness)

    def _idleness(self, endpoint: Endpoint, now: float) -> int:
        if endpoint.is_client:
            return endpoint.idleness
        inactive = self.idle_after
        return (now >= endpoint.active_at + inactive) + (now >= endpoint.active_at + (inactive + self.away_after))

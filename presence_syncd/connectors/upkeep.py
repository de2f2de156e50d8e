"""What a service grants, what its links need although nobody changes anything, and how the two compare.

The one rule: planned is the busiest time, when everybody is there; and no window of a documented limit is planned to
hold more than a part of it, bursts included, because others may use the same login and limits change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PLANNED = 0.8
"""Part of a documented limit that is planned with."""
BURST = 2.0
"""Seconds' worth of requests that may be sent at once after a quiet time."""
SOONEST, LATEST = 1.0, 1.1
"""A lease is renewed after its planned time by a factor between these, so that renewals do not go in step."""
MARGIN = 0.95
"""A lease is renewed before this part of it has passed, whatever the jitter."""
MOST = 1_000_000
"""More links than this are not counted."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a service documents: at most so many requests of a login in any so many seconds."""

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests per second that are planned with: with a burst before them no window holds more than planned."""
        return PLANNED * self.requests / (self.seconds + BURST)

    def __str__(self) -> str:
        return f"{self.requests:,} requests in {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one link needs besides sweeps, in requests per second, and whether it is swept.

    `polls` go on whoever is there; `renewals` while the person is. `slack` are the least seconds that are left of a
    lease when its renewal is planned; None without leases.
    """

    polls: float = 0.0
    renewals: float = 0.0
    slack: float | None = None
    is_swept: bool = False


def renewed(requests: int, refresh_in: float, expires_in: float) -> tuple[float, float]:
    """Requests per second that a lease costs which takes so many for each renewal, and its slack in seconds."""
    middle = min(refresh_in * (SOONEST + LATEST) / 2, expires_in * MARGIN)
    return requests / middle, expires_in - min(refresh_in * LATEST, expires_in * MARGIN)


@dataclass(slots=True)
class Needs:
    """The sum of what links of one login need."""

    links: int = 0
    swept: int = 0
    polls: float = 0.0
    renewals: float = 0.0
    slack: float | None = None

    def add(self, upkeep: Upkeep) -> None:
        """Count one link more."""
        self.links += 1
        self.swept += upkeep.is_swept
        self.polls += upkeep.polls
        self.renewals += upkeep.renewals
        if upkeep.slack is not None:
            self.slack = upkeep.slack if self.slack is None else min(self.slack, upkeep.slack)


Sweeping = Callable[[int], float]
"""Requests per second that the sweeps of so many links need."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a login's rate compares to what its links need while everybody is there, all in requests per second.

    `further` is how many more links like these would fit, up to a million, and below 0 how many are too many; None
    where there are none to judge by.
    """

    links: int
    granted: float
    sweeps: float
    polls: float
    renewals: float
    slack: float | None
    further: int | None

    @property
    def needed(self) -> float:
        """Requests per second needed, of all kinds."""
        return self.sweeps + self.polls + self.renewals

    @property
    def ratio(self) -> float:
        """Part of what is granted that is needed; above 1 it does not fit."""
        return self.needed / self.granted


def told(plan: Forecast) -> dict[str, Any]:
    """A forecast as it is told: requests per second, parts of what is granted, seconds."""
    return {
        "links": plan.links,
        "needed": round(plan.needed, 4),
        "sweeps": round(plan.sweeps, 4),
        "polls": round(plan.polls, 4),
        "renewals": round(plan.renewals, 4),
        "granted": round(plan.granted, 4),
        "ratio": round(plan.ratio, 4),
        "further": plan.further,
        "slack": None if plan.slack is None else round(plan.slack, 1),
    }


def forecast(needs: Needs, sweeping: Sweeping, granted: float) -> Forecast:
    """Compare what links need with the rate their login is granted."""
    sweeps = sweeping(needs.swept)
    further = _further(needs, sweeping, granted) if needs.links else None
    return Forecast(needs.links, granted, sweeps, needs.polls, needs.renewals, needs.slack, further)


def _further(needs: Needs, sweeping: Sweeping, granted: float) -> int:
    """How many more links fit that need what these need on average; below 0 how many are too many."""
    each = (needs.polls + needs.renewals) / needs.links

    def fits(links: int) -> bool:
        return sweeping(round(needs.swept * links / needs.links)) + links * each <= granted

    fitting, too_many = (needs.links, needs.links + MOST + 1) if fits(needs.links) else (0, needs.links)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        fitting, too_many = (middle, too_many) if fits(middle) else (fitting, middle)
    return fitting - needs.links

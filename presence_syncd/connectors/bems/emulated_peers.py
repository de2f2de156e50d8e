"""Who speaks with an emulated Connect service: sessions of people, and the connections that carry them. No I/O.

The one rule: what is to be said is queued with its time; who carries it looks when `bell` rings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import anyio


@dataclass(slots=True, eq=False)
class Session:
    """One person's session. Its registrations end with it."""

    sip: str
    cookie: str
    alive_at: float
    sequence: int
    contacts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Peer:
    """One connection, or one cookie where HTTP has none: what is to be said to it, and when.

    `bell` is set when there is something more to say, or the connection is to be closed.
    """

    cookie: str
    header_token: str = ""
    session: Session | None = None
    queue: list[tuple[float, str]] = field(default_factory=list)
    is_open: bool = True
    close_code: int = 1000
    bell: anyio.Event = field(default_factory=anyio.Event)

    def ring(self) -> None:
        """Wake who speaks to this peer."""
        self.bell.set()
        self.bell = anyio.Event()

    def put(self, at: float, text: str) -> None:
        """Have something said, not before `at`."""
        self.queue.append((at, text))
        self.ring()

    def close(self, code: int) -> None:
        """Have the connection closed."""
        self.is_open, self.close_code = False, code
        self.ring()

    def next_at(self) -> float:
        """When there is something to say next."""
        return min((at for at, _ in self.queue), default=math.inf)

    def due(self, now: float) -> list[str]:
        """Take what is to be said by now."""
        said = [text for at, text in self.queue if at <= now]
        self.queue = [(at, text) for at, text in self.queue if at > now]
        return said

"""The applications of the emulated pool and their event channels, with the timers that end them.

Written from the UCWA pages application, MultiTabSupport, Event channel details, events and presenceSubscriptions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from presence_syncd.connectors.ucwa.emulator.documents import Happening
from presence_syncd.connectors.ucwa.emulator.people import Person

INITIAL_IDLE = 7200.0
"""How long an application may take to ask for events the first time, in emulated seconds."""


@dataclass(slots=True)
class Channel:
    """One instance's event channel. `sent` is the page that is not acknowledged, `reader` the poll that waits."""

    instance: str
    ack: int = 1
    sent: list[Happening] | None = None
    waiting: list[tuple[float, Happening]] = field(default_factory=list)
    reader: object | None = None
    bell: anyio.Event = field(default_factory=anyio.Event)
    released_at: float = 0.0
    polled: bool = False
    resumes: bool = False

    def ring(self) -> None:
        """Wake the poll that waits."""
        self.bell.set()
        self.bell = anyio.Event()

    def put(self, event: Happening, now: float) -> None:
        """Queue an event; an update of a resource replaces the one that still waits."""
        if event.type == "updated":
            self.waiting = [
                (at, e) for at, e in self.waiting if (e.rel, e.href, e.type) != (event.rel, event.href, "updated")
            ]
        self.waiting.append((now, event))
        self.ring()

    def ends_at(self, poll_idle: float) -> float:
        """When it ends if nobody polls; infinity while somebody does."""
        allowed = poll_idle if self.polled else INITIAL_IDLE
        return self.released_at + allowed if self.reader is None else float("inf")

    def due(self, medium: float) -> float:
        """When what waits must be released."""
        return min((at for at, _ in self.waiting), default=float("inf")) + medium

    def release(self) -> list[Happening]:
        """Take what waits as the page to be acknowledged."""
        self.sent, self.waiting = [event for _, event in self.waiting], []
        return self.sent


@dataclass(slots=True)
class Application:
    """One application of a person: `key` is what makes it the same one when it is posted again."""

    id: str
    person: Person
    key: tuple[str, ...]
    created_at: float
    available: bool = False
    modalities: list[str] = field(default_factory=list)
    active_at: float = 0.0
    channels: dict[str, Channel] = field(default_factory=dict)
    subscriptions: dict[str, float] = field(default_factory=dict)
    subscribed: int = 0

    @property
    def endpoint(self) -> str:
        """The name of the application among the person's endpoints."""
        return f"app-{self.id}"

    def ending(self, now: float, poll_idle: float, activity_idle: float) -> str:
        """End the channels nobody polls; returns the subcode that says why the application ends now, or nothing."""
        for instance, channel in list(self.channels.items()):
            if now >= channel.ends_at(poll_idle):
                del self.channels[instance]
        if not self.channels:
            return "ApplicationNotFound"
        if self.available and now >= self.active_at + activity_idle:
            return "InactiveApplicationExpired"
        return ""

    def ends_at(self, poll_idle: float, activity_idle: float) -> float:
        """When it, or one of its channels, ends if nothing more comes."""
        times = [channel.ends_at(poll_idle) for channel in self.channels.values()]
        return min([*times, self.active_at + activity_idle] if self.available else times, default=float("inf"))

    def put(self, event: Happening, now: float) -> None:
        """Queue an event on every channel."""
        for channel in self.channels.values():
            channel.put(event, now)

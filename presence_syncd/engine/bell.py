"""A bell: wakes whoever waits for it.

The one rule: a bell that nobody waits for costs nothing. An account has twenty, and waits for two or three; an event
each, with its queue of waiters, was a tenth of an account's memory.
"""

from __future__ import annotations

import anyio


class Bell:
    """Wakes whoever waits now; a ring that nobody waits for is lost."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def ring(self) -> None:
        """Wake everybody."""
        event, self._event = self._event, None
        if event is not None:
            event.set()

    def coming(self) -> anyio.Event:
        """The event that the next ring sets."""
        if self._event is None:
            self._event = anyio.Event()
        return self._event

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until it rings, at most `seconds`; whether it rang."""
        event = self.coming()
        if seconds is None:
            await event.wait()
            return True
        with anyio.move_on_after(seconds):
            await event.wait()
        if self._event is event and not event.statistics().tasks_waiting:
            self._event = None
        return event.is_set()

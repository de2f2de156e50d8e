"""A bell: wakes whoever waits for it.

The one rule: a bell that nobody waits for costs nothing. An account has twenty, and waits for two or three; an event
each, with its queue of waiters, was a tenth of an account's memory.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio


class Bell:
    """Wakes whoever waits now; a ring that nobody waits for is lost."""

    __slots__ = ("_calls", "_event")

    def __init__(self) -> None:
        self._event: anyio.Event | None = None
        self._calls: tuple[Callable[[], None], ...] = ()

    def ring(self) -> None:
        """Wake everybody."""
        event, self._event = self._event, None
        calls, self._calls = self._calls, ()
        if event is not None:
            event.set()
        for call in calls:
            call()

    def call(self, call: Callable[[], None]) -> None:
        """Let the next ring call, for whoever waits without a task."""
        self._calls = (*self._calls, call)

    def forget(self, call: Callable[[], None]) -> None:
        """Call it no more."""
        self._calls = tuple(each for each in self._calls if each != call)

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

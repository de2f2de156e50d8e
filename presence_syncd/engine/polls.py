"""The long polls of one service's links: sent, held by a task or slept over, and given up when another flow says so.

The one rule: a link has one poll out at most, and whoever waits for it, in whatever way, hears how it ended once.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field

import anyio

from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.engine.run import Asleep, Place, Poll, Sleeper
from presence_syncd.engine.transport import Transport
from presence_syncd.errors import ServiceError, Unavailable


@dataclass(slots=True)
class _Held:
    """A poll that a task waits for, and what it is given up for if it is."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    error: ServiceError | None = None

    def hang_up(self, error: ServiceError) -> None:
        """Give it up."""
        self.error = error
        self.scope.cancel()


class Polls:
    """What is out, by link."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._out: dict[Place, _Held | Sleeper] = {}

    async def wait(self, request: Request, place: Place) -> Reply:
        """Send one, and wait until it is answered or given up. Raises what `Transport.send` does, or that error."""
        held = self._out[place] = _Held()
        try:
            return await self._transport.hold(request, place.jar, held.scope)
        except Unavailable:
            if held.error is None:
                raise
            raise held.error from None
        finally:
            self._out.pop(place, None)

    async def sleep(self, request: Request, poll: Poll, place: Place, sleeper: Sleeper) -> Asleep:
        """Send one over the link's line; the sleeper hears how it ended. Raises what `Transport.ask` does."""
        place.line = await self._transport.ask(place.line, request, place.jar, sleeper.answered)
        self._out[place] = sleeper
        return sleeper.await_answer(poll)

    def hang_up(self, place: Place, error: ServiceError) -> None:
        """Give up the one that is out, if there is one."""
        waiting = self._out.pop(place, None)
        if waiting is not None:
            waiting.hang_up(copy(error))  # each flow raises its own

    def forget(self, place: Place) -> None:
        """Have done with the one that was out."""
        self._out.pop(place, None)

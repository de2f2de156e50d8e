"""Envelopes: writes that wait together for the budget travel together.

The one rule: nobody waits for company while there is budget and room on the road. A request that meets no other is
sent as it is; each part is counted and judged alone, and who gives up takes nobody with it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeAlias, TypeVar

import anyio

from presence_syncd.connectors.flow import Reply
from presence_syncd.engine.budget import Budget, Rank, Urgency
from presence_syncd.errors import ServiceError, Unavailable

P = TypeVar("P")
"""What travels: to the envelopes it is all the same."""
Outcome: TypeAlias = Reply | ServiceError | None
"""What became of a part; None: the envelope came back without it."""
LANES = 8
"""Envelopes on their way at once; what comes while all are out gathers, and costs a part of a request each."""


@dataclass(slots=True, eq=False)
class _Part(Generic[P]):
    """One request. It waits in the line, then travels, then is done; `turn` is its wait for the budget, if it leads."""

    request: P
    rank: Rank
    bell: anyio.Event = field(default_factory=anyio.Event)
    turn: anyio.CancelScope | None = None
    waits: bool = True
    done: bool = False
    outcome: Outcome = None

    @property
    def urgency(self) -> Urgency:
        return self.rank[0]

    @property
    def is_vip(self) -> bool:
        return not self.rank[1]

    async def woken(self) -> None:
        await self.bell.wait()
        if not self.done:
            self.bell = anyio.Event()

    def result(self) -> Reply:
        if isinstance(self.outcome, ServiceError):
            raise self.outcome
        if self.outcome is None:
            raise Unavailable("the envelope came back without an answer to this part")
        return self.outcome


SendTogether = Callable[[list[P], Urgency], Awaitable[list[Outcome]]]


class Envelopes(Generic[P]):
    """Gathers requests that wait. The first in line waits for the budget and takes along who came in the meantime."""

    def __init__(self, size: int, budget: Budget, send_together: SendTogether[P]) -> None:
        self._size, self._budget, self._send_together = size, budget, send_together
        self._line: list[_Part[P]] = []
        self._lanes = anyio.Semaphore(LANES, fast_acquire=True)
        self._numbers = count()

    async def send(self, request: P, urgency: Urgency, *, vip: bool = False) -> Reply:
        """Send one request, perhaps with others. Raises ServiceError; Unavailable if its part was not answered."""
        part = _Part(request, (urgency, not vip, next(self._numbers)))
        self._join(part)
        try:
            while not part.done:
                if self._line and self._line[0] is part:
                    await self._lead(part)
                else:
                    await part.woken()
        finally:
            self._leave(part)
        return part.result()

    def _join(self, part: _Part[P]) -> None:
        """Stand in line, most urgent first; whoever led until now leaves that to a more urgent one."""
        before = self._line[0] if self._line else None
        if before is None or self._line[-1].rank < part.rank:  # as a rule
            self._line.append(part)
        else:
            insort(self._line, part, key=lambda waiting: waiting.rank)
        part.waits = True
        if before is not None and before is not self._line[0] and before.turn is not None:
            before.turn.cancel()

    async def _lead(self, part: _Part[P]) -> None:
        """Wait for a lane and for the budget, and go."""
        group: list[_Part[P]] = []
        with anyio.CancelScope() as part.turn:
            group = await self._group(part)
        part.turn = None
        if not group:
            return
        try:
            await self._travel(group, part)
        finally:
            self._lanes.release()

    async def _group(self, part: _Part[P]) -> list[_Part[P]]:
        """Take a lane, and budget for each part that came in the meantime."""
        await self._lanes.acquire()
        paid = 0
        try:
            await self._budget.take(part.urgency, vip=part.is_vip)
            paid = 1
            together = min(self._size, len(self._line))
            if together > 1:
                await self._budget.take(part.urgency, together - 1, vip=part.is_vip)
        except BaseException:
            self._budget.give_back(paid)
            self._lanes.release()
            raise
        return self._depart(together)

    def _depart(self, together: int) -> list[_Part[P]]:
        group = self._line[:together]
        del self._line[:together]
        for member in group:
            member.waits = False
        self._wake_first()
        return group

    async def _travel(self, group: list[_Part[P]], leader: _Part[P]) -> None:
        settled = group
        try:
            outcomes = await self._send_together([p.request for p in group], min(p.urgency for p in group))
            for member, outcome in zip(group, outcomes, strict=True):
                member.outcome = outcome
        except ServiceError as error:
            for member in group:
                member.outcome = error if member is leader else copy(error)
        except anyio.get_cancelled_exc_class():
            settled = [leader]
            self._return([member for member in group if member is not leader])
            raise
        finally:
            for member in settled:
                member.done = True
                member.bell.set()

    def _return(self, members: list[_Part[P]]) -> None:
        """Only the leader was cancelled: let the others lead themselves. Writing a state twice does no harm."""
        for member in members:
            self._join(member)
        self._wake_first()

    def _leave(self, part: _Part[P]) -> None:
        """Make room for the next when a waiting request was given up."""
        if part.waits:
            self._line.remove(part)
            part.waits = False
            self._wake_first()

    def _wake_first(self) -> None:
        if self._line:
            self._line[0].bell.set()

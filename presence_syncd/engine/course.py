"""A course: a flow that follows its service, carried out over and over. While it waits for long it is no task.

The one rule: it is carried on by one task, or it sleeps until an answer, a bell or an alarm wakes it; never both.
(A task that waits holds ten suspended calls, their scopes and events: 15 KB, and everybody waits for two polls.)
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from anyio.abc import TaskGroup

from presence_syncd.connectors.flow import Flow, Reply
from presence_syncd.engine.bell import Bell
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.clock import NEVER, Alarm
from presence_syncd.engine.place import Placed
from presence_syncd.engine.run import ASLEEP, Asleep, Came, Poll, Run
from presence_syncd.errors import ServiceError, SessionExpired

LONGEST = 60.0
"""Longest wait, in seconds, before a session that keeps ending is begun again."""


class Owner(Protocol):
    """The account that a course is of."""

    def word_now(self, link: Placed) -> str | None:
        """The word that a session which begins now should begin with."""
        ...

    async def blaming(self, link: Placed, work: Callable[..., Awaitable[None]], *facts: Any) -> None:
        """Do the work of a link, remembering in which service it was that a bug was met."""
        ...


class Course:
    """One flow of a link, made by `make` for every turn, with `pause` seconds between. Sleeps for the driver."""

    __slots__ = (
        "_alarm",
        "_bell",
        "_flow",
        "_has_turn",
        "_link",
        "_make",
        "_owner",
        "_pause",
        "_rng",
        "_run",
        "_sessions",
        "_tasks",
    )

    def __init__(
        self,
        link: Placed,
        make: Callable[[], Flow[None]],
        pause: float,
        rng: random.Random,
        owner: Owner,
        tasks: TaskGroup,
    ) -> None:
        self._link, self._make, self._pause, self._rng = link, make, pause, rng
        self._owner = owner
        self._tasks: TaskGroup | None = tasks
        self._flow: Flow[None] | None = None
        self._run = self._new_run()
        self._alarm = Alarm(self._time_is_up)
        self._bell: Bell | None = None
        self._sessions = 0  # that ended without a good turn between
        self._has_turn = False
        self._begin()

    def stop(self) -> None:
        """End it where it is: nothing wakes it any more. To be called before its group ends."""
        self._tasks = None
        self._rouse()
        self._link.driver.beginners.leave(self._come)
        self.has_begun()
        self._link.driver.polls.forget(self._link)
        self._close()

    def doze(self, seconds: float) -> Asleep:
        """Sleep until the link is woken, or so many seconds."""
        return self._sleep(seconds, self._link.waking)

    def await_answer(self, poll: Poll) -> Asleep:
        """Sleep until `answered` is called, or the request's time is up."""
        return self._sleep(poll.request.timeout, None)

    def answered(self, outcome: Reply | ServiceError) -> None:
        """Wake to what came of the poll."""
        self._wake(outcome)

    def hang_up(self, error: ServiceError) -> None:
        """Give up the poll."""
        if self._link.line is not None:
            self._link.line.close()
        self.answered(error)

    def has_begun(self) -> None:
        """Let the next in line begin: it sleeps, is over, or has a WebSocket, over which it waits without sleeping."""
        if self._has_turn:
            self._has_turn = False
            self._link.driver.beginners.give_back()

    def _begin(self) -> None:
        """Begin a flow when it is its turn."""
        if self._link.driver.beginners.take(self._come, vip=self._link.link.vip):
            self._come()

    def _come(self) -> None:
        self._has_turn = True
        self._wake(None)

    def _new_run(self) -> Run:
        link = self._link
        return Run(link.link, Urgency.SWEEP, link, link, sleeper=self)

    def _close(self) -> None:
        if self._flow is not None:
            self._flow.close()

    def _sleep(self, seconds: float, bell: Bell | None) -> Asleep:
        if self._tasks is None:  # what was cancelled goes on to its next wait
            return ASLEEP
        clock = self._link.driver.clock
        clock.set(self._alarm, clock.now() + max(seconds, 0.0))
        self._bell = bell
        if bell is not None:
            bell.call(self._rang)
        return ASLEEP

    def _rang(self) -> None:
        self._go_on(came=True)

    def _time_is_up(self) -> None:
        poll = self._run.poll
        if poll is None:
            self._go_on(came=False)
        else:
            self.hang_up(self._link.driver.transport.unanswered(poll.started_at))

    def _go_on(self, *, came: bool) -> None:
        """Go on after a wait, or a rest."""
        if self._flow is None:
            self._rouse()
            self._begin()
        else:
            self._wake(came)

    def _wake(self, came: Came | None) -> None:
        self._rouse()
        if self._tasks is not None:
            self._tasks.start_soon(self._owner.blaming, self._link, self._carry_on, came)

    def _rouse(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.forget(self._rang)
        self._link.driver.clock.set(self._alarm, NEVER)

    async def _carry_on(self, link: Placed, came: Came | None) -> None:
        """Go on until it sleeps; between two turns it rests."""
        if self._flow is None:
            link.link.start_with = self._owner.word_now(link)
            self._flow = self._make()
        try:
            wait = await self._advance(link, self._flow, came)
        except BaseException:
            self._flow = None  # it was closed
            raise
        finally:
            self.has_begun()
            if self._tasks is None:
                self._close()
        if wait is not None:
            self._flow, self._run = None, self._new_run()
            self._sleep(wait, link.hearing.nudge)

    async def _advance(self, link: Placed, flow: Flow[None], came: Came | None) -> float | None:
        """Carry the flow on; seconds to rest once it is over, None while it sleeps."""
        try:
            if await link.driver.carry_on(flow, self._run, came) is ASLEEP:
                return None
            link.hearing.ends()
            self._sessions = 0
        except SessionExpired as error:
            link.log.info("session over", said=str(error))
            wait = max(error.retry_after or 0.0, slower(self._sessions, self._rng))
            self._sessions += 1
            return wait
        except ServiceError as error:
            wait = link.hearing.starts(error, "following")
            link.board.ring()
            return wait
        return self._pause * self._rng.uniform(0.9, 1.1)


def slower(times: int, rng: random.Random) -> float:
    """Seconds to wait after something happened `times` times before: none at first, then longer and longer."""
    return min(2.0 ** min(times - 1, 16), LONGEST) * rng.uniform(0.5, 1.0) if times else 0.0

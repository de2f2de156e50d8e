"""A course: a flow that follows its service, carried out over and over. While it waits for long it is no task.

The one rule: it is carried on by one task, or it sleeps until an answer, a bell or an alarm wakes it; never both.
(A task that waits holds ten suspended calls, their scopes and events: 15 KB, and everybody waits for two polls.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from typing import Any

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

Blaming = Callable[..., Coroutine[Any, Any, None]]
"""Does the work of a link, remembering in which service it was that a bug was met."""


class Course:
    """One flow of a link, made by `make` for every turn, with `pause` seconds between. Sleeps for the driver.

    `begin_with` tells what a session that begins now should show.
    """

    __slots__ = (
        "_alarm",
        "_begin_with",
        "_bell",
        "_blaming",
        "_flow",
        "_link",
        "_make",
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
        begin_with: Callable[[Placed], str | None],
        blaming: Blaming,
        tasks: TaskGroup,
    ) -> None:
        self._link, self._make, self._pause, self._rng = link, make, pause, rng
        self._begin_with, self._blaming, self._tasks = begin_with, blaming, tasks
        self._flow: Flow[None] | None = None
        self._run = self._new_run()
        self._alarm = Alarm(self._time_is_up)
        self._bell: Bell | None = None
        self._sessions = 0  # that ended without a good turn between
        self._wake(None)

    def stop(self) -> None:
        """End it where it is. The group that it ran in must have ended."""
        self._rouse()
        self._link.driver.dismiss(self._link)
        if self._flow is not None:
            self._flow.close()

    def doze(self, seconds: float) -> Asleep:
        """Sleep until the link is woken, or so many seconds."""
        return self._sleep(seconds, self._link.waking)

    def await_answer(self, poll: Poll) -> Asleep:
        """Sleep until `answered` is called, or the request's time is up."""
        return self._sleep(poll.request.timeout, None)

    def answered(self, outcome: Reply | ServiceError) -> None:
        """Wake to what came of the poll."""
        self._wake(outcome)

    def _new_run(self) -> Run:
        link = self._link
        return Run(link.link, Urgency.SWEEP, link, link, sleeper=self)

    def _sleep(self, seconds: float, bell: Bell | None) -> Asleep:
        clock = self._link.driver.clock
        clock.set(self._alarm, clock.now() + max(seconds, 0.0))
        self._bell = bell
        if bell is not None:
            bell.call(self._rang)
        return ASLEEP

    def _rang(self) -> None:
        self._wake(True)

    def _time_is_up(self) -> None:
        if self._run.poll is None:
            self._wake(False)
        else:
            self._link.driver.is_late(self._link, self._run.poll)

    def _wake(self, came: Came | None) -> None:
        self._rouse()
        self._tasks.start_soon(self._blaming, self._link, self._carry_on, came)

    def _rouse(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.forget(self._rang)
        self._link.driver.clock.set(self._alarm, NEVER)

    async def _carry_on(self, link: Placed, came: Came | None) -> None:
        """Go on until it sleeps; between two turns it rests."""
        try:
            if self._flow is None:
                link.link.start_with = self._begin_with(link)
                self._flow, came = self._make(), None
            wait = await self._turn(link, self._flow, came)
        except BaseException:
            self._flow = None  # it was closed
            raise
        if wait is not None:
            self._flow, self._run = None, self._new_run()
            self._sleep(wait, link.hearing.nudge)

    async def _turn(self, link: Placed, flow: Flow[None], came: Came | None) -> float | None:
        """Carry the flow on; seconds to rest once it is over, None while it sleeps."""
        try:
            if await link.driver.carry_on(flow, self._run, came):
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

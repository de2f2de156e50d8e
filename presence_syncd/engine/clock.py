"""The daemon's time: one line of seconds that never jumps, and reads like Unix time, and the alarms set on it.

The one rule: every deadline is on this line. The wall clock is asked only for what others check against theirs (JWTs).
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from math import ceil, floor

import anyio

from presence_syncd.engine.bell import Bell

NEVER = float("inf")
"""When an alarm rings that is not set."""
GRAIN = 0.01
"""Seconds between two moments at which alarms ring."""
TICK = 0.001
"""Seconds that uvloop counts in: a timer for less than half of that goes off at once."""


class Alarm:
    """Calls `ring` at the daemon's second `at`."""

    __slots__ = ("at", "queued", "ring")

    def __init__(self, ring: Callable[[], None]) -> None:
        self.ring = ring
        self.at = self.queued = NEVER


class Clock:
    """Seconds since 1970 as they were at the start, counted on by the loop's monotonic clock.

    So they can be compared with those stored before a restart, and a wall clock that is set while the daemon runs moves
    no deadline. In virtual time the loop's clock is virtual, and `wall` is given.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self._monotonic = _monotonic()
        self._offset = wall() - self._monotonic()
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = count()
        self._sooner = Bell()

    def now(self) -> float:
        """The daemon's seconds."""
        return self._offset + self._monotonic()

    async def sleep_until(self, at: float) -> None:
        """Wait until the daemon's second `at`."""
        await anyio.sleep(max(0.0, at - self.now()))

    def set(self, alarm: Alarm, at: float) -> None:
        """Let an alarm ring at `at`, and not when it was set to before.

        One that is put off stays where it is in the heap, and is put back when its turn comes: as a rule it is put off
        again and again before that.
        """
        alarm.at = at
        if at < alarm.queued:
            alarm.queued = at
            heapq.heappush(self._alarms, (at, next(self._numbers), alarm))
            if self._alarms[0][2] is alarm:
                self._sooner.ring()

    async def ring_alarms(self) -> None:
        """Ring every alarm when its time has come, until cancelled. A timer for each would cost ten times as much.

        They ring on a grid of moments, so that those of others decide nothing, and those of a moment ring together.
        uvloop's timers are rounded and may go off early; what is left would be tried again and again, by us or, for a
        time-out, by anyio. So nothing is waited for that is less than a tick, or would be rounded down.
        """
        while True:
            while (ahead := self._ahead()) <= 0:
                self._come_to(*heapq.heappop(self._alarms))
            if ahead <= GRAIN:
                await anyio.sleep(max(ahead, TICK))
            else:
                await self._sooner.wait(None if ahead == NEVER else (floor((ahead - GRAIN) / TICK) + 0.6) * TICK)

    def _ahead(self) -> float:
        """Seconds until the next alarm's moment, which is never before it: that may be rounded down by a hair."""
        if not self._alarms:
            return NEVER
        at = self._alarms[0][0]
        return max(at, ceil(at / GRAIN) * GRAIN) - self.now()

    def _come_to(self, at: float, _number: int, alarm: Alarm) -> None:
        if at != alarm.queued:  # it was set to ring sooner, and has
            return
        alarm.queued = NEVER
        if alarm.at <= at:
            alarm.at = NEVER
            alarm.ring()
        elif alarm.at < NEVER:
            self.set(alarm, alarm.at)


def _monotonic() -> Callable[[], float]:
    """The clock of the running loop. It is asked so often that finding out each time which loop runs is a cost."""
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        return anyio.current_time

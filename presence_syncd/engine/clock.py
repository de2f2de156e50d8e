"""The daemon's time: one line of seconds that never jumps, and reads like Unix time.

The one rule: every deadline is on this line. The wall clock is asked only for what others check against theirs (JWTs).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import anyio


class Clock:
    """Seconds since 1970 as they were at the start, counted on by the loop's monotonic clock.

    So they can be compared with those stored before a restart, and a wall clock that is set while the daemon runs moves
    no deadline. In virtual time the loop's clock is virtual, and `wall` is given.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self._monotonic = _monotonic()
        self._offset = wall() - self._monotonic()

    def now(self) -> float:
        """The daemon's seconds."""
        return self._offset + self._monotonic()

    async def sleep_until(self, at: float) -> None:
        """Wait until the daemon's second `at`."""
        await anyio.sleep(max(0.0, at - self.now()))


def _monotonic() -> Callable[[], float]:
    """The clock of the running loop. It is asked so often that finding out each time which loop runs is a cost."""
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        return anyio.current_time

"""Trouble: what is wrong with one link or feed, since when, and when to try again.

The one rule: one line in the log when trouble starts, one when it ends.
"""

from __future__ import annotations

import random
from copy import copy

from structlog.typing import FilteringBoundLogger

from presence_syncd.engine.bell import Bell
from presence_syncd.engine.clock import Clock
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, ServiceError

FIRST, LONGEST = 1.0, 60.0
"""Seconds of the first and the longest back-off after trouble on the way to a service."""
FIRST_REFUSED, LONGEST_REFUSED = 60.0, 6 * 3600.0
"""Seconds of the first and the longest back-off after a refusal that only a person can mend."""
CALM = 60.0
"""Trouble that comes back within so many seconds goes on where it was: what works for a moment is not hammered."""


class Trouble:
    """Backs off with full jitter, doubling; refused credentials and requests are probed slowly.

    `nudge` rings when whoever rests may try at once.
    """

    def __init__(self, clock: Clock, rng: random.Random, log: FilteringBoundLogger) -> None:
        self._clock, self._rng, self._log = clock, rng, log
        self.error: ServiceError | None = None
        self.since = 0.0
        self.retry_at = 0.0
        self.word: str | None = None
        self._times, self._was_lasting = 0, False
        self._over_at = float("-inf")
        self.nudge = Bell()

    @property
    def kind(self) -> str:
        """The name of the error; empty while all is well."""
        return type(self.error).__name__ if self.error else ""

    @property
    def is_parked(self) -> bool:
        """Whether a person must act."""
        return isinstance(self.error, AuthRejected)

    def rests(self, now: float) -> bool:
        """Whether something is wrong, and it is too early to try again."""
        return self.error is not None and now < self.retry_at

    def starts(self, error: ServiceError, doing: str, word: str | None = None, change: str | None = None) -> float:
        """Take note of a failure while `doing`, for a `change`; returns the seconds to wait. `word` was refused."""
        is_over = self.error is None and self._clock.now() - self._over_at > CALM
        if is_over or (
            _is_lasting(error) and not self._was_lasting
        ):  # an outage says nothing of how long a refusal lasts
            self._times = 0
        self._was_lasting = _is_lasting(error)
        if self.error is None or type(self.error) is not type(error):
            self.since = self._clock.now() if self.error is None else self.since
            named = {"change": change} if change else {}
            self._log.warning("trouble", doing=doing, error=type(error).__name__, said=str(error), **named)
        wait = self._wait(error)
        self.error = copy(error)  # without its traceback, which would keep whole frames alive
        self.word, self._times = word if isinstance(error, Rejected) else None, self._times + 1
        self.retry_at = self._clock.now() + wait
        return wait

    def try_now(self) -> None:
        """Let the next try come at once; whether it works is seen then."""
        self.retry_at = 0.0
        self.nudge.ring()

    async def rest(self, seconds: float) -> bool:
        """Wait before the next try; whether a nudge ended it."""
        return await self.nudge.wait(max(seconds, 0.0))

    def ends(self) -> None:
        """It works again."""
        if self.error is not None:
            self._log.info("trouble over", error=self.kind, seconds=round(self._clock.now() - self.since, 1))
            self._over_at = self._clock.now()
        self.error, self.word, self.retry_at = None, None, 0.0

    def _wait(self, error: ServiceError) -> float:
        lasting = _is_lasting(error)
        first, longest = (FIRST_REFUSED, LONGEST_REFUSED) if lasting else (FIRST, LONGEST)
        ceiling = min(first * 2.0 ** min(self._times, 16), longest)
        asked = error.retry_after or 0.0
        if lasting:
            return max(ceiling, asked) * self._rng.uniform(0.9, 1.1)
        if isinstance(error, RateLimited):
            return max(asked, 1.0) * self._rng.uniform(1.0, 1.2)
        return max(self._rng.uniform(0.5, 1.0) * ceiling, asked)


def _is_lasting(error: ServiceError) -> bool:
    """Whether only a person can mend it."""
    return isinstance(error, AuthRejected | Rejected)

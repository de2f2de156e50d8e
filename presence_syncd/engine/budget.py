"""The request budget of one service login: a token bucket whose waiters have classes.

The one rule: nobody sends without a token. A status change goes before refreshes that are due, these before other
refreshes, and sweeps come last. In each class what is for a VIP goes before what came earlier for others.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import count
from math import exp

import anyio

from presence_syncd.engine.clock import Clock
from presence_syncd.engine.slack import LeastSlack

SLOWDOWN = 0.7
"""What is left of the rate after the service asked for fewer requests."""
RECOVERY = 0.05
"""Part of the full rate that comes back in each quiet minute."""
LATELY = 5.0
"""Seconds after which a request counts for a third in what is used."""
LEAST = 0.1
"""The rate is never slowed below this part of the full one."""


class Urgency(IntEnum):
    """Classes of requests, most urgent first."""

    CHANGE = 0
    DUE = 1
    REFRESH = 2
    SWEEP = 3


Rank = tuple[Urgency, bool, int]
"""Where a waiting request stands, the lowest first: its class, whether others than a VIP sent it, its number."""


class _Waiter:
    __slots__ = ("bell", "tokens")

    def __init__(self, tokens: int) -> None:
        self.tokens, self.bell = tokens, anyio.Event()


class Budget:
    """At most `rate` requests per second in the long run and `burst` at once; adapts when the service objects.

    `swept` counts the requests of sweeps so far; `slack` is what waiting leaves of the time to renew sessions in.
    """

    def __init__(self, rate: float, burst: float, clock: Clock, rng: random.Random) -> None:
        self.full_rate, self.burst = rate, max(1.0, burst)
        self._rate, self._tokens = rate, self.burst
        self._clock, self._rng = clock, rng
        self._filled_at = self._slowed_at = clock.now()
        self._paused_until = 0.0
        self._heap: list[tuple[Rank, _Waiter]] = []
        self._numbers = count()
        self._spent, self._spent_at = 0.0, clock.now()
        self.swept = 0
        self.slack = LeastSlack(clock)

    @property
    def rate(self) -> float:
        """Requests per second granted now: the full one, less what a 429 took and quiet minutes have not given back."""
        quiet = max(0.0, self._clock.now() - self._slowed_at) / 60
        return min(self.full_rate, self._rate + self.full_rate * RECOVERY * quiet)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._heap)

    @property
    def paused_for(self) -> float:
        """Seconds for which nothing is sent, because the service said so; 0 as a rule."""
        return max(0.0, self._paused_until - self._clock.now())

    def used_ratio(self) -> float:
        """Part of the full rate used lately, what was used last weighing most; whoever asks changes nothing."""
        return self._spent_lately() / (self.full_rate * LATELY)

    def _spent_lately(self) -> float:
        """Tokens spent, each counting less the longer ago it was."""
        return self._spent * exp((self._spent_at - self._clock.now()) / LATELY)

    async def take(self, urgency: Urgency, tokens: int = 1, *, vip: bool = False) -> None:
        """Wait for `tokens` requests' worth of budget; `vip` puts it before the others of its class."""
        self.swept += tokens if urgency is Urgency.SWEEP else 0
        if not self._heap and self._delay(tokens) <= 0:
            self._spend(tokens)
            return
        rank = (urgency, not vip, next(self._numbers))
        with self._queued(rank, _Waiter(tokens)) as waiter:
            await self._wait_turn(waiter)
            self._spend(tokens)

    def give_back(self, tokens: int) -> None:
        """Take back what was granted and is not used."""
        self._spend(-tokens)
        self._wake_first()

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, because the service says so; then start slower, and not in step with others."""
        now = self._clock.now()
        if now >= self._paused_until:  # the answers to what was on its way all say the same once
            self._rate = max(self.full_rate * LEAST, self.rate * SLOWDOWN)
            self._slowed_at = now
        self._paused_until = max(self._paused_until, now + seconds * self._rng.uniform(1.0, 1.1))
        self._tokens = min(self._fill(), 1.0)
        self._filled_at = self._paused_until  # no burst is saved up in the meantime

    def _fill(self) -> float:
        now = self._clock.now()
        if now > self._filled_at:
            self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
            self._filled_at = now
        return self._tokens

    def _spend(self, tokens: int) -> None:
        self._tokens = min(self.burst, self._fill() - tokens)
        self._spent, self._spent_at = self._spent_lately() + tokens, self._clock.now()

    def _delay(self, tokens: int) -> float:
        """Seconds until `tokens` may be spent. More than the bucket holds may be spent when it is full."""
        missing = min(tokens, self.burst) - self._fill()
        return max(missing / self.rate, self._paused_until - self._clock.now())

    @contextmanager
    def _queued(self, rank: Rank, waiter: _Waiter) -> Iterator[_Waiter]:
        entry = (rank, waiter)
        heapq.heappush(self._heap, entry)
        self._wake_first()
        try:
            yield waiter
        finally:
            self._drop(entry)
            self._wake_first()

    def _drop(self, entry: tuple[Rank, _Waiter]) -> None:
        if self._heap[0] is entry:  # as a rule; the rest is for who gave up
            heapq.heappop(self._heap)
        else:
            self._heap.remove(entry)
            heapq.heapify(self._heap)

    def _wake_first(self) -> None:
        if self._heap:
            self._heap[0][1].bell.set()

    async def _wait_turn(self, waiter: _Waiter) -> None:
        """Wait until first in the queue and the bucket has enough."""
        while True:
            waiter.bell = anyio.Event()
            first = self._heap[0][1] is waiter
            delay = self._delay(waiter.tokens)
            if first and delay <= 0:
                return
            with anyio.move_on_after(max(delay, 1e-6) if first else None):
                await waiter.bell.wait()

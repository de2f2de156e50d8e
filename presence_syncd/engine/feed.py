"""A feed: one read for many accounts of a service, again and again.

The one rule: its readiness is the age of its last proof of life, never "no error".
"""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from itertools import chain

import anyio
import anyio.lowlevel
from structlog.typing import FilteringBoundLogger

from presence_syncd.connectors.flow import chunks
from presence_syncd.core.entry import Observation
from presence_syncd.engine.board import QUIET
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.place import Placed
from presence_syncd.engine.trouble import Trouble
from presence_syncd.errors import ServiceError

SOON = 0.2
"""Seconds from a newcomer to the sweep that reads it."""
AT_A_TIME, WOKEN = 25, 4
"""Readings that are handed over, and accounts that are woken by them, before others get a turn."""


class Feed:
    """Sweeps the links of one service."""

    def __init__(self, driver: Driver, clock: Clock, rng: random.Random, log: FilteringBoundLogger) -> None:
        self.driver = driver
        self.trouble = Trouble(clock, rng, log)
        self.live_at: float | None = None
        self.requests = 0.0
        self._clock, self._rng = clock, rng
        self._links: dict[str, list[Placed]] = {}
        self._new: set[str] = set()

    def add(self, link: Placed) -> None:
        """Take a link into the sweep, which comes soon then."""
        self._links.setdefault(link.link.key, []).append(link)
        self._new.add(link.link.key)
        if self.trouble.error is None:
            self.trouble.try_now()

    def remove(self, link: Placed) -> None:
        """Take a link out of the sweep."""
        links = self._links.get(link.link.key, [])
        if link in links:
            links.remove(link)
        if not links:
            self._links.pop(link.link.key, None)
            self._new.discard(link.link.key)

    @property
    def has_links(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._links)

    def age(self) -> float | None:
        """Seconds since the service last proved that it answers; None before that, or with nothing to read."""
        return None if self.live_at is None or not self._links else self._clock.now() - self.live_at

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            wait = self.driver.service.traits.poll_every * self._rng.uniform(0.9, 1.1)
            if await self.trouble.rest(max(wait, await self._round())):
                await anyio.sleep(SOON)  # newcomers come in crowds: read them together

    async def _round(self) -> float:
        """Read every link once, noting how many requests it takes; returns the seconds to wait if there is trouble."""
        before = self.driver.budget.swept
        trouble: ServiceError | None = None
        for links in chunks(list(self._links.values()), self.driver.service.traits.sweep_size):
            try:
                await self._sweep([same for same in links if same])  # some may have left since the round began
            except ServiceError as error:
                trouble = error
        self.requests = self.driver.budget.swept - before
        if trouble is not None:
            return self.trouble.starts(trouble, "sweeping")
        self.trouble.ends()
        return 0.0

    async def _sweep(self, links: Sequence[list[Placed]]) -> None:
        """Read one chunk."""
        service = self.driver.service
        if not links:
            return
        keys = {same[0].link.key for same in links}
        flow = service.sweep([same[0].link for same in links])
        seen = await self.driver.run(flow, service, self._urgency(keys), waiter=self.trouble)
        self.live_at = self._clock.now()
        self._new -= keys
        handed = woken = 0
        for link in chain.from_iterable(links):
            if (observation := seen.get(link.link.key)) is None:
                continue
            handed, woken = handed + 1, woken + _hand_over(link, observation)
            if handed == AT_A_TIME or woken == WOKEN:  # or a change just heard would wait for hundreds that decide
                handed = woken = 0
                await self._give_way()

    async def _give_way(self) -> None:
        """Let others go on, and then for as long again as they had to wait: half of the time is theirs."""
        began = self._clock.now()
        await anyio.lowlevel.checkpoint()
        await anyio.sleep(self._clock.now() - began)

    def _urgency(self, keys: Set[str]) -> Urgency:
        """Who is new is read before others are renewed: until then nothing is written for them, for ever if need be."""
        return Urgency.SWEEP if self._new.isdisjoint(keys) else Urgency.CHANGE


def _hand_over(link: Placed, observation: Observation) -> bool:
    """Give a link what was read for it; whether that changes something.

    A bug in one account must not reach the others of the sweep.
    """
    try:
        return link.emit(observation) not in QUIET
    except Exception as error:
        link.log.error("reading not taken", error=type(error).__name__, exc_info=error)
        return False

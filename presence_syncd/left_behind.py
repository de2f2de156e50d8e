"""What is known of accounts that were taken out of the configuration: kept for a day, in case they come back.

The one rule: who comes back within that day is as after a restart. Somebody who begins anew would take for the person's
word what we have written, or what they had chosen long ago and our first session in Teams lets show again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import anyio

from presence_syncd.core.values import replace
from presence_syncd.core.view import View
from presence_syncd.engine.clock import Clock
from presence_syncd.store.store import Record, Store

KEPT = 86_400.0
"""Seconds for which an account that is gone is remembered."""
EVERY = 3600.0
"""Seconds between two looks for who is to be forgotten."""


class LeftBehind:
    """The records of accounts that are gone. A view says since when its account is (`gone_at`)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._records: dict[str, Record] = {}

    def recall(self, records: Mapping[str, Record], configured: Collection[str]) -> None:
        """Take over what the life before kept of accounts that are not configured, or not any more."""
        self._records = {name: record for name, record in records.items() if name not in configured}

    async def put(self, name: str, record: Record) -> None:
        """Keep what is known of an account that is gone from now on."""
        self._records[name] = record
        await self._date(name, record)

    def take(self, name: str) -> Record:
        """What an account that is new, or back, starts with."""
        return self._records.pop(name, Record())

    async def run(self) -> None:
        """Forget whose day is over, for ever."""
        while True:
            await self.tidy()
            await anyio.sleep(EVERY)

    async def tidy(self) -> None:
        """Forget whose day is over; that of who was missing when we started begins then, as after a clock set back."""
        for name in list(self._records):
            record, now = self._records.get(name), self._clock.now()
            if record is None:
                continue  # back meanwhile
            gone_at = record.view.gone_at if record.view else None
            if gone_at is None or gone_at > now:
                await self._date(name, record)
            elif now - gone_at >= KEPT:
                del self._records[name]
                await self._store.forget(name)

    async def _date(self, name: str, record: Record) -> None:
        view = replace(record.view or View(), gone_at=self._clock.now())
        self._records[name] = Record(view, record.memory)
        await self._store.save(name, view)

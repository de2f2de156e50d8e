"""What accounts that were taken out of the configuration left behind in their services, until it is over.

The one rule: nothing of a person is kept but that a lease there is ours: without that, an account that comes back
before its end would take what we had written for the person's word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from presence_syncd.core.publication import left_behind
from presence_syncd.core.view import View
from presence_syncd.engine.clock import Clock
from presence_syncd.store.store import Record, Store

EVER = float("-inf")
"""Before any lease ends."""


class LeftBehind:
    """The records of accounts that are gone, and whose farewell was not heard everywhere."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._records: dict[str, Record] = {}

    def recall(self, records: Mapping[str, Record], configured: Collection[str]) -> None:
        """Take over from the life before what it kept of accounts that are not configured."""
        gone = {name: record for name, record in records.items() if name not in configured}
        self._records = {name: record for name, record in gone.items() if _is_but_leases(record.view)}

    async def put(self, name: str, record: Record, heard: Collection[str]) -> None:
        """Forget an account that is gone, but for what outlives it."""
        left = left_behind(record.view or View(), heard, self._clock.now())
        if left is None:
            await self._store.forget(name)
        else:
            self._records[name] = Record(left, record.memory)
            await self._store.save(name, left)

    def take(self, name: str) -> Record:
        """What an account that is new, or back, starts with."""
        return self._records.pop(name, Record())

    async def forget_ended(self) -> None:
        """Forget those whose leases must be over."""
        for name, record in list(self._records.items()):
            if left_behind(record.view or View(), (), self._clock.now()) is None:
                del self._records[name]
                await self._store.forget(name)


def _is_but_leases(view: View | None) -> bool:
    """Whether it was kept by `put`, and not while the account was there: that one may just be missing for a while."""
    return view is not None and view == left_behind(view, (), EVER)

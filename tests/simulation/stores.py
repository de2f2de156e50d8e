"""A store as a disk is: what is acknowledged stays, what is under way when the power goes may be lost or not.

The one rule: a dead process writes nothing more.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import anyio

from presence_syncd.core.view import View
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.store import Record

FSYNC = (0.001, 0.02)
"""Seconds until a record is durable."""


class Disk:
    """What survives."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def write(self, records: dict[str, Record]) -> None:
        """Put records where they survive."""
        self.store.records.update(records)


class CrashStore:
    """One process's way to the disk. `die` is the kill: of what is under way, chance decides."""

    failing = False

    def __init__(self, disk: Disk, rng: random.Random) -> None:
        self._disk, self._rng = disk, rng
        self._cache = MemoryStore()
        self._is_dead = False
        self._under_way: dict[int, Callable[[], None]] = {}
        self._count = 0
        self._writer = anyio.Lock()

    async def load(self) -> dict[str, Record]:
        """Everything that survived."""
        self._cache.records = dict(self._disk.store.records)
        return dict(self._cache.records)

    async def save(self, account: str, view: View) -> None:
        """Keep an account's view; returns when it is durable."""
        await self._cache.save(account, view)
        await self._write(account)

    async def remember(self, account: str, link: str, key: str, value: str) -> None:
        """Keep a small fact of a link; returns when it is durable."""
        await self._cache.remember(account, link, key, value)
        await self._write(account)

    async def forget(self, account: str) -> None:
        """Drop an account."""
        await self._cache.forget(account)
        if not self._is_dead:
            self._disk.store.records.pop(account, None)

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _write(self, account: str) -> None:
        """One after the other, as with one writer thread; giving up the wait stops no write."""
        if self._is_dead:
            return
        record = self._cache.records[account]
        self._count += 1
        number = self._count
        self._under_way[number] = lambda: self._disk.write({account: record})
        try:
            async with self._writer:
                await anyio.sleep(self._rng.uniform(*FSYNC))
        finally:
            for before in [n for n in self._under_way if n <= number]:
                self._under_way.pop(before)()

    def die(self) -> None:
        """The process is killed: the first of what was not acknowledged may be there, the rest is lost."""
        self._is_dead = True
        survivors = self._rng.randint(0, len(self._under_way))
        for number in sorted(self._under_way)[:survivors]:
            self._under_way[number]()
        self._under_way.clear()

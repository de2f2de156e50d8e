"""What is known of an account that is gone is kept for a day, also by the next life, and then forgotten."""

from __future__ import annotations

import anyio
import pytest

from presence_syncd.core.entry import Entry, Word
from presence_syncd.core.presence import BUSY
from presence_syncd.core.values import replace
from presence_syncd.core.view import View
from presence_syncd.engine.clock import Clock
from presence_syncd.left_behind import EVERY, KEPT, LeftBehind
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.store import Record
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time

VIEW = View({"teams": Entry(word=Word(BUSY, 1.0))})
MEMORY = {"teams": {"preferred": "Busy/Busy"}}


@pytest.mark.parametrize("restarts", [False, True])
async def test_it_is_kept_for_a_day(*, restarts: bool) -> None:
    store, clock = MemoryStore(), Clock()
    left = LeftBehind(store, clock)
    await left.put("alice", Record(VIEW, MEMORY))
    if restarts:
        left = LeftBehind(store, clock)
        left.recall(await store.load(), ())
    await anyio.sleep(KEPT - 1)
    await left.tidy()
    assert "alice" in store.records
    await anyio.sleep(2)
    await left.tidy()
    assert not store.records
    assert left.take("alice") == Record()


async def test_who_comes_back_takes_all_of_it() -> None:
    store, clock = MemoryStore(), Clock()
    left = LeftBehind(store, clock)
    await left.put("alice", Record(VIEW, MEMORY))
    assert left.take("alice") == Record(replace(VIEW, gone_at=clock.now()), MEMORY)
    assert left.take("alice") == Record()
    await anyio.sleep(KEPT)
    await left.tidy()
    assert "alice" in store.records


async def test_the_day_of_who_was_missing_at_the_start_begins_then() -> None:
    store, clock = MemoryStore(), Clock()
    left = LeftBehind(store, clock)
    await store.save("alice", VIEW)
    await store.save("carol", VIEW)
    await store.remember("bob", "teams", "preferred", "Busy/Busy")
    left.recall(await store.load(), {"carol"})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(left.run)
        await anyio.sleep(KEPT - 1)
        assert store.records.keys() == {"alice", "bob", "carol"}
        await anyio.sleep(EVERY)
        assert store.records.keys() == {"carol"}
        tasks.cancel_scope.cancel()


async def test_a_clock_that_was_set_back_keeps_nobody_for_longer_than_another_day() -> None:
    store, clock = MemoryStore(), Clock()
    left = LeftBehind(store, clock)
    await store.save("alice", replace(VIEW, gone_at=clock.now() + 1e6))
    left.recall(await store.load(), ())
    await left.tidy()
    await anyio.sleep(KEPT)
    await left.tidy()
    assert not store.records


async def test_who_comes_back_while_others_are_looked_at_is_not_gone() -> None:
    store, clock = SlowStore(), Clock()
    left = LeftBehind(store, clock)
    left.recall({"alice": Record(VIEW), "bob": Record(VIEW)}, ())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(left.tidy)
        await anyio.sleep(0.5)
        assert left.take("bob") == Record(VIEW)
    assert store.records.keys() == {"alice"}


class SlowStore(MemoryStore):
    """Takes a second to save."""

    async def save(self, account: str, view: View) -> None:
        await anyio.sleep(1)
        await super().save(account, view)

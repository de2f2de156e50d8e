"""What an account that is gone left behind is kept until it must be over, also by the next life, and then forgotten."""

from __future__ import annotations

import anyio
import pytest

from presence_syncd.core.entry import Entry
from presence_syncd.core.presence import BUSY
from presence_syncd.core.publication import Accepted, accept, begin, leave, left_behind
from presence_syncd.core.view import View
from presence_syncd.engine.clock import Clock
from presence_syncd.left_behind import LeftBehind
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.store import Record
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time

LEASE, VISIBLE = 900.0, 60.0
MEMORY = {"teams": {"preferred": "Busy/Busy"}}


def signed_out(now: float) -> Record:
    """What is known of somebody whom we showed busy in Teams, and whose account says goodbye now."""
    view = begin(View({"teams": Entry(), "symphony": Entry()}, now), "teams", "Busy/Busy", BUSY, VISIBLE, now)
    return Record(leave(accept(view, "teams", Accepted(expires_in=LEASE), now), "teams", now), MEMORY)


@pytest.mark.parametrize("restarts", [False, True])
async def test_it_is_kept_until_it_is_over(*, restarts: bool) -> None:
    store, clock = MemoryStore(), Clock()
    left, record = LeftBehind(store, clock), signed_out(clock.now())
    await left.put("alice", record, ())
    if restarts:
        left = LeftBehind(store, clock)
        left.recall(await store.load(), ())
    await anyio.sleep(LEASE + VISIBLE - 1)
    await left.forget_ended()
    assert "alice" in store.records
    await anyio.sleep(2)
    await left.forget_ended()
    assert not store.records
    assert left.take("alice") == Record()


async def test_who_comes_back_takes_it_and_what_the_links_remember() -> None:
    store, clock = MemoryStore(), Clock()
    left, record = LeftBehind(store, clock), signed_out(clock.now())
    await left.put("alice", record, ())
    assert left.take("alice") == Record(left_behind(record.view or View(), (), clock.now()), MEMORY)
    assert left.take("alice") == Record()


async def test_who_was_heard_everywhere_is_forgotten_at_once() -> None:
    store, clock = MemoryStore(), Clock()
    left = LeftBehind(store, clock)
    await store.save("alice", View())
    await left.put("alice", signed_out(clock.now()), {"teams"})
    assert not store.records
    assert left.take("alice") == Record()


async def test_the_record_of_an_account_that_is_only_missing_is_left_alone() -> None:
    store, clock = MemoryStore(), Clock()
    left = LeftBehind(store, clock)
    await store.save("alice", signed_out(clock.now()).view or View())
    await store.remember("bob", "teams", "preferred", "Busy/Busy")
    left.recall(await store.load(), ())
    await anyio.sleep(2 * LEASE)
    await left.forget_ended()
    assert store.records.keys() == {"alice", "bob"}

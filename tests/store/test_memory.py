"""The memory store keeps what the durable one keeps, as long as it lives."""

from __future__ import annotations

from presence_syncd.core.view import View
from presence_syncd.store.memory import MemoryStore


async def test_views_and_facts_are_kept_until_forgotten() -> None:
    store = MemoryStore()
    await store.save("ann", View(started_at=1.0))
    await store.remember("ann", "skype", "id", "1")
    await store.remember("ann", "skype", "other", "2")
    await store.save("ann", View(started_at=2.0))
    record = (await store.load())["ann"]
    assert record.view == View(started_at=2.0)
    assert record.memory == {"skype": {"id": "1", "other": "2"}}
    await store.forget("ann")
    await store.forget("nobody")
    assert await store.load() == {}
    await store.aclose()

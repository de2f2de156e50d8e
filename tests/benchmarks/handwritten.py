"""The same mirror by hand with the bare client: a long poll per person, and two writes for each event, no more.

The one rule: nothing a daemon needs (no sweeps, no store, no retry): it is the floor that latency is compared with.
"""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
import httpx

from presence_syncd.engine.transport import ALONE, POOL, network
from tests.benchmarks.crowd import FIRST_ID, SYMPHONY_OF, TEAMS_OF, guid
from tests.benchmarks.desk import all_listen, asked, quantile, resident
from tests.benchmarks.scale import CHANGING, LEAST

HEADERS = {"authorization": "Bearer bench", "content-type": "application/json"}


async def measure(base: str, size: int, seconds: float) -> dict[str, Any]:
    """Follow a crowd by hand, and measure it as the daemon is."""
    before, start = resident(), time.perf_counter()
    carrier = network(None, None)
    shared = httpx.AsyncClient(transport=carrier(POOL), timeout=30)
    async with anyio.create_task_group() as tasks, shared:
        for number in range(size):
            tasks.start_soon(_follow, base, number, shared, carrier(ALONE))
        await all_listen(base, size)
        found: dict[str, Any] = {"start": time.perf_counter() - start, "memory": (resident() - before) / size}
        await asked(base, "/-/changes", {"changes": max(LEAST, size * CHANGING)})
        await anyio.sleep(1 + seconds)
        times = (await asked(base, "/-/stats"))["times"]
        await asked(base, "/-/changes", {"changes": 0})
        tasks.cancel_scope.cancel()
    return {**found, "change_p50": quantile(times, 0.5), "change_p99": quantile(times, 0.99), "changes": len(times)}


async def _follow(base: str, number: int, shared: httpx.AsyncClient, carrier: httpx.AsyncBaseTransport) -> None:
    headers = {"authorization": f"Bearer cwt={number}"}
    async with httpx.AsyncClient(transport=carrier, timeout=300, headers=headers) as own:
        made = await own.post(f"{base}/skype/applications", content=b"{}")
        url = made.json()["_links"]["events"]["href"]
        while True:
            page = (await own.get(url)).json()
            url = page["_links"]["next"]["href"]
            for sender in page["sender"]:
                for event in sender["events"]:
                    await _write(base, number, event["_embedded"]["presence"]["availability"], shared)


async def _write(base: str, number: int, shown: str, shared: httpx.AsyncClient) -> None:
    availability, _, activity = TEAMS_OF[shown].partition("/")
    values = {"sessionId": guid(0), "availability": availability, "activity": activity, "expirationDuration": "PT1H"}
    category = {"category": SYMPHONY_OF[shown], "userId": FIRST_ID + number}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_post, shared, f"{base}/v1.0/users/{guid(number)}/presence/setPresence", values)
        tasks.start_soon(_post, shared, f"{base}/pod/v3/user/presence?soft=false", category)


async def _post(client: httpx.AsyncClient, url: str, values: dict[str, Any]) -> None:
    (await client.post(url, content=json.dumps(values).encode(), headers=HEADERS)).raise_for_status()

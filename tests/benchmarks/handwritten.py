"""The same mirror by hand with the bare client: two long polls per person, and two writes for each event, no more.

The one rule: nothing a daemon needs (no sweeps, no store, no retry): it is the floor that latency is compared with.
"""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
import httpx

from presence_syncd.engine.transport import ALONE, POOL, network
from tests.benchmarks.crowd import FIRST_ID, SYMPHONY_OF, TEAMS_OF, guid, sip
from tests.benchmarks.desk import DOORS, all_listen, asked, quantile, resident
from tests.benchmarks.scale import CHANGING, LEAST

AT_ONCE = 32
"""How many may be signing in at once."""
HEADERS = {"authorization": "Bearer bench", "content-type": "application/json"}


async def measure(base: str, connect: str, size: int, seconds: float) -> dict[str, Any]:
    """Follow a crowd by hand, and measure it as the daemon is."""
    before, start = resident(), time.perf_counter()
    carrier, door = network(None, None), anyio.CapacityLimiter(AT_ONCE)
    shared = httpx.AsyncClient(transport=carrier(POOL), timeout=30)
    async with anyio.create_task_group() as tasks, shared:
        for number in range(size):
            tasks.start_soon(_follow, base, number, shared, carrier(ALONE), door)
            tasks.start_soon(_hear, connect, number, carrier(ALONE), door)
        await all_listen(base, size, DOORS)
        found: dict[str, Any] = {"start": time.perf_counter() - start, "memory": (resident() - before) / size}
        await asked(base, "/-/changes", {"changes": max(LEAST, size * CHANGING)})
        await anyio.sleep(1 + seconds)
        times = (await asked(base, "/-/stats"))["times"]
        await asked(base, "/-/changes", {"changes": 0})
        tasks.cancel_scope.cancel()
    return {**found, "change_p50": quantile(times, 0.5), "change_p99": quantile(times, 0.99), "changes": len(times)}


async def _follow(
    base: str, number: int, shared: httpx.AsyncClient, carrier: httpx.AsyncBaseTransport, door: anyio.CapacityLimiter
) -> None:
    headers = {"authorization": f"Bearer cwt={number}"}
    async with httpx.AsyncClient(transport=carrier, timeout=300, headers=headers) as own:
        async with door:
            made = await own.post(f"{base}/skype/applications", content=b"{}")
        url = made.json()["_links"]["events"]["href"]
        while True:
            page = (await own.get(url)).json()
            url = page["_links"]["next"]["href"]
            for sender in page["sender"]:
                for event in sender["events"]:
                    await _write(base, number, event["_embedded"]["presence"]["availability"], shared)


async def _hear(base: str, number: int, carrier: httpx.AsyncBaseTransport, door: anyio.CapacityLimiter) -> None:
    """Follow the other door to the same presence, which has nothing to say that the first has not."""
    begin = {"method": "BeginSession", "id": "c1", "params": {"userId": sip(number)}, "jsonrpc": "2.0"}
    async with httpx.AsyncClient(transport=carrier, timeout=300) as own:
        async with door:
            await own.post(f"{base}/connect", content=json.dumps(begin).encode())
        while True:
            (await own.post(f"{base}/connect", content=b"[]")).raise_for_status()


async def _write(base: str, number: int, shown: str, shared: httpx.AsyncClient) -> None:
    availability, _, activity = TEAMS_OF[shown].partition("/")
    values = {"sessionId": guid(0), "availability": availability, "activity": activity, "expirationDuration": "PT1H"}
    category = {"category": SYMPHONY_OF[shown], "userId": FIRST_ID + number}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_post, shared, f"{base}/v1.0/users/{guid(number)}/presence/setPresence", values)
        tasks.start_soon(_post, shared, f"{base}/pod/v3/user/presence?soft=false", category)


async def _post(client: httpx.AsyncClient, url: str, values: dict[str, Any]) -> None:
    (await client.post(url, content=json.dumps(values).encode(), headers=HEADERS)).raise_for_status()

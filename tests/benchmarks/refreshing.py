"""How much a refresh costs: through the daemon, unbatched and batched, beside bare loops and the vendors' libraries.

The one rule: everybody writes the same presence to the same stub, over as many connections, in turns in one process.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx

from presence_syncd.config import Policy
from presence_syncd.core.presence import AWAY, BUSY, Status
from presence_syncd.core.values import replace
from presence_syncd.core.view import Pin
from presence_syncd.daemon import Daemon
from presence_syncd.engine.place import Placed
from presence_syncd.engine.transport import POOL, network, trust
from tests.benchmarks import vendors
from tests.benchmarks.crowd import guid
from tests.benchmarks.desk import config, links_to, live, running
from tests.benchmarks.streams import streams

AT_ONCE = 32
"""Requests that are out at once, as many as the daemon has connections to a service."""
HEADERS = {"authorization": "Bearer bench", "content-type": "application/json"}

SETTLED = 0.5
"""Seconds for what the last turn left to be kept: accounts come out of the store one after the other, not at once."""

Turn = Callable[[int], Awaitable[None]]


async def crowded(count: int, one: Turn) -> None:
    """Do `one` for every number, so many at once."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await one(number)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(work)


def bare(client: httpx.AsyncClient, base: str) -> Turn:
    """Set a presence with nothing around the client."""

    async def one(number: int) -> None:
        values = {"sessionId": guid(0), "availability": "Available", "activity": "Available"}
        body = json.dumps({**values, "expirationDuration": "PT1H"}).encode()
        url = f"{base}/v1.0/users/{guid(number)}/presence/setPresence"
        headers = {**HEADERS, "client-request-id": str(uuid.uuid4())}
        reply = await client.post(url, content=body, headers=headers)
        reply.raise_for_status()

    return one


async def refresh_all(daemon: Daemon) -> None:
    """Let every Teams session be due at once, and wait until all are renewed."""
    now = daemon.clock.now()
    links = links_to(daemon, "teams")
    for link in links:
        entry = link.board.view.entries["teams"]
        assert entry.publication is not None
        publication = replace(entry.publication, refresh_at=now)
        link.board.view = link.board.view.put("teams", replace(entry, publication=publication))
        link.board.version -= 1  # where time makes it due, there is nothing to be kept before it is renewed
        link.board.ring()
    await anyio.lowlevel.checkpoint()

    def is_renewed(link: Placed) -> bool:
        p = link.board.view.entries["teams"].publication
        return not link.writing and p is not None and (p.refresh_at or 0) > now

    await until_each(links, is_renewed)


async def until_each(links: list[Placed], is_done: Callable[[Placed], bool]) -> None:
    """Wait until all are done, looking at each as seldom as can be: looking is counted as the daemon's work."""
    with anyio.fail_after(120):
        for link in links:
            while not is_done(link):  # noqa: ASYNC110  # nobody rings for it
                await anyio.sleep(0.005)


async def timed(turn: Awaitable[None], count: int) -> dict[str, float]:
    """Seconds and CPU seconds per piece."""
    wall, cpu = time.perf_counter(), time.process_time()
    await turn
    return {"wall": (time.perf_counter() - wall) / count, "cpu": (time.process_time() - cpu) / count}


async def graph(addresses: dict[str, str], size: int, rounds: int, folder: Path, ca: Path | None) -> dict[str, Any]:
    """Rounds of bare loops, on our carrier, httpx's own and streams, the daemon, the SDK if there; `ca`: over TLS."""
    base = addresses["tls" if ca else "plain"]
    found: dict[str, list[dict[str, float]]] = {}
    settings = config(base, size, ("teams", "symphony"), ca=ca)
    client = httpx.AsyncClient(transport=network(ca, None)(POOL), timeout=30, trust_env=False)
    usual = httpx.AsyncClient(verify=trust(ca), limits=POOL, timeout=30, trust_env=False)
    raw = streams(base, AT_ONCE, trust(ca) if ca else None)
    async with running(settings, folder) as daemon, client, usual, raw as stream, vendors.graph(base, ca) as sdk:
        await live(daemon)
        batched = daemon.drivers["teams"].service.traits
        for _ in range(rounds + 1):
            turns: dict[str, tuple[Awaitable[None], int]] = {
                "bare": (crowded(size, bare(client, base)), size),
                "streams": (crowded(size, stream), size),
                "usual": (crowded(size // 4, bare(usual, base)), size // 4),
            }
            if sdk is not None:
                turns["sdk"] = (crowded(size // 4, sdk), size // 4)
            for name, (turn, count) in turns.items():
                found.setdefault(name, []).append(await timed(turn, count))
            for name, traits in (("unbatched", replace(batched, batch_size=1)), ("batched", batched)):
                daemon.drivers["teams"].service.traits = traits
                await anyio.sleep(SETTLED)
                found.setdefault(name, []).append(await timed(refresh_all(daemon), size))
    return {name: rows[1:] for name, rows in found.items()}  # the first round warms up


async def pin_all(daemon: Daemon, status: Status) -> None:
    """Let everybody's status change at once, and wait until the pod has taken it and it is kept durably."""
    until_then = daemon.clock.now() + 3600
    links = links_to(daemon, "symphony")
    for account in daemon.tasks.values():
        account.board.view = replace(account.board.view, pin=Pin(status, until_then))
        account.board.ring()
    await anyio.lowlevel.checkpoint()

    def is_shown(link: Placed) -> bool:
        return not link.writing and link.board.view.entries["symphony"].shown == status

    await until_each(links, is_shown)


async def symphony(base: str, size: int, rounds: int, folder: Path, key: str) -> dict[str, Any]:
    """Rounds of the daemon's whole path from a change to its acceptance, and the BDK's bare call if it is there."""
    found: dict[str, list[dict[str, float]]] = {}
    settings = config(base, size, ("symphony",), policy=Policy(settle=0.0))
    async with running(settings, folder) as daemon, vendors.symphony(base, key) as bdk:
        await live(daemon)
        for number in range(rounds + 1):
            if bdk is not None:
                found.setdefault("bdk", []).append(await timed(crowded(size, bdk), size))
            status = BUSY if number % 2 else AWAY
            found.setdefault("daemon", []).append(await timed(pin_all(daemon, status), size))
    return {name: rows[1:] for name, rows in found.items()}

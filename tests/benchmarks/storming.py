"""A storm: a fifth of the people change within a minute, most of them at its beginning, as when meetings end.

The one rule: Graph enforces its limit meanwhile, and the daemon plans with 80 % of it; everything else has room.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio

from tests.benchmarks.desk import all_listen, asked, config, lags, live, quantile, running

PART = 0.2
"""Part of the people who change."""
LIMIT, WINDOW = 10_000, 30.0
"""Requests Graph grants one application in one tenant, and in how many seconds (its page of service limits)."""
RATE = 0.8 * LIMIT / WINDOW
SETTLED = 3.0
"""Seconds after the first writes until new ones are no longer held back to be written as one."""
PATIENCE = 120.0
"""Most seconds after the storm until everybody has to show their status."""


async def measure(base: str, size: int, names: tuple[str, ...], within: float, folder: Path) -> dict[str, Any]:
    """Let the storm go over a crowd, in so many seconds, and tell who shows what they should."""
    async with running(config(base, size, names, rates={"teams": RATE}), folder) as daemon:
        await live(daemon)
        await all_listen(base, size, names)
        await anyio.sleep(SETTLED)
        cpu, start = time.process_time(), time.perf_counter()
        await asked(base, "/-/changes", {"part": PART, "within": within})
        found = await lags(within)
        stats = await _calm(base)
        cost = (time.process_time() - cpu) / (time.perf_counter() - start)
        throttled = daemon.metrics.registry.get_sample_value("presence_syncd_throttled_total", {"service": "teams"})
    return {
        "p50": quantile(stats["times"], 0.5),
        "p99": quantile(stats["times"], 0.99),
        "lag_max": max(found),
        "cpu": cost,
        "changed": stats["changes"],
        "converged": len(stats["times"]),
        "refused": stats["refused"] + (throttled or 0),
    }


async def _calm(base: str) -> dict[str, Any]:
    """Wait until nobody's change is on its way any more, or patience ends; returns what the services say."""
    with anyio.move_on_after(PATIENCE):
        while (await asked(base, "/-/stats"))["waiting"]:  # noqa: ASYNC110  # another process
            await anyio.sleep(1)
    stats: dict[str, Any] = await asked(base, "/-/stats")
    return stats

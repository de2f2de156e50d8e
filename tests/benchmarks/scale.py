"""A daemon with many accounts in one process: start, memory, idle cost, lag, scrape, reload, changes, stop.

The one rule: every figure is of the same run of the same process, in the order of a daemon's life.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio

from presence_syncd.config import Config
from presence_syncd.core.values import replace
from presence_syncd.daemon import Daemon
from presence_syncd.report import Report
from presence_syncd.store.sqlite import SqliteStore
from tests.benchmarks.desk import all_listen, asked, config, lags, live, quantile, resident, running

SETTLED = 3.0
"""Seconds for what a reload leaves to be done."""
CHANGING, LEAST = 0.01, 4.0
"""Part of the people who change in a second, and the least number of changes."""


async def measure(
    addresses: dict[str, str], size: int, names: tuple[str, ...], seconds: float, folder: Path, ca: Path | None
) -> dict[str, Any]:
    """Measure a crowd; `ca`: all over TLS, trusting it."""
    base = addresses["tls" if ca else "plain"]
    settings = config(base, size, names, ca=ca, connect=addresses["connect-tls" if ca else "connect"])
    found: dict[str, Any] = {}
    before, start, cpu = resident(), time.perf_counter(), time.process_time()
    async with running(settings, folder) as daemon:
        await live(daemon)
        await all_listen(addresses["plain"], size, names)
        found["start"] = time.perf_counter() - start
        found["start_cpu"] = time.process_time() - cpu
        await anyio.sleep(1)
        found["memory"] = (resident() - before) / size
        found |= await _idle(seconds)
        if "skype" in names:
            found |= await _changing(daemon, addresses["plain"], size, seconds)
        found |= await _watched(daemon, settings)  # last: it makes every account decide anew, with another policy
        stopped = time.perf_counter()
    found["stop"] = time.perf_counter() - stopped
    stats = await asked(addresses["plain"], "/-/stats")
    return {**found, "left": stats["applications"] + stats["sessions"]}


async def _idle(seconds: float) -> dict[str, float]:
    """Lag and CPU while nobody changes; feeds sweep, sessions are renewed."""
    cpu = time.process_time()
    found = await lags(seconds)
    return {
        "lag_p99": quantile(found, 0.99),
        "lag_max": max(found),
        "idle_cpu": (time.process_time() - cpu) / seconds,
    }


async def _watched(daemon: Daemon, settings: Config) -> dict[str, float]:
    """Seconds a scrape stops the loop, and CPU seconds of a reload that changes everybody's policy, and of one none."""
    report = Report(daemon)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(report.keep_counting)
        await anyio.sleep(0.5)
        start = time.perf_counter()
        report.exposition()
        scrape = time.perf_counter() - start
        tasks.cancel_scope.cancel()
    cpu = time.process_time()
    await daemon.reload(settings)
    same = time.process_time() - cpu
    policy = settings.policy.model_copy(update={"settle": 2.5})
    accounts = tuple(replace(account, policy=policy) for account in settings.accounts)
    cpu = time.process_time()
    await daemon.reload(replace(settings, accounts=accounts))
    return {"scrape": scrape, "reload_same": same, "reload_policy": time.process_time() - cpu}


async def _changing(daemon: Daemon, base: str, size: int, seconds: float) -> dict[str, float]:
    """Seconds from an event to its acceptance by the other services, while some change; CPU and commits for it."""
    assert isinstance(daemon.store, SqliteStore)
    await anyio.sleep(SETTLED)
    await asked(base, "/-/changes", {"changes": max(LEAST, size * CHANGING)})
    await anyio.sleep(1)
    commits, cpu, start = daemon.store.commits, time.process_time(), time.perf_counter()
    found = await lags(seconds)
    took = time.perf_counter() - start
    stats = await asked(base, "/-/stats")
    cost = time.process_time() - cpu
    await asked(base, "/-/changes", {"changes": 0})
    return {
        "change_p50": quantile(stats["times"], 0.5),
        "change_p99": quantile(stats["times"], 0.99),
        "changes": len(stats["times"]),
        "changing_cpu": cost / took,
        "changing_lag_p99": quantile(found, 0.99),
        "changing_lag_max": max(found),
        "commits": (daemon.store.commits - commits) / took,
    }

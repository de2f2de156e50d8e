"""A daemon over the stub, in this process: its configuration, its start, and looks at it from outside.

The one rule: the daemon is the real one, over real sockets; only rates are raised, for software is measured here and
not a service's limits.
"""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx

from presence_syncd import collector, logs
from presence_syncd.config import AccountSettings, Config, Policy
from presence_syncd.connectors import REGISTRY
from presence_syncd.daemon import Daemon
from presence_syncd.engine.account import Account
from presence_syncd.engine.place import Placed
from presence_syncd.process import tune
from presence_syncd.store.sqlite import SqliteStore
from tests.benchmarks.crowd import FIRST_ID, guid, sip
from tests.benchmarks.stub import Options, as_argument

NO_LIMIT = 1e6
"""Requests per second where no limit shall be seen."""
PATIENCE = 1800.0
"""Most seconds until everybody is there: a start that takes long is a figure, and no reason to have none."""
SECRET = {"env": "BENCH_PASSWORD"}
DOORS = ("skype", "blackberry")
"""Services that show one and the same presence, the one that writes it first."""
Rates = Mapping[str, float | None]
"""Requests per second by service; None: what the daemon takes by itself. A service that is not in it has no limit."""
LINKS: dict[str, Callable[[int], dict[str, Any]]] = {
    "teams": lambda number: {"user": guid(number)},
    "symphony": lambda number: {"user_id": FIRST_ID + number},
    "skype": lambda number: {"sip": sip(number), "password": SECRET},
    "blackberry": lambda number: {"contact": sip(number), "token": SECRET},
}


@contextmanager
def stubbed(options: Options) -> Iterator[dict[str, str]]:
    """Run the stub in another process; gives its addresses."""
    command = [sys.executable, "-m", "tests.benchmarks.stub", as_argument(options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(60)


def services(
    base: str, connect: str, rates: Rates, graph: dict[str, Any], ca: Path | None
) -> dict[str, dict[str, Any]]:
    """The tables of the services, BlackBerry behind an address of its own; `ca`: trusted by all of them."""
    tables: dict[str, dict[str, Any]] = {
        "teams": {
            "type": "graph",
            "tenant": "bench.example",
            "client_id": guid(0),
            "client_secret": SECRET,
            "login_url": base,
            "graph_url": base,
            **graph,
        },
        "symphony": {"type": "symphony", "pod": base, "bot": "bench", "private_key": {"env": "BENCH_KEY"}},
        "skype": {"type": "ucwa", "discovery": f"{base}/skype"},
        "blackberry": {"type": "bems", "transport": "long-poll", "url": f"{connect}/connect", "api": "2.2"},
    }
    return {name: {"rate": rates.get(name, NO_LIMIT), "ca_file": ca, **table} for name, table in tables.items()}


def config(
    base: str,
    size: int,
    names: tuple[str, ...],
    *,
    rates: Rates | None = None,
    graph: dict[str, Any] | None = None,
    ca: Path | None = None,
    policy: Policy | None = None,
    connect: str | None = None,
) -> Config:
    """The configuration of a crowd with links to the services named."""
    every = services(base, connect or base, rates or {}, graph or {}, ca)
    tables = {name: table for name, table in every.items() if name in names}
    settings = {name: REGISTRY[table["type"]].settings.model_validate(table) for name, table in tables.items()}
    kinds = {name: REGISTRY[table["type"]].link_settings for name, table in tables.items()}
    policy = policy or Policy(writer=tuple(name for name in DOORS if name in names))
    accounts = tuple(
        AccountSettings(f"u{n}", policy, {name: kinds[name].model_validate(LINKS[name](n)) for name in tables})
        for n in range(size)
    )
    return Config(services=settings, policy=policy, accounts=accounts)


class _Nowhere(io.TextIOBase):
    """Takes log lines, which are made as they would be."""

    def write(self, text: str, /) -> int:
        return len(text)


@asynccontextmanager
async def running(settings: Config, folder: Path) -> AsyncIterator[Daemon]:
    """A daemon that runs, with a real store, and stops cleanly in the end."""
    logs.configure("info", "json", _Nowhere())
    tune()
    daemon = Daemon(settings, store=SqliteStore(folder / "state.db"))
    async with anyio.create_task_group() as tasks:
        started = anyio.Event()
        tasks.start_soon(daemon.run, started.set)
        await started.wait()
        tasks.start_soon(collector.keep_collecting)
        yield daemon
        tasks.cancel_scope.cancel()


def links_to(daemon: Daemon, name: str) -> list[Placed]:
    """Everybody's link to one service."""
    return [link for account in daemon.tasks.values() for link in account.links if link.service == name]


async def until(true: Callable[[], bool], seconds: float = 300.0, every: float = 0.005) -> float:
    """Wait until something is true; returns the seconds it took. Raises TimeoutError."""
    start = time.perf_counter()
    with anyio.fail_after(seconds):
        while not true():  # noqa: ASYNC110  # nobody rings for it
            await anyio.sleep(every)
    return time.perf_counter() - start


async def live(daemon: Daemon) -> float:
    """Wait until everybody was read everywhere, and what is to be written is; returns the seconds."""

    waiting = list(daemon.tasks.values())

    def done() -> bool:
        while waiting and _is_live(waiting[-1]):  # who is live stays so: to look at all each time would be the cost
            waiting.pop()
        return not waiting

    return await until(done, PATIENCE, every=0.1) + await until(
        lambda: not any(x.writing for x in links_to(daemon, "teams"))
    )


def _is_live(account: Account) -> bool:
    entries = account.board.view.entries
    is_written = "teams" not in entries or entries["teams"].publication is not None
    return is_written and all(entry.live_at is not None for entry in entries.values())


def resident() -> int:
    """Bytes of memory this process holds."""
    gc.collect()
    return collector.resident()


async def asked(base: str, path: str, body: Any = None) -> Any:
    """Steer the stub, or ask it what happened."""
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # reading the system's CAs stops the loop
        reply = await (client.get(base + path) if body is None else client.post(base + path, json=body))
        return reply.json() if reply.content else None


async def all_listen(base: str, size: int, names: Collection[str]) -> None:
    """Wait until everybody's long polls are held by the stub, one by each service named that holds any."""
    with anyio.fail_after(PATIENCE):
        for door in (name for name in DOORS if name in names):
            while (await asked(base, "/-/stats"))["listening"][door] < size:  # noqa: ASYNC110  # another process
                await anyio.sleep(0.2)


async def lags(seconds: float, every: float = 0.005) -> list[float]:
    """Measure how late the loop wakes a sleeper, again and again."""
    found, end = list[float](), time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        await anyio.sleep(every)
        found.append(max(0.0, time.perf_counter() - now - every))
    return found


def quantile(values: list[float], part: float) -> float:
    """The value below which `part` of the values are; nan for none."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else float("nan")

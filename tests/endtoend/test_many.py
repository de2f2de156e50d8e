"""Thousands of accounts: a reload restarts nobody, and no session lapses because of it. Real time, no socket.

CI has ten thousand of them. How long it takes is printed, and measured by the benchmarks: on a busy machine, or under
coverage, it says nothing.
"""

from __future__ import annotations

import io
import json
import os
import random
import time
from collections.abc import Iterator

import anyio
import httpx
import pytest
import structlog

from presence_syncd import logs
from presence_syncd.config import AccountSettings, Config, Policy, vocabularies
from presence_syncd.connectors.fields import SecretRef, ServiceSettings
from presence_syncd.connectors.graph.emulator import CLIENT_ID, TENANT
from presence_syncd.connectors.graph.settings import GraphLinkSettings, GraphSettings
from presence_syncd.core.entry import Entry, Publication
from presence_syncd.core.presence import BUSY
from presence_syncd.core.values import replace
from presence_syncd.core.view import Pin, View
from presence_syncd.daemon import Daemon
from presence_syncd.differences import Difference
from presence_syncd.engine.transport import Carrier
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.store import Record
from tests.endtoend.office import until

MANY = 10_000 if os.environ.get("PRESENCE_SYNCD_LONG") else 1_000
SPREAD = 300.0
"""Seconds over which the renewals of everybody are spread."""
LEFT = 600.0
"""Seconds for which a session goes on after the time for its renewal."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logs.configure("error", "json", io.StringIO())
    yield
    structlog.reset_defaults()


@pytest.fixture
def anyio_backend() -> str:
    """What production runs on."""
    return "asyncio"


def guid(index: int) -> str:
    return f"00000000-0000-0000-0000-{index:012d}"


def answer(told: object) -> httpx.Response:
    """An answer whose body is still to come, as from a network."""
    return httpx.Response(200, stream=httpx.ByteStream(json.dumps(told).encode()))


class Trivial(httpx.AsyncBaseTransport):
    """A Teams where everybody is busy, and every write is taken."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if request.url.path.endswith("/token"):
            return answer({"token_type": "Bearer", "access_token": "t", "expires_in": 3599})
        if request.url.path.endswith("/getPresencesByUserId"):
            shown = {"availability": "Busy", "activity": "Busy", "sequenceNumber": "00000000000000000001"}
            return answer({"value": [{"id": user, **shown} for user in json.loads(body)["ids"]]})
        if request.url.path.endswith("/$batch"):
            parts = json.loads(body)["requests"]
            return answer({"responses": [{"id": p["id"], "status": 200} for p in parts]})
        return answer({})


def carriers(_settings: ServiceSettings) -> Carrier:
    return lambda _limits: Trivial()


def configuration(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("CANARY_SECRET", "canary")
    teams = GraphSettings(
        type="graph",
        tenant=TENANT,
        client_id=CLIENT_ID,
        client_secret=SecretRef(env="CANARY_SECRET"),
        preferred=True,
        rate=2000.0,
        clear_on_stop=False,  # thousands of farewells are not what is measured here
    )
    accounts = (
        AccountSettings(f"a{index}", Policy(), {"teams": GraphLinkSettings(user=guid(index))}) for index in range(MANY)
    )
    return Config(services={"teams": teams}, accounts=tuple(accounts))


def leases(config: Config, now: float, rng: random.Random) -> Iterator[tuple[str, Record]]:
    """What was kept of everybody: pinned to busy, written, and to be renewed at some time soon."""
    word = vocabularies(config)["teams"].word_for(BUSY)
    assert word is not None
    for account in config.accounts:
        due = now + 5 + rng.uniform(0, SPREAD)
        written = Publication(word, BUSY, now - 99, now - 50, accepted_at=now - 99, confirmed_at=now - 90)
        entry = Entry(
            shown=BUSY, mine=True, publication=replace(written, refresh_at=due, expires_at=due + LEFT), raw="Busy/Busy"
        )
        yield account.name, Record(View({"teams": entry}, pin=Pin(BUSY, now + 9999)))


async def test_a_reload_of_many_accounts_restarts_nobody_and_nothing_lapses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = configuration(monkeypatch)
    store = MemoryStore()
    store.records = dict(leases(config, time.time(), random.Random(3)))
    daemon = Daemon(config, store=store, carriers=carriers, rng=random.Random(4))
    async with anyio.create_task_group() as tasks:
        before = time.process_time()
        tasks.start_soon(daemon.run)
        await until(lambda: all_read(daemon), 120)
        started = time.process_time() - before
        await until(lambda: renewed(daemon) > 0, 60)
        gaps: list[float] = []
        tasks.start_soon(watch_gaps, gaps)
        kept = dict(daemon.tasks)
        await anyio.sleep(1)
        earlier = renewed(daemon)
        first, second, *rest = config.accounts
        after = replace(
            config, accounts=(replace(second, links={"teams": GraphLinkSettings(user=guid(MANY + 1))}), *rest)
        )
        calm = max(gaps, default=0.0)
        done, seconds = await reload(daemon, after)
        stopped = max(gaps)
        _, same = await reload(daemon, after)
        policy = replace(after, accounts=tuple(replace(a, policy=Policy(settle=1.0)) for a in after.accounts))
        _, everybody = await reload(daemon, policy)
        await until(lambda: renewed(daemon) > earlier, 60)
        print(f"{MANY} accounts: reload {seconds:.3f} s, of the same {same:.3f} s, of another policy {everybody:.3f} s")
        print(f"a start took {started:.3f} s; {renewed(daemon)} renewed, latest {lateness(daemon):.2f} s late")
        print(f"the loop stopped at most {stopped:.3f} s ({calm:.3f} s before)")
        assert (done.changed, done.removed) == ((second.name,), (first.name,))
        assert not daemon.metrics.registry.get_sample_value(
            "presence_syncd_lapsed_sessions_total", {"service": "teams"}
        )
        assert lateness(daemon) < LEFT
        untouched = [name for name in kept if name not in (first.name, second.name)]
        assert all(daemon.tasks[name] is kept[name] for name in untouched)
        assert all(daemon.tasks[name].board.rules.settle == 1.0 for name in untouched)
        assert not value(daemon, "publish_total", reason="change", outcome="accepted")
        tasks.cancel_scope.cancel()


async def reload(daemon: Daemon, config: Config) -> tuple[Difference, float]:
    """Take a configuration; also the seconds this process worked meanwhile."""
    wall, before = time.perf_counter(), time.process_time()
    done = await daemon.reload(config)
    seconds = time.process_time() - before
    print(f"a reload took {time.perf_counter() - wall:.3f} s, {seconds:.3f} s of them ours")
    return done, seconds


def value(daemon: Daemon, name: str, **labels: str) -> float | None:
    return daemon.metrics.registry.get_sample_value(f"presence_syncd_{name}", {"service": "teams", **labels})


def renewed(daemon: Daemon) -> float:
    """How many sessions were renewed so far."""
    return value(daemon, "refresh_slack_seconds_count") or 0.0


def all_read(daemon: Daemon) -> bool:
    entries = (account.board.view.entries["teams"] for account in daemon.tasks.values())
    return len(daemon.tasks) == MANY and all(entry.live_at is not None for entry in entries)


async def watch_gaps(gaps: list[float]) -> None:
    """Note how long the loop lets nobody else run."""
    while True:
        before = time.perf_counter()
        await anyio.sleep(0.005)
        gaps.append(time.perf_counter() - before - 0.005)


def lateness(daemon: Daemon) -> float:
    """How many seconds ago the longest overdue renewal should have been, among those that are not done."""
    now = daemon.clock.now()
    written = (account.board.view.entries["teams"].publication for account in daemon.tasks.values())
    return max((now - p.refresh_at for p in written if p is not None and p.refresh_at is not None), default=0.0)

"""When there are more people than a login may serve: whom it hits, and that it hits nobody while there is room."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
import tomli_w

from presence_syncd import config, logs
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.graph.emulator import GraphEmulator
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.daemon import Daemon
from presence_syncd.report import Report
from tests.endtoend.office import EPOCH, SECRET, document, key_pair
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time
from tests.virtual.network import Network

# trio tells of generators inside httpx that nobody closes when a request is cancelled; asyncio closes them silently
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")

CROWD, VIPS = 400, 40
REFRESH = 232
"""Seconds after which a session is renewed: of three renewals two count as due from the start."""
PERIOD = REFRESH * 1.05
"""Seconds between two renewals of one session, in the middle."""
WRITES = CROWD / PERIOD
"""Requests per second that renewals need."""
SWEEPS = 1 / 60
"""Requests per second that the readings of Teams need."""


@dataclass(eq=False)
class Crowd:
    """Four hundred people who are there all day; every tenth is a VIP."""

    folder: Path
    teams: GraphEmulator
    symphony: SymphonyEmulator
    network: Network
    rate: float
    daemon: Daemon = field(init=False)
    vips: frozenset[int] = frozenset(range(0, CROWD, CROWD // VIPS))

    def load(self) -> config.Config:
        """The configuration: Teams is swept once a minute, and granted `rate` requests per second."""
        made: dict[str, Any] = document(self.folder)
        made["services"]["teams"] |= {"sweep": "60s", "rate": self.rate, "refresh": f"{REFRESH}s", "preferred": False}
        made["services"]["symphony"] |= {"sweep": "60s"}
        made["policy"]["evidence"] = "1d"
        made["account"] = [self._account(index) for index in range(CROWD)]
        path = self.folder / "p.toml"
        path.write_text(tomli_w.dumps(made))
        return config.load(path)

    def _account(self, index: int) -> dict[str, Any]:
        links = {"teams": {"user": guid(index)}, "symphony": {"user_id": 1000 + index}}
        return {"name": f"u{index}", "vip": index in self.vips, "links": links}

    def lapsed(self) -> dict[int, int]:
        """How many sessions ended in Teams while nobody renewed them, by person."""
        now = self.teams.clock.now()
        return {index: self.teams.calls.person(guid(index)).lapsed_by(now) for index in range(CROWD)}

    def lapsed_since(self, before: dict[int, int]) -> tuple[int, int]:
        """How many of the VIPs and of the others had a session end since then."""
        hit = {index for index, count in self.lapsed().items() if count > before[index]}
        return len(hit & self.vips), len(hit - self.vips)


def guid(index: int) -> str:
    return f"00000000-0000-0000-0000-{index:012d}"


@asynccontextmanager
async def crowd(folder: Path, rate: float) -> AsyncIterator[Crowd]:
    """A daemon with everybody shown available in Teams because they are in Symphony."""
    clock = EmulatedClock(epoch=EPOCH)
    teams, symphony = GraphEmulator(clock, client_secret=SECRET), SymphonyEmulator(clock)
    symphony.add_bot("presence-bot", key_pair()[1])
    for index in range(CROWD):
        teams.add_user(guid(index))
        symphony.add_user(1000 + index, f"u{index}")
    async with anyio.create_task_group() as tasks:
        hosts = {"teams.test": teams.app, "symphony.test": symphony.app}
        network = Network(tasks, hosts, random.Random(1))
        here = Crowd(folder, teams, symphony, network, rate)
        logs.configure("error", "json")
        here.daemon = Daemon(
            here.load(),
            carriers=lambda _: network.transport,
            rng=random.Random(1),
            wall=lambda: EPOCH + anyio.current_time(),
        )
        started = anyio.Event()
        tasks.start_soon(here.daemon.run, started.set)
        await started.wait()
        try:
            yield here
        finally:
            structlog.reset_defaults()
        tasks.cancel_scope.cancel()


async def test_with_half_of_what_is_needed_no_vip_lapses(tmp_path: Path) -> None:
    async with crowd(tmp_path, WRITES / 2) as here:
        await anyio.sleep(750)  # until everybody was written once
        before = here.lapsed()
        await anyio.sleep(900)
        vips, others = here.lapsed_since(before)
        assert vips == 0
        assert others > (CROWD - VIPS) / 2
        (told,) = (budget for budget in Report(here.daemon).budgets() if budget["service"] == "teams")
        assert told["ratio"] == pytest.approx(2 + SWEEPS / here.rate, rel=0.01)
        assert told["slack_seen"] < 0


async def test_with_room_for_everybody_nobody_lapses_and_the_forecast_is_right(tmp_path: Path) -> None:
    async with crowd(tmp_path, (WRITES + SWEEPS) * 1.1) as here:
        report = Report(here.daemon)
        plan = report.budgets()[0]
        assert plan["needed"] == pytest.approx(WRITES + SWEEPS, rel=0.001)
        assert plan["further"] == pytest.approx(CROWD * 0.1, abs=1)
        here.teams.throttle.limit = math.ceil(30 * here.rate + 20)  # an envelope may go at once
        await anyio.sleep(600)
        wrote, began = len(here.teams.writes), anyio.current_time()
        await anyio.sleep(900)
        assert (len(here.teams.writes) - wrote) / (anyio.current_time() - began) == pytest.approx(WRITES, rel=0.05)
        assert here.lapsed_since(dict.fromkeys(range(CROWD), 0)) == (0, 0)
        throttled = here.daemon.metrics.throttled.labels("teams")
        assert throttled._value.get() == 0
        seen = report.budgets()[0]["slack_seen"]
        assert 0 < seen <= plan["slack"] + 1

"""A feed that is connected, and says nothing more: it is probed, found dead, and built anew, in virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import anyio
import pytest
import tomli_w

from presence_syncd import config
from presence_syncd.connectors.bems.emulator import BemsEmulator
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.daemon import Daemon
from presence_syncd.report import FEED_LATE, SILENCE, Report
from tests.endtoend.office import EPOCH, PEOPLE, SECRET, Office, guid, number, office, private, until
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time
from tests.virtual.network import Host, Network, Wire

# trio tells of generators inside httpx that nobody closes when a request is cancelled; asyncio closes them silently
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")

DOMAIN = "example.com"
ANN = f"sip:ann@{DOMAIN}"
KINDS = ("ucwa", "long-poll", "poll")
CALM = {"ucwa": "Online", "long-poll": "available", "poll": "available"}
SAID = {"ucwa": "Busy", "long-poll": "busy", "poll": "busy"}


def _service(kind: str, folder: Path) -> tuple[Any, tuple[str, ...], dict[str, Any], dict[str, Any]]:
    """The emulator of a service that pushes, its hosts, its table, and Ann's link."""
    clock = EmulatedClock(epoch=EPOCH)
    if kind == "ucwa":
        skype = UcwaEmulator(DOMAIN, clock=clock)
        skype.add_user(ANN, SECRET, "pool-a")
        hosts = tuple(f"{host}.{DOMAIN}" for host in ("lyncdiscoverinternal", "lyncdiscover", "pool-a", "pool-b"))
        return skype, hosts, {"type": "ucwa"}, {"sip": ANN, "password": {"file": str(private(folder / "p", SECRET))}}
    bems = BemsEmulator(clock, look=1.0)
    token = {"file": str(private(folder / "p", bems.add_user(ANN)))}
    table = {"type": "bems", "url": f"https://bems.{DOMAIN}/connect/{kind}", "transport": kind}
    return bems, (f"bems.{DOMAIN}",), table, {"contact": ANN, "token": token}


@asynccontextmanager
async def _following(kind: str, folder: Path) -> AsyncIterator[tuple[Any, Network, Report]]:
    """A daemon that follows Ann in a service that pushes."""
    emulator, hosts, table, link = _service(kind, folder)
    document = {
        "daemon": {"state": str(folder / "s.db"), "control": str(folder / "c.sock"), "http": "127.0.0.1:0"},
        "services": {"pushing": table},
        "account": [{"name": "ann", "links": {"pushing": link}}],
    }
    path = folder / "p.toml"
    path.write_text(tomli_w.dumps(document))
    async with anyio.create_task_group() as tasks:
        network = Network(tasks, dict.fromkeys(hosts, emulator.app), random.Random(1))
        daemon = Daemon(
            config.load(path),
            carriers=lambda _: network.transport,
            rng=random.Random(1),
            wall=lambda: EPOCH + anyio.current_time(),
        )
        report = Report(daemon)
        tasks.start_soon(daemon.run)
        tasks.start_soon(report.keep_counting)
        await until(lambda: "ann" in daemon.tasks and daemon.tasks["ann"].links[0].state in ("listen", "following"))
        for word in (SAID[kind], CALM[kind]):  # Connect tells changes only
            emulator.client(ANN, word)
            await anyio.sleep(20)
        yield emulator, network, report
        tasks.cancel_scope.cancel()


def _swallow(network: Network) -> None:
    """Make every connection there is a black hole; new ones are none."""
    hole = Host(None)
    hole.silent = True
    for host in network.hosts.values():
        for wire in chain.from_iterable(host.wires):
            assert isinstance(wire, Wire)
            wire.host = hole


def _says(daemon: Daemon) -> str:
    composed = daemon.tasks["ann"].composed()
    return str(composed.status) if composed else ""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_push_feed_in_a_black_hole_is_built_anew_before_it_counts_as_late(tmp_path: Path, kind: str) -> None:
    async with _following(kind, tmp_path) as (emulator, network, report):
        await anyio.sleep(400)
        assert report.readiness()["ready"] is True
        assert _says(report.daemon) == "available"
        _swallow(network)
        emulator.client(ANN, SAID[kind])
        took = await until(lambda: _says(report.daemon) == "busy", SILENCE + FEED_LATE, look=1.0)
        print(f"{kind}: heard again after {took:.0f} s")
        await anyio.sleep(400)
        assert report.readiness()["ready"] is True


@pytest.mark.parametrize("kind", KINDS)
async def test_a_push_feed_of_a_service_that_is_silent_altogether_is_late_until_it_speaks(
    tmp_path: Path, kind: str
) -> None:
    async with _following(kind, tmp_path) as (emulator, network, report):
        await anyio.sleep(60)
        for host in network.hosts.values():
            host.silent = True
        await until(lambda: not report.readiness()["ready"], SILENCE + FEED_LATE + 60, look=1.0)
        emulator.client(ANN, SAID[kind])
        for host in network.hosts.values():
            host.silent = False
        await until(lambda: _says(report.daemon) == "busy", 180, look=1.0)
        await until(lambda: bool(report.readiness()["ready"]), 180, look=1.0)


async def test_a_sweep_in_a_black_hole_is_sent_anew(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running():
        await anyio.sleep(60)
        _swallow(here.network)
        for person in PEOPLE:
            here.teams.choose(guid(person), "DoNotDisturb")
        await until(lambda: _all_busy(here), 90)


def _all_busy(here: Office) -> bool:
    return {here.symphony.shown(number(person)) for person in PEOPLE} == {"BUSY"}

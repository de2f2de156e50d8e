"""A whole daemon over Skype for Business: outages, kills, and a crowd that holds its long polls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from presence_syncd.connectors.emulation import Answer
from presence_syncd.report import Report
from tests.connectors.ucwa.deployment import Deployment, deployment, sip
from tests.connectors.ucwa.network import Impatient, Seen
from tests.endtoend.office import until
from tests.virtual.backends import options, run
from tests.virtual.loop import inline_threads

CROWD = 50
"""People who hold their polls at once; a thousand of them, over real sockets, are a benchmark (`polls`)."""

Outage = Callable[[Deployment, Callable[[], Awaitable[None]]], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> Iterator[tuple[str, dict[str, Any]]]:
    """Virtual time."""
    with inline_threads():
        yield "asyncio", options("asyncio")


async def _kill_and_restart(here: Deployment, meanwhile: Callable[[], Awaitable[None]]) -> None:
    here.out_of_reach(True)
    here.emulator.restart()
    await meanwhile()
    here.out_of_reach(False)


async def _move(here: Deployment, meanwhile: Callable[[], Awaitable[None]]) -> None:
    here.emulator.move(sip("u0"), "pool-b")
    here.network.hosts["pool-a.contoso.com"].refuses = True
    here.network.hosts["pool-b.contoso.com"].refuses = True
    await meanwhile()
    here.network.hosts["pool-b.contoso.com"].refuses = False


async def _expiry(here: Deployment, meanwhile: Callable[[], Awaitable[None]]) -> None:
    here.emulator.expire_tokens()
    here.emulator.faults.add(Answer(503, path="oauthtoken", times=0))
    await meanwhile()
    here.emulator.faults.clear()


async def _impatient_proxy(here: Deployment, meanwhile: Callable[[], Awaitable[None]]) -> None:
    proxy = Impatient(here.recorder, 60.0)
    here.network.hosts["pool-a.contoso.com"].app = proxy
    here.network.hosts["pool-a.contoso.com"].cut()
    await anyio.sleep(100)
    await meanwhile()
    assert proxy.ended


@pytest.mark.parametrize("outage", [_kill_and_restart, _move, _expiry, _impatient_proxy])
@pytest.mark.parametrize("side", ["skype", "symphony"])
async def test_the_last_state_set_during_an_outage_is_the_state_after_it(
    outage: Outage, side: str, tmp_path: Path
) -> None:
    async def meanwhile() -> None:
        for word, category in (("Busy", "BUSY"), ("Away", "AWAY"), ("BeRightBack", "BE_RIGHT_BACK")):
            await anyio.sleep(20)
            if side == "skype":
                here.say(word)
            else:
                here.pick(category)
        await anyio.sleep(20)

    async with deployment(tmp_path) as here, here.running() as daemon:
        await here.both("Online", "AVAILABLE")
        await anyio.sleep(30)
        await outage(here, meanwhile)
        await here.both("BeRightBack", "BE_RIGHT_BACK", 120)
        await anyio.sleep(120)
        assert here.shows() == ("BeRightBack", "BE_RIGHT_BACK")
        assert here.link(daemon).state == "listen"
        assert len(here.emulator.applications) == 1
        here.say("Away")
        await here.both("Away", "AWAY", 30)


@pytest.mark.parametrize("minutes", [2, 20])
@pytest.mark.parametrize("sits", [True, False])
@pytest.mark.parametrize("said", ["", "AVAILABLE", "BE_RIGHT_BACK"])
async def test_after_a_kill_what_we_set_is_not_taken_for_the_persons_new_word(
    minutes: int, sits: bool, said: str, tmp_path: Path
) -> None:
    ended = minutes > 5 and not sits  # nobody is left in Skype, and nobody said anything: nothing is claimed there
    words = {"": "Offline" if ended else "Busy", "AVAILABLE": "Online", "BE_RIGHT_BACK": "BeRightBack"}
    async with deployment(tmp_path) as here:
        async with here.running(killed=True):
            await here.both("Online", "AVAILABLE")
            await anyio.sleep(30)
            here.pick("BUSY")
            await here.both("Busy", "BUSY")
            if not sits:
                here.say(None)
            await anyio.sleep(30)
        await anyio.sleep(60 * minutes)
        left = here.symphony.shown(1000)
        if said:
            here.pick(said)
        written = len(here.symphony.writes)
        async with here.running():
            await anyio.sleep(120)
            assert here.shows() == (words[said], said or left)
            assert len(here.symphony.writes) == written
            assert len(here.emulator.applications) == 1


async def test_every_state_of_the_machine_is_shown_by_status(tmp_path: Path) -> None:
    seen: list[str] = []

    async def look() -> None:
        while True:
            told = Report(daemon).account("u0") or {}
            skype = next(link for link in told["explanation"]["links"] if link["service"] == "skype")
            state = skype["state"].partition(" ")[0]
            seen.extend([state] if seen[-1:] != [state] else [])
            await anyio.sleep(0.1)

    async with deployment(tmp_path) as here, anyio.create_task_group() as tasks:
        for path in ("/$", "oauth/user$", "oauthtoken$", "applications$", "makeMeAvailable$", "batch$"):
            here.emulator.faults.add(Answer(hang=True, path=path))
        async with here.running() as daemon:
            tasks.start_soon(look)
            await until(lambda: here.link(daemon).state == "listen", 300)
            here.emulator.faults.add(Answer(503, path="events$", times=60))
            await until(lambda: "stale" in seen, 900)
            here.emulator.faults.clear()
            await until(lambda: here.link(daemon).state == "listen", 300)
            here.emulator.end_applications("TooManyApplications")
            await until(lambda: seen[-1] == "parked", 300)
        tasks.cancel_scope.cancel()
    walked = iter(seen)
    for state in ("discover", "user", "auth", "create", "available", "sync", "listen", "recover", "stale", "parked"):
        assert state in walked


def test_a_crowd_holds_its_polls_without_one_late_keep_alive_and_signs_out_within_ten_seconds(tmp_path: Path) -> None:
    """The people have no client of their own open, so that nothing but our reports keeps them from looking away."""

    async def hold() -> None:
        async with deployment(tmp_path, CROWD, evidence="8h") as here:
            here.document["services"]["symphony"]["sweep"] = "60s"
            async with here.running():
                await until(lambda: here.available() == CROWD, 120, 1.0)
                await anyio.sleep(10)
                for n in range(CROWD):
                    here.say(None, f"u{n}")
                held = set(here.emulator.applications)
                for _ in range(8):
                    await anyio.sleep(60)
                    assert {person.told for person in here.emulator.people.values()} == {"Online"}
                assert set(here.emulator.applications) == held
                reports = [seen for seen in here.recorder.seen if seen.path.endswith("reportMyActivity")]
                assert longest_gap(reports) <= 240
                stop = anyio.current_time()
            assert anyio.current_time() - stop <= 10
            assert here.emulator.applications == {}
            assert {person.told for person in here.emulator.people.values()} == {"Offline"}

    run(hold)


def longest_gap(seen: list[Seen]) -> float:
    """The longest time between two requests to the same place."""
    times: dict[str, list[float]] = {}
    for one in seen:
        times.setdefault(one.path, []).append(one.at)
    return max(later - at for each in times.values() for at, later in pairwise(each))

"""Connections that long polls to Skype and BlackBerry hold: who is not touched keeps theirs, and none leaks."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from presence_syncd import config, tenant
from presence_syncd.boxes import PEOPLE
from presence_syncd.config import Config
from presence_syncd.core.values import replace
from presence_syncd.daemon import Daemon
from presence_syncd.engine import driver
from presence_syncd.engine.place import Placed
from presence_syncd.tenant import Tenant
from tests.endtoend.office import until


@pytest.fixture
def anyio_backend() -> str:
    """Real sockets are served by uvicorn, which is asyncio's."""
    return "asyncio"


@asynccontextmanager
async def ring(folder: Path) -> AsyncIterator[tuple[Tenant, Config, Daemon]]:
    """The tenant, its configuration, and a daemon that has read everybody everywhere."""
    made = tenant.make(folder, quick=True)
    for person in PEOPLE:
        made.boxes["teams"].act(person, "enter")
        made.boxes["skype"].act(person, "Online")
    async with anyio.create_task_group() as services:
        made.start(services)
        read = config.load(made.configuration({"settle": "0s"}, "127.0.0.1:0"))
        daemon = Daemon(read, rng=random.Random(1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await until(lambda: all(is_settled(daemon, person) for person in PEOPLE))
            yield made, read, daemon
            tasks.cancel_scope.cancel()
        services.cancel_scope.cancel()


def is_settled(daemon: Daemon, person: str) -> bool:
    """Whether all was read, and Skype is being listened to."""
    task = daemon.tasks.get(person)
    return (
        task is not None
        and all(entry.live_at is not None for entry in task.board.view.entries.values())
        and link(daemon, person, "skype").state in ("listen", "events")
        and link(daemon, person, "blackberry").state == "following"
    )


def link(daemon: Daemon, person: str, service: str) -> Placed:
    return next(each for each in daemon.tasks[person].links if each.service == service)


def ports(daemon: Daemon) -> set[int]:
    """The local ports of the connections that long polls to Skype are held on."""
    lines: list[Any] = [link(daemon, person, "skype").line for person in daemon.tasks]
    transports = [line._transport for line in lines if line is not None and line._answered is not None]
    return {transport.get_extra_info("sockname")[1] for transport in transports}


async def test_untouched_accounts_keep_their_long_polls_and_removed_ones_close_theirs(tmp_path: Path) -> None:
    async with ring(tmp_path) as (made, read, daemon):
        await until(lambda: len(ports(daemon)) == len(PEOPLE))
        before = ports(daemon)
        done = await daemon.reload(replace(read, accounts=tuple(a for a in read.accounts if a.name != "bob")))
        assert done.removed == ("bob",)
        await anyio.sleep(0.5)
        kept = ports(daemon)
        assert kept < before
        assert len(kept) == len(PEOPLE) - 1
        made.boxes["skype"].act("alice", "Busy")
        await until(lambda: made.boxes["symphony"].shows("alice") == "BUSY")
        await until(lambda: len(ports(daemon)) == len(PEOPLE) - 1)
        assert ports(daemon) == kept, "a poll that was answered goes on over its connection"


async def test_accounts_that_die_again_and_again_leak_no_connection(tmp_path: Path) -> None:
    async with ring(tmp_path) as (made, _, daemon):
        await until(lambda: len(ports(daemon)) == len(PEOPLE))
        before = len(os.listdir("/proc/self/fd"))
        for deaths in range(1, 4):
            daemon.kill("alice")
            await until(lambda deaths=deaths: daemon.supervisor.children["alice"].restarts == deaths)  # type: ignore[misc]
            await until(lambda: len(ports(daemon)) == len(PEOPLE) and is_settled(daemon, "alice"))
        await anyio.sleep(1)
        after = len(os.listdir("/proc/self/fd"))
        print(f"{before} files open before, {after} after three deaths")
        assert after <= before + 6  # pools may hold some more; each death opens and closes about ten
        made.boxes["symphony"].act("alice", "BUSY")
        await until(lambda: made.boxes["skype"].shows("alice") == "Busy")


async def test_who_follows_over_a_websocket_lets_the_next_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "BEGINNERS", 1)
    async with ring(tmp_path) as (_, _, daemon):
        await until(lambda: all(each.beginners._free == 1 for each in daemon.drivers.values()))

"""A whole daemon over the emulated deployment and a Symphony pod, in virtual time, with as many people as a test wants.

The one rule: what is shown is read from the servers; the daemon is asked only for its own view.
"""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import structlog
import tomli_w
from anyio.abc import TaskGroup

from presence_syncd import config, logs
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.daemon import Daemon
from presence_syncd.engine.place import Placed
from presence_syncd.store.memory import MemoryStore
from tests.connectors.ucwa.bench import NAMES, PASSWORD
from tests.connectors.ucwa.network import Recorder
from tests.endtoend.office import EPOCH, key_pair, private, until
from tests.virtual.network import Network

FIRST = 1000
"""The first person's number in the pod."""


@dataclass(eq=False)
class Deployment:
    """Both servers with everybody in them; `seen` has every request that reached Skype."""

    folder: Path
    tasks: TaskGroup
    network: Network
    emulator: UcwaEmulator
    symphony: SymphonyEmulator
    recorder: Recorder
    document: dict[str, Any]
    store: MemoryStore = field(default_factory=MemoryStore)

    def daemon(self) -> Daemon:
        """A daemon here, not running yet."""
        path = self.folder / "p.toml"
        path.write_text(tomli_w.dumps(self.document))
        return Daemon(
            config.load(path),
            store=self.store,
            carriers=lambda _: self.network.transport,
            rng=random.Random(1),
            wall=lambda: EPOCH + anyio.current_time(),
        )

    @asynccontextmanager
    async def running(self, *, killed: bool = False) -> AsyncIterator[Daemon]:
        """A daemon that runs and stops cleanly in the end, or is `killed`."""
        daemon = self.daemon()
        async with anyio.create_task_group() as tasks:
            started = anyio.Event()
            tasks.start_soon(daemon.run, started.set)
            await started.wait()
            yield daemon
            if killed:
                self._die()
            tasks.cancel_scope.cancel()
        for host in self.network.hosts.values():
            host.refuses = False

    def _die(self) -> None:
        """Leave behind what was kept until now, and let nothing more through."""
        left = MemoryStore()
        left.records = dict(self.store.records)
        self.store = left
        for host in self.network.hosts.values():
            host.refuses = True
            host.cut()

    def out_of_reach(self, out: bool) -> None:
        """Refuse connections to Skype and hang up those there are, or take them again."""
        for name in NAMES:
            host = self.network.hosts[f"{name}.contoso.com"]
            host.refuses = out
            if out:
                host.cut()

    def link(self, daemon: Daemon, person: str = "u0") -> Placed:
        """A person's Skype link."""
        return next(link for link in daemon.tasks[person].links if link.service == "skype")

    def available(self) -> int:
        """How many applications have left lurker mode."""
        return sum(application.available for application in self.emulator.applications.values())

    def shows(self, person: str = "u0") -> tuple[str, str]:
        """What a person shows in Skype and in Symphony."""
        return self.emulator.shown(sip(person)), self.symphony.shown(number(person))

    def say(self, word: str | None, person: str = "u0") -> None:
        """The person sets a state in their own Skype client."""
        self.emulator.client(sip(person), word)

    def pick(self, category: str, person: str = "u0") -> None:
        """The person picks a category in Symphony."""
        self.symphony.set(number(person), category)

    async def both(self, skype: str, category: str, seconds: float = 60.0) -> float:
        """Wait until both servers show this of the first person; returns the seconds it took."""
        return await until(lambda: self.shows() == (skype, category), seconds)


def sip(person: str) -> str:
    return f"sip:{person}@contoso.com"


def number(person: str) -> int:
    return FIRST + int(person[1:])


def document(folder: Path, people: int, **policy: Any) -> dict[str, Any]:
    """The configuration of everybody."""
    secret = {"file": str(private(folder / "password", PASSWORD))}
    symphony = {
        "type": "symphony",
        "pod": "https://symphony.test",
        "bot": "presence-bot",
        "private_key": {"file": str(private(folder / "key.pem", key_pair()[0]))},
        "sweep": "5s",
    }
    accounts = [
        {
            "name": f"u{n}",
            "links": {"skype": {"sip": sip(f"u{n}"), "password": secret}, "symphony": {"user_id": FIRST + n}},
        }
        for n in range(people)
    ]
    return {
        "daemon": {"state": str(folder / "state.db"), "control": str(folder / "c.sock"), "http": "127.0.0.1:0"},
        "policy": {"settle": "0s", "settle_fade": "5s", **policy},
        "services": {"skype": {"type": "ucwa"}, "symphony": symphony},
        "account": accounts,
    }


@asynccontextmanager
async def deployment(folder: Path, people: int = 1, **policy: Any) -> AsyncIterator[Deployment]:
    """Both servers; everybody's own Skype client says Online."""
    clock = EmulatedClock(epoch=EPOCH)
    emulator, symphony = UcwaEmulator(clock=clock), SymphonyEmulator(clock)
    symphony.add_bot("presence-bot", key_pair()[1])
    for n in range(people):
        emulator.add_user(sip(f"u{n}"), PASSWORD)
        emulator.client(sip(f"u{n}"), "Online")
        symphony.add_user(FIRST + n, f"u{n}")
    logs.configure("warning", "json", io.StringIO())
    recorder = Recorder(emulator.app)
    async with anyio.create_task_group() as tasks:
        hosts = dict.fromkeys((f"{name}.contoso.com" for name in NAMES), recorder)
        network = Network(tasks, {**hosts, "symphony.test": symphony.app}, random.Random(1))
        try:
            yield Deployment(folder, tasks, network, emulator, symphony, recorder, document(folder, people, **policy))
        finally:
            structlog.reset_defaults()
        tasks.cancel_scope.cancel()

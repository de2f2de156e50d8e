"""An office in virtual time: emulated Teams and Symphony on the in-memory network, and a daemon over both.

The one rule: what is shown is read from the emulators; the daemon is asked only for its own view.
"""

from __future__ import annotations

import copy
import io
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import structlog
import tomli_w
from anyio.abc import TaskGroup
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from presence_syncd import config, logs
from presence_syncd.config import Config
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.graph.emulator import CLIENT_ID, TENANT, GraphEmulator
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.daemon import Daemon
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.store import Store
from tests.virtual.network import Network

PEOPLE = ("alice", "bob", "carol")
EPOCH = 1_800_000_000.0
SECRET = "canary-client-secret-1"


@cache
def key_pair() -> tuple[bytes, str]:
    """The bot's private and public key; making one takes long."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, public.decode()


def private(path: Path, content: str | bytes) -> Path:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def guid(person: str) -> str:
    """A person's Teams id."""
    return f"00000000-0000-0000-0000-{PEOPLE.index(person) + 1:012d}"


def number(person: str) -> int:
    """A person's Symphony id."""
    return 1000 + PEOPLE.index(person)


@dataclass(eq=False)
class Office:
    """The two services with everybody in them, the configuration `document` that fits, and all that is logged."""

    folder: Path
    network: Network
    tasks: TaskGroup
    teams: GraphEmulator
    symphony: SymphonyEmulator
    document: dict[str, Any]
    store: Store = field(default_factory=MemoryStore)
    log: io.StringIO = field(default_factory=io.StringIO)

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self.folder / "p.toml"

    def load(self) -> Config:
        """The configuration as the document says now."""
        self.path.write_text(tomli_w.dumps(self.document))
        return config.load(self.path)

    def daemon(self, seed: int = 1) -> Daemon:
        """A daemon in this office, not running yet."""
        return Daemon(
            self.load(),
            store=self.store,
            carriers=lambda _: self.network.transport,
            rng=random.Random(seed),
            wall=lambda: EPOCH + anyio.current_time(),
        )

    @asynccontextmanager
    async def running(self, seed: int = 1) -> AsyncIterator[Daemon]:
        """A daemon that runs, and stops cleanly in the end."""
        daemon = self.daemon(seed)
        async with anyio.create_task_group() as tasks:
            started = anyio.Event()
            tasks.start_soon(daemon.run, started.set)
            await started.wait()
            yield daemon
            tasks.cancel_scope.cancel()

    @contextmanager
    def changed(self) -> Iterator[dict[str, Any]]:
        """A copy of the document to change; it replaces the old one."""
        document = copy.deepcopy(self.document)
        yield document
        self.document = document

    def shows(self, person: str) -> tuple[str, str]:
        """What a person shows in Teams and in Symphony."""
        return "/".join(self.teams.shown(guid(person))), self.symphony.shown(number(person))

    def say(self, person: str, category: str) -> None:
        """The person picks a category in Symphony."""
        self.symphony.set(number(person), category)

    def written(self) -> list[tuple[str, str]]:
        """Every write the services took: who, and what; renewals of a lease included."""
        teams = [(write.at, write.user, f"{write.action} {write.value}".strip()) for write in self.teams.writes]
        symphony = [(at, str(user), category) for at, user, category in self.symphony.writes]
        return [(user, what) for _, user, what in sorted([*teams, *symphony])]


def account(name: str) -> dict[str, Any]:
    """The table of one account."""
    return {"name": name, "links": {"teams": {"user": guid(name)}, "symphony": {"user_id": number(name)}}}


def document(folder: Path) -> dict[str, Any]:
    """The configuration of the office."""
    pem, _ = key_pair()
    teams = {
        "type": "graph",
        "tenant": TENANT,
        "client_id": CLIENT_ID,
        "client_secret": {"file": str(private(folder / "graph-secret", SECRET))},
        "login_url": "https://teams.test",
        "graph_url": "https://teams.test",
        "preferred": True,
        "sweep": "1s",
    }
    symphony = {
        "type": "symphony",
        "pod": "https://symphony.test",
        "bot": "presence-bot",
        "private_key": {"file": str(private(folder / "symphony-key.pem", pem))},
        "sweep": "1s",
    }
    return {
        "daemon": {"state": str(folder / "state.db"), "control": str(folder / "c.sock"), "http": "127.0.0.1:0"},
        "policy": {"settle": "0s", "settle_fade": "5s"},
        "services": {"teams": teams, "symphony": symphony},
        "account": [account(person) for person in PEOPLE],
    }


@asynccontextmanager
async def office(folder: Path, seed: int = 1, **policy: Any) -> AsyncIterator[Office]:
    """An office of three people, who have Teams and Symphony open and are available."""
    clock = EmulatedClock(epoch=EPOCH)
    teams, symphony = GraphEmulator(clock, client_secret=SECRET), SymphonyEmulator(clock)
    symphony.add_bot("presence-bot", key_pair()[1])
    for person in PEOPLE:
        teams.add_user(guid(person))
        teams.teams(guid(person), "Available", "Available")
        symphony.add_user(number(person), person)
    async with anyio.create_task_group() as tasks:
        hosts = {"teams.test": teams.app, "symphony.test": symphony.app}
        network = Network(tasks, hosts, random.Random(seed))
        made = document(folder)
        made["policy"].update(policy)
        here = Office(folder, network, tasks, teams, symphony, made)
        logs.configure("debug", "json", here.log)
        try:
            yield here
        finally:
            structlog.reset_defaults()
        tasks.cancel_scope.cancel()


async def until(holds: Callable[[], bool], seconds: float = 60.0, look: float = 0.05) -> float:
    """Wait until something holds; returns the seconds it took. Raises TimeoutError."""
    began = anyio.current_time()
    with anyio.fail_after(seconds):
        while not holds():  # noqa: ASYNC110  # the emulators ring no bell for us
            await anyio.sleep(look)
    return anyio.current_time() - began

"""A tenant in a box: the emulated services on loopback, and the configuration that fits them.

The one rule: the configuration is a file like anybody's, and is read like anybody's.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import tomli_w
from anyio.abc import TaskGroup

from presence_syncd.boxes import PEOPLE, BlackBerryBox, Box, GraphBox, SkypeBox, SymphonyBox
from presence_syncd.connectors.emulation import CONTROL, EmulatedClock
from presence_syncd.web.server import listen_tcp, serve

LOOK = 0.05
"""Seconds between two looks whether somebody changed the presence that Skype and BlackBerry share."""


@dataclass(slots=True)
class Tenant:
    """The boxes, and where they listen."""

    folder: Path
    boxes: dict[str, Box]
    clock: EmulatedClock
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def listen(self, host: str = "127.0.0.1", ports: dict[str, int] | None = None) -> None:
        """Take a port for every box; 0, or none given, is a free one. Raises OSError."""
        self.sockets = {name: listen_tcp(host, (ports or {}).get(name, 0)) for name in self.boxes}

    def start(self, tasks: TaskGroup) -> None:
        """Serve every box where it listens, or else on a free loopback port of its own. Raises OSError."""
        if not self.sockets:
            self.listen()
        for name, box in self.boxes.items():
            tasks.start_soon(serve, box.emulator.app, self.sockets[name])
        tasks.start_soon(self._look)

    async def _look(self) -> None:
        """Let what changed behind one door be told at the other."""
        doors = [box.backend for box in self.boxes.values() if isinstance(box, BlackBerryBox)]
        while doors:
            for door in doors:
                door.look()
            await anyio.sleep(LOOK)

    def url(self, name: str) -> str:
        """Where a box listens."""
        host, port = self.sockets[name].getsockname()[:2]
        return f"http://{host}:{port}"

    def configuration(
        self, policy: dict[str, Any], http: str, personal: Mapping[str, dict[str, Any]] | None = None
    ) -> Path:
        """Write the configuration for this tenant, with `personal` policies by name; returns its path."""
        document = {
            "daemon": {
                "state": str(self.folder / "state.db"),
                "control": str(self.folder / "control.sock"),
                "http": http,
                "log": {"format": "console"},
            },
            "policy": {"writer": ["skype", "blackberry"], **policy},
            "services": {name: box.service(self.url(name)) for name, box in self.boxes.items()},
            "account": list(self._accounts(personal or {})),
        }
        path = self.folder / "presence-syncd.toml"
        path.write_text(tomli_w.dumps(document))
        return path

    def _accounts(self, personal: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for person in PEOPLE:
            policy = {"policy": personal[person]} if person in personal else {}
            yield {"name": person, **policy, "links": {name: box.link(person) for name, box in self.boxes.items()}}


def make(folder: Path, *, fade: float = 300.0, quick: bool = False) -> Tenant:
    """Make the tenant.

    `fade` is Teams' time-out of an Available session, in seconds; `quick` lets Skype tell news at once instead of
    gathering them for five seconds.
    """
    clock = EmulatedClock(epoch=time.time() - anyio.current_time())
    skype = SkypeBox(folder, clock, quick)
    boxes: list[Box] = [
        GraphBox(folder, clock, fade),
        skype,
        BlackBerryBox(folder, clock, skype),
        SymphonyBox(folder, clock),
    ]
    return Tenant(folder, {box.name: box for box in boxes}, clock)


async def emulate(folder: Path, host: str, first: int, speed: float, say: Callable[[str], None]) -> None:
    """Serve the tenant until SIGTERM or SIGINT; `say` is told where everything is. Raises OSError."""
    tenant = make(folder)
    tenant.clock.speed = speed
    ports = {name: first + number if first else 0 for number, name in enumerate(tenant.boxes)}
    tenant.listen(host, ports)
    async with anyio.create_task_group() as tasks:
        tenant.start(tasks)
        path = tenant.configuration({}, "127.0.0.1:9464")
        for line in _directions(tenant, path):
            say(line)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                tasks.cancel_scope.cancel()


def _directions(tenant: Tenant, path: Path) -> Iterator[str]:
    """What to do with a running tenant."""
    for name, box in tenant.boxes.items():
        yield f"{name:12} {tenant.url(name)}{CONTROL}/people"
        yield f"{'':12} {box.hint(tenant.url(name))}"
    yield ""
    yield f"presence-syncd run --config {path}"

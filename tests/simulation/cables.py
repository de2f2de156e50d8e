"""Both ends of the network: the cable of one life of the daemon, and the log at each service's door.

The one rule: a kill unplugs the cable first, so that nothing the dying process still does is seen by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anyio
import httpcore
import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from presence_syncd.engine.transport import Carrier
from tests.virtual.network import End, Network, Wire
from tests.virtual.sockets import Near, over, trust


class Cable(httpcore.AsyncNetworkBackend):
    """What connects one life of the daemon to the network: over production's carrier, or over httpcore."""

    def __init__(self, network: Network, carrier: str) -> None:
        self._network = network
        self._carry = {"aiohttp": self._over_aiohttp, "httpcore": self._over_httpcore}[carrier]
        self._wires: list[End] = []
        self.plugged = True

    def carriers(self, _settings: Any) -> Carrier:
        """Make the transports of a service."""
        return self._carry

    def _over_aiohttp(self, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        return over(self, limits)

    def _over_httpcore(self, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        transport = httpx.AsyncHTTPTransport(limits=limits, verify=trust(), trust_env=False)
        transport._pool._network_backend = self  # what httpcore offers, httpx does not pass
        return transport

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Wire:
        """Connect while plugged in."""
        if not self.plugged:
            raise httpcore.ConnectError("the process is dead")
        wire = await self._network.connect_tcp(host, port, timeout)
        self._plug(wire)
        return wire

    async def dial(self, host: str, port: int) -> Near:
        """Connect while plugged in. Raises OSError."""
        if not self.plugged:
            raise OSError("the process is dead")
        near = await self._network.dial(host, port)
        self._plug(near)
        return near

    def _plug(self, wire: End) -> None:
        self._wires = [known for known in self._wires if not known.is_closed]
        self._wires.append(wire)
        if not self.plugged:
            wire.abort()

    async def sleep(self, seconds: float) -> None:
        """Wait between httpcore's retries."""
        await anyio.sleep(seconds)

    def unplug(self) -> None:
        """Let the other ends see that the process is gone, and nothing it still says."""
        self.plugged = False
        for wire in self._wires:
            wire.abort()
        self._wires.clear()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return sum(not wire.is_closed for wire in self._wires)


Heard = Callable[[str, str, str], None]
"""Told of every request: service, method, path."""


class Door:
    """A service's ASGI application, with everything that comes in noted, and what it led to looked at after."""

    def __init__(self, name: str, app: ASGIApp, heard: Heard, done: Callable[[str], None]) -> None:
        self._name, self._app, self._heard, self._done = name, app, heard, done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._heard(self._name, scope["method"], scope["path"])
        told = False

        async def send_and_tell(message: Any) -> None:
            nonlocal told
            if not told:
                told = True
                self._done(self._name)
            await send(message)

        await self._app(scope, receive, send_and_tell)
        self._done(self._name)

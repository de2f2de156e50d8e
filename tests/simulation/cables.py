"""Both ends of the network: the cable of one life of the daemon, and the log at each service's door.

The one rule: a kill unplugs the cable first, so that nothing the dying process still does is seen by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import anyio
import httpcore
import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from presence_syncd.engine.transport import Carrier
from tests.virtual.network import End, Network, Wire
from tests.virtual.sockets import Near, over, trust

Came = Callable[[str, bytes], None]
"""Told of every answer that came through whole: host, body."""


class Ear:
    """Puts the answers that come over one connection together. Those that are cut never get whole."""

    def __init__(self, whole: Callable[[bytes], None]) -> None:
        self._whole, self._held = whole, b""

    def __call__(self, data: bytes) -> None:
        """Hear some bytes more."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._held, 0, end + 2)
            until = end + 4 + int(length[1] if length else 0)
            if len(self._held) < until:
                return
            self._whole(self._held[end + 4 : until])
            self._held = self._held[until:]


LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
"""The header that says how long an answer is (RFC 9110 8.6)."""


class Cable(httpcore.AsyncNetworkBackend):
    """What connects one life of the daemon to the network: over production's carrier, or over httpcore.

    `listened` are the hosts whose answers `came` is told of.
    """

    def __init__(self, network: Network, carrier: str, listened: frozenset[str], came: Came) -> None:
        self._network, self._listened, self._came = network, listened, came
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
        self._plug(host, wire)
        return wire

    async def dial(self, host: str, port: int) -> Near:
        """Connect while plugged in. Raises OSError."""
        if not self.plugged:
            raise OSError("the process is dead")
        near = await self._network.dial(host, port)
        self._plug(host, near)
        return near

    def _plug(self, host: str, wire: Wire | Near) -> None:
        if host in self._listened:
            wire.came = Ear(partial(self._came, host))
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

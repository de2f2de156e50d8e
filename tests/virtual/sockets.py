"""What asyncio takes for sockets: the in-memory network as transports, for aiohttp, and so for production's carrier.

The one rule: bytes are delivered by the loop's timers, not by tasks. Those sent arrive in order, each after the host's
latency; those under way when somebody is cut off are lost.
"""

from __future__ import annotations

import asyncio
import importlib
import random
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any, Protocol

import aiohttp
import httpx

from presence_syncd.engine.carrier import Carrier
from tests.virtual.loop import in_order
from tests.virtual.server import HungUp


class Way(Protocol):
    """What lies between two ends: its latency, and whether anything gets through."""

    latency: tuple[float, float]

    def when_it_speaks(self, go: Callable[[], None]) -> None:
        """Call `go`, at once or when something gets through again."""


class Lane:
    """One direction of a connection. What `arrive` is called with came through; nothing is the hang-up."""

    __slots__ = ("_last", "_loop", "_rng", "_under_way", "_way", "arrive")

    def __init__(self, loop: asyncio.AbstractEventLoop, way: Way, rng: random.Random) -> None:
        self._loop, self._way, self._rng = loop, way, rng
        self._last = 0.0
        self._under_way = deque[bytes]()
        self.arrive: Callable[[bytes], None] | None = None

    def send(self, data: bytes) -> None:
        """Let bytes travel."""
        self._under_way.append(data)
        self._way.when_it_speaks(self._travel)

    def cut(self) -> None:
        """Deliver nothing more."""
        self.arrive = None

    def _travel(self) -> None:
        self._last = max(self._last, self._loop.time() + self._rng.uniform(*self._way.latency))
        self._loop.call_at(self._last, self._arrived)

    def _arrived(self) -> None:
        data = self._under_way.popleft()
        if self.arrive is not None:
            self.arrive(data)


class Near(asyncio.Transport):
    """The client's end. Who hangs up takes back what has not arrived. `came` is told of every byte that has."""

    def __init__(self, loop: asyncio.AbstractEventLoop, up: Lane, down: Lane, far: Far) -> None:
        super().__init__()
        self._loop, self._up, self._down, self._far = loop, up, down, far
        self._protocol: Any = None
        self.came: Callable[[bytes], None] | None = None
        self.is_closed = False
        down.arrive = self._arrive

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Say who hears what comes."""
        self._protocol = protocol
        protocol.connection_made(self)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who hears what comes."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def write(self, data: Any) -> None:
        """Send."""
        if not self.is_closed:
            self._up.send(bytes(data))

    def is_closing(self) -> bool:
        """Whether either side has hung up."""
        return self.is_closed

    def close(self) -> None:
        """Hang up."""
        self._end(None)

    def abort(self) -> None:
        """Be cut off."""
        self._end(ConnectionResetError("the connection was cut"))

    def _end(self, error: Exception | None) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._down.cut()
        self._far.abort()
        self._loop.call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    def _arrive(self, data: bytes) -> None:
        if data:
            if self.came is not None:
                self.came(data)
            self._protocol.data_received(data)
        else:
            self._protocol.eof_received()
            self.close()


class Far:
    """The server's end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, up: Lane, down: Lane) -> None:
        self._loop, self._down = loop, down
        self._held = b""
        self._waiter: asyncio.Future[None] | None = None
        self.left: int | None = None
        self.is_closed = False
        up.arrive = self._arrive

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes; none means that the other end hung up."""
        while not self._held and not self.is_closed:
            self._waiter = self._loop.create_future()
            await self._waiter
        data, self._held = self._held, b""
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes, up to where it is cut. Raises HungUp."""
        if self.is_closed:
            raise HungUp
        sent = buffer if self.left is None else buffer[: self.left]
        if sent:
            self._down.send(sent)
        if self.left is not None:
            self.left -= len(buffer)
            if self.left <= 0:
                self.close()

    def close(self) -> None:
        """Hang up, behind what is under way."""
        if not self.is_closed:
            self._down.send(b"")
            self.abort()

    def abort(self) -> None:
        """Hear and say nothing more."""
        self.is_closed = True
        self._wake()

    def _arrive(self, data: bytes) -> None:
        self._held += data
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def pair(loop: asyncio.AbstractEventLoop, way: Way, rng: random.Random) -> tuple[Near, Far]:
    """Both ends of a new connection."""
    up, down = Lane(loop, way, rng), Lane(loop, way, rng)
    far = Far(loop, up, down)
    return Near(loop, up, down, far), far


class Dials(Protocol):
    """Who connects."""

    def dial(self, host: str, port: int) -> Awaitable[Near]:
        """Connect to a host by name. Raises OSError."""


class Socket:
    """What aiohttp's `socket_factory` gives, and the virtual loop connects."""

    def __init__(self, network: Dials) -> None:
        self._network = network
        self._near: Near | None = None

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def close(self) -> None:
        """Nothing is held before it is connected."""

    async def connect(self, address: tuple[str, int]) -> None:
        """Connect. Raises OSError."""
        self._near = await self._network.dial(*address[:2])

    def attach(self, protocol: asyncio.BaseProtocol) -> Near:
        """The connection, for whoever hears it."""
        assert self._near is not None
        self._near.set_protocol(protocol)
        return self._near


@cache
def trust() -> ssl.SSLContext:
    """TLS settings nobody uses: bytes are plain here, and making these anew costs more than a request."""
    return httpx.create_ssl_context(verify=False)


def over(network: Dials, limits: httpx.Limits) -> Carrier:
    """Production's carrier over a network."""

    def make(_address: Any) -> Any:
        return Socket(network)

    async def dial(host: str, port: int, _trust: Any, protocol: asyncio.BaseProtocol) -> None:
        (await network.dial(host, port)).set_protocol(protocol)

    connector = partial(aiohttp.TCPConnector, socket_factory=make)
    return Carrier(trust(), limits, None, connector, dial)


def _monotonic() -> float:
    """Stands for `time.monotonic` where aiohttp reckons how long a connection was idle, or an address is known."""
    loop = asyncio._get_running_loop()
    return time.monotonic() if loop is None else loop.time()


_connector = vars(importlib.import_module("aiohttp.connector"))
_connector["monotonic"] = _monotonic
_connector["set"] = in_order  # of connections to close and waiters to wake, else in the order of their addresses

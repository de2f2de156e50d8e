"""A network inside the process: real httpx, httpcore or aiohttp bytes, virtual time, no socket.

It shows what a mocked transport cannot: time-outs, the pool and the expiry of idle connections, streamed bodies, a
connection that dies in the middle of one. httpcore's connections are here, aiohttp's in sockets.py. The one rule:
`https` is carried as plain bytes, everything else is as on the wire.
"""

from __future__ import annotations

import asyncio
import importlib
import math
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import httpcore
import httpx
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from presence_syncd.engine.carrier import Carrier
from tests.virtual.server import Wire as Served
from tests.virtual.server import serve
from tests.virtual.sockets import Near, over, pair

_FOR_EVER = nullcontext()
LATENCY = (0.005, 0.05)
"""Seconds that bytes travel one way: the least and the most."""


def _within(timeout: float | None) -> AbstractContextManager[object]:
    """Wait for so long; a wait without an end needs no scope, and a third of all waits have none."""
    return _FOR_EVER if timeout is None else anyio.fail_after(timeout)


class End(Protocol):
    """One end of a connection."""

    is_closed: bool

    def close(self) -> None:
        """Hang up."""

    def abort(self) -> None:
        """Hang up at once."""


class ServedEnd(End, Served, Protocol):
    """The server's end."""


class Wire(httpcore.AsyncNetworkStream):
    """One end of a connection of httpcore's."""

    def __init__(
        self,
        host: Host,
        rng: random.Random,
        sends: MemoryObjectSendStream[bytes],
        receives: MemoryObjectReceiveStream[bytes],
    ) -> None:
        self.host, self._rng, self._sends, self._receives = host, rng, sends, receives
        self._held = b""
        self.left: int | None = None
        self.is_closed = False
        self.came: Callable[[bytes], None] | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes; none means that the other end hung up."""
        try:
            if not self._held:
                with _within(timeout):
                    self._held = await self._receives.receive()
                if self.came is not None:
                    self.came(self._held)
        except TimeoutError:
            raise httpcore.ReadTimeout("read timeout") from None
        except anyio.EndOfStream:
            return b""
        except anyio.ClosedResourceError:
            raise httpcore.ReadError("closed") from None
        taken, self._held = self._held[:max_bytes], self._held[max_bytes:]
        return taken

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes; they arrive after the latency, or when the host speaks again."""
        if not buffer:
            return
        try:
            with _within(timeout):
                await self.host.transit(self._rng)
            await self._sends.send(bytes(buffer if self.left is None else buffer[: self.left]))
        except TimeoutError:
            raise httpcore.WriteTimeout("write timeout") from None
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise httpcore.WriteError("closed") from None
        if self.left is not None:
            self.left -= len(buffer)
            if self.left <= 0:
                await self.aclose()

    def close(self) -> None:
        """Hang up, without waiting."""
        self.is_closed = True
        self._sends.close()
        self._receives.close()

    abort = close

    async def aclose(self) -> None:
        """Hang up."""
        self.close()

    async def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> Wire:
        """Go on without encryption: certificates are tested over real sockets."""
        return self

    def get_extra_info(self, info: str) -> Any:
        """Tell httpcore whether an idle connection was closed by the other end."""
        if info != "is_readable":
            return None
        state = self._receives.statistics()
        return bool(state.current_buffer_used) or state.open_send_streams == 0


@dataclass(slots=True, eq=False)
class Host:
    """A machine of the network. Its faults are attributes, to be changed while everything runs.

    `refuses` connections; is `silent` (bytes wait until it speaks again, time-outs go off); `cut_after` so many bytes
    of what it says next, once; `latency` in seconds. `connects` counts connections taken.
    """

    app: Any
    latency: tuple[float, float] = LATENCY
    refuses: bool = False
    cut_after: int | None = None
    connects: int = 0
    wires: list[tuple[End, End]] = field(default_factory=list)
    _speaks: anyio.Event | None = None
    _held: list[Callable[[], None]] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        """Whether nothing gets through."""
        return self._speaks is not None

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent and self._speaks is None:
            self._speaks = anyio.Event()
        elif not silent and self._speaks is not None:
            self._speaks.set()
            self._speaks = None
            held, self._held = self._held, []
            for go in held:
                go()

    async def transit(self, rng: random.Random) -> None:
        """Let bytes travel."""
        while self._speaks is not None:
            await self._speaks.wait()
        await anyio.sleep(rng.uniform(*self.latency))

    def when_it_speaks(self, go: Callable[[], None]) -> None:
        """Call `go`, at once or when something gets through again."""
        if self._speaks is None:
            go()
        else:
            self._held.append(go)

    def cut(self) -> None:
        """Hang up on everybody connected."""
        wires, self.wires = self.wires, []
        for near, far in wires:
            near.abort()
            far.abort()

    def take_cut(self) -> int | None:
        """The bytes after which the next answer is cut; only once."""
        cut_after, self.cut_after = self.cut_after, None
        return cut_after


class Network(httpcore.AsyncNetworkBackend):
    """Hosts by name, each an ASGI application. Servers run in `tasks`; an error of an application ends those."""

    def __init__(self, tasks: TaskGroup, hosts: Mapping[str, Any], rng: random.Random) -> None:
        self.hosts = {name: Host(app) for name, app in hosts.items()}
        self._tasks, self._rng = tasks, rng

    def transport(self, limits: httpx.Limits = httpx.Limits()) -> httpx.AsyncHTTPTransport:  # noqa: B008  # immutable
        """An httpx transport over this network."""
        transport = httpx.AsyncHTTPTransport(limits=limits, verify=False, trust_env=False)
        transport._pool._network_backend = self  # httpcore offers it, httpx does not pass it on
        return transport

    def carrier(self, limits: httpx.Limits = httpx.Limits()) -> Carrier:  # noqa: B008  # immutable
        """Production's carrier over this network; on asyncio only."""
        return over(self, limits)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Wire:
        """Connect to a host by name, on any port."""
        try:
            with _within(timeout):
                found = await self.reach(host)
        except TimeoutError:
            raise httpcore.ConnectTimeout("connect timeout") from None
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None
        up_in, up_out = anyio.create_memory_object_stream[bytes](math.inf)
        down_in, down_out = anyio.create_memory_object_stream[bytes](math.inf)
        near = Wire(found, self._rng, up_in, down_out)
        self._connected(found, near, Wire(found, self._rng, down_in, up_out), (host, port))
        return near

    async def dial(self, host: str, port: int) -> Near:
        """Connect to a host by name, on any port. Raises OSError."""
        found = await self.reach(host)
        near, far = pair(asyncio.get_running_loop(), found, self._rng)
        self._connected(found, near, far, (host, port))
        return near

    async def reach(self, host: str) -> Host:
        """Go to a host by name. Raises OSError."""
        found = self.hosts.get(host)
        if found is None:
            raise OSError("no such host")
        await found.transit(self._rng)
        if found.refuses:
            raise ConnectionRefusedError("connection refused")
        return found

    def _connected(self, host: Host, near: End, far: ServedEnd, address: tuple[str, int]) -> None:
        host.connects += 1
        host.wires.append((near, far))
        self._tasks.start_soon(self._serve, host, near, far, address)

    async def _serve(self, host: Host, near: End, far: ServedEnd, address: tuple[str, int]) -> None:
        try:
            await serve(host.app, far, address, host.take_cut)
        except anyio.get_cancelled_exc_class():
            near.close()  # the network ends: nobody will read on
            raise
        finally:
            far.close()
            if (near, far) in host.wires:
                host.wires.remove((near, far))

    async def sleep(self, seconds: float) -> None:
        """Wait between httpcore's retries."""
        await anyio.sleep(seconds)


class _LoopTime:
    """Stands for the module `time` where httpcore reckons how long a connection was idle."""

    @staticmethod
    def monotonic() -> float:
        return anyio.current_time()


for _name in ("http11", "connection_pool"):
    _module = importlib.import_module(f"httpcore._async.{_name}")
    if hasattr(_module, "time"):
        vars(_module)["time"] = _LoopTime

"""HTTP/1.1 in front of an ASGI application, on one connection of the in-memory network.

The one rule: what the application raises is not caught: an emulator with a bug fails the test. Requests are those of
our own clients, so they are read without much ado: parsing both ends with h11 was a sixth of a simulated day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Protocol
from urllib.parse import unquote

import httpcore

Message = MutableMapping[str, Any]
Headers = Iterable[tuple[bytes, bytes]]
CHUNK = 65536
BODILESS = (204, 304)
"""Answers that never have a body (RFC 9112 6.3)."""


class HungUp(Exception):
    """The client went away."""


class Wire(Protocol):
    """The server's end of a connection. `left`: how many bytes more it carries before it is cut."""

    left: int | None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...
    async def write(self, buffer: bytes, timeout: float | None = None) -> None: ...


async def serve(app: Any, wire: Wire, address: tuple[str, int], take_cut: Callable[[], int | None]) -> None:
    """Answer requests on a connection until one side hangs up. `take_cut` says where to cut the answer to come."""
    incoming = Incoming(wire)
    try:
        while head := await incoming.head():
            wire.left = take_cut()
            exchange = Exchange(wire, incoming, head)
            await app(exchange.scope(address), exchange.receive, exchange.send)
            await incoming.skip_body()
            if not exchange.may_go_on:
                return
    except (httpcore.NetworkError, HungUp):
        return


class Incoming:
    """What comes in: heads, each with `left` bytes of a body behind it."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._held = wire, b""
        self.left = 0

    async def head(self) -> bytes:
        """A request up to its empty line; nothing once the client has gone."""
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if not await self._more():
                return b""
        head, self._held = self._held[:end], self._held[end + 4 :]
        return head

    async def body(self) -> bytes:
        """The next piece of the body. Raises HungUp."""
        if not self._held and not await self._more():
            raise HungUp
        piece, self._held = self._held[: self.left], self._held[self.left :]
        self.left -= len(piece)
        return piece

    async def skip_body(self) -> None:
        """Read what the application left. Raises HungUp."""
        while self.left:
            await self.body()

    async def end(self) -> None:
        """Wait until the client goes away."""
        try:
            while await self._more():
                pass
        except httpcore.NetworkError:
            return

    async def _more(self) -> bool:
        data = await self._wire.read(CHUNK)
        self._held += data
        return bool(data)


class Exchange:
    """One request and its answer, as ASGI's `receive` and `send`. `may_go_on`: whether another may follow."""

    def __init__(self, wire: Wire, incoming: Incoming, head: bytes) -> None:
        line, *lines = head.split(b"\r\n")
        self._method, self._target, _ = line.split(b" ")
        pairs = (line.partition(b":") for line in lines)
        self._headers = [(name.lower(), value.strip()) for name, _, value in pairs]
        asked = dict(self._headers)
        if b"transfer-encoding" in asked:
            raise NotImplementedError("none of our clients sends a body without its length")
        incoming.left = int(asked.get(b"content-length", 0))
        self._closes = asked.get(b"connection", b"").lower() == b"close"
        self._wire, self._incoming = wire, incoming
        self._is_read = self._is_chunked = self.may_go_on = False
        self._owed = 0

    def scope(self, address: tuple[str, int]) -> Message:
        """The request, as ASGI has it."""
        path, _, query = self._target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._method.decode(),
            "scheme": "https",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": ("client", 1),
            "server": address,
        }

    async def receive(self) -> Message:
        """The next piece of the body; after the last, that the client went away."""
        if self._is_read:
            await self._incoming.end()
            return {"type": "http.disconnect"}
        body = await self._incoming.body() if self._incoming.left else b""
        self._is_read = not self._incoming.left
        return {"type": "http.request", "body": body, "more_body": not self._is_read}

    async def send(self, message: Message) -> None:
        """Send a piece of the answer."""
        if message["type"] == "http.response.start":
            await self._wire.write(self._start(message["status"], list(message["headers"])))
            return
        if body := message.get("body"):
            self._owed -= len(body)
            await self._wire.write(b"%x\r\n%b\r\n" % (len(body), body) if self._is_chunked else body)
        if not message.get("more_body"):
            await self._end()

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        said = {name.lower(): value for name, value in headers}
        self._is_chunked = b"content-length" not in said and status not in BODILESS
        self._owed = int(said.get(b"content-length", 0))
        self._closes = self._closes or said.get(b"connection", b"").lower() == b"close"
        if self._is_chunked:
            headers.append((b"Transfer-Encoding", b"chunked"))
        if self._closes and b"connection" not in said:
            headers.append((b"Connection", b"close"))
        return b"HTTP/1.1 %d \r\n%b\r\n" % (status, b"".join(b"%b: %b\r\n" % pair for pair in headers))

    async def _end(self) -> None:
        if self._is_chunked:
            await self._wire.write(b"0\r\n\r\n")
        elif self._owed:
            raise ValueError(f"the application's answer is {-self._owed:+} bytes off its content-length")
        self.may_go_on = not self._closes

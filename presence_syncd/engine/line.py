"""A line: one connection that a link's long polls are held on, one after the other. Nobody waits on it: it calls.

The one rule: whatever is not one whole answer, within its bounds and asked for, ends the connection.

Why not the carrier's: calls, scopes, queues and readers that wait for minutes were 11 KB a poll, and everybody has two.
What waits here is 1 KB. llhttp reads the answers (by httptools, as in uvicorn); it is made when their first bytes come.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import httptools
import httpx
from aiohappyeyeballs import start_connection

CONNECT = 5.0
"""Seconds for a connection, TLS included. The wait for a place in the pool is not counted: it is no fault of theirs."""
STAGGERED = 0.25
"""Seconds until the next address of a host is tried beside the one before (RFC 8305 §5)."""
LONGEST_HEAD = 131072
"""Bytes of status line and headers: a Kerberos token alone may have 65,536 (MS-KILE 3.3.5.6.4)."""
FRESH = 55.0
"""Seconds after which a connection that nothing was said on is not used again: it may be gone without a word."""
CUT = "the connection was closed"

Dial = Callable[[str, int, "ssl.SSLContext | None", asyncio.Protocol], Awaitable[None]]
"""Connects a protocol to a host and port, over TLS with a context. Raises OSError."""
Origin = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, as it came."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


Answered = Callable[["Answer | httpx.TransportError"], None]
"""Called once for each request: with its answer, or with what went wrong."""


async def dial(host: str, port: int, trust: ssl.SSLContext | None, protocol: asyncio.Protocol) -> None:
    """Connect over the real network, to whichever address of the host answers first."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sock = await start_connection(addresses, happy_eyeballs_delay=STAGGERED)
    await loop.create_connection(lambda: protocol, sock=sock, ssl=trust, server_hostname=host if trust else None)


def origin(url: httpx.URL) -> Origin:
    """Where a URL leads."""
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


async def connect(to: Origin, trust: ssl.SSLContext, dial: Dial = dial) -> Line:
    """Make a line. Raises httpx.ConnectError, ConnectTimeout."""
    scheme, host, port = to
    line = Line(to)
    try:
        async with asyncio.timeout(CONNECT):
            await dial(host, port, trust if scheme == "https" else None, line)
    except TimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
    return line


class Line(asyncio.Protocol):
    """One connection, made by `connect`; once it is closed it stays so."""

    __slots__ = ("_answered", "_most", "_origin", "_quiet_since", "_reading", "_transport")

    def __init__(self, to: Origin) -> None:
        self._origin, self._most, self._quiet_since = to, 0, 0.0
        self._transport: asyncio.Transport | None = None
        self._answered: Answered | None = None
        self._reading: _Reading | None = None

    def serves(self, to: Origin) -> bool:
        """Whether a request may go out on it: it leads there, is open, and was not quiet for too long."""
        is_open = self._transport is not None and not self._transport.is_closing()
        return is_open and self._origin == to and asyncio.get_running_loop().time() - self._quiet_since <= FRESH

    def ask(self, request: httpx.Request, most: int, answered: Answered) -> None:
        """Send a request; `answered` is called with an answer of at most `most` bytes, or what went wrong instead.

        Raises httpx.LocalProtocolError for what is no header, RemoteProtocolError if it was closed meanwhile.
        """
        head = _head(request)
        if self._transport is None or self._transport.is_closing():
            raise httpx.RemoteProtocolError(CUT)
        self._most, self._answered = most, answered
        self._transport.write(head + b"".join(cast("httpx.ByteStream", request.stream)))

    def close(self) -> None:
        """Hang up; whoever waits for an answer is not called any more."""
        transport, self._transport = self._transport, None
        self._reading = self._answered = None
        if transport is not None:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's TLS transport does not inherit from it
        self._quiet_since = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for ends the connection."""
        if self._answered is None:
            return self.close()
        reading = self._reading = self._reading or _Reading(self._most)
        if (wrong := reading.read(data)) is not None:
            self._end(httpx.RemoteProtocolError(wrong))
        elif reading.is_whole:
            self._end(reading.answer())
        return None

    def eof_received(self) -> None:
        """Take the end of the connection for that of an answer that has no other."""
        if self._reading is not None and self._reading.ends_with_connection:
            self._end(self._reading.answer())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that it was cut."""
        self._end(httpx.RemoteProtocolError(str(exc or CUT)))

    def _end(self, outcome: Answer | httpx.TransportError) -> None:
        """Hand over what came of a request. The connection stays if it can bear another."""
        answered, reading = self._answered, self._reading
        if reading is not None and reading.keeps and isinstance(outcome, Answer):
            self._answered = self._reading = None
            self._quiet_since = asyncio.get_running_loop().time()
        else:
            self.close()
        if answered is not None:
            answered(outcome)


class _Reading:
    """An answer as it is read: llhttp calls what begins with `on_`."""

    __slots__ = ("_body", "_headers", "_most", "_parser", "_size", "_status", "is_whole", "keeps")

    def __init__(self, most: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._most, self._size, self._status = most, 0, 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self.is_whole = self.keeps = False

    def read(self, data: bytes) -> str | None:
        """Take what came; what is wrong with it, or None."""
        self._size += 0 if self._status else len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.keeps = False
            return None if self.is_whole else f"not HTTP: {type(error).__name__}"  # what follows it is nobody's loss
        is_endless = not self._status and self._size > LONGEST_HEAD
        return f"the head of the answer is larger than {LONGEST_HEAD} bytes" if is_endless else None

    @property
    def ends_with_connection(self) -> bool:
        """Whether the head came, and says nothing of the length of what follows (RFC 9112 §6.3)."""
        return bool(self._status) and not any(name.lower() in _LENGTHS for name, _ in self._headers)

    def answer(self) -> Answer:
        """What was read, when it is over."""
        del self._parser  # they hold each other
        return Answer(self._status, self._headers, self._body)

    def on_message_begin(self) -> None:
        """Begin an answer; a second one was not asked for."""
        self.keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one line of the head; those behind a body say nothing we ask for."""
        if not self._status:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """End a head; one that only says to go on waiting is dropped (RFC 9110 §15.2)."""
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers, self._size = [], 0
        elif not self._status:
            self._status = status

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; of what is too much one byte is kept, by which it is known."""
        if self.is_whole:
            return
        self._body += body[: self._most + 1 - len(self._body)]
        self.is_whole = len(self._body) > self._most

    def on_message_complete(self) -> None:
        """End an answer."""
        if self._status and not self.is_whole:
            self.is_whole, self.keeps = True, self._parser.should_keep_alive()


_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


def _head(request: httpx.Request) -> bytes:
    """The request line and headers as they are sent. Raises httpx.LocalProtocolError."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % pair for pair in request.headers.raw]
    head = b"\r\n".join([*lines, b"", b""])
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise httpx.LocalProtocolError("a header has a line break")
    return head

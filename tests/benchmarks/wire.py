"""The least of an HTTP/1.1 server: one asyncio protocol per connection, so that the server is not what is measured.

The one rule: requests of one connection are answered one after the other, as our clients send them.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
GZIP = b"\x1f\x8b"
"""How a compressed body begins; one of the vendors' libraries compresses."""
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


def json_answer(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    """A whole answer with a JSON body; `more` are header lines, each ended."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass(slots=True)
class Asked:
    """One request. `reply` sends the answer, now or later."""

    method: str
    path: str
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)
    connection: Connection = field(repr=False)

    def reply(self, answer: bytes) -> None:
        """Send the answer, unless the client has gone."""
        if self.connection.transport is not None:
            self.connection.transport.write(answer)

    def header(self, name: bytes) -> bytes:
        """A header by its name in lower case; empty if there is none."""
        start = self.head.lower().find(b"\r\n" + name + b":")
        return b"" if start < 0 else self.head[start + len(name) + 3 :].split(b"\r\n", 1)[0].strip()


Answering = Callable[[Asked], None]


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self._buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's TLS transport does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self.transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            size = end + 4 + _length(head)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            body = gzip.decompress(body) if body[:2] == GZIP else body
            method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            self._answer(Asked(method, path, head, body, self))


def _length(head: bytes) -> int:
    start = head.lower().find(b"\r\ncontent-length:")
    return 0 if start < 0 else int(head[start + 17 :].split(b"\r\n", 1)[0])

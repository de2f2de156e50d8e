"""The least that asyncio's own streams can do: a presence is set with nothing between us and the connection.

The one rule: as many connections as everybody else has, kept alive; one request at a time on each.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.benchmarks.crowd import guid

HEAD = """POST /v1.0/users/{user}/presence/setPresence HTTP/1.1\r
host: {host}\r
authorization: Bearer bench\r
content-type: application/json\r
client-request-id: {request}\r
content-length: {length}\r
\r
"""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def streams(
    base: str, at_once: int, trust: ssl.SSLContext | None
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Setting a presence over one of so many connections; `trust`: over TLS."""
    parts = urlsplit(base)
    free = [await asyncio.open_connection(parts.hostname, parts.port, ssl=trust) for _ in range(at_once)]

    async def one(number: int) -> None:
        connection = free.pop()
        await _post(connection, parts.netloc, number)
        free.append(connection)

    yield one
    for _, writer in free:
        writer.close()


async def _post(connection: Streams, host: str, number: int) -> None:
    reader, writer = connection
    values = {"sessionId": guid(0), "availability": "Available", "activity": "Available", "expirationDuration": "PT1H"}
    body = json.dumps(values).encode()
    head = HEAD.format(user=guid(number), host=host, request=uuid.uuid4(), length=len(body))
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not answer.startswith(b"http/1.1 200 "):
        raise ConnectionError(answer.partition(b"\r\n")[0])
    await reader.readexactly(int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0]))

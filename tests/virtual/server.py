"""HTTP/1.1 in front of an ASGI application, on one connection of the in-memory network.

The one rule: what the application raises is not caught: an emulator with a bug fails the test.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import unquote

import h11
import httpcore

Message = MutableMapping[str, Any]
CHUNK = 65536


class Wire(Protocol):
    """The server's end of a connection. `left`: how many bytes more it carries before it is cut."""

    left: int | None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...
    async def write(self, buffer: bytes, timeout: float | None = None) -> None: ...


async def serve(app: Any, wire: Wire, address: tuple[str, int], take_cut: Callable[[], int | None]) -> None:
    """Answer requests on a connection until one side hangs up. `take_cut` says where to cut the answer to come."""
    http = h11.Connection(h11.SERVER)
    try:
        while isinstance(request := await _next_event(http, wire), h11.Request):
            wire.left = take_cut()
            await app(_scope(request, address), *_channel(http, wire))
            while http.their_state is h11.SEND_BODY:
                await _next_event(http, wire)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()
    except (httpcore.NetworkError, h11.RemoteProtocolError):
        return


async def _next_event(http: h11.Connection, wire: Wire) -> Any:
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(await wire.read(CHUNK))
    return event


def _scope(request: h11.Request, address: tuple[str, int]) -> Message:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method.decode(),
        "scheme": "https",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": ("client", 1),
        "server": address,
    }


def _channel(http: h11.Connection, wire: Wire) -> tuple[Any, Any]:
    """ASGI's `receive` and `send` for one request."""
    ended = False

    async def receive() -> Message:
        nonlocal ended
        if ended:  # the next message comes when the peer goes away
            while data := await _read(wire):
                http.receive_data(data)
            return {"type": "http.disconnect"}
        event = await _next_event(http, wire)
        ended = not isinstance(event, h11.Data)
        body = b"" if ended else bytes(event.data)
        return {"type": "http.request", "body": body, "more_body": not ended}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            await wire.write(
                http.send(h11.Response(status_code=message["status"], headers=list(message["headers"]))) or b""
            )
            return
        if message.get("body"):
            await wire.write(http.send(h11.Data(data=message["body"])) or b"")
        if not message.get("more_body"):
            await wire.write(http.send(h11.EndOfMessage()) or b"")

    return receive, send


async def _read(wire: Wire) -> bytes:
    try:
        return await wire.read(CHUNK)
    except httpcore.NetworkError:
        return b""

"""A network inside the process: real httpx and h11 bytes between clients and ASGI applications, no socket.

Host names lead to applications; TLS is left out, its place in URLs is not. Faults are plain attributes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import anyio
import h11
import httpcore
import httpx
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.types import ASGIApp, Message


class Pipe(httpcore.AsyncNetworkStream):
    """One end of a connection."""

    def __init__(self, send: MemoryObjectSendStream[bytes], receive: MemoryObjectReceiveStream[bytes]) -> None:
        self._send, self._receive, self._left = send, receive, b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            with anyio.fail_after(timeout):
                self._left = self._left or await self._receive.receive()
        except TimeoutError:
            raise httpcore.ReadTimeout("read timeout") from None
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return b""
        except anyio.BrokenResourceError as error:
            raise httpcore.ReadError(str(error)) from None
        piece, self._left = self._left[:max_bytes], self._left[max_bytes:]
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            await self._send.send(bytes(buffer))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore.WriteError(str(error)) from None

    async def aclose(self) -> None:
        self._send.close()
        self._receive.close()

    async def start_tls(self, *_args: Any, **_options: Any) -> Pipe:
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            facts = self._receive.statistics()
            return bool(facts.current_buffer_used) or facts.open_send_streams == 0
        return None


class Network(httpcore.AsyncNetworkBackend):
    """Leads host names to ASGI applications.

    `down` refuses connections, `silent` swallows what is sent, `cut()` ends every connection at once.
    """

    def __init__(self, tasks: TaskGroup, hosts: dict[str, ASGIApp]) -> None:
        self._tasks, self.hosts = tasks, hosts
        self.down = False
        self.silent = False
        self.connects: list[tuple[str, int]] = []
        self._open: list[Pipe] = []
        self._all: list[Pipe] = []

    async def connect_tcp(self, host: str, port: int, *_args: Any, **_options: Any) -> Pipe:
        await anyio.sleep(0.001)
        self.connects.append((host, port))
        if self.down or host not in self.hosts:
            raise httpcore.ConnectError("connection refused")
        there, here = (anyio.create_memory_object_stream[bytes](math.inf) for _ in range(2))
        server = Pipe(here[0], there[1])
        client = Pipe(there[0], here[1])
        self._open.append(server)
        self._all += (server, client)
        self._tasks.start_soon(self._serve, self.hosts[host], host, port, server)
        return client

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def cut(self) -> None:
        """End every connection."""
        for pipe in self._open:
            await pipe.aclose()
        self._open.clear()

    async def aclose(self) -> None:
        """Close whatever is left."""
        for pipe in self._all:
            await pipe.aclose()

    def carrier(self, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        """Make what moves the bytes of one client."""
        transport = httpx.AsyncHTTPTransport(verify=False, limits=limits)
        transport._pool._network_backend = self
        return transport

    async def _serve(self, app: ASGIApp, host: str, port: int, pipe: Pipe) -> None:
        try:
            await _Connection(self, app, host, port, pipe).serve()
        except (httpcore.NetworkError, h11.ProtocolError, Hangup):
            pass
        finally:
            with anyio.CancelScope(shield=True):
                await pipe.aclose()


class Hangup(Exception):
    """An application wants its connection dropped without a whole answer."""


class _Connection:
    """HTTP/1.1 in front of an ASGI application."""

    def __init__(self, network: Network, app: ASGIApp, host: str, port: int, pipe: Pipe) -> None:
        self.network, self.app, self.host, self.port, self.pipe = network, app, host, port, pipe
        self.h11 = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        while True:
            request = await self._event()
            if not isinstance(request, h11.Request):
                return
            await self._exchange(request)
            if self.h11.our_state is not h11.DONE:
                return
            while self.h11.their_state is h11.SEND_BODY:
                await self._event()
            if self.h11.their_state is not h11.DONE:
                return
            self.h11.start_next_cycle()

    async def _event(self) -> Any:
        while (event := self.h11.next_event()) is h11.NEED_DATA:
            self.h11.receive_data(await self.pipe.read(65536))
        return event

    async def _exchange(self, request: h11.Request) -> None:
        path, _, query = request.target.partition(b"?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method.decode(),
            "scheme": "https",
            "path": path.decode(),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers],
            "client": ("client", 1),
            "server": (self.host, self.port),
        }
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        event = await self._event()
        if isinstance(event, h11.Data):
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        if self.network.silent:
            await anyio.sleep_forever()
        if message["type"] == "http.response.start":
            await self._write(h11.Response(status_code=message["status"], headers=list(message["headers"])))
            return
        if message.get("body"):
            await self._write(h11.Data(data=message["body"]))
        if not message.get("more_body"):
            await self._write(h11.EndOfMessage())

    async def _write(self, event: Any) -> None:
        await self.pipe.write(self.h11.send(event) or b"")


class Recorder:
    """Notes every request that reaches an application: when, where, what, and whether it carried a token."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen: list[Seen] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        self.seen.append(Seen(anyio.current_time(), headers["host"], scope["method"], scope["path"], query, headers))
        await self.app(scope, receive, send)

    def of(self, method: str, path: str, host: str = "") -> list[Seen]:
        """The requests of a method whose path ends so."""
        return [s for s in self.seen if s.method == method and s.path.endswith(path) and host in s.host]


class Seen:
    """One request as the server saw it."""

    def __init__(self, at: float, host: str, method: str, path: str, query: str, headers: dict[str, str]) -> None:
        self.at, self.host, self.method, self.path, self.query, self.headers = at, host, method, path, query, headers

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "")

    def __repr__(self) -> str:
        return f"{self.at:.1f} {self.method} {self.host}{self.path}?{self.query}"


class Impatient:
    """A reverse proxy that ends what takes longer than `seconds`: with 504 and HTML, or by hanging up."""

    def __init__(self, app: ASGIApp, seconds: float, *, hangs_up: bool = False) -> None:
        self.app, self.seconds, self.hangs_up = app, seconds, hangs_up
        self.ended = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        said = False

        async def heard(message: Message) -> None:
            nonlocal said
            said = True
            await send(message)

        with anyio.move_on_after(self.seconds):
            await self.app(scope, receive, heard)
        if not said:
            self.ended += 1
            if self.hangs_up:
                raise Hangup
            await send({"type": "http.response.start", "status": 504, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"<html>Gateway Timeout</html>"})


class Fixed:
    """A server that says one thing."""

    def __init__(self, status: int, body: str = "", **headers: str) -> None:
        self.status, self.body = status, body.encode()
        self.headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def links(**hrefs: str) -> Fixed:
    """A server whose every answer has these links."""
    body = json.dumps({"_links": {rel: {"href": href} for rel, href in hrefs.items()}})
    return Fixed(200, body, content_type="application/json")


def hosts(names: Iterable[str], app: ASGIApp) -> dict[str, ASGIApp]:
    """Lead several names to one application."""
    return dict.fromkeys(names, app)

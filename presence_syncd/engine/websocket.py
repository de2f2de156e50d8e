"""One WebSocket for one flow: wsproto's frames over a connection that httpx opened.

The one rule: nothing runs in the background. Bytes are read while somebody waits for a frame, so there is no task to
outlive its owner, no buffer that grows unread, and no message larger than 1 MiB.
"""

from __future__ import annotations

import base64
import secrets
import ssl
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpcore
import httpx
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, generate_accept_token

from presence_syncd.connectors.flow import Open, Reply
from presence_syncd.engine.line import CONNECT
from presence_syncd.engine.transport import refuse_plain
from presence_syncd.errors import Rejected, RemoteProtocolError, ServiceError, Unavailable

MAX_MESSAGE = 1024 * 1024
"""Largest message taken, in bytes of UTF-8; a larger one ends the connection."""
CHUNK = 65536
WRITE_TIMEOUT = 15.0
"""Seconds until bytes that nobody takes count as a dead connection."""
HTTP = {"ws": "http", "wss": "https"}


class WebSockets:
    """The WebSocket of one flow. `client` connects it (TLS settings, proxy, pool), and must outlive it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._opened = AsyncExitStack()
        self._stream: Any = None  # httpcore's AsyncNetworkStream, which httpx hands out untyped
        self._frames = Connection(ConnectionType.CLIENT)
        self._parts: list[str] = []
        self._size = 0
        self._texts: list[str] = []

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._stream is not None

    async def open(self, step: Open) -> Reply:
        """Connect and upgrade; an answer other than 101 comes back as it is, its body unread.

        Times of the reply are 0: the driver knows the clock. Raises Unavailable when there is no answer in time, and
        RemoteProtocolError when the upgrade is not one (RFC 6455 §4.1).
        """
        await self.close()
        refuse_plain(step.url)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        try:
            with anyio.fail_after(step.timeout):
                answer = await self._opened.enter_async_context(self._upgrade(step, key))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unavailable(f"no WebSocket within {step.timeout:g} s") from error
        except httpx.TransportError as error:
            raise Unavailable(_said(error)) from error
        except httpx.InvalidURL as error:
            raise Rejected("not a URL") from error
        reply = Reply(answer.status_code, tuple(answer.headers.multi_items()), url=step.url)
        if answer.status_code != 101:
            await self.close()
            return reply
        await self._check(answer, key)
        self._stream = answer.extensions["network_stream"]
        return reply

    def _upgrade(self, step: Open, key: str) -> Any:
        scheme, _, rest = step.url.partition("://")
        headers = {
            **step.headers,
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-key": key,
            "sec-websocket-version": "13",
        }
        timeout = httpx.Timeout(step.timeout, connect=CONNECT, pool=CONNECT)
        url = f"{HTTP.get(scheme.lower(), scheme)}://{rest}"
        return self._client.stream("GET", url, headers=headers, timeout=timeout)

    async def _check(self, answer: httpx.Response, key: str) -> None:
        expected = generate_accept_token(key.encode()).decode()
        said = answer.headers
        if (
            said.get("upgrade", "").lower() != "websocket"
            or said.get("sec-websocket-accept", "").strip() != expected
            or "sec-websocket-extensions" in said
        ):
            await self.close()
            raise RemoteProtocolError("the upgrade to a WebSocket was not answered as it must be")

    async def send(self, text: str) -> None:
        """Send one text frame. Raises Unavailable when the socket is closed."""
        await self._write(TextMessage(data=text))

    async def receive(self, timeout: float, bell: anyio.Event | None = None) -> str | None:
        """Wait for one message: its text, or None after `timeout` seconds or when `bell` rings; binary is passed over.

        Raises Unavailable when the connection ends, RemoteProtocolError when it breaks the protocol's rules (frames
        that are not, text that is not UTF-8) or a message is larger than 1 MiB.
        """
        if self._texts:
            return self._texts.pop(0)
        if bell is None:
            with anyio.move_on_after(timeout):
                return await self._next_text()
            return None
        return await self._unless_rung(timeout, bell)

    async def _unless_rung(self, timeout: float, bell: anyio.Event) -> str | None:
        text: str | None = None
        trouble: ServiceError | None = None
        with anyio.move_on_after(timeout):
            async with anyio.create_task_group() as tasks:

                async def wait_for_bell() -> None:
                    await bell.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(wait_for_bell)
                try:
                    text = await self._next_text()
                except ServiceError as error:  # carried out of the group, which would wrap it
                    trouble = error
                tasks.cancel_scope.cancel()
        if trouble is not None:
            raise trouble
        return text

    async def _next_text(self) -> str:
        while not self._texts:
            await self._read()
        return self._texts.pop(0)

    async def _read(self) -> None:
        """Take what has come, and answer what must be answered."""
        if self._stream is None:
            raise Unavailable("the WebSocket is closed")
        try:
            data = await self._stream.read(CHUNK)
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            await self.close()
            raise Unavailable("the WebSocket was cut") from error
        self._frames.receive_data(data or None)
        for event in self._frames.events():
            await self._take(event)

    async def _take(self, event: Event) -> None:
        if isinstance(event, Ping):
            with anyio.CancelScope(shield=True):  # half an answer would spoil what follows
                await self._write(event.response())
        elif isinstance(event, CloseConnection):
            await self._end(event)
        elif isinstance(event, TextMessage):
            await self._collect(event)
        elif isinstance(event, BytesMessage):
            await self._bound(event)

    async def _collect(self, event: TextMessage) -> None:
        await self._bound(event)
        self._parts.append(event.data)
        if event.message_finished:
            self._texts.append("".join(self._parts))
            self._parts = []

    async def _bound(self, event: TextMessage | BytesMessage) -> None:
        """Count the bytes of the message so far, and end the connection when they are too many."""
        self._size += len(event.data.encode()) if isinstance(event.data, str) else len(event.data)
        if self._size > MAX_MESSAGE:
            await self.close(CloseReason.MESSAGE_TOO_BIG)
            raise RemoteProtocolError(f"a message is larger than {MAX_MESSAGE} bytes")
        if event.message_finished:
            self._size = 0

    async def _end(self, event: CloseConnection) -> None:
        """The other side is leaving, or sent what no rule allows (wsproto then names the code to close with)."""
        code = int(event.code)
        is_broken = self._frames.state is ConnectionState.OPEN
        await self.close(code if is_broken else CloseReason.NORMAL_CLOSURE)
        if code in (CloseReason.PROTOCOL_ERROR, CloseReason.INVALID_FRAME_PAYLOAD_DATA):
            raise RemoteProtocolError(f"the WebSocket broke its rules (code {code})")
        raise Unavailable(f"the WebSocket was closed (code {code})")

    async def _write(self, event: Event) -> None:
        if self._stream is None:
            raise Unavailable("the WebSocket is closed")
        try:
            await self._stream.write(self._frames.send(event), WRITE_TIMEOUT)
        except LocalProtocolError as error:
            raise Unavailable("the WebSocket is being closed") from error
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            await self.close()
            raise Unavailable("the WebSocket was cut") from error

    async def close(self, code: int = CloseReason.NORMAL_CLOSURE) -> None:
        """Say goodbye if the other side listens, and give the connection up. Does nothing when there is none."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await self._say_goodbye(stream, code)
        with anyio.CancelScope(shield=True):
            await self._opened.aclose()
        self._opened, self._frames = AsyncExitStack(), Connection(ConnectionType.CLIENT)
        self._parts, self._texts, self._size = [], [], 0

    async def _say_goodbye(self, stream: Any, code: int) -> None:
        try:
            with anyio.move_on_after(1):
                if self._frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
                    await stream.write(self._frames.send(CloseConnection(code)), 1.0)
        except (LocalProtocolError, httpcore.NetworkError, httpcore.TimeoutException):
            return


def _said(error: BaseException) -> str:
    """Say what went wrong in words, certificates by name; trio hides theirs in the causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return "no connection" if isinstance(error, httpx.ConnectError) else type(error).__name__

"""Transport: requests go over httpx, long polls that nobody waits for over lines. Library errors become ours here.

The one rule: one `SSLContext` per trust setting, shared; no redirects, no environment, every body and wait bounded.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import aclosing, contextmanager
from functools import cache, lru_cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import httpx

from presence_syncd.connectors.fields import is_loopback
from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.engine.carrier import Carrier as NetworkCarrier
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.line import CONNECT, Answer, Line, origin
from presence_syncd.engine.messages import ALWAYS, Body, Headers, Jar, told, whole
from presence_syncd.engine.windows import WindowsAuth
from presence_syncd.errors import Rejected, ServiceError, Unavailable

AT_ONCE = 32
"""Requests of ours that a service needs to see at once."""
QUEUE = 60.0
"""Longest wait for a place, in seconds. Whoever gives up sooner only queues again: thousands who start are a crowd."""
POOL = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE, keepalive_expiry=55.0)
"""A service's shared pool."""
HELD = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=55.0)
"""The pool of long polls, each of which holds a connection."""
ALONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=55.0)
"""The pool of one WebSocket, or of one sign-in to Windows."""

Carrier = Callable[[httpx.Limits], httpx.AsyncBaseTransport]
Carry = Callable[[Request], Awaitable[httpx.Response]]
Answered = Callable[["Reply | ServiceError"], None]
"""Called with what came of a long poll that nobody waits for."""


@cache
def trust(ca_file: Path | None) -> ssl.SSLContext:
    """The TLS settings for a certificate authorities file (None: the system's); made once each. Raises OSError."""
    return ssl.create_default_context(cafile=ca_file)


def network(ca_file: Path | None, proxy: str | None) -> Carrier:
    """What carries requests over the real network."""
    return lambda limits: NetworkCarrier(trust(ca_file), limits, proxy)


class Transport:
    """Carries the requests of one service. `carrier` makes what moves the bytes; the simulation brings its own."""

    def __init__(self, carrier: Carrier, clock: Clock) -> None:
        self._carrier, self._clock = carrier, clock
        self._pool, self._held = carrier(POOL), carrier(HELD)
        self._places = anyio.Semaphore(AT_ONCE, fast_acquire=True)

    def shared(self) -> httpx.AsyncClient:
        """A client over everybody's connections. It keeps no cookies: one's session must not become another's."""
        return _client(self._pool, CookieJar(DefaultCookiePolicy(allowed_domains=())))

    def alone(self) -> httpx.AsyncClient:
        """A client with one connection, and cookies, of its own."""
        return _client(self._carrier(ALONE))

    async def aclose(self) -> None:
        """Close the pools."""
        try:
            await self._pool.aclose()
        finally:
            await self._held.aclose()

    async def send(self, request: Request, client: httpx.AsyncClient | None = None) -> Reply:
        """Send one request and read the whole answer.

        Raises Unavailable when it cannot be reached, does not answer in time or hangs up; RemoteProtocolError when the
        answer is too large or cannot be decoded; Rejected for a URL that must not be asked.
        """
        refuse_plain(request.url)
        if request.windows is not None and client is None:
            async with self.alone() as single:  # the handshake belongs to one connection
                return await self.send(request, single)
        if client is not None:
            return await self._send(partial(_by, client), request)
        await self._take_place()
        try:
            return await self._send(self._over_pool, request)
        finally:
            self._places.release()

    def hold(self, request: Request, jar: Jar, scope: anyio.CancelScope) -> Coroutine[Any, Any, Reply]:
        """Send a long poll, as `send` does, with the cookies of its link; it is given up by cancelling the scope."""
        refuse_plain(request.url)
        return self._send(partial(self._over_held, jar), request, scope)

    async def _take_place(self) -> None:
        """Wait until fewer requests are under way: the time a service has for its answer begins only then."""
        try:
            return self._places.acquire_nowait()
        except anyio.WouldBlock:
            pass
        with anyio.move_on_after(QUEUE):
            return await self._places.acquire()
        raise Unavailable(f"{AT_ONCE} requests are under way, and there was no place within {QUEUE:g} s")

    async def _send(self, carry: Carry, request: Request, scope: anyio.CancelScope | None = None) -> Reply:
        started_at = self._clock.now()
        answer = None
        scope = scope or anyio.CancelScope()
        scope.deadline = anyio.current_time() + request.timeout  # before it is entered: else a timer is set twice
        with self._translated(started_at):
            with scope:
                answer = await self._exchange(carry, request)
            if answer is None:
                raise self.unanswered(started_at)
        return Reply(*answer, self._clock.now(), started_at, request.url)

    @contextmanager
    def _translated(self, started_at: float) -> Generator[None]:
        """Say what went wrong with a request in our words."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise self.unanswered(started_at) from error
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError) as error:
            raise Rejected("not a URL, or a header that cannot be sent") from error
        except httpx.TransportError as error:
            raise Unavailable(_said(error), lived=self._clock.now() - started_at) from error

    def unanswered(self, started_at: float) -> Unavailable:
        """What a request ends with that left at `started_at` and had no answer in time."""
        lived = self._clock.now() - started_at
        return Unavailable(f"no answer within {lived:.3g} s", lived=lived)

    @property
    def has_lines(self) -> bool:
        """Whether long polls can be sent that nobody waits for."""
        return isinstance(self._held, NetworkCarrier) and self._held.has_lines

    async def ask(self, line: Line | None, request: Request, jar: Jar, answered: Answered) -> Line:
        """Send a long poll over a link's line, or a new one, with its cookies; `answered` is called when it is over.

        Returns the line, which whoever gives the poll up must close. Raises what `send` raises for what is not sent.
        """
        refuse_plain(request.url)
        started_at = self._clock.now()
        with self._translated(started_at):
            sent = whole(request)
            jar.show(sent)
            line = await self._line(line, sent.url)
            line.ask(sent, request.max_body, partial(self._came, request, jar, started_at, answered))
        return line

    async def _line(self, line: Line | None, url: httpx.URL) -> Line:
        if line is not None and line.serves(origin(url)):
            return line
        if line is not None:
            line.close()
        return await cast("NetworkCarrier", self._held).line(url)

    def _came(
        self, request: Request, jar: Jar, started_at: float, answered: Answered, came: Answer | httpx.TransportError
    ) -> None:
        outcome: Reply | ServiceError
        try:
            outcome = self._reply(request, jar, started_at, came)
        except ServiceError as error:
            outcome = error
        answered(outcome)

    def _reply(self, request: Request, jar: Jar, started_at: float, came: Answer | httpx.TransportError) -> Reply:
        with self._translated(started_at):
            if isinstance(came, httpx.TransportError):
                raise came
        headers = told(came.headers)
        jar.learn(request, came.headers)
        body = Body(headers, request.max_body)
        body.add(came.body)
        return Reply(came.status, headers, body.whole(), self._clock.now(), started_at, request.url)

    async def _over_pool(self, request: Request) -> httpx.Response:
        """Send straight over the pool: what a client does besides costs twice as much."""
        return await self._pool.handle_async_request(whole(request))

    async def _over_held(self, jar: Jar, request: Request) -> httpx.Response:
        """Send straight, with a link's cookies: a client of its own would be 10 KB an account."""
        sent = whole(request)
        jar.show(sent)
        answer = await self._held.handle_async_request(sent)
        jar.learn(request, answer.headers.raw)
        return answer

    async def _exchange(self, carry: Carry, request: Request) -> tuple[int, Headers, bytes]:
        """Send, and read the whole answer."""
        answer = await carry(request)
        headers = told(answer.headers.raw)
        body = Body(headers, request.max_body)
        if isinstance(answer.stream, httpx.ByteStream):  # all of it has come already
            for chunk in answer.stream:
                body.add(chunk)
            return answer.status_code, headers, body.whole()
        stream = cast("httpx.AsyncByteStream", answer.stream)
        try:
            pieces = cast("AsyncGenerator[bytes, None]", aiter(stream))
            async with aclosing(pieces) as chunks:  # else a body given up half-way stays open until it is collected
                async for chunk in chunks:
                    body.add(chunk)
        finally:
            await stream.aclose()
        return answer.status_code, headers, body.whole()


def _client(carrier: httpx.AsyncBaseTransport, cookies: CookieJar | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=carrier, trust_env=False, headers=ALWAYS, cookies=cookies)


async def _by(client: httpx.AsyncClient, request: Request) -> httpx.Response:
    """Send over a client, with its cookies, and sign in to Windows on the way where that is asked for."""
    timeout = httpx.Timeout(request.timeout, connect=CONNECT)
    whole = client.build_request(
        request.method, request.url, content=request.body, headers=dict(request.headers), timeout=timeout
    )
    return await client.send(whole, auth=WindowsAuth(*request.windows) if request.windows else None, stream=True)


def refuse_plain(url: str) -> None:
    """Raise Rejected for anything but TLS, or a connection inside this machine."""
    _refuse_plain_origin("/".join(url.split("/", 3)[:3]))  # the host ends there at the latest


@lru_cache(maxsize=256)
def _refuse_plain_origin(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Rejected("not a URL") from error
    if parts.scheme in ("https", "wss") or (parts.scheme in ("http", "ws") and is_loopback(parts.hostname or "")):
        return
    raise Rejected(f"{parts.scheme or 'no scheme'}:// to {parts.hostname or 'nowhere'} is refused: https only")


def _said(error: httpx.TransportError) -> str:
    """Say what went wrong in words, certificates by name."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"the certificate is not trusted: {text.partition('verify failed: ')[2].partition(' (_ssl')[0] or text}"
    return {httpx.ConnectError: "no connection", httpx.RemoteProtocolError: "the connection was cut"}.get(
        type(error), type(error).__name__
    )

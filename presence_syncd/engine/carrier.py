"""What moves the bytes on the real network: httpx's transport interface over aiohttp's connections.

The one rule: bytes only. No redirect, no cookie, no unpacking, no environment, no URL quoted anew, no limit on the wait
for an answer: all that is the caller's. What goes wrong comes out as httpx's errors.
A request is sent once, for whoever sends it counts it: what is cut is repeated by nobody down here.

Why aiohttp: httpcore looks at its whole pool for each request. Why not the package httpx-aiohttp 0.2: it keeps one
cookie jar for everybody, quotes URLs anew, and calls a connection that was cut a connection that timed out.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import aiohttp
import httpx
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from presence_syncd.engine import line
from presence_syncd.engine.line import CONNECT, Dial, Line

LONGEST_LINE = 65536
"""Bytes of a header: a Kerberos token is that long (MS-KILE 3.3.5.6.4), and aiohttp's 8190 are too few."""
NOTHING_ADDED = ("accept", "accept-encoding", "content-type", "user-agent")
"""Headers that aiohttp would add."""
PATIENCE = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=CONNECT, sock_read=None)


class Carrier(httpx.AsyncBaseTransport):
    """Carries requests over at most `limits.max_connections` connections; `proxy` is the URL of one, or None.

    WebSockets, and everything on a loop that is not asyncio's, go over httpx's own transport. `connector` makes
    aiohttp's connector, and `dial` connects lines; the simulation gives both a network of its own.
    """

    __slots__ = ("_connector", "_dial", "_limits", "_other", "_proxy", "_session", "_trust")

    def __init__(
        self,
        trust: ssl.SSLContext,
        limits: httpx.Limits,
        proxy: str | None,
        connector: Callable[..., aiohttp.BaseConnector] = aiohttp.TCPConnector,
        dial: Dial = line.dial,
    ) -> None:
        self._trust, self._limits, self._proxy = trust, limits, proxy
        self._connector, self._dial = connector, dial
        self._session: aiohttp.ClientSession | None = None
        self._other: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its answer's body comes as it is read. Raises httpx's errors."""
        headers = [(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw]
        if any(name.lower() == "upgrade" for name, _ in headers) or not _is_asyncio():
            return await self._others().handle_async_request(request)
        body = b"".join(request.stream) if isinstance(request.stream, httpx.ByteStream) else await request.aread()
        with _TRANSLATED:
            answer = await self._sessions().request(
                request.method,
                _verbatim(request.url),
                data=body or None,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
            )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_body(answer))

    @property
    def has_lines(self) -> bool:
        """Whether long polls may go over lines: not through a proxy, and on asyncio only."""
        return self._proxy is None and _is_asyncio()

    async def line(self, url: httpx.URL) -> Line:
        """A new connection to where a URL leads. Raises httpx.ConnectError, ConnectTimeout."""
        return await line.connect(line.origin(url), self._trust, self._dial)

    async def aclose(self) -> None:
        """Close every connection but lines, which are their users'."""
        session, self._session = self._session, None
        other, self._other = self._other, None
        if session is not None:
            await session.close()
        if other is not None:
            await other.aclose()

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = self._connector(
                ssl=self._trust,
                limit=self._limits.max_connections or 0,
                keepalive_timeout=self._limits.keepalive_expiry,
                resolver=ThreadedResolver(),  # the system's, whatever else is installed
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=NOTHING_ADDED,
                timeout=PATIENCE,
                middlewares=(_once,),
                max_line_size=LONGEST_LINE,
                max_field_size=LONGEST_LINE,
            )
        return self._session

    def _others(self) -> httpx.AsyncHTTPTransport:
        if self._other is None:
            self._other = httpx.AsyncHTTPTransport(verify=self._trust, limits=self._limits, proxy=self._proxy)
        return self._other


def _body(answer: aiohttp.ClientResponse) -> httpx.ByteStream | _Body:
    """What has come of an answer, if that is all and its connection is free again; else its body as it comes."""
    content = answer.content
    if answer.connection is None and content.is_eof() and content.exception() is None:
        return httpx.ByteStream(content.read_nowait())
    return _Body(answer)


class _Body(httpx.AsyncByteStream):
    """An answer's body; closed half-way it closes its connection, which would bring the rest to the next request."""

    __slots__ = ("_answer",)

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _TRANSLATED:
            while chunk := await self._answer.content.readany():
                yield chunk

    async def aclose(self) -> None:
        """Give the connection back, or close it."""
        self._answer.close()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request; its errors become httpx's before aiohttp sees them, which would send a GET that was cut again."""
    with _TRANSLATED:
        return await handler(request)


class _Translated:
    """Says what went wrong as httpx does. One serves all, since a long poll would hold one for minutes."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and (translated := _as_httpx(error)) is not None:
            raise translated from error


def _as_httpx(error: BaseException) -> Exception | None:
    """What httpx would raise; None for what is no trouble of the network."""
    match error:
        case TimeoutError():  # aiohttp's own are among them
            return httpx.ConnectTimeout(str(error))
        case aiohttp.InvalidURL():
            return httpx.InvalidURL(str(error))
        case aiohttp.ClientConnectorError() | aiohttp.ClientConnectorCertificateError():
            return httpx.ConnectError(str(error))
        case aiohttp.ClientHttpProxyError():
            return httpx.ProxyError(f"{error.status} {error.message}")
        case aiohttp.ClientError() | OSError():
            return httpx.RemoteProtocolError(str(error))
        case _:
            return None


_TRANSLATED = _Translated()


def _verbatim(url: httpx.URL) -> URL:
    return URL(f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.decode('ascii')}", encoded=True)


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

"""Messages: what goes out and comes in, as httpx has it; bodies are bounded and unpacked, cookies kept by link.

The one rule: nothing here sends.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import httpx

from presence_syncd.connectors.flow import Request
from presence_syncd.engine.line import CONNECT
from presence_syncd.errors import RemoteProtocolError

ALWAYS = {"accept": "*/*", "accept-encoding": "gzip", "connection": "keep-alive", "user-agent": "presence-syncd"}
"""Headers of every request that does not say otherwise."""
Headers = tuple[tuple[str, str], ...]


class Jar:
    """The cookies that a link's long polls were given: many services give none."""

    __slots__ = ("_cookies",)

    def __init__(self) -> None:
        self._cookies: httpx.Cookies | None = None

    def show(self, request: httpx.Request) -> None:
        """Put the cookies that are for where the request goes into its header."""
        if self._cookies is not None:
            self._cookies.set_cookie_header(request)

    def learn(self, request: Request, headers: list[tuple[bytes, bytes]]) -> None:
        """Keep what an answer gives, for where it may be shown."""
        if any(name.lower() == b"set-cookie" for name, _ in headers):
            self._cookies = self._cookies or httpx.Cookies()
            self._cookies.extract_cookies(httpx.Response(200, headers=headers, request=whole(request)))


def whole(request: Request) -> httpx.Request:
    """The request with what is always said. Raises httpx.InvalidURL, UnicodeError."""
    url = _url(request.url)
    own = {name.lower(): value for name, value in request.headers.items()}
    headers = [(b"host", url.netloc), *(pair for name, pair in _ALWAYS.items() if name not in own)]
    headers += [(_bytes(name), value.encode("ascii")) for name, value in own.items()]
    body = request.body or b""
    if body or request.method in _BEARING:
        headers.append((b"content-length", b"%d" % len(body)))
    extensions = {"timeout": _timeouts(request.timeout)}
    return httpx.Request(request.method, url, headers=headers, stream=httpx.ByteStream(body), extensions=extensions)


_BEARING = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests say that their body is empty (RFC 9110 §8.6)."""
_ALWAYS = {name: (name.encode(), value.encode()) for name, value in ALWAYS.items()}


@lru_cache(maxsize=256)
def _bytes(name: str) -> bytes:
    """A header's name as it is sent. Names are few, and constant; values are not, and may be secrets."""
    return name.encode("ascii")


def told(headers: list[tuple[bytes, bytes]]) -> Headers:
    """An answer's headers as flows have them."""
    return tuple((_name(name), value.decode("latin-1")) for name, value in headers)


@lru_cache(maxsize=256)
def _name(name: bytes) -> str:
    return name.decode("latin-1")


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


@lru_cache(maxsize=256)
def _timeouts(seconds: float) -> dict[str, float | None]:
    return httpx.Timeout(seconds, connect=CONNECT).as_dict()


class Body:
    """Gathers the body of an answer, unpacked, and never holds more than `most` bytes of it."""

    def __init__(self, headers: Headers, most: int) -> None:
        named = (value for name, value in headers if name.lower() == "content-encoding")
        encoding = next(named, "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise RemoteProtocolError("the answer is in an encoding that was not asked for")
        self._unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
        self._most, self._bytes = most, bytearray()

    def add(self, chunk: bytes) -> None:
        """Take what came. Raises RemoteProtocolError."""
        room = self._most - len(self._bytes) + 1
        try:
            self._bytes += self._unpacker.decompress(chunk, room) if self._unpacker else chunk
        except zlib.error as error:
            raise RemoteProtocolError("the answer cannot be decoded") from error
        if len(self._bytes) > self._most:
            raise RemoteProtocolError(f"the answer is larger than {self._most} bytes")

    def whole(self) -> bytes:
        """The body, once all of it came. Raises RemoteProtocolError."""
        if self._unpacker is not None and self._bytes and not self._unpacker.eof:
            raise RemoteProtocolError("the answer cannot be decoded: it ends too soon")
        return bytes(self._bytes)

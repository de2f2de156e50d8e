"""Flows: protocol code as generators that yield steps and are sent the answers. No I/O, no await, no clock.

The one rule: a flow decides, the engine does. A flow that yields a `Request` is sent a `Reply`; `yield from`
composes flows; a test drives one by hand with `next()` and `send()`.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar

import msgspec

from presence_syncd.connectors.fields import SecretRef
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import Status
from presence_syncd.core.values import Value
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, RemoteProtocolError, ServiceError, Unavailable

MAX_BODY = 1024 * 1024
"""Largest body read unless a request says otherwise, in bytes."""
MAX_RETRY_AFTER = 300.0
"""Longest wait a service is granted by its `Retry-After`, in seconds; a longer one is asked again then."""


HIDDEN = frozenset({"headers", "body", "windows", "text"})
"""Fields that may hold secrets, or what people wrote."""


class _Discreet(Value, frozen=True):
    """A value that can be printed without telling secrets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in HIDDEN]


class Request(_Discreet, frozen=True):
    """One HTTP request. `operation` names it in metrics: few, constant words.

    `realm` names the token it carries (see `Service.token`); None sends it bare. `timeout` is seconds for the whole
    exchange. `batch` says that it may ride in an envelope with others. `own_connection` keeps a long poll out of the
    shared pool. `windows` asks for HTTP NTLM/Negotiate with the (user, password) given, or the process's own identity.
    """

    method: str
    url: str
    operation: str
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes | None = None
    realm: str | None = None
    timeout: float = 15.0
    max_body: int = MAX_BODY
    batch: bool = False
    own_connection: bool = False
    windows: tuple[str, str] | None = None


class Reply(_Discreet, frozen=True):
    """One HTTP answer. Times are the daemon's seconds: when the request left, and when the answer was whole."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    at: float = 0.0
    started_at: float = 0.0
    url: str = ""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case; None if there is none."""
        return next(iter(self.header_all(name)), None)

    def header_all(self, name: str) -> tuple[str, ...]:
        """Every header of that name, in any case, in order."""
        return tuple(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def media_type(self) -> str:
        """The content type, lower case, without parameters; empty if not said."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    def json(self) -> Any:  # `Any` ends where the caller looks at it
        """The body as JSON, a byte order mark tolerated. Raises RemoteProtocolError."""
        try:
            return json.loads(self.body.removeprefix(BOM_UTF8).decode())  # a tenth of the codec utf-8-sig's time
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError(f"the answer is not JSON (HTTP {self.status}, {len(self.body)} bytes)") from error

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises RemoteProtocolError for anything else."""
        data = self.json()
        if not isinstance(data, dict):
            raise RemoteProtocolError(f"the answer is a JSON {type(data).__name__}, not an object")
        return data


class Reveal(Value, frozen=True):
    """Ask for a secret, read anew from where it is kept. Sent back: a `Secret`."""

    ref: SecretRef


class Wait(Value, frozen=True):
    """Let time pass, in seconds. Sent back: True if another flow of the link woke it before."""

    seconds: float


class Now(Value, frozen=True):
    """Ask what time it is, where no reply tells. Sent back: the daemon's seconds."""


class Wake(Value, frozen=True):
    """Wake the link's other flows out of `Wait` and `Receive`. Sent back: None."""


class SetOut(Value, frozen=True):
    """Say that a wait of the flow's own is over, and that it now does what it is for. Sent back: None.

    Raises Overtaken if that is not wanted any more.
    """


class HangUp(Value, frozen=True, gc=True):  # the frames of the error's traceback may hold it: a cycle
    """Give up the link's own long poll, if one is out: `error` is raised where it waits. Sent back: None."""

    error: ServiceError


class Foretell(Value, frozen=True):
    """Say, before the request goes out, what signing in may make the place show: nobody's word. Sent back: None."""

    status: Status


class Vouch(Value, frozen=True):
    """Say, before the request goes out, that it shows the person awake for so long, typing or not. Sent back: None."""

    seconds: float


class Emit(Value, frozen=True):
    """Hand over what a pushed event, or a read, showed. Sent back: the `Kind` it was found to be."""

    observation: Observation


class Remember(Value, frozen=True):
    """Keep a small fact over restarts (an endpoint id). Sent back: None, once it is durable."""

    key: str
    value: str


class Enter(Value, frozen=True):
    """Tell which state of its own machine the link is in now; shown by `status`. Sent back: None."""

    state: str
    detail: str = ""


class Open(_Discreet, frozen=True):
    """Open the flow's own WebSocket. Sent back: a `Reply` (101 when open; else what the server said)."""

    url: str
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    operation: str = "open"
    timeout: float = 15.0


class Send(_Discreet, frozen=True):
    """Send one text frame. Sent back: None. Raises Unavailable when the socket is closed."""

    text: str


class Receive(Value, frozen=True):
    """Wait for one frame. Sent back: its text, or None after `timeout` seconds or when woken."""

    timeout: float


class Close(Value, frozen=True):
    """Close the flow's WebSocket. Sent back: None."""


Step: TypeAlias = (
    Request
    | Reveal
    | Wait
    | Now
    | Wake
    | SetOut
    | HangUp
    | Foretell
    | Vouch
    | Emit
    | Remember
    | Enter
    | Open
    | Send
    | Receive
    | Close
)
T = TypeVar("T")
Flow: TypeAlias = Generator[Step, Any, T]


def json_body(value: object) -> bytes:
    """Encode a request body: compact JSON in UTF-8; half a surrogate pair, which JSON can carry, becomes `?`."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


SETTLED = frozenset({423, 425, 500, 503, 509})
"""Failures told by the service itself, which then does nothing more: 500, 503 (RFC 9110 §15.6), 423 (RFC 4918 §11.3),
425 (RFC 8470 §5.2), 509 (Graph). A gateway's 502 and 504, and 408, say only that somebody gave up waiting."""


def expect(reply: Reply, *statuses: int) -> Reply:
    """Return the reply if its status is one of `statuses`; raise what the status means otherwise.

    429 -> RateLimited; 408, 423, 425, 5xx and 509 -> Unavailable; 401 -> AuthRejected; other 4xx -> Rejected;
    a redirect or anything else -> RemoteProtocolError. The body never decides, and is never quoted.
    """
    if reply.status in statuses:
        return reply
    said = f"HTTP {reply.status}"
    if reply.status == 429:
        raise RateLimited(said, retry_after=retry_after(reply))
    if reply.status in (408, 423, 425) or reply.status >= 500:
        raise Unavailable(said, retry_after=retry_after(reply), settled=reply.status in SETTLED)
    if reply.status == 401:
        raise AuthRejected(said, retry_after=900.0)
    if 400 <= reply.status < 500:
        raise Rejected(said, status=reply.status)
    raise RemoteProtocolError(f"{said} is not an answer this request has")


def without_words(reply: Reply) -> Reply:
    """Return the reply to a request that is answered with nothing but its status; JSON besides does no harm.

    Anything else was said by something between, a portal's page as a rule, and nothing was done. Raises
    RemoteProtocolError.
    """
    if reply.body.strip():
        reply.json()
    return reply


def retry_after(reply: Reply) -> float | None:
    """Seconds the service asks to wait: whole, decimal or a date; between 1 and 300; None if not said or not legible.

    A date is measured against the answer's own `Date` (RFC 9110 §10.2.3), so that clocks need not agree.
    """
    text = (reply.header("retry-after") or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, reply.header("date"))
    if seconds != seconds or seconds < 0 or not text:
        return None
    return min(max(seconds, 1.0), MAX_RETRY_AFTER)


def _seconds_until(date: str, now: str | None) -> float:
    try:
        return (parsedate_to_datetime(date) - parsedate_to_datetime(now or "")).total_seconds() if date else -1.0
    except (ValueError, TypeError, OverflowError):
        return -1.0


def doubled(limits: tuple[float, float], count: int) -> float:
    """The wait after `count` earlier ones: from the first of `limits` (s) to the last, each time twice as long."""
    first, longest = limits
    return min(longest, first * 2.0 ** min(count, 20))


def chunks(items: Iterable[T], size: int) -> Generator[list[T], None, None]:
    """Cut `items` into lists of at most `size`."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

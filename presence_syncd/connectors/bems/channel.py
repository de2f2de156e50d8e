"""What carries the messages: a WebSocket, a long poll, or a poll. All three know texts only.

The one rule: the token and the cookies go to the configured host, in headers, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from presence_syncd.connectors.bems.frames import strict
from presence_syncd.connectors.bems.jsonrpc import Call
from presence_syncd.connectors.bems.session import TokenRefused
from presence_syncd.connectors.bems.settings import BemsSettings
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Now, Open, Receive, Reply, Request, Send, Wait, doubled, expect

TOKEN_HEADER = "X-Good-GD-AuthToken"  # noqa: S105  # a name
MOST_COOKIES = 20
EAGER = 0.5
"""Seconds between two polls while an answer is waited for."""
MOST_QUICK, SLOWEST = 5, 10.0
"""Long polls in a row that are answered sooner than `EAGER`, before the next one waits; its longest wait in seconds."""
MARGIN = 10.0
"""Seconds a long poll may take beyond the time the server holds it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A text that came, in the daemon's seconds."""

    body: str | bytes
    at: float


class Cookies:
    """The cookies of each host, newest value of each name; `deviceToken` is one."""

    def __init__(self) -> None:
        self._jar: dict[str, dict[str, str]] = {}

    def learn(self, url: str, reply: Reply) -> None:
        """Take over what `Set-Cookie` says; an empty value, or an age of 0, removes a cookie."""
        jar = self._jar.setdefault(urlsplit(url).hostname or "", {})
        for line in reply.header_all("set-cookie"):
            pair, *attributes = line.split(";")
            name, _, value = (part.strip() for part in pair.partition("="))
            expired = any(a.strip().lower().replace(" ", "") == "max-age=0" for a in attributes)
            jar.pop(name, None)
            if name and value and not expired and len(jar) < MOST_COOKIES:
                jar[name] = value

    def header(self, url: str) -> dict[str, str]:
        """The `Cookie` header for a URL; empty where there is none."""
        jar = self._jar.get(urlsplit(url).hostname or "", {})
        return {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}


def identity(token: Secret | None, cookies: Cookies, url: str) -> dict[str, str]:
    """The headers that say who asks."""
    return {**({TOKEN_HEADER: token.reveal()} if token else {}), **cookies.header(url)}


class Channel(Protocol):
    """Carries texts. `is_shared` says that every flow of the link may send, not only the one that opened it."""

    is_shared: bool

    def open(self, token: Secret | None) -> Flow[None]: ...
    def send(self, calls: Sequence[Call]) -> Flow[list[Heard]]: ...
    def receive(self, seconds: float, *, eager: bool) -> Flow[list[Heard]]: ...


class WebSocketChannel:
    """One WebSocket, the flow's own that opened it. A frame holds one request, or an array where `batch` is set."""

    is_shared = False

    def __init__(self, settings: BemsSettings, cookies: Cookies) -> None:
        self._settings, self._cookies = settings, cookies

    def open(self, token: Secret | None) -> Flow[None]:
        """Connect. Raises TokenRefused, and what `expect` raises for a server that does not upgrade."""
        url = self._settings.url
        reply: Reply = yield Open(url, identity(token, self._cookies, url), "connect")
        self._cookies.learn(url, reply)
        _accepted(reply, 101)

    def send(self, calls: Sequence[Call]) -> Flow[list[Heard]]:
        """Send requests; answers come by `receive`."""
        if self._settings.batch and len(calls) > 1:
            yield Send(strict([call.message for call in calls]))
            return []
        for call in calls:
            yield Send(call.text)
        return []

    def receive(self, seconds: float, *, eager: bool) -> Flow[list[Heard]]:  # noqa: ARG002  # frames come by themselves
        """Wait for one frame, or until woken."""
        text = yield Receive(max(0.0, seconds))
        return [] if text is None else [Heard(text, (yield Now()))]


class PolledChannel:
    """Requests over HTTP, and polls for what the server has to say: held back by it (`hold`), or now and then."""

    is_shared = True

    def __init__(self, settings: BemsSettings, cookies: Cookies, url: str, *, held: bool) -> None:
        self._settings, self._cookies, self._url, self._held = settings, cookies, url, held
        self._token: Secret | None = None
        self._quick = 0

    def open(self, token: Secret | None) -> Flow[None]:
        """Keep the token for the requests to come."""
        self._token = token
        return
        yield

    def send(self, calls: Sequence[Call]) -> Flow[list[Heard]]:
        """Post requests, one as an object, several as an array; returns what the answer holds."""
        messages = [call.message for call in calls]
        return (yield from self._post(strict(messages[0] if len(messages) == 1 else messages), "call"))

    def receive(self, seconds: float, *, eager: bool) -> Flow[list[Heard]]:
        """Ask for what there is to say. Eagerly: on behalf of somebody who waits for it."""
        if self._held:
            return (yield from self._poll_held(seconds, eager=eager))
        yield Wait(max(0.0, min(seconds, EAGER if eager else self._settings.poll_every)))
        return (yield from self._post("[]", "poll"))

    def _poll_held(self, seconds: float, *, eager: bool) -> Flow[list[Heard]]:
        """Poll at once; but who answers at once, again and again, is not asked as fast as that."""
        if self._quick >= MOST_QUICK:
            yield Wait(max(0.0, min(seconds, doubled((EAGER, SLOWEST), self._quick - MOST_QUICK))))
        began = yield Now()
        heard = yield from self._post("[]", "poll", hold=0.0 if eager else self._settings.hold)
        self._quick = self._quick + 1 if (yield Now()) - began < EAGER else 0
        return heard

    def _post(self, body: str, operation: str, hold: float | None = None) -> Flow[list[Heard]]:
        limit = self._settings.deadline if hold is None else (hold or self._settings.hold) + MARGIN
        reply: Reply = yield Request(
            "POST",
            self._url,
            operation,
            headers={"content-type": "application/json", **identity(self._token, self._cookies, self._url)},
            body=body.encode(),
            timeout=limit,
            own_connection=bool(hold),
        )
        self._cookies.learn(self._url, reply)
        _accepted(reply, 200, 202, 204)
        return [Heard(reply.body, reply.at)] if reply.body.strip() else []


def _accepted(reply: Reply, *statuses: int) -> None:
    """Raise what an HTTP status means; 401 and 403 are a refused token (§5)."""
    if reply.status in (401, 403):
        raise TokenRefused(f"HTTP {reply.status}")
    expect(reply, *statuses)


def channel(settings: BemsSettings, cookies: Cookies, *, fallback: bool) -> Channel:
    """Make the configured channel, or its fallback."""
    kind = settings.fallback if fallback else settings.transport
    if kind == "websocket":
        return WebSocketChannel(settings, cookies)
    url = settings.polled_url if fallback else settings.url
    return PolledChannel(settings, cookies, url, held=kind == "long-poll")

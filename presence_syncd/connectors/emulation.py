"""What every emulator has: a clock that can be sped up, a switch for scripted faults, and JSON answers.

The one rule: emulators are written from the services' documents and never look at our client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL = "/_emulator"
"""Path under which an emulator is steered: faults, clock, people."""


class EmulatedClock:
    """Seconds that run `speed` times as fast as the loop's, and can be pushed forward.

    Who waits for one of them looks again after `longest_nap` real seconds: somebody may have pushed it.
    """

    def __init__(self, *, epoch: float = 1_800_000_000.0, speed: float = 1.0, longest_nap: float = 5.0) -> None:
        self.epoch, self._speed, self._offset, self._since = epoch, speed, 0.0, 0.0
        self.longest_nap = longest_nap

    def now(self) -> float:
        """Unix seconds of the emulated world."""
        return self.epoch + self._offset + (anyio.current_time() - self._since) * self._speed

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._offset += seconds

    @property
    def speed(self) -> float:
        """How many emulated seconds a real one has."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        here = anyio.current_time()
        self._offset += (here - self._since) * self._speed
        self._since, self._speed = here, speed

    def nap(self, until: float) -> float:
        """How long to wait for `until`, in real seconds, before looking again."""
        return min((until - self.now()) / self._speed, self.longest_nap)

    async def sleep(self, seconds: float) -> None:
        """Wait for emulated seconds."""
        await anyio.sleep(max(0.0, seconds) / self._speed)


@dataclass(slots=True)
class Answer:
    """A scripted answer in place of the real one, `times` times (0: until cleared).

    `delay` seconds pass before it; `apply` lets the real application act first and throws its answer away (a write that
    was done and whose answer was lost); `hang` never answers; `hang_up` sends half an answer and drops the connection.
    """

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str | bytes = ""
    times: int = 1
    method: str = ""
    path: str = ""
    delay: float = 0.0
    apply: bool = False
    hang: bool = False
    hang_up: bool = False
    raw_headers: list[tuple[str, str]] = field(default_factory=list)

    def matches(self, method: str, path: str) -> bool:
        """Whether this answer is for a request; `path` is a regular expression searched for."""
        return self.method in ("", method) and re.search(self.path, path) is not None


class FaultSwitch:
    """ASGI middleware: answers from a script first, then from the application. Counts what was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.script: list[Answer] = []
        self.requests: list[tuple[str, str]] = []

    def add(self, *answers: Answer) -> None:
        """Append answers to the script."""
        self.script.extend(answers)

    def clear(self) -> None:
        """Forget the script."""
        self.script.clear()

    def count(self, method: str, path: str) -> int:
        """How many requests so far had this method and a path in which the regular expression is found."""
        return sum(m == method and re.search(path, p) is not None for m, p in self.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self.app(scope, receive, send)
            return
        self.requests.append((scope["method"], scope["path"]))
        answer = self._take(scope["method"], scope["path"])
        if answer is None:
            await self.app(scope, receive, send)
        else:
            await self._play(answer, scope, receive, send)

    def _take(self, method: str, path: str) -> Answer | None:
        answer = next((a for a in self.script if a.matches(method, path)), None)
        if answer is not None and answer.times:
            answer.times -= 1
            if not answer.times:
                self.script.remove(answer)
        return answer

    async def _play(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        if answer.apply:
            await self.app(scope, receive, _swallow)
        await anyio.sleep(answer.delay)
        if answer.hang:
            await anyio.sleep_forever()
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        pairs = [*answer.headers.items(), *answer.raw_headers]
        if answer.hang_up:
            pairs.append(("content-length", str(len(body) + 100)))
        headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in pairs]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": answer.hang_up})


async def _swallow(message: Message) -> None:
    """Throw an answer away."""


Endpoint = Callable[[Request], Awaitable[Response]]


class Emulator:
    """One emulated service: `app` is the ASGI application, `faults` its switch, `clock` its time."""

    def __init__(self, clock: EmulatedClock | None = None) -> None:
        self.clock = clock or EmulatedClock()
        routes = [
            *self.routes(),
            Route(f"{CONTROL}/faults", self._faults, methods=["POST", "DELETE"]),
            Route(f"{CONTROL}/clock", self._clock, methods=["GET", "POST"]),
        ]
        self.faults = FaultSwitch(Starlette(routes=routes))
        self.app: ASGIApp = self.faults

    def routes(self) -> list[BaseRoute]:
        """The service's own routes."""
        return []

    async def _faults(self, request: Request) -> Response:
        """POST adds one scripted answer (the fields of `Answer`), DELETE clears the script."""
        if request.method == "DELETE":
            self.faults.clear()
        else:
            self.faults.add(Answer(**await json_of(request)))
        return JSONResponse({"scripted": len(self.faults.script)})

    async def _clock(self, request: Request) -> Response:
        """POST `{"advance": s}` or `{"speed": x}`."""
        if request.method == "POST":
            order = await json_of(request)
            self.clock.advance(float(order.get("advance", 0.0)))
            self.clock.speed = float(order.get("speed", self.clock.speed))
        return JSONResponse({"now": self.clock.now(), "speed": self.clock.speed})


async def json_of(request: Request) -> dict[str, Any]:
    """The request's JSON object; an empty one if it has none."""
    try:
        data = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}

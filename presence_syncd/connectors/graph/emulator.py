"""Microsoft Graph presence on this machine: sign-in, v1.0 and beta, batches, throttling, and the people to move.

The one rule: a part of a batch is judged exactly as a call of its own. Source: graph sheet §5, §6. It is steered by the
methods of `GraphEmulator`, or under `/_emulator`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.emulation import CONTROL, Answer, EmulatedClock, Emulator, json_of
from presence_syncd.connectors.graph.emulated_calls import SESSION_PAIRS, Answered, Call, EmulatedCalls, Write, error
from presence_syncd.connectors.graph.emulated_login import EmulatedLogin
from presence_syncd.connectors.graph.emulated_people import Person

TENANT = "contoso.onmicrosoft.com"
CLIENT_ID = "22553876-f5ab-4529-bffb-cfe50aa89f87"
CLIENT_SECRET = "emulated-secret"  # noqa: S105  # it opens the emulator only
MOST_PARTS = 20
METHODS = ["GET", "POST", "PATCH", "DELETE"]
SWITCHES = frozenset(field.name for field in fields(EmulatedCalls)) - {"clock", "people", "writes"}
"""The switches of `EmulatedCalls` that can be set over HTTP."""


class Throttle:
    """At most `limit` calls in `window` seconds; who goes on while throttled waits longer."""

    def __init__(self, limit: int | None, window: float, retry_after: float) -> None:
        self.limit, self.window, self.retry_after = limit, window, retry_after
        self._calls: deque[float] = deque()
        self._until = float("-inf")

    def refuse(self, now: float) -> Answered | None:
        """Count one call; the 429 it gets, or None."""
        while self._calls and self._calls[0] <= now - self.window:
            self._calls.popleft()
        if self.limit is None or (now >= self._until and len(self._calls) < self.limit):
            self._calls.append(now)
            return None
        self._until = now + self.retry_after
        return error(429, "TooManyRequests", "Please retry again later.", {"Retry-After": f"{self.retry_after:g}"})


class GraphEmulator(Emulator):
    """One tenant with one app. `fade` and `expiry_scale` shorten the clocks of sessions, in seconds and as a factor.

    `login` is the sign-in service, `calls` the presence API with its switches, `throttle` the limit, `parts` scripted
    answers for parts of batches (`hang_up`: the part is left out), `upper_ids` spells the ids of parts in capitals.
    """

    def __init__(
        self,
        clock: EmulatedClock | None = None,
        *,
        tenant: str = TENANT,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        fade: float = 300.0,
        expiry_scale: float = 1.0,
        limit: int | None = None,
        window: float = 30.0,
        retry_after: float = 10.0,
    ) -> None:
        super().__init__(clock)
        self.login = EmulatedLogin(self.clock, tenant, client_id, client_secret)
        self.calls = EmulatedCalls(self.clock, fade, expiry_scale)
        self.throttle = Throttle(limit, window, retry_after)
        self.parts: list[Answer] = []
        self.upper_ids = False

    def routes(self) -> list[BaseRoute]:
        """The sign-in service, the two versions of the API, and the controls."""
        return [
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
            *(Route(f"/{version}/$batch", self._serve_batch, methods=["POST"]) for version in SESSION_PAIRS),
            *(Route(f"/{version}/{{rest:path}}", self._serve_call, methods=METHODS) for version in SESSION_PAIRS),
            Route(f"{CONTROL}/people", self._people, methods=["GET"]),
            Route(f"{CONTROL}/people/{{id}}", self._steer, methods=["POST"]),
            Route(f"{CONTROL}/writes", self._written, methods=["GET"]),
            Route(f"{CONTROL}/switches", self._switch, methods=["POST"]),
        ]

    def add_user(self, user_id: str) -> Person:
        """Add a person without any session."""
        self.calls.people[user_id.lower()] = person = Person(user_id, self.clock.now())
        return person

    def teams(self, user_id: str, availability: str | None, activity: str | None = None) -> None:
        """Move the person's Teams client; None or `Offline` closes it."""
        pair = None if availability in (None, "Offline") else (str(availability), activity or str(availability))
        self.calls.move_teams(self.calls.person(user_id), pair)

    def choose(self, user_id: str, availability: str | None, activity: str | None = None) -> None:
        """Let the person choose a state in Teams; None resets it."""
        default = "OffWork" if availability == "Offline" else availability
        pair = (availability, activity or str(default)) if availability else None
        self.calls.prefer(self.calls.person(user_id), pair)

    def shown(self, user_id: str) -> tuple[str, str]:
        """The availability and activity that are read now."""
        told = self.calls.presence(self.calls.person(user_id))
        return told["availability"], told["activity"]

    @property
    def writes(self) -> list[Write]:
        """Every write that was accepted, in order."""
        return self.calls.writes

    @property
    def lapsed(self) -> int:
        """How many application sessions have faded or expired while nobody renewed or cleared them."""
        return sum(person.lapsed_by(self.clock.now()) for person in self.calls.people.values())

    async def _token(self, request: Request) -> Response:
        return await self.login.serve(request)

    async def _serve_call(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.body()
        if body and not request.headers.get("content-type", "").startswith("application/json"):
            return _response(error(415, "UnsupportedMediaType"))
        return _response(self._answer(_version(request), request.method, "/" + request.path_params["rest"], body))

    def _refusal(self, request: Request) -> Response | None:
        grant = self.login.grant_of(request.headers.get("authorization", ""))
        if grant is None or self.login.is_challenged(grant):
            return self.login.refusal(grant)
        return None

    def _answer(self, version: str, method: str, path: str, body: bytes | Mapping[str, Any]) -> Answered:
        throttled = self.throttle.refuse(self.clock.now())
        if throttled is not None:
            return throttled
        try:
            data = json.loads(body or b"{}") if isinstance(body, bytes) else body
        except ValueError:
            data = None
        if not isinstance(data, Mapping):
            return error(400, "BadRequest")
        return self.calls.answer(Call(version, method, path, data, self.login.client_id))

    async def _serve_batch(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        parts = (await json_of(request)).get("requests")
        wrong = _wrong(parts)
        if wrong is not None:
            return _response(error(400, wrong))
        done: dict[str, Answered | None] = {}
        for part in parts or []:
            done[part["id"].lower()] = self._part(_version(request), part, done)
        told = [_told(part["id"], done[part["id"].lower()], self.upper_ids) for part in reversed(parts or [])]
        return JSONResponse({"responses": [each for each in told if each is not None]})

    def _part(self, version: str, part: dict[str, Any], done: Mapping[str, Answered | None]) -> Answered | None:
        """Answer one part; None: it gets no answer."""
        method, path = str(part.get("method")), "/" + str(part.get("url", "")).lstrip("/")
        before = [done.get(str(other).lower()) for other in part.get("dependsOn", [])]
        if any(answered is None or answered.status >= 400 for answered in before):
            return error(424, "FailedDependency")
        scripted = next((answer for answer in self.parts if answer.matches(method, path)), None)
        if scripted is not None:
            return self._scripted(scripted)
        headers = {str(name).lower() for name in part.get("headers", {})}
        if "body" in part and "content-type" not in headers:
            return error(400, "BadRequest")
        return self._answer(version, method, path, part.get("body", {}))

    def _scripted(self, answer: Answer) -> Answered | None:
        answer.times -= 1
        if not answer.times:
            self.parts.remove(answer)
        return None if answer.hang_up else Answered(answer.status, answer.body or None, answer.headers)

    async def _people(self, _: Request) -> Response:
        """What everybody shows, and how many sessions have lapsed."""
        people = {person.id: "/".join(self.shown(person.id)) for person in self.calls.people.values()}
        return JSONResponse({"people": people, "lapsed": self.lapsed})

    async def _steer(self, request: Request) -> Response:
        """POST `availability`, `activity` (of the Teams client), `preferred`, `meeting`, `out_of_office`, `message`.

        Who is not there yet is added.
        """
        order, user_id = await json_of(request), request.path_params["id"]
        person = self.calls.people.get(user_id.lower()) or self.add_user(user_id)
        if "availability" in order:
            self.teams(user_id, order["availability"], order.get("activity"))
        if "preferred" in order:
            self.choose(user_id, order["preferred"])
        names = {"meeting": "in_meeting", "out_of_office": "out_of_office", "message": "message"}
        changes = {names[key]: value for key, value in order.items() if key in names}
        if changes:
            person.change(self.clock.now(), **changes)
        return JSONResponse(self.calls.presence(person))

    async def _written(self, _: Request) -> Response:
        return JSONResponse({"writes": [asdict(write) for write in self.writes]})

    async def _switch(self, request: Request) -> Response:
        """POST any of `SWITCHES`."""
        order = await json_of(request)
        for name in SWITCHES & order.keys():
            setattr(self.calls, name, order[name])
        return JSONResponse({name: getattr(self.calls, name) for name in sorted(SWITCHES)})


def _version(request: Request) -> str:
    return request.url.path.split("/")[1]


def _wrong(parts: object) -> str | None:
    """What makes a whole batch fail, as an error code; None if nothing does."""
    if not isinstance(parts, list) or not parts:
        return "BadRequest"
    if len(parts) > MOST_PARTS:
        return "MaximumValueExceeded"
    ids = [part["id"].lower() for part in parts if isinstance(part, dict) and isinstance(part.get("id"), str)]
    return None if len(set(ids)) == len(parts) else "BadRequest"


def _told(part_id: str, answered: Answered | None, in_capitals: bool) -> dict[str, Any] | None:
    if answered is None:
        return None
    told = {"id": part_id.upper() if in_capitals else part_id, "status": answered.status, "headers": answered.headers}
    return told if answered.body is None else {**told, "body": answered.body}


def _response(answered: Answered) -> Response:
    headers = {**answered.headers, "Content-Type": "application/json"}
    if answered.status == 204:
        return Response(status_code=204)
    content = b"" if answered.body is None else json.dumps(answered.body).encode()
    return Response(content, answered.status, headers)

"""A Symphony pod on loopback: the login and presence calls, with people who sit at their clients.

The one rule: it knows the service's documents only (calls P1 to P6; the deprecated presence feeds answer 404).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.emulation import CONTROL, EmulatedClock, Emulator, json_of
from presence_syncd.connectors.symphony.emulated_login import Session, Sessions
from presence_syncd.connectors.symphony.emulated_pod import (
    CATEGORIES,
    EXTERNAL_SECONDS,
    INTEREST_SECONDS,
    Person,
)

DEFAULT_PAGE, LONGEST_PAGE = 1000, 5000
"""Users on one page of the list, and the most that may be asked for."""

Call = Callable[[Request, Session], Awaitable[Response]]


class SymphonyEmulator(Emulator):
    """The pod. `writes` are the accepted API writes: (Unix s, user id, category).

    Switches: `may_write` False refuses every write with 403; `refused` categories are refused with 403; `limit` is
    (requests, seconds) a session may make, beyond which it gets 429, with `retry_after` as header where not None;
    `external_refusal` is the status of a second reading of an external user within five minutes.
    """

    def __init__(self, clock: EmulatedClock | None = None, *, session_lifetime: float = 86_400.0) -> None:
        super().__init__(clock)
        self.people: dict[int, Person] = {}
        self.sessions = Sessions(session_lifetime)
        self.writes: list[tuple[float, int, str]] = []
        self.may_write = True
        self.refused: set[str] = set()
        self.without_app: set[int] = set()
        self.limit: tuple[int, float] | None = None
        self.retry_after: str | None = None
        self.external_refusal = 429
        self._asked: dict[str, list[float]] = {}

    def routes(self) -> list[BaseRoute]:
        """The login and pod calls, and what a person steers the emulator by."""
        pod = [
            ("GET", "/pod/v2/user/presence", self._read_own),
            ("POST", "/pod/v2/user/presence", self._write_own),
            ("GET", "/pod/v3/user/{uid:int}/presence", self._read_user),
            ("GET", "/pod/v2/users/presence", self._list),
            ("POST", "/pod/v3/user/presence", self._write_user),
            ("POST", "/pod/v1/user/presence/register", self._register),
        ]
        return [
            Route("/login/pubkey/authenticate", self._log_in_bot, methods=["POST"]),
            Route("/login/pubkey/app/authenticate", self._log_in_app, methods=["POST"]),
            Route("/login/pubkey/app/user/{user}/authenticate", self._act_as, methods=["POST"]),
            Route("/login/pubkey/app/username/{username}/authenticate", self._act_as, methods=["POST"]),
            *(Route(path, self._in_session(call), methods=[method]) for method, path, call in pod),
            Route(f"{CONTROL}/people", self._show_people, methods=["GET"]),
            Route(f"{CONTROL}/people/{{uid:int}}", self._steer, methods=["POST"]),
            Route(f"{CONTROL}/sessions", self._revoke, methods=["DELETE"]),
            Route(f"{CONTROL}/writes", self._written, methods=["GET"]),
        ]

    # people, as tests and the demo steer them

    def add_bot(self, username: str, public_key: str, *, user_id: int = 1) -> None:
        """Register a service account by its public key (PEM)."""
        self.sessions.keys["bot", username] = public_key
        self.people[user_id] = Person(user_id, username, set_at=self.clock.epoch)

    def add_app(self, app_id: str, public_key: str) -> None:
        """Register an extension app by its public key (PEM); every user has it installed."""
        self.sessions.keys["app", app_id] = public_key

    def add_user(self, user_id: int, username: str, *, external: bool = False) -> Person:
        """Add a person, who is online and available."""
        person = Person(user_id, username, set_at=self.clock.epoch, is_external=external)
        self.people[user_id] = person
        return person

    def uninstall(self, user_id: int) -> None:
        """Take the app away from a user: it may not act as them any more."""
        self.without_app.add(user_id)

    def set(self, user_id: int, category: str) -> None:
        """The person picks a category in the client."""
        self.people[user_id].choose(category, self.clock.now())

    def idle(self, user_id: int, idle: bool) -> None:
        """The person stops typing, or types again."""
        self.people[user_id].be_idle(idle=idle)

    def online(self, user_id: int, online: bool) -> None:
        """The person's client comes or goes."""
        self.people[user_id].be_online(self.clock.now(), online=online)

    def shown(self, user_id: int) -> str:
        """The category colleagues see."""
        return self.people[user_id].shown()

    def hide(self, user_id: int, listings: int = 1) -> None:
        """Leave a user out of the next listings, as an inactive one may be."""
        self.people[user_id].hidden = listings

    def revoke(self) -> int:
        """End every session; returns how many."""
        return self.sessions.revoke()

    # the login calls

    async def _log_in_bot(self, request: Request) -> Response:
        return await self._log_in(request, "bot")

    async def _log_in_app(self, request: Request) -> Response:
        return await self._log_in(request, "app")

    async def _log_in(self, request: Request, kind: str) -> Response:
        now = self.clock.now()
        name = self.sessions.is_signed(kind, (await json_of(request)).get("token"), now)
        if name is None:
            return refuse(401, "Unauthorized")
        user_id = next((person.user_id for person in self.people.values() if person.username == name), 0)
        return JSONResponse(self.sessions.open(kind, name, user_id, now))

    async def _act_as(self, request: Request) -> Response:
        now = self.clock.now()
        session = self.sessions.find(request.headers.get("sessiontoken"), now)
        if session is None or session.kind != "app":
            return refuse(401, "Unauthorized")
        person = self._named(**request.path_params)
        if person is None:
            return refuse(401, "Unauthorized")
        if person.user_id in self.without_app:
            return refuse(403, "The app is not installed for the user")
        return JSONResponse(self.sessions.open("user", person.username, person.user_id, now))

    def _named(self, user: str = "", username: str = "") -> Person | None:
        people = self.people.values()
        return next((p for p in people if str(p.user_id) == user or p.username == username), None)

    # the pod calls

    def _in_session(self, call: Call) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            token = request.headers.get("sessiontoken")
            session = self.sessions.find(token, self.clock.now())
            if token is None or session is None or session.kind == "app":
                return refuse(401, "Invalid session")
            if self._is_over_limit(token):
                headers = None if self.retry_after is None else {"Retry-After": self.retry_after}
                return refuse(429, "Too many requests", headers)
            return await call(request, session)

        return endpoint

    def _is_over_limit(self, token: str) -> bool:
        if self.limit is None:
            return False
        count, seconds = self.limit
        now = self.clock.now()
        recent = [at for at in self._asked.get(token, ()) if at > now - seconds]
        if len(recent) < count:
            recent.append(now)
            self._asked[token] = recent
            return False
        return True

    async def _read_own(self, _request: Request, session: Session) -> Response:
        return JSONResponse(self.people[session.user_id].record(self.clock.now()))

    async def _read_user(self, request: Request, _session: Session) -> Response:
        now, person = self.clock.now(), self.people.get(request.path_params["uid"])
        if person is None:
            return refuse(404, "User id cannot be located", code=403)
        if not person.is_external:
            return JSONResponse(person.record(now))
        if now - person.read_at < EXTERNAL_SECONDS:
            return refuse(self.external_refusal, "External presence is read once in five minutes")
        return JSONResponse(person.record_outside(now, local=request.query_params.get("local") == "true"))

    async def _list(self, request: Request, _session: Session) -> Response:
        try:
            start = int(request.query_params.get("lastUserId", "0"))
            limit = int(request.query_params.get("limit", str(DEFAULT_PAGE)))
        except ValueError:
            return refuse(400, "lastUserId and limit are integers")
        if not 1 <= limit <= LONGEST_PAGE:
            return refuse(400, "limit is between 1 and 5000")
        now = self.clock.now()
        ours = sorted((p for p in self.people.values() if not p.is_external), key=lambda p: p.user_id)
        page = [p for p in ours if p.user_id >= start and self._is_listed(p)][:limit]
        return JSONResponse([person.record(now) for person in page])

    def _is_listed(self, person: Person) -> bool:
        if not person.hidden:
            return True
        person.hidden -= 1
        return False

    async def _write_own(self, request: Request, session: Session) -> Response:
        return self._write(request, self.people[session.user_id], await parsed(request))

    async def _write_user(self, request: Request, session: Session) -> Response:
        order = await parsed(request)
        if session.kind != "bot":
            return refuse(403, "The user lacks the required entitlement to perform this operation")
        user_id = order.get("userId") if isinstance(order, dict) else None
        if type(user_id) is not int:
            return refuse(400, "userId is an integer")
        person = self.people.get(user_id)
        if person is None:
            return refuse(404, "User id cannot be located", code=403)
        return self._write(request, person, order)

    def _write(self, request: Request, person: Person, order: Any) -> Response:
        category = order.get("category") if isinstance(order, dict) else None
        soft = request.query_params.get("soft", "false")
        if category not in CATEGORIES or soft not in ("true", "false"):
            return refuse(400, "no such category, or soft is no boolean")
        if not self.may_write or category in self.refused or person.is_external:
            return refuse(403, "The user lacks the required entitlement to perform this operation")
        now = self.clock.now()
        person.write(category, now, soft=soft == "true")
        self.writes.append((now, person.user_id, category))
        return JSONResponse(person.record(now))

    async def _register(self, request: Request, _session: Session) -> Response:
        ids = await parsed(request)
        if not isinstance(ids, list) or any(type(user_id) is not int for user_id in ids):
            return refuse(400, "the body is a list of user ids")
        if not set(ids) <= self.people.keys():
            return refuse(404, "User id cannot be located", code=403)
        for user_id in ids:
            self.people[user_id].interest_until = self.clock.now() + INTEREST_SECONDS
        return JSONResponse({"format": "TEXT", "message": "OK"})

    # what a person steers the emulator by, with curl

    async def _show_people(self, _request: Request) -> Response:
        return JSONResponse([person.summary() for person in self.people.values()])

    async def _steer(self, request: Request) -> Response:
        person, order = self.people.get(request.path_params["uid"]), await json_of(request)
        if person is None:
            return refuse(404, f"nobody has this id; there are {sorted(self.people)}")
        wrong = order.keys() - {"category", "idle", "online"}
        if wrong or order.get("category", "AVAILABLE") not in CATEGORIES:
            return refuse(400, f'legal: "category" of {sorted(CATEGORIES)}, "idle" and "online" true or false')
        if "online" in order:
            self.online(person.user_id, bool(order["online"]))
        if "category" in order:
            self.set(person.user_id, order["category"])
        if "idle" in order:
            self.idle(person.user_id, bool(order["idle"]))
        return JSONResponse(person.summary())

    async def _written(self, _request: Request) -> Response:
        return JSONResponse({"writes": [{"at": at, "user": user, "value": what} for at, user, what in self.writes]})

    async def _revoke(self, _request: Request) -> Response:
        return JSONResponse({"revoked": self.revoke()})


def refuse(status: int, message: str, headers: dict[str, str] | None = None, *, code: int = 0) -> JSONResponse:
    """Answer with the service's error object, whose code does not always agree with the status."""
    return JSONResponse({"code": code or status, "message": message}, status, headers)


async def parsed(request: Request) -> Any:
    """The request's body as JSON, None where it is none."""
    try:
        return json.loads(await request.body())
    except ValueError:
        return None

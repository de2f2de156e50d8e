"""A small service of our own, its flows, and an engine around it: what the engine's tests are made with.

`Desk` is an emulator like any other, reached over the in-memory network; `DeskService` and `DeskLink` are real
implementations of the connectors' interface. The one rule: nothing of the engine is replaced.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.connector import Link, Publish, Published, Service, Token, Traits
from presence_syncd.connectors.emulation import Emulator
from presence_syncd.connectors.fields import LinkSettings, Secret, SecretRef
from presence_syncd.connectors.flow import Emit, Flow, Reply, Request, Reveal, expect, json_body
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, DND, OFFLINE, UNKNOWN, Status
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction, Rules, View
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.engine.account import Account
from presence_syncd.engine.board import Board
from presence_syncd.engine.budget import Budget
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.place import Placed
from presence_syncd.engine.transport import Transport
from presence_syncd.engine.trouble import Trouble
from presence_syncd.metrics import Metrics
from presence_syncd.store.memory import MemoryStore
from tests.virtual.network import Network

WORDS: dict[str, Status] = {"Available": AVAILABLE, "Busy": BUSY, "Away": AWAY, "DND": DND, "Offline": OFFLINE}
VOCABULARY = Vocabulary(
    reads={**WORDS, "?": UNKNOWN},
    words={status: word for word, status in WORDS.items() if word != "Offline"},
    echoes={word: frozenset({status}) for word, status in WORDS.items()},
)
TRAITS = Traits(visible_within=5.0, rate=100.0, burst=100.0, poll_every=2.0)
PASSWORD = SecretRef(env="DESK_PASSWORD")
EPOCH = 1_800_000_000.0


class Desk(Emulator):
    """Shows one word per person; with a `password`, only to who logged in. `logins` counts tries."""

    def __init__(self, password: str = "") -> None:
        super().__init__()
        self.shown: dict[str, str] = {}
        self.written: list[tuple[float, str, str]] = []
        self.password, self.logins, self.valid, self.envelopes = password, 0, set[str](), list[int]()

    def routes(self) -> list[BaseRoute]:
        """The service's own routes."""
        return [
            Route("/login", self._login, methods=["POST"]),
            Route("/people", self._people),
            Route("/people/{name}", self._person, methods=["GET", "PUT", "DELETE"]),
            Route("/envelope", self._envelope, methods=["POST"]),
            Route("/leave/{name}", self._leave, methods=["POST"]),
        ]

    def revoke(self) -> None:
        """Let no token be good any more."""
        self.valid.clear()

    async def _login(self, asked: Asked) -> Response:
        self.logins += 1
        if (await asked.body()).decode() != self.password:
            return Response(status_code=403)
        token = f"token-{self.logins}"
        self.valid.add(token)
        return JSONResponse({"token": token})

    def _is_allowed(self, asked: Asked) -> bool:
        return not self.password or asked.headers.get("authorization", "") in self.valid

    async def _people(self, asked: Asked) -> Response:
        if not self._is_allowed(asked):
            return Response(status_code=401)
        names = asked.query_params["names"].split(",")
        return JSONResponse({name: self.shown.get(name, "Offline") for name in names})

    async def _person(self, asked: Asked) -> Response:
        if not self._is_allowed(asked):
            return Response(status_code=401)
        return self.act(asked.method, asked.path_params["name"], (await asked.body()).decode())

    def act(self, method: str, name: str, body: str) -> Response:
        """Do what one request asks."""
        if method == "PUT":
            self.written.append((anyio.current_time(), name, body))
        if body == "Forbidden":
            return Response(status_code=400)
        if method != "GET":
            self.shown[name] = body if method == "PUT" else "Offline"
        return JSONResponse({"word": self.shown.get(name, "Offline")})

    async def _envelope(self, asked: Asked) -> Response:
        if not self._is_allowed(asked):
            return Response(status_code=401)
        parts = json.loads(await asked.body())
        self.envelopes.append(len(parts))
        answers = [self.act(part["method"], part["name"], part["body"]) for part in parts]
        return JSONResponse([{"status": a.status_code, "body": bytes(a.body).decode()} for a in answers])

    async def _leave(self, asked: Asked) -> Response:
        self.written.append((anyio.current_time(), asked.path_params["name"], "left"))
        return Response()


class DeskLink(Link):
    """A person's place at the desk."""

    service: DeskService

    def read(self) -> Flow[Observation]:
        """Read the word."""
        reply = yield self.service.request("GET", f"people/{self.key}", "read")
        return _seen(expect(reply, 200).json()["word"], reply)

    def publish(self, publish: Publish) -> Flow[Published]:
        """Write the word."""
        body = publish.word.encode()
        batch = self.service.traits.batch_size > 1
        expect((yield self.service.request("PUT", f"people/{self.key}", "publish", body=body, batch=batch)), 200)
        lease = self.service.lease
        return Published(expires_in=lease, refresh_in=lease and lease * 0.6)

    def retract(self, *, overridden: bool) -> Flow[None]:
        """Take the word back."""
        expect((yield self.service.request("DELETE", f"people/{self.key}", "retract")), 200)

    def watch(self) -> Flow[None]:
        """Follow the word."""
        yield Emit((yield from self.read()))

    def sign_out(self) -> Flow[None]:
        """Leave."""
        expect((yield self.service.request("POST", f"leave/{self.key}", "leave", own_connection=True)), 200)


class DeskService(Service):
    """One desk. `lease`: seconds after which what is written should be written again at the latest."""

    def __init__(
        self, name: str, traits: Traits = TRAITS, realm: str | None = None, lease: float | None = None
    ) -> None:
        super().__init__(name)
        self.vocabulary, self.traits, self.realm, self.lease = VOCABULARY, traits, realm, lease
        self.expires_in: float | None = None
        self.refresh_in: float | None = None

    def request(self, method: str, path: str, operation: str, **more: Any) -> Request:
        """A request to the desk."""
        return Request(method, f"https://{self.name}/{path}", operation, realm=self.realm, **more)

    def link(self, account: str, settings: Any, memory: Mapping[str, str]) -> DeskLink:
        """Make the place of a person."""
        return DeskLink(self, account, settings, memory)

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:
        """Log in."""
        secret: Secret = yield Reveal(PASSWORD)
        reply = yield replace(self.request("POST", "login", "login", body=secret.reveal().encode()), realm=None)
        if reply.status == 403:
            from presence_syncd.errors import AuthRejected

            raise AuthRejected("wrong password")
        token = expect(reply, 200).json()["token"]
        return Token((("authorization", token),), self.expires_in, self.refresh_in)

    def sweep(self, links: Sequence[Link]) -> Flow[dict[str, Observation]]:
        """Read many."""
        names = ",".join(link.key for link in links)
        reply = yield self.request("GET", f"people?names={names}", "sweep")
        return {name: _seen(word, reply) for name, word in expect(reply, 200).json().items()}

    def batch(self, requests: Sequence[Request]) -> Flow[list[Reply | None]]:
        """Send many in one."""
        parts = [
            {"method": r.method, "name": r.url.rpartition("/")[2], "body": (r.body or b"").decode()} for r in requests
        ]
        reply = yield self.request("POST", "envelope", "envelope", body=json_body(parts))
        answers: list[Any] = expect(reply, 200).json()
        return [
            a and Reply(a["status"], (), a["body"].encode(), reply.at, reply.started_at)
            for a in [*answers, *[None] * (len(parts) - len(answers))]
        ]


def _seen(word: str, reply: Reply) -> Observation:
    return Observation(VOCABULARY.reads[word], word, reply.started_at, reply.at)


@dataclass
class Engine:
    """What runs in a test: hosts, drivers, and what was logged."""

    network: Network
    tasks: TaskGroup
    clock: Clock
    rng: random.Random
    metrics: Metrics = field(default_factory=Metrics)
    store: MemoryStore = field(default_factory=MemoryStore)
    secrets: dict[str, str] = field(default_factory=lambda: {"DESK_PASSWORD": "secret"})
    revealed: int = 0
    logged: list[dict[str, Any]] = field(default_factory=list)
    transports: list[Transport] = field(default_factory=list)
    carries: str = "httpcore"

    async def reveal(self, ref: SecretRef) -> Secret:
        """Read a secret."""
        self.revealed += 1
        return Secret(self.secrets[ref.env or ""])

    def log(self, **facts: Any) -> Any:
        """A logger whose lines are kept."""
        return structlog.wrap_logger(None, processors=[self._keep]).bind(**facts)

    def _keep(self, _logger: Any, method: str, event: Any) -> Any:
        self.logged.append({"level": method, **event})
        raise structlog.DropEvent

    def events(self, event: str) -> int:
        """How often something was logged."""
        return sum(line["event"] == event for line in self.logged)

    def transport(self) -> Transport:
        """A transport over the network: httpx's own, or production's, which has lines."""
        carrier = self.network.transport if self.carries == "httpcore" else self.network.carrier
        self.transports.append(Transport(carrier, self.clock))
        return self.transports[-1]

    def driver(self, service: Service) -> Driver:
        """A driver with a budget as the service's traits say."""
        budget = Budget(service.traits.rate, service.traits.burst, self.clock, self.rng)
        return Driver(service, self.transport(), budget, self.clock, self.reveal, self.metrics)

    def trouble(self) -> Trouble:
        """Trouble that is logged."""
        return Trouble(self.clock, self.rng, self.log())

    def place(
        self, driver: Driver, board: Board, name: str, domain: str = "", direction: Direction = Direction.BOTH
    ) -> Placed:
        """One link of an account."""
        service = driver.service.name
        return Placed(
            service,
            domain or service,
            driver.service.link(name, LinkSettings(), {}),
            driver,
            board,
            driver.service.vocabulary,
            direction,
            self.metrics,
            self.trouble(),
            self.trouble(),
            self.log(account=name, service=service),
            self.rng,
            lambda link, key, value: self.store.remember(name, link, key, value),
        )

    def account(self, name: str, drivers: Sequence[Driver], rules: Rules | None = None, **domains: str) -> Account:
        """An account with a link for each driver."""
        names = [domains.get(d.service.name, d.service.name) for d in drivers]
        board = Board(View(dict.fromkeys(names, _entry()), self.clock.now()), rules or Rules())
        links = [self.place(d, board, name, domain) for d, domain in zip(drivers, names, strict=True)]
        return Account(name, board, links, self.store.save, self.clock, self.rng, self.metrics, self.log(account=name))


def _entry() -> Any:
    from presence_syncd.core.entry import Entry

    return Entry()


@asynccontextmanager
async def engine(hosts: Mapping[str, Any] | None = None, seed: int = 1) -> AsyncIterator[Engine]:
    """An engine with hosts (names to emulators or applications); all that runs ends with it."""
    async with anyio.create_task_group() as tasks:
        rng = random.Random(seed)
        apps = {name: getattr(host, "app", host) for name, host in (hosts or {}).items()}
        running = Engine(Network(tasks, apps, rng), tasks, Clock(lambda: EPOCH), rng)
        tasks.start_soon(running.clock.ring_alarms)
        try:
            yield running
        finally:
            for transport in running.transports:
                await transport.aclose()
        tasks.cancel_scope.cancel()


async def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run at once; what each returned, or the error it raised."""
    results: list[Any] = [None] * len(calls)

    async def one(number: int) -> None:
        try:
            results[number] = await calls[number]()
        except Exception as error:
            results[number] = error

    async with anyio.create_task_group() as tasks:
        for number in range(len(calls)):
            tasks.start_soon(one, number)
    return results


def captured() -> io.StringIO:
    """A stream to log to."""
    return io.StringIO()

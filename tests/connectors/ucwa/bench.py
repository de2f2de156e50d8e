"""One person's link on the engine's own driver, an emulated deployment, and a network between them, in virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from anyio.abc import TaskGroup

from presence_syncd.connectors.connector import Publish, Published
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.connectors.flow import Flow
from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.connectors.ucwa.protocol.link import UcwaLink, UcwaService
from presence_syncd.connectors.ucwa.settings import Settings, UcwaLinkSettings
from presence_syncd.core.entry import Kind, Observation
from presence_syncd.core.presence import Status
from presence_syncd.engine.budget import Budget, Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.line import Line
from presence_syncd.engine.messages import Jar
from presence_syncd.engine.transport import Transport
from presence_syncd.errors import AuthRejected, Rejected, ServiceError, SessionExpired
from presence_syncd.metrics import Metrics
from tests.connectors.ucwa.network import Network, Recorder, hosts

SIP = "sip:alice@contoso.com"
PASSWORD = "canary & + # ü"
NAMES = ("lyncdiscoverinternal", "lyncdiscover", "pool-a", "pool-b")


def JSON(value: object, status: int = 200, **options: Any) -> Answer:  # noqa: N802  # reads like a kind of Answer
    """A scripted answer of the service in JSON."""
    return Answer(status, {"content-type": "application/json; charset=utf-8"}, json.dumps(value), **options)


def problem(status: int, code: str, subcode: str, **options: Any) -> Answer:
    """A scripted error of the service."""
    return JSON({"code": code, "subcode": subcode, "message": "scripted"}, status, **options)


class Bench:
    """What a test sees: `link`, `emulator`, `net`, `seen` (requests), `observed`, `states`, `errors`, `parked`."""

    def __init__(self, tasks: TaskGroup, emulator: UcwaEmulator, service: dict[str, Any], link: dict[str, Any]) -> None:
        self.tasks, self.emulator = tasks, emulator
        self.service_settings = Settings(**service)
        self.link_settings = UcwaLinkSettings(**{"sip": SIP, "password": {"env": "P"}, **link})
        self.recorder = Recorder(emulator.app)
        self.net = Network(tasks, hosts([f"{name}.contoso.com" for name in NAMES], self.recorder))
        self.password = PASSWORD
        self.present = True
        self.memory: dict[str, str] = {}
        self.observed: list[Observation] = []
        self.states: list[tuple[str, str]] = []
        self.vouched: list[tuple[float, float]] = []
        self.errors: list[ServiceError] = []
        self.parked: ServiceError | None = None
        self.live_at = 0.0
        self._scopes: list[anyio.CancelScope] = []
        self.clock = Clock(wall=lambda: 1.8e9)
        self.boot()

    def boot(self) -> None:
        """Begin as a new process with what was remembered."""
        service = UcwaService("skype", self.service_settings)
        self.link = UcwaLink(service, "alice", self.link_settings, self.memory)
        self.transport = Transport(self.net.carrier, self.clock)
        traits = service.traits
        budget = Budget(traits.rate, traits.burst, self.clock, random.Random(1))
        self.driver = Driver(service, self.transport, budget, self.clock, self._reveal, Metrics())
        self._own: httpx.AsyncClient | None = None
        self.jar = Jar()
        self.line: Line | None = None
        self._bell = anyio.Event()

    async def _reveal(self, _ref: SecretRef) -> Secret:
        return Secret(self.password)

    # the place of the link, as the driver sees it

    def emit(self, observation: Observation) -> Kind:
        self.observed.append(observation)
        return Kind.OWN

    async def remember(self, key: str, value: str) -> None:
        self.memory[key] = value

    def foretell(self, status: Status) -> None:
        raise AssertionError("nothing is begun here with a status")

    def vouch(self, seconds: float) -> None:
        self.vouched.append((anyio.current_time(), seconds))

    def alive(self, at: float) -> None:
        self.live_at = at

    def enter(self, state: str, detail: str) -> None:
        self.states.append((state, detail))

    def try_now(self) -> None:
        self.wake()

    def wake(self) -> None:
        self._bell.set()
        self._bell = anyio.Event()

    def bell(self) -> anyio.Event:
        return self._bell

    async def woken(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds) as scope:
            await self._bell.wait()
        return not scope.cancelled_caught

    def own_client(self) -> httpx.AsyncClient:
        if self._own is None:
            self._own = self.transport.alone()
        return self._own

    # what tests do

    async def run(self, flow: Flow[Any]) -> Any:
        """Run one flow of the link."""
        return await self.driver.run(flow, self.link, Urgency.CHANGE, self)

    async def publish(self, word: str, note: str | None = None) -> Published:
        published: Published = await self.run(self.link.publish(Publish(word, note)))
        return published

    def start(self) -> None:
        """Watch, follow and keep alive, as the engine does."""
        for flow in (self.link.watch, *self.link.companions()):
            self.tasks.start_soon(self._again, flow)
        self.tasks.start_soon(self._alive)

    async def kill(self) -> None:
        """Stop at once, without a farewell."""
        for scope in self._scopes:
            scope.cancel()
        self._scopes.clear()
        await anyio.sleep(0.01)

    async def aclose(self) -> None:
        await self.kill()
        if self._own is not None:
            await self._own.aclose()
        await self.transport.aclose()
        await self.net.aclose()

    async def _again(self, flow: Callable[[], Flow[None]]) -> None:
        """The engine's rules for flows that are run over and over."""
        times = 0
        with anyio.CancelScope() as scope:
            self._scopes.append(scope)
            while True:
                try:
                    await self.run(flow())
                    times, wait = 0, 0.0
                except SessionExpired as error:
                    self.errors.append(error)
                    wait = 0.0
                except (AuthRejected, Rejected) as error:
                    self.errors.append(error)
                    self.parked = error
                    wait = error.retry_after or float("inf")
                except ServiceError as error:
                    self.errors.append(error)
                    wait, times = max(min(60.0, 2.0**times), error.retry_after or 0.0), times + 1
                await anyio.sleep(wait)
                if wait:
                    self.parked = None

    async def _alive(self) -> None:
        with anyio.CancelScope() as scope:
            self._scopes.append(scope)
            while True:
                try:
                    wait = self.link.rests(present=self.present)
                    if wait is None:
                        wait = await self.run(self.link.keep_alive(present=self.present))
                except ServiceError as error:
                    wait = error.retry_after or 5.0
                await anyio.sleep(wait)

    @property
    def last(self) -> str:
        """The availability last handed over, as the server said it."""
        return self.observed[-1].raw if self.observed else "nothing"

    @property
    def state(self) -> str:
        return self.states[-1][0]

    def sent_without_token(self) -> list[str]:
        return [str(seen) for seen in self.recorder.seen if not seen.token]


@asynccontextmanager
async def bench(
    *, service: dict[str, Any] | None = None, link: dict[str, Any] | None = None, **emulated: Any
) -> AsyncIterator[Bench]:
    """A deployment with Alice, whose own client says Online, and her link, not started."""
    async with anyio.create_task_group() as tasks:
        emulator = UcwaEmulator(**emulated)
        emulator.add_user(SIP, PASSWORD)
        emulator.client(SIP, "Online")
        one = Bench(tasks, emulator, service or {}, link or {})
        try:
            yield one
        finally:
            with anyio.CancelScope(shield=True):
                await one.aclose()
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def started(settle: float = 45.0, **options: Any) -> AsyncIterator[Bench]:
    """The same, watching, after `settle` seconds."""
    async with bench(**options) as one:
        one.start()
        await anyio.sleep(settle)
        yield one

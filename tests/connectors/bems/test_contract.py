"""The connector against its emulator over real sockets, carried out by the real engine."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from presence_syncd.connectors.bems import CONNECTOR
from presence_syncd.connectors.bems.emulated_people import People
from presence_syncd.connectors.bems.emulator import BemsEmulator
from presence_syncd.connectors.bems.protocol import BemsLink
from presence_syncd.connectors.bems.settings import BemsLinkSettings
from presence_syncd.connectors.connector import Publish
from presence_syncd.connectors.emulation import CONTROL
from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.core.entry import Kind, Observation
from presence_syncd.core.presence import Status
from presence_syncd.engine.budget import Budget, Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.line import Line
from presence_syncd.engine.messages import Jar
from presence_syncd.engine.transport import Transport, network
from presence_syncd.errors import AuthRejected, ServiceError, SessionExpired, Unavailable
from presence_syncd.metrics import Metrics
from presence_syncd.web.server import listen_tcp, serve

ALICE, BOB = "sip:alice@example.com", "sip:bob@example.com"
TRANSPORTS = {"websocket": "/connect", "long-poll": "/connect/long-poll", "poll": "/connect/poll"}


@pytest.fixture
def anyio_backend() -> str:
    """Uvicorn, which serves the emulator, knows asyncio only."""
    return "asyncio"


class Spot:
    """A place for one link: what the engine's `Placed` is, without a board."""

    def __init__(self, transport: Transport) -> None:
        self.transport, self.observed, self.memory = transport, list[Observation](), dict[str, str]()
        self._bell, self._own = anyio.Event(), None if transport is None else transport.alone()
        self.jar = Jar()
        self.line: Line | None = None

    def emit(self, observation: Observation) -> Kind:
        self.observed.append(observation)
        return Kind.OWN

    def foretell(self, status: Status) -> None:
        self.foretold = status

    def vouch(self, seconds: float) -> None:
        raise AssertionError("no activity is reported here")

    def alive(self, at: float) -> None:
        self.alive_at = at

    async def remember(self, key: str, value: str) -> None:
        self.memory[key] = value

    def enter(self, state: str, detail: str) -> None:
        assert "gd-" not in state + detail, "no token is shown"

    def try_now(self) -> None:
        self.wake()

    def wake(self) -> None:
        self._bell.set()
        self._bell = anyio.Event()

    async def woken(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds) as scope:
            await self._bell.wait()
        return not scope.cancelled_caught

    def bell(self) -> anyio.Event:
        return self._bell

    def own_client(self) -> httpx.AsyncClient:
        return self._own

    async def aclose(self) -> None:
        await self._own.aclose()


class Rig:
    """The emulator served, one link carried out."""

    def __init__(self, server: BemsEmulator, driver: Driver, link: BemsLink, place: Spot, url: str) -> None:
        self.server, self.driver, self.link, self.place, self.url = server, driver, link, place, url
        self.errors: list[ServiceError] = []
        self.scope = anyio.CancelScope()

    async def live(self) -> None:
        """Follow and keep alive, until the scope is cancelled."""
        with self.scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.follow)
                tasks.start_soon(self.keep)

    async def follow(self) -> None:
        """Watch for ever, as the engine does."""
        while True:
            try:
                await self.driver.run(self.link.watch(), self.link, Urgency.SWEEP, self.place)
            except SessionExpired as error:
                self.errors.append(error)
            except ServiceError as error:
                self.errors.append(error)
                await anyio.sleep(0.05)

    async def keep(self) -> None:
        """Keep the session alive once a second."""
        while True:
            if self.link.rests(present=True) is None:
                await self.driver.run(self.link.keep_alive(present=True), self.link, Urgency.DUE, self.place)
            await anyio.sleep(0.3)

    async def publish(self, word: str, note: str | None = None) -> None:
        await self.driver.run(self.link.publish(Publish(word, note)), self.link, Urgency.CHANGE, self.place)

    async def until(self, is_so: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not is_so():  # noqa: ASYNC110  # the emulator has no bell
                await anyio.sleep(0.01)


@asynccontextmanager
async def rig(transport: str, **more: Any) -> AsyncIterator[Rig]:
    server = BemsEmulator(hold=2.0)
    server.add_user(BOB)
    secrets = {"env TOKEN": server.add_user(ALICE)}
    socket = listen_tcp("127.0.0.1", 0)
    host = f"127.0.0.1:{socket.getsockname()[1]}"
    scheme = "ws" if transport == "websocket" else "http"
    table = {"type": "bems", "url": f"{scheme}://{host}{TRANSPORTS[transport]}", "transport": transport, **more}
    settings = CONNECTOR.settings.model_validate(
        {**table, "token": {"env": "TOKEN"}, "poll_every": "50ms", "lookup_url": f"http://{host}"}
    )
    service = CONNECTOR.service("blackberry", settings)
    clock = Clock()

    async def reveal(ref: SecretRef) -> Secret:
        return Secret(secrets[str(ref)])

    carrier = Transport(network(None, None), clock)
    driver = Driver(service, carrier, Budget(500, 500, clock, random.Random(1)), clock, reveal, Metrics())
    link = service.link("alice", CONNECTOR.link_settings.model_validate({"contact": ALICE}), {})
    assert isinstance(link, BemsLink)
    place = Spot(carrier)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, server.app, socket)
        made = Rig(server, driver, link, place, f"http://{host}")
        tasks.start_soon(made.live)
        yield made
        tasks.cancel_scope.cancel()
    await place.aclose()
    await carrier.aclose()


@pytest.mark.parametrize("transport", list(TRANSPORTS))
async def test_a_presence_is_written_and_followed(transport: str) -> None:
    async with rig(transport) as made:
        made.server.client(ALICE, "busy")
        await made.until(lambda: made.link.is_heard)
        await made.publish("away", "out for lunch")
        assert [(sip, word, note) for _, sip, word, note in made.server.writes] == [(ALICE, "away", "out for lunch")]
        await made.until(lambda: made.place.observed[-1].raw == "away")
        assert made.place.observed[-1].note == "out for lunch"
        made.server.client(ALICE, "doNotDisturb")
        await made.until(lambda: made.place.observed[-1].raw == "dnd")
        assert not made.errors


@pytest.mark.parametrize("transport", list(TRANSPORTS))
@pytest.mark.parametrize("trouble", ["restart", "expire", "drop"])
async def test_it_comes_back(transport: str, trouble: str) -> None:
    async with rig(transport) as made:
        await made.until(lambda: made.link.is_heard)
        await made.publish("busy")
        getattr(made.server.connect, trouble)()
        if trouble == "drop" and transport != "poll":  # between two polls there is no connection to cut
            await made.until(lambda: bool(made.errors))
            assert "1006" in str(made.errors[0]) or transport != "websocket", "cut without a close frame"
        if trouble == "drop":  # no session is lost, so nothing but the next event can be missed
            await made.until(lambda: bool(made.server.connect.peers))
        made.server.client(ALICE, "away")
        await made.until(lambda: made.place.observed[-1].raw == "away" and made.link.is_heard)
        await made.publish("available")
        assert [word for _, _, word, _ in made.server.writes] == ["busy", "available"]


async def test_the_fallback_is_used_where_the_upgrade_is_refused() -> None:
    async with rig("websocket", fallback="poll") as made:
        made.server.connect.switches.websockets = False
        made.server.connect.drop()
        await made.until(lambda: made.link.is_heard and made.link.talk.channel.is_shared)
        await made.publish("busy")
        assert made.server.shown(ALICE) == 6500


@pytest.mark.parametrize("transport", list(TRANSPORTS))
async def test_signing_out_ends_the_session(transport: str) -> None:
    async with rig(transport) as made:
        await made.until(lambda: made.link.is_heard)
        made.scope.cancel()
        await anyio.sleep(0.05)
        await made.driver.run(made.link.sign_out(), made.link, Urgency.CHANGE, made.place)
        assert [r["method"] for r in made.server.connect.heard if "Reg" in r["method"] or "Term" in r["method"]] == [
            "RegisterTempRemotePresence",
            "UnRegisterTempRemotePresence",
            "UnRegisterTempRemotePresenceSubscription",
            "TerminateSession",
        ]


@pytest.mark.parametrize("transport", ["websocket", "poll"])
async def test_b09_a_refused_token_is_a_matter_for_people(transport: str) -> None:
    async with rig(transport) as made:
        made.server.connect.tokens.clear()
        await made.until(lambda: bool(made.errors))
        assert isinstance(made.errors[0], AuthRejected | Unavailable)


async def test_reading_asks_connect_then_the_lookup_service() -> None:
    async with rig("poll") as made:
        await made.until(lambda: made.link.is_heard)
        made.server.client(ALICE, "busy")
        assert (await made.driver.run(made.link.read(), made.link, Urgency.SWEEP, made.place)).raw == "busy"
        made.link.session.is_ready = False
        assert (await made.driver.run(made.link.read(), made.link, Urgency.SWEEP, made.place)).raw == "busy"


async def test_many_are_read_at_once_by_the_lookup_service() -> None:
    async with rig("poll") as made:
        service = made.link.service
        bob = BemsLinkSettings.model_validate({"contact": BOB, "direction": "read"})
        links = [made.link, service.link("bob", bob, {})]
        made.server.client(BOB, "away")
        await made.until(lambda: made.link.is_heard)
        seen = await made.driver.run(service.sweep(links), service, Urgency.SWEEP)
        assert {key: shown.raw for key, shown in seen.items()} == {"bob@example.com": "away"}
        made.server.lookup_tokens.clear()
        with pytest.raises(AuthRejected):
            await made.driver.run(service.sweep(links), service, Urgency.SWEEP)
        made.server.lookup_tokens.add("another")


async def test_people_are_steered_over_http() -> None:
    async with rig("poll") as made, httpx.AsyncClient(base_url=made.url, trust_env=False) as client:
        answer = await client.post(f"{CONTROL}/people/{ALICE}", json={"presence": "busy"})
        assert answer.json() == {"presence": 6500}
        people = (await client.get(f"{CONTROL}/people")).json()
        assert people["alice@example.com"] == {"presence": 6500, "note": ""}
        assert (await client.post(f"{CONTROL}/people/{ALICE}", content=b"?")).status_code == 400
        assert (await client.post(f"{CONTROL}/people/{ALICE}", json={"presence": "lunch"})).status_code == 400
        assert (await client.post(f"{CONTROL}/people/{ALICE}", json={"presence": None})).json() == {"presence": 18000}
        assert (await client.post(f"{CONTROL}/people/{ALICE}", json={"presence": 9500})).json() == {"presence": 9500}
        await made.until(lambda: made.link.is_heard)
        assert (await client.delete(f"{CONTROL}/sessions")).json() == {"sessions": 0}
        assert (await client.post(f"{CONTROL}/sessions")).json() == {"sessions": 0}
        for path in ("/presence/subscriptions", "/presence/subscriptions/x"):
            method = "GET" if path.endswith("x") else "POST"
            assert (await client.request(method, path)).status_code == 401


def test_two_emulators_may_share_one_presence() -> None:
    people = People()
    one, other = BemsEmulator(backend=people), BemsEmulator(backend=people)
    one.add_user(ALICE)
    other.add_user(ALICE)
    other.client(ALICE, "busy")
    assert one.shown(ALICE) == 6500
    assert people.names() == ["alice@example.com"]
    assert people.get("sip:nobody@example.com") == (-1, "")

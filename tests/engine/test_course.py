"""Courses: flows that follow a service hear the same, whether they sleep over a line or a task waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Emit, Enter, Flow, HangUp, Reply, Wait, Wake, expect
from presence_syncd.core.values import replace
from presence_syncd.engine.account import Account
from presence_syncd.engine.place import Placed
from presence_syncd.engine.turns import Turns
from presence_syncd.errors import ServiceError, SessionExpired, Unavailable
from tests.engine.desk import TRAITS, Desk, DeskLink, DeskService, Engine, _seen, engine
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture

HOLD = 100.0
"""Seconds the tower holds a poll."""
PUSHES = replace(TRAITS, pushes=True, rate=1000.0, burst=1000.0)


@pytest.fixture(params=["aiohttp", "httpcore"], ids=["asleep", "waiting"])
def carries(request: pytest.FixtureRequest, anyio_backend: Any) -> str:  # noqa: F811
    if request.param == "aiohttp" and anyio_backend[0] == "trio":
        pytest.skip("lines are asyncio's")
    carried: str = request.param
    return carried


class Tower(Desk):
    """Answers a poll as soon as what it shows is not what was seen. `polls` counts them."""

    polls = 0

    def routes(self) -> list[BaseRoute]:
        return [Route("/news/{name}", self._news), *super().routes()]

    async def _news(self, asked: Asked) -> Response:
        self.polls += 1
        if not self._is_allowed(asked):
            return Response(status_code=401)
        name, end = asked.path_params["name"], anyio.current_time() + HOLD
        while self.shown.get(name, "Offline") == asked.query_params["seen"]:  # nobody rings
            if anyio.current_time() >= end:
                break
            await anyio.sleep(0.1)
        if not self._is_allowed(asked):
            return Response(status_code=401)
        return JSONResponse(self.shown.get(name, "Offline"))


class Watcher(DeskLink):
    """Follows the tower. `met` is what polls came to, `closed` how often its flow ended, `waits` how each wait did."""

    timeout = HOLD + 10
    nap = 50.0

    def __init__(self, service: DeskService, account: str, settings: Any, memory: Mapping[str, str]) -> None:
        super().__init__(service, account, settings, memory)
        self.met: list[str] = []
        self.waits: list[bool] = []
        self.closed, self.seen = 0, ""

    def watch(self) -> Flow[None]:
        try:
            while True:
                yield from self._poll()
        finally:
            self.closed += 1

    def _poll(self) -> Flow[None]:
        path = f"news/{self.key}?seen={self.seen}"
        try:
            reply: Reply = yield self.service.request("GET", path, "news", timeout=self.timeout, own_connection=True)
            self.seen = expect(reply, 200).json()
        except ServiceError as error:
            self.met.append(f"{type(error).__name__}: {error}")
            raise
        self.met.append(self.seen)
        yield Emit(_seen(self.seen, reply))
        yield Wake()

    def companions(self) -> tuple[Callable[[], Flow[None]], ...]:
        return (self._nap,)

    def _nap(self) -> Flow[None]:
        while True:
            self.waits.append((yield Wait(self.nap)))

    def give_up(self, error: ServiceError) -> Flow[None]:
        yield HangUp(error)


class TowerService(DeskService):
    """One tower."""

    def link(self, account: str, settings: Any, memory: Mapping[str, str]) -> Watcher:
        return Watcher(self, account, settings, memory)


class Followed:
    """An account that follows one tower."""

    def __init__(self, running: Engine, tower: Tower, realm: str | None = None) -> None:
        self.running, self.tower = running, tower
        tower.shown["ann"] = "Available"
        self.account: Account = running.account("ann", [running.driver(TowerService("tower", PUSHES, realm))])
        self.place: Placed = self.account.links[0]
        self.link: Watcher = self.place.link  # type: ignore[assignment]  # of the service above
        self.scope = anyio.CancelScope()
        running.tasks.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            await self.account.run()

    @property
    def host(self) -> Any:
        return self.running.network.hosts["tower"]

    def connections(self) -> int:
        """How many of our connections are open."""
        return sum(not near.is_closed for near, _ in self.host.wires)

    def shown(self) -> str:
        return str(self.account.board.view.entries["tower"].shown)


async def test_what_changes_is_heard_at_once_over_one_connection(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        await anyio.sleep(1)
        assert followed.shown() == "available"
        for word in ("Busy", "Away", "DND"):
            tower.shown["ann"] = word
            await anyio.sleep(1)
            assert followed.link.met[-1] == word
        assert followed.host.connects == 1


async def test_who_sleeps_has_no_task(carries: str) -> None:
    if carries != "aiohttp":
        pytest.skip("a task waits")
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        await anyio.sleep(1)
        before = len(asyncio.all_tasks())
        followed = Followed(running, tower)
        await anyio.sleep(10)
        assert followed.link.met == ["Available"]
        served = 1  # by the tower, which holds the poll
        assert len(asyncio.all_tasks()) - before == served + 1, "the account's own"


async def test_a_wait_ends_with_its_time_or_when_the_link_is_woken(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        await anyio.sleep(1)
        del followed.link.waits[:]
        await anyio.sleep(49.9)
        assert followed.link.waits == [False]
        tower.shown["ann"] = "Busy"
        await anyio.sleep(1)
        assert followed.link.waits == [False, True]
        await anyio.sleep(49)
        assert followed.link.waits == [False, True]


async def test_a_poll_that_is_answered_without_news_proves_that_its_channel_works(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        await anyio.sleep(HOLD * 2.5)
        assert followed.link.met == ["Available"] * 3
        assert running.clock.now() - (followed.place.live_at or 0.0) < HOLD


async def test_a_token_that_is_refused_meanwhile_is_replaced_once(carries: str) -> None:
    tower = Tower("secret")
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower, realm="tower")
        await anyio.sleep(1)
        assert tower.logins == 1
        tower.revoke()
        tower.shown["ann"] = "Busy"
        await anyio.sleep(1)
        assert (tower.logins, followed.link.met) == (2, ["Available", "Busy"])
        assert not running.events("trouble")


async def test_a_fresh_token_that_is_refused_parks(carries: str) -> None:
    tower = Tower("secret")
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower, realm="tower")
        await anyio.sleep(1)
        tower.faults.add(Answer(401, path="news", times=0))
        tower.shown["ann"] = "Busy"
        await anyio.sleep(1)
        assert followed.link.met == ["Available", "Busy", "AuthRejected: a fresh token is refused (HTTP 401)"]
        assert followed.place.hearing.is_parked
        tower.faults.clear()
        tower.shown["ann"] = "Away"
        await anyio.sleep(30)
        assert followed.link.met[-1] != "Away"
        followed.place.try_now()
        await anyio.sleep(1)
        assert followed.link.met[-1] == "Away"
        assert not followed.place.hearing.is_parked


async def test_a_poll_that_is_not_answered_in_time_is_given_up_and_sent_again(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        followed.link.timeout = HOLD / 2
        await anyio.sleep(1)
        await anyio.sleep(HOLD / 2 + 2)
        assert followed.link.met == ["Available", "Unavailable: no answer within 50 s"]
        tower.shown["ann"] = "Busy"
        await anyio.sleep(5)
        assert followed.link.met[-1] == "Busy"
        assert followed.connections() == 1, "the old connection is closed"


async def test_a_connection_that_is_cut_or_refused_is_trouble_that_ends(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        await anyio.sleep(10)
        followed.host.refuses = True
        followed.host.cut()
        await anyio.sleep(5)
        cut = "the connection was cut" if carries == "aiohttp" else "ReadError"
        assert followed.link.met[1] == f"Unavailable: {cut}"
        assert followed.link.met[2] == "Unavailable: no connection"
        assert running.events("trouble") == 1
        followed.host.refuses = False
        tower.shown["ann"] = "Busy"
        await anyio.sleep(120)
        assert followed.link.met[-1] == "Busy"
        assert running.events("trouble over") == 1


async def test_a_poll_is_given_up_for_what_another_flow_found(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        await anyio.sleep(10)
        place = followed.place
        flow = followed.link.give_up(SessionExpired("somebody else said so"))
        await place.driver.run(flow, place.link, 0, place)  # type: ignore[arg-type]  # the most urgent
        tower.shown["ann"] = "Busy"
        await anyio.sleep(3)
        assert followed.link.met == ["Available", "SessionExpired: somebody else said so", "Busy"]
        assert running.events("session over") == 1
        assert followed.connections() == 1


async def test_who_is_stopped_closes_the_flow_and_the_connection_and_begins_anew(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        await anyio.sleep(10)
        followed.scope.cancel()
        await anyio.sleep(1)
        assert followed.link.closed == 1
        assert not followed.connections()
        assert not followed.place.driver.polls._out
        tower.shown["ann"] = "Busy"
        await anyio.sleep(200)
        assert followed.link.met == ["Available"]
        running.tasks.start_soon(followed.account.run)
        await anyio.sleep(1)
        assert followed.link.met == ["Available", "Busy"]


async def test_who_is_stopped_while_it_rests_begins_no_more(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        tower.faults.add(Answer(503, path="news", times=0))
        await anyio.sleep(300)
        followed.scope.cancel()
        await anyio.sleep(1)
        polls = tower.polls
        followed.place.try_now()
        await anyio.sleep(300)
        assert tower.polls == polls


async def test_a_bug_in_a_flow_that_slept_breaks_its_account_alone(carries: str) -> None:
    class Buggy(Watcher):
        def _poll(self) -> Flow[None]:
            yield from super()._poll()
            raise ZeroDivisionError

    class BuggyService(TowerService):
        def link(self, account: str, settings: Any, memory: Mapping[str, str]) -> Watcher:
            return Buggy(self, account, settings, memory)

    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        account = running.account("ann", [running.driver(BuggyService("tower", PUSHES))])
        with pytest.raises(ExceptionGroup) as caught:
            await account.run()
        assert caught.group_contains(ZeroDivisionError)
        assert account.broke_in == "tower"
        watcher = account.links[0].link
        assert isinstance(watcher, Watcher)
        assert watcher.closed == 1


async def test_how_long_a_poll_was_out_is_measured_and_its_failure_counted(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        followed = Followed(running, tower)
        await anyio.sleep(10)
        followed.host.cut()
        await anyio.sleep(1)
        value = running.metrics.registry.get_sample_value
        labels = {"service": "tower", "operation": "news"}
        assert value("presence_syncd_requests_total", {**labels, "status": "200"}) == 1
        assert value("presence_syncd_requests_total", {**labels, "status": "none"}) == 1
        assert 9 < (value("presence_syncd_request_seconds_sum", labels) or 0) < 11
        assert followed.link.met[1].startswith(Unavailable.__name__)


async def test_the_states_of_a_link_are_told_however_it_waits(carries: str) -> None:
    class Telling(Watcher):
        def watch(self) -> Flow[None]:
            yield Enter("listen")
            yield from super().watch()

    class TellingService(TowerService):
        def link(self, account: str, settings: Any, memory: Mapping[str, str]) -> Watcher:
            return Telling(self, account, settings, memory)

    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        account = running.account("ann", [running.driver(TellingService("tower", PUSHES))])
        running.tasks.start_soon(account.run)
        await anyio.sleep(5)
        assert account.links[0].state == "listen"


async def test_so_many_begin_at_once_and_who_stops_in_line_is_left_out(carries: str) -> None:
    tower = Tower()
    async with engine({"tower": tower}) as running:
        running.carries = carries
        driver = running.driver(TowerService("tower", PUSHES))
        driver.beginners = Turns(2)
        accounts = {name: running.account(name, [driver]) for name in ("ann", "bob", "cem", "dag", "eva")}
        scopes = {name: anyio.CancelScope() for name in accounts}
        tower.faults.add(Answer(path="news", delay=10.0, times=0))

        async def run(name: str) -> None:
            with scopes[name]:
                await accounts[name].run()

        for name in accounts:
            running.tasks.start_soon(run, name)
        await anyio.sleep(5)
        assert tower.polls == 0
        scopes["cem"].cancel()
        await anyio.sleep(60)
        met = {name: len(account.links[0].link.met) for name, account in accounts.items()}  # type: ignore[attr-defined]  # Watchers
        assert met.pop("cem") == 0
        assert all(met.values())

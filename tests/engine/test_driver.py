"""The driver: every step of a flow is carried out, and every failure is raised where the flow stands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from presence_syncd.connectors.connector import Publish, Published
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import (
    Emit,
    Enter,
    Flow,
    Now,
    Remember,
    Reply,
    Request,
    Reveal,
    SetOut,
    Step,
    Wait,
    Wake,
)
from presence_syncd.core.entry import Entry, Kind, Observation
from presence_syncd.core.presence import BUSY
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View
from presence_syncd.engine.board import Board
from presence_syncd.engine.budget import Urgency
from presence_syncd.errors import Overtaken, Rejected, Unavailable
from tests.engine.desk import PASSWORD, TRAITS, Desk, DeskLink, DeskService, Engine, engine, together
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture


def _one(step: Step) -> Flow[Any]:
    return (yield step)


def _board(running: Engine) -> Board:
    return Board(View({"desk": Entry()}, running.clock.now()), Rules())


async def test_each_step_of_a_link_is_carried_out() -> None:
    async with engine({"desk": Desk()}) as running:
        driver = running.driver(DeskService("desk"))
        place = running.place(driver, _board(running), "ann")
        run = partial(driver.run, holder=place.link, urgency=Urgency.CHANGE, place=place)
        seen = Observation(BUSY, "Busy", running.clock.now(), running.clock.now())
        assert await run(_one(Emit(seen))) is Kind.OWN
        assert place.board.view.entries["desk"].shown == BUSY
        assert await run(_one(Remember("key", "value"))) is None
        assert place.link.memory == {"key": "value"}
        assert running.store.records["ann"].memory == {"desk": {"key": "value"}}
        assert await run(_one(Enter("listening", "3"))) is None
        assert (place.state, place.detail) == ("listening", "3")
        assert await run(_one(Reveal(PASSWORD))) == await running.reveal(PASSWORD)
        assert await run(_one(Now())) == running.clock.now()
        assert await run(_one(Wait(3.0))) is False
        assert anyio.current_time() == pytest.approx(3.0)


async def test_one_flow_wakes_another() -> None:
    async with engine({"desk": Desk()}) as running:
        driver = running.driver(DeskService("desk"))
        place = running.place(driver, _board(running), "ann")
        run = partial(driver.run, holder=place.link, urgency=Urgency.CHANGE, place=place)

        async def wake() -> None:
            await anyio.sleep(1)
            await run(_one(Wake()))

        results = await together(partial(run, _one(Wait(60.0))), partial(run, _one(Wait(60.0))), wake)
        assert results == [True, True, None]
        assert anyio.current_time() == pytest.approx(1.0)
        assert place.bell() is not None


async def test_a_step_of_a_link_is_rejected_where_there_is_none() -> None:
    async with engine({"desk": Desk()}) as running:
        driver = running.driver(service := DeskService("desk"))
        with pytest.raises(Rejected, match="Wait"):
            await driver.run(_one(Wait(1.0)), service, Urgency.CHANGE)


async def test_a_failure_is_raised_into_the_flow_which_may_go_on() -> None:
    closed: list[str] = []
    lived: list[float | None] = []

    def stubborn(service: DeskService) -> Flow[str]:
        try:
            for _ in range(3):
                try:
                    yield service.request("GET", "people/ann", "read")
                except Unavailable as error:
                    lived.append(error.lived)
                    continue
                return "through"
            return "given up"
        finally:
            closed.append("closed")

    async with engine({"desk": Desk()}) as running:
        driver = running.driver(service := DeskService("desk"))
        running.network.hosts["desk"].refuses = True
        assert await driver.run(stubborn(service), service, Urgency.CHANGE) == "given up"
        running.network.hosts["desk"].refuses = False
        assert await driver.run(stubborn(service), service, Urgency.CHANGE) == "through"
        running.network.hosts["desk"].silent = True
        with anyio.move_on_after(1):
            await driver.run(stubborn(service), service, Urgency.CHANGE)
        assert closed == ["closed"] * 3
        assert len(lived) == 3
        assert None not in lived


@pytest.mark.parametrize(
    ("answer", "rests"),
    [
        (Answer(429, headers={"retry-after": "20"}), 20.0),
        (Answer(429), 1.0),
        (Answer(503, headers={"retry-after": "20"}), 20.0),
        (Answer(503), 0.0),
    ],
)
async def test_the_service_is_given_the_rest_it_asks_for(answer: Answer, rests: float) -> None:
    desk = Desk()
    desk.faults.add(replace(answer))
    async with engine({"desk": desk}) as running:
        driver = running.driver(service := DeskService("desk"))
        ask = partial(driver.run, holder=service, urgency=Urgency.CHANGE)
        reply = await ask(_one(service.request("GET", "people/ann", "read")))
        assert reply.status == answer.status
        start = anyio.current_time()
        assert (await ask(_one(service.request("GET", "people/ann", "read")))).status == 200
        assert rests <= anyio.current_time() - start <= rests * 1.1 + 0.5
        text = running.metrics.exposition().decode()
        assert f'requests_total{{operation="read",service="desk",status="{answer.status}"}} 1.0' in text
        assert ('throttled_total{service="desk"} 1.0' in text) == bool(rests)


async def test_writes_that_wait_together_share_an_envelope_and_the_token() -> None:
    desk = Desk("secret")
    traits = replace(TRAITS, batch_size=20, rate=10.0, burst=10.0)
    async with engine({"desk": desk}) as running:
        driver = running.driver(service := DeskService("desk", traits, realm="desk"))
        links = [service.link(f"p{n}", None, {}) for n in range(30)]
        await driver.run(links[0].read(), links[0], Urgency.CHANGE)
        await together(*[partial(driver.run, ln.publish(Publish("Busy")), ln, Urgency.CHANGE) for ln in links])
        assert len(desk.shown) == 30
        assert max(desk.envelopes) <= 20
        assert len(desk.written) == 30
        assert desk.logins == 1
        assert 'operation="envelope"' in running.metrics.exposition().decode()


async def test_an_envelope_costs_what_its_parts_cost() -> None:
    desk = Desk("secret")
    traits = replace(TRAITS, batch_size=20, rate=1.0, burst=1.0)
    async with engine({"desk": desk}) as running:
        driver = running.driver(service := DeskService("desk", traits, realm="desk"))
        links = [service.link(f"p{n}", None, {}) for n in range(30)]
        await driver.run(links[0].read(), links[0], Urgency.CHANGE)
        began = anyio.current_time()
        await together(*[partial(driver.run, ln.publish(Publish("Busy")), ln, Urgency.CHANGE) for ln in links])
        assert sum(desk.envelopes) >= 28
        assert anyio.current_time() - began < 31


@pytest.mark.parametrize("batch_size", [1, 20])
async def test_what_is_not_wanted_any_more_when_its_turn_comes_is_not_sent(batch_size: int) -> None:
    traits = replace(TRAITS, batch_size=batch_size, rate=1.0, burst=1.0)
    desk = Desk()
    async with engine({"desk": desk}) as running:
        service = DeskService("desk", traits)
        driver = running.driver(service)
        links = [service.link(name, None, {}) for name in ("ann", "bob", "cem")]
        wanted = {"ann": True, "bob": True, "cem": True}

        def write(link: DeskLink) -> Callable[[], Any]:
            flow = link.publish(Publish("Busy"))
            return partial(driver.run, flow, link, Urgency.CHANGE, is_wanted=lambda: wanted[link.key])

        await driver.budget.take(Urgency.CHANGE)
        running.tasks.start_soon(_soon, 0.5, partial(wanted.update, bob=False))
        done = await together(*map(write, links))
        assert [type(each) for each in done] == [Published, Overtaken, Published]
        assert sorted(desk.shown) == ["ann", "cem"]
        await driver.budget.take(Urgency.CHANGE)
        assert anyio.current_time() < 3.5  # what was not sent cost nothing


async def test_a_flow_that_has_begun_goes_on_although_it_is_not_wanted_any_more() -> None:
    """What it sent already may stand: to say that nothing went out would be wrong."""
    desk = Desk()
    async with engine({"desk": desk}) as running:
        service = DeskService("desk")
        link = service.link("ann", None, {})

        def both() -> Flow[Published]:
            yield from link.publish(Publish("Busy"))
            return (yield from link.publish(Publish("Away")))

        await running.driver(service).run(both(), link, Urgency.CHANGE, is_wanted=lambda: not desk.written)
        assert desk.shown["ann"] == "Away"


async def test_a_flow_that_waited_by_itself_is_asked_again_when_it_sets_out() -> None:
    """What it sent to be let in, as a session that is begun anew, is nothing of what it is for."""
    desk = Desk()
    async with engine({"desk": desk}) as running:
        service = DeskService("desk")
        link = service.link("ann", None, {})

        def late() -> Flow[Published]:
            yield from link.read()
            yield SetOut()
            return (yield from link.publish(Publish("Busy")))

        driver, wanted = running.driver(service), [True, False, True, True]
        with pytest.raises(Overtaken):
            await driver.run(late(), link, Urgency.CHANGE, is_wanted=lambda: wanted.pop(0))
        assert desk.written == []
        await driver.run(late(), link, Urgency.CHANGE, is_wanted=lambda: wanted.pop(0))
        await driver.run(late(), link, Urgency.CHANGE)
        assert len(desk.written) == 2


async def _soon(seconds: float, act: Callable[[], object]) -> None:
    await anyio.sleep(seconds)
    act()


async def test_a_flow_that_ends_at_once_returns_its_value() -> None:
    def nothing() -> Flow[int]:
        return 7
        yield

    async with engine() as running:
        driver = running.driver(service := DeskService("desk"))
        assert await driver.run(nothing(), service, Urgency.CHANGE) == 7
        with pytest.raises(Unavailable, match="no connection"):
            await driver.run(_one(Request("GET", "https://nowhere/", "ask")), service, Urgency.CHANGE)


async def test_a_cancelled_request_is_counted_without_an_answer() -> None:
    desk = Desk()
    desk.faults.add(Answer(hang=True))
    async with engine({"desk": desk}) as running:
        driver = running.driver(service := DeskService("desk"))
        reply: Reply | None = None
        with anyio.move_on_after(1):
            reply = await driver.run(_one(service.request("GET", "people/ann", "read")), service, Urgency.CHANGE)
        assert reply is None
        assert 'status="none"} 1.0' in running.metrics.exposition().decode()

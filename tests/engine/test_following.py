"""A change can be followed: one name from its observation to every write, and to what became of each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest

from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Flow
from presence_syncd.core.presence import AWAY, DND
from presence_syncd.core.values import replace
from presence_syncd.core.view import Pin
from presence_syncd.engine.account import Account
from tests.engine.desk import TRAITS, Desk, DeskLink, DeskService, Engine, engine
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture

PLACES = ("left", "middle", "right")


def _desks() -> dict[str, Desk]:
    desks = {place: Desk() for place in PLACES}
    for desk in desks.values():
        desk.shown["ann"] = "Available"
    return desks


def _account(running: Engine, **traits: Any) -> Account:
    return running.account("ann", [running.driver(DeskService(place, replace(TRAITS, **traits))) for place in PLACES])


def _told(running: Engine, since: int, *events: str) -> list[tuple[str, str, str]]:
    """What was logged, as (event, service, change)."""
    lines = [line for line in running.logged[since:] if line["event"] in events]
    return [(line["event"], line.get("service", ""), line["change"]) for line in lines]


FOLLOWED = ("observed", "published", "confirmed", "trouble", "write failed", "shadowed", "retracted")


async def test_an_observation_and_all_that_comes_of_it_share_one_name_that_no_other_change_has() -> None:
    desks = _desks()
    async with engine(desks) as running:
        account = _account(running)
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        names = []
        for word, where in (("Busy", "left"), ("Away", "right")):
            since = len(running.logged)
            desks[where].shown["ann"] = word
            await anyio.sleep(20)
            told = _told(running, since, *FOLLOWED)
            (name,) = {change for _, _, change in told}
            assert told[0] == ("observed", where, name)
            others = [place for place in PLACES if place != where]
            assert sorted(told[1:]) == sorted((e, place, name) for place in others for e in ("published", "confirmed"))
            kept = [running.store.records["ann"].view.entries[place].publication for place in others]  # type: ignore[union-attr]
            assert {publication.change for publication in kept if publication} == {name}
            names.append(name)
        assert names[0] != names[1]


async def test_trouble_and_refusals_bear_the_name_of_the_change_that_met_them() -> None:
    desks = _desks()
    async with engine(desks) as running:
        running.tasks.start_soon(_account(running).run)
        await anyio.sleep(10)
        since = len(running.logged)
        desks["middle"].faults.add(Answer(400, method="PUT"), Answer(503, method="PUT", times=2))
        desks["right"].faults.add(Answer(503, method="PUT", times=2))
        desks["left"].shown["ann"] = "Busy"
        await anyio.sleep(200)
        told = _told(running, since, *FOLLOWED)
        (name,) = {change for _, _, change in told}
        events = {(event, service) for event, service, _ in told}
        assert {("trouble", ""), ("write failed", "middle"), ("write failed", "right")} <= events
        assert {("published", "middle"), ("published", "right")} <= events
        assert told[0] == ("observed", "left", name)


async def test_what_is_hidden_by_something_of_higher_rank_is_told_once() -> None:
    desks = _desks()
    desks["right"].faults.add(Answer(200, method="PUT", times=0))
    async with engine(desks) as running:
        running.tasks.start_soon(_account(running).run)
        await anyio.sleep(10)
        desks["left"].shown["ann"] = "Busy"
        await anyio.sleep(300)
        (line,) = [line for line in running.logged if line["event"] == "shadowed"]
        (name,) = {change for _, _, change in _told(running, 0, "published")}
        assert (line["service"], line["word"], line["raw"], line["change"]) == ("right", "Busy", "Available", name)


async def test_a_pin_is_a_change_of_its_own() -> None:
    desks = _desks()
    async with engine(desks) as running:
        account = _account(running)
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        names = []
        for status in (DND, AWAY):
            since = len(running.logged)
            account.board.view = replace(account.board.view, pin=Pin(status, running.clock.now() + 600))
            account.board.ring()
            await anyio.sleep(20)
            told = _told(running, since, "published")
            assert len(told) == 3
            (name,) = {change for _, _, change in told}
            names.append(name)
        assert names[0] != names[1]


# how long a word takes


def _timed(running: Engine) -> dict[str, tuple[float, float]]:
    """By target: how many words were timed, and the seconds in all."""
    value = running.metrics.registry.get_sample_value
    name = "presence_syncd_propagation_seconds"
    labels = [{"source": source, "target": target} for source in (*PLACES, "pin") for target in PLACES]
    found = {}
    for each in labels:
        if count := value(f"{name}_count", each):
            found[f"{each['source']} {each['target']}"] = (count, value(f"{name}_sum", each) or 0.0)
    return found


async def test_only_a_word_said_while_we_listened_is_timed_and_each_once() -> None:
    desks = _desks()
    desks["left"].shown["ann"] = "Busy"  # said nobody knows when, and written to the others at the start
    async with engine(desks) as running:
        running.tasks.start_soon(_account(running).run)
        await anyio.sleep(100)
        assert {desk.shown["ann"] for desk in desks.values()} != {"Available"}
        assert _timed(running) == {}
        desks["right"].shown["ann"] = "Away"
        await anyio.sleep(20)
        timed = _timed(running)
        assert timed.keys() == {"right left", "right middle"}
        assert all(count == 1 and 0 < seconds < 5 for count, seconds in timed.values())
        desks["left"].shown["ann"] = "Busy"
        await anyio.sleep(100)
        assert _timed(running)["left right"][0] == 1


@pytest.mark.parametrize("order", ["pause", "pin"])
async def test_what_an_operator_held_back_is_nobodys_delay(order: str) -> None:
    desks = _desks()
    async with engine(desks) as running:
        account = _account(running)
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        pin = Pin(DND, running.clock.now() + 300)
        view = account.board.view
        account.board.view = replace(view, paused=True) if order == "pause" else replace(view, pin=pin)
        account.board.ring()
        await anyio.sleep(30)
        desks["left"].shown["ann"] = "Busy"
        await anyio.sleep(600)
        account.board.view = replace(account.board.view, paused=False)
        account.board.ring()
        await anyio.sleep(60)
        assert desks["right"].shown["ann"] == "Busy"
        assert _timed(running) == {}


# what breaks, and where


class _BrokenKeeper(DeskLink):
    def keep_alive(self, *, present: bool) -> Flow[float]:
        raise ZeroDivisionError
        yield


class _BrokenRester(DeskLink):
    def rests(self, *, present: bool) -> float | None:
        raise ZeroDivisionError


@pytest.mark.parametrize("broken", [_BrokenKeeper, _BrokenRester])
async def test_a_bug_is_laid_to_the_service_in_which_it_was_met(broken: type[DeskLink]) -> None:
    class BrokenService(DeskService):
        def link(self, account: str, settings: Any, memory: Any) -> DeskLink:
            return broken(self, account, settings, memory)

    async with engine(_desks()) as running:
        services = [DeskService("left"), BrokenService("right")]
        account = running.account("ann", [running.driver(service) for service in services])
        with pytest.raises(ExceptionGroup):
            await account.run()
        assert account.broke_in == "right"


async def test_how_long_a_link_is_behind_is_known_and_ends_with_it() -> None:
    desks = _desks()
    async with engine(desks) as running:
        account = _account(running)
        running.tasks.start_soon(account.run)
        await anyio.sleep(100)
        assert [link.behind_since for link in account.links] == [None, None, None]
        desks["right"].faults.add(Answer(503, method="PUT", times=0))
        desks["left"].shown["ann"] = "Busy"
        began = running.clock.now()
        await anyio.sleep(1000)
        behind = [link.behind_since for link in account.links]
        assert behind[:2] == [None, None]
        assert behind[2] == pytest.approx(began, abs=5)
        desks["right"].faults.clear()
        await anyio.sleep(100)
        assert account.links[2].behind_since is None


class _Resting(DeskLink):
    """One whose session needs nothing yet, and then is kept."""

    def __init__(self, *made: Any) -> None:
        super().__init__(*made)
        self.rest: float | None = 7.0
        self.asked_at: list[float] = []
        self.kept_at: list[float] = []

    def rests(self, *, present: bool) -> float | None:
        self.asked_at.append(anyio.current_time())
        return self.rest

    def keep_alive(self, *, present: bool) -> Flow[float]:
        self.kept_at.append(anyio.current_time())
        return 60.0
        yield


async def test_a_session_that_needs_nothing_is_looked_at_when_it_said_and_kept_once_it_needs_it() -> None:
    class RestingService(DeskService):
        def link(self, account: str, settings: Any, memory: Any) -> DeskLink:
            return _Resting(self, account, settings, memory)

    async with engine(_desks()) as running:
        account = running.account("ann", [running.driver(RestingService("left"))])
        running.tasks.start_soon(account.run)
        (placed,) = account.links
        link = placed.link
        assert isinstance(link, _Resting)
        await anyio.sleep(30)
        assert [b - a for a, b in pairwise(link.asked_at)] == pytest.approx([7.0] * 4, abs=0.1)
        assert link.kept_at == []
        link.rest = None
        await anyio.sleep(130)
        assert [b - a for a, b in pairwise(link.kept_at)] == pytest.approx([60.0] * 2, abs=0.1)
        link.rest = float("inf")
        before = len(link.asked_at)
        await anyio.sleep(600)
        assert len(link.asked_at) == before + 1
        assert placed.keep_at is None

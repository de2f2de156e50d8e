"""One account at work: what is said at one desk is shown at the other, once, safely, and kept alive while true."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import pytest

from presence_syncd.connectors.connector import Publish, Published
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Flow
from presence_syncd.core.decision import Reason
from presence_syncd.core.presence import BUSY
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction, Pin, Rules, View
from presence_syncd.engine.account import FAREWELL, Account, forget_clock
from presence_syncd.errors import Rejected, ServiceError, SessionExpired, Unavailable
from presence_syncd.store.memory import MemoryStore
from tests.engine.desk import TRAITS, Desk, DeskLink, DeskService, Engine, engine
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture

SLOW = replace(TRAITS, poll_every=20.0, visible_within=30.0)
SLOW_LEASED = replace(SLOW, leased=True)


def _account(running: Engine, *services: DeskService, **domains: str) -> Account:
    return running.account("ann", [running.driver(service) for service in services], None, **domains)


def _desks() -> tuple[Desk, Desk]:
    left, right = Desk(), Desk()
    left.shown["ann"] = right.shown["ann"] = "Available"
    return left, right


async def test_a_change_goes_over_once_and_then_nobody_writes() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        for word, here, there in (("Busy", left, right), ("Away", right, left), ("DND", left, right)):
            here.shown["ann"] = word
            await anyio.sleep(10)
            assert there.shown["ann"] == word
        assert len(left.written) == 1
        assert len(right.written) == 2
        composed = account.composed()
        assert composed is not None
        assert str(composed.status) == "dnd"
        assert running.events("published") == 3


@asynccontextmanager
async def _throttled() -> AsyncIterator[tuple[Engine, Account, Desk, Desk]]:
    """Ann turned busy on the left ten seconds ago; the right asks for a minute's rest."""
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        account.links[1].driver.budget.pause(60)
        left.shown["ann"] = "Busy"
        await anyio.sleep(10)
        yield running, account, left, right


async def test_what_waits_for_the_budget_is_not_written_once_something_else_is_said() -> None:
    async with _throttled() as (running, _, left, right):
        left.shown["ann"] = "DND"
        await anyio.sleep(80)
        assert [word for _, _, word in right.written] == ["DND"]
        assert running.events("trouble") == 0
        assert running.events("overtaken") == 1


async def test_nothing_that_waits_for_the_budget_is_written_once_writing_is_paused() -> None:
    async with _throttled() as (_, account, _, right):
        account.board.view = replace(account.board.view, paused=True)
        account.board.ring()
        await anyio.sleep(200)
        assert right.written == []
        account.board.view = replace(account.board.view, paused=False)
        account.board.ring()
        await anyio.sleep(10)
        assert right.shown["ann"] == "Busy"


async def test_what_was_not_written_after_all_explains_nothing_the_person_says_there() -> None:
    async with _throttled() as (_, _, left, right):
        left.shown["ann"] = "DND"
        await anyio.sleep(58)
        assert right.shown["ann"] == "DND"
        right.shown["ann"] = "Busy"
        await anyio.sleep(10)
        assert left.shown["ann"] == "Busy"


class _WatchingStore(MemoryStore):
    """Says when it keeps a word that is not yet accepted. Keeping takes a second."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[float, str]] = []

    async def save(self, account: str, view: View) -> None:
        await anyio.sleep(1)
        await super().save(account, view)
        for entry in view.entries.values():
            if entry.publication and entry.publication.accepted_at is None:
                self.kept.append((anyio.current_time(), entry.publication.word))


async def test_a_publication_is_on_the_board_and_kept_before_its_request_goes_out() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        running.store = store = _WatchingStore()
        account = _account(running, DeskService("left"), DeskService("right"))
        account.board.rules = replace(account.board.rules, most_answers=6)
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        left.shown["ann"] = "Busy"
        await anyio.sleep(10)
        assert store.kept[0][1] == "Busy"
        assert store.kept[0][0] <= right.written[0][0]


class _CountingStore(MemoryStore):
    """Counts how often it keeps anything."""

    saves = 0

    async def save(self, account: str, view: View) -> None:
        self.saves += 1
        await super().save(account, view)


async def test_what_is_read_again_as_it_was_is_not_kept_again() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        running.store = store = _CountingStore()
        account = _account(running, DeskService("left"), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(60)
        before, read = store.saves, account.board.view.entries["left"].shown_from
        for _ in range(100):
            account.board.ring()
            await anyio.sleep(5)
        assert account.board.view.entries["left"].shown_from > read + 400
        assert store.saves == before


class _BrokenOnce(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    async def save(self, account: str, view: View) -> None:
        self.tries += 1
        if self.tries == 1:
            raise OSError
        await super().save(account, view)


async def test_what_could_not_be_kept_is_kept_in_the_next_life() -> None:
    async with engine({"left": Desk()}) as running:
        running.store = _BrokenOnce()
        account = _account(running, DeskService("left", replace(TRAITS, sweep_size=10)))
        with pytest.raises(ExceptionGroup):
            await account.run()
        with anyio.move_on_after(1):
            await account.run()
        assert "ann" in running.store.records


async def test_while_a_write_is_out_nothing_else_is_written_there_and_the_latest_wins() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        right.faults.add(Answer(200, method="PUT", delay=12.0, apply=True))
        for word in ("Busy", "Away", "DND", "Available", "Busy", "DND"):
            left.shown["ann"] = word
            await anyio.sleep(2.5)
        await anyio.sleep(20)
        assert right.shown["ann"] == "DND"
        assert next(word for _, _, word in right.written) == "Busy"
        assert len(right.written) <= 3


def _stand_ins() -> int:
    """Tasks that decide for an account whose own one is busy writing."""
    return sum("_stand_in" in (task.name or "") for task in anyio.get_running_tasks())


async def test_while_one_desk_is_slow_changes_go_to_the_others_and_no_task_is_left_over() -> None:
    left, right = _desks()
    third = Desk()
    async with engine({"right": right, "left": left, "third": third}) as running:
        account = _account(running, DeskService("right"), DeskService("left"), DeskService("third"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        right.faults.add(Answer(200, method="PUT", delay=12.0, apply=True))
        for word in ("Busy", "Away", "DND"):
            left.shown["ann"] = word
            await anyio.sleep(3.5)
            assert third.shown["ann"] == word
        assert account.links[0].writing
        assert _stand_ins() == 1
        await anyio.sleep(30)
        assert right.shown["ann"] == "DND"
        assert _stand_ins() == 0


async def test_a_deadline_that_comes_while_a_desk_is_slow_is_kept() -> None:
    left, right = _desks()
    slow = Desk()
    async with engine({"slow": slow, "left": left, "right": right}) as running:
        seldom = DeskService("slow", replace(TRAITS, poll_every=60.0))  # else its readings would ring the bell
        drivers = [running.driver(service) for service in (seldom, DeskService("left"), DeskService("right"))]
        account = running.account("ann", drivers, Rules(settle=20.0))
        running.tasks.start_soon(account.run)
        await anyio.sleep(60)
        slow.shown["ann"] = "Busy"
        with anyio.fail_after(70):
            while right.shown["ann"] != "Busy":  # noqa: ASYNC110  # nobody rings for it
                await anyio.sleep(0.1)
        await anyio.sleep(15)
        slow.faults.add(Answer(200, method="PUT", delay=12.0, apply=True))
        left.shown["ann"] = "Away"
        await anyio.sleep(9)
        assert account.links[0].writing
        assert right.shown["ann"] == "Away"  # which had to settle first, since it was written before


async def test_a_lease_is_renewed_before_it_ends_with_jitter_while_it_is_true() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left", SLOW), DeskService("right", SLOW_LEASED, lease=300.0))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        left.shown["ann"] = "Busy"
        await anyio.sleep(3600)
        gaps = [b[0] - a[0] for a, b in pairwise(right.written)]
        assert len(gaps) > 15
        assert all(160 <= gap <= 200 for gap in gaps)
        assert len({round(gap, 2) for gap in gaps}) > 5
        assert "refresh_slack_seconds_count" in running.metrics.exposition().decode()


async def test_without_proof_nothing_is_renewed() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(
            running, DeskService("left"), DeskService("right", replace(TRAITS, leased=True), lease=300.0)
        )
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        left.shown["ann"] = "Busy"
        await anyio.sleep(60)
        assert len(right.written) == 1
        running.network.hosts["left"].refuses = True
        running.network.hosts["left"].cut()
        await anyio.sleep(1800)
        assert len(right.written) <= 7  # as long as the evidence lasts: 15 minutes


async def test_a_lapsed_lease_is_counted() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right", lease=60.0))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        left.shown["ann"] = "Busy"
        await anyio.sleep(10)
        right.faults.add(Answer(503, method="PUT", headers={"retry-after": "100"}))
        await anyio.sleep(300)
        assert 'lapsed_sessions_total{service="right"} 1.0' in running.metrics.exposition().decode()
        assert running.events("session lapsed") == 1


async def test_our_lease_is_taken_back_when_the_person_speaks_there() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right", lease=3600.0))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        left.shown["ann"] = "Busy"
        await anyio.sleep(10)
        right.shown["ann"] = "Away"
        await anyio.sleep(4)
        assert right.faults.count("DELETE", "people") == 1
        assert running.events("retracted") == 1


async def test_when_refused_credentials_work_again_all_who_rest_on_them_try_at_once() -> None:
    left, right = Desk(), Desk(password="new")
    async with engine({"left": left, "right": right}) as running:
        seldom = replace(TRAITS, poll_every=600.0)
        drivers = [
            running.driver(DeskService(name, seldom, realm)) for name, realm in (("left", None), ("right", "all"))
        ]
        accounts = [running.account(name, drivers) for name in ("ann", "ben", "cleo")]
        for account in accounts:
            left.shown[account.name] = "Busy"
            running.tasks.start_soon(account.run)
        await anyio.sleep(4 * 3600)
        links = [account.links[1] for account in accounts]
        assert all(link.hearing.is_parked for link in links)
        rests = sorted(max(link.hearing.retry_at, link.trouble.retry_at) - running.clock.now() for link in links)
        running.secrets["DESK_PASSWORD"] = "new"
        accounts[0].links[1].try_now()
        await anyio.sleep(30)
        assert rests[0] > 300  # so none of the others came by itself
        assert right.shown == dict.fromkeys(("ann", "ben", "cleo"), "Busy")
        assert not any(link.hearing.error or link.trouble.error for link in links)


@pytest.mark.parametrize("how", ["refuses", "silent"])
async def test_trouble_with_one_desk_is_waited_out_without_hurry(how: str) -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        host = running.network.hosts["right"]
        setattr(host, how, True)
        host.cut()
        left.shown["ann"] = "Busy"
        await anyio.sleep(400)
        assert account.links[1].trouble.kind == account.links[1].hearing.kind == "Unavailable"
        assert running.events("trouble") <= 3
        assert 'outcome="Unavailable"' in running.metrics.exposition().decode()
        setattr(host, how, False)
        await anyio.sleep(90)
        assert right.shown["ann"] == "Busy"
        assert account.links[1].trouble.kind == account.links[1].hearing.kind == ""
        assert running.events("trouble over") == running.events("trouble")


async def test_a_limit_is_waited_for_and_then_decided_anew() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        right.faults.add(Answer(429, method="PUT", headers={"retry-after": "30"}))
        left.shown["ann"] = "Busy"
        await anyio.sleep(10)
        left.shown["ann"] = "Away"
        await anyio.sleep(50)
        assert [word for _, _, word in right.written] == ["Away"]


class _Picky(DeskLink):
    """Refuses some words."""

    refuses = frozenset({"Busy"})
    asked: list[str]

    def publish(self, publish: Publish) -> Flow[Published]:
        self.asked = [*getattr(self, "asked", []), publish.word]
        if publish.word in self.refuses:
            raise Rejected("wrong word", status=400)
        return (yield from super().publish(publish))


class _PickyService(DeskService):
    def link(self, account: str, settings: Any, memory: Any) -> DeskLink:
        return _Picky(self, account, settings, memory)


async def test_a_word_refused_for_good_is_not_repeated_but_another_is_written() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), _PickyService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        left.shown["ann"] = "Busy"
        await anyio.sleep(40)
        link = account.links[1]
        assert isinstance(link.link, _Picky)
        assert link.link.asked == ["Busy"]
        assert link.decision.reason is Reason.REFUSED
        left.shown["ann"] = "DND"
        await anyio.sleep(10)
        assert right.shown["ann"] == "DND"


async def test_refused_credentials_park_the_link_and_the_other_goes_on() -> None:
    left, right, third = Desk(), Desk("unknown"), Desk()
    async with engine({"left": left, "right": right, "third": third}) as running:
        services = DeskService("left"), DeskService("right", realm="right"), DeskService("third")
        account = _account(running, *services)
        running.tasks.start_soon(account.run)
        await anyio.sleep(70)
        left.shown["ann"] = "Busy"
        await anyio.sleep(600)
        assert third.shown["ann"] == "Busy"
        assert right.logins == 1
        assert account.links[1].trouble.is_parked or account.links[1].hearing.is_parked


async def test_of_two_doors_one_writes_and_the_other_takes_over() -> None:
    left, _right = _desks()
    house = Desk()
    async with engine({"left": left, "door1": house, "door2": house}) as running:
        services = DeskService("left"), DeskService("door1"), DeskService("door2")
        account = _account(running, *services, door1="house", door2="house")
        running.tasks.start_soon(account.run)
        await anyio.sleep(70)
        first, second = account.links[1:]
        assert (first.writer, second.writer) == (True, False)
        assert second.decision.reason is Reason.STANDBY
        running.network.hosts["door1"].refuses = True
        running.network.hosts["door1"].cut()
        left.shown["ann"] = "Busy"
        await anyio.sleep(30)
        assert house.shown["ann"] == "Busy"
        assert (first.writer, second.writer) == (False, True)
        running.network.hosts["door2"].refuses = True
        running.network.hosts["door2"].cut()
        left.shown["ann"] = "Away"
        await anyio.sleep(120)
        running.network.hosts["door2"].refuses = False
        await anyio.sleep(120)
        assert house.shown["ann"] == "Away"


async def test_the_first_door_writes_again_once_it_may_be_tried() -> None:
    left, _right = _desks()
    house = Desk()
    async with engine({"left": left, "door1": house, "door2": house}) as running:
        services = DeskService("left"), DeskService("door1"), DeskService("door2")
        account = _account(running, *services, door1="house", door2="house")
        running.tasks.start_soon(account.run)
        await anyio.sleep(70)
        first, second = account.links[1:]
        house.faults.add(Answer(503, method="PUT", times=1))
        left.shown["ann"] = "Busy"
        await anyio.sleep(5)
        assert house.shown["ann"] == "Busy"
        await anyio.sleep(120)
        assert (first.writer, second.writer, first.trouble.error) == (True, False, None)
        before = len(house.written)
        left.shown["ann"] = "Away"
        await anyio.sleep(60)
        assert (house.shown["ann"], len(house.written) - before, first.trouble.error) == ("Away", 1, None)


async def test_two_doors_never_write_at_once() -> None:
    left, _ = _desks()
    house = Desk()
    async with engine({"left": left, "door1": house, "door2": house}) as running:
        services = DeskService("left"), DeskService("door1"), DeskService("door2")
        account = _account(running, *services, door1="house", door2="house")
        running.tasks.start_soon(account.run)
        await anyio.sleep(70)
        house.faults.add(Answer(200, method="PUT", hang=True))
        left.shown["ann"] = "Busy"
        await anyio.sleep(3)
        account.links[1].hearing.starts(Unavailable("away"), "following")
        account.board.ring()
        await anyio.sleep(1)
        assert sum(link.writing for link in account.links) == 1
        await anyio.sleep(30)
        assert house.shown["ann"] == "Busy"


class _Leaver(DeskLink):
    """Its sessions end as soon as they begin."""

    starts = 0
    error: Callable[[], ServiceError] = staticmethod(partial(SessionExpired, "over"))

    def watch(self) -> Flow[None]:
        self.starts += 1
        raise self.error()
        yield

    def companions(self) -> tuple[Callable[[], Flow[None]], ...]:
        return (super().watch,) if self.starts > 10**6 else ()

    def keep_alive(self, *, present: bool) -> Flow[float]:
        raise self.error()
        yield


class _LeaverService(DeskService):
    def link(self, account: str, settings: Any, memory: Any) -> DeskLink:
        return _Leaver(self, account, settings, memory)


async def test_a_session_that_ends_at_once_is_not_begun_in_a_hurry() -> None:
    async with engine({"left": Desk()}) as running:
        account = _account(running, _LeaverService("left", replace(TRAITS, pushes=True)))
        running.tasks.start_soon(account.run)
        await anyio.sleep(0.01)
        link = account.links[0].link
        assert isinstance(link, _Leaver)
        await anyio.sleep(3600)
        assert 60 <= link.starts <= 130


async def test_a_pushing_link_is_followed_and_kept_alive() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left", replace(TRAITS, pushes=True, rate=2.0)), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(30)
        left.shown["ann"] = "Busy"
        await anyio.sleep(90)
        assert right.shown["ann"] == "Busy"


async def test_it_says_farewell_within_a_bound() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        with anyio.move_on_after(10):
            await account.run()
        right.faults.add(Answer(path="leave", hang=True))
        start = anyio.current_time()
        await account.leave()
        assert anyio.current_time() - start <= FAREWELL + 1.1
        assert left.written[-1][2] == "left"
        left.faults.add(Answer(503, path="leave"))
        account.staying = frozenset({"right"})
        await account.leave()
        assert running.events("farewell not heard") == 1


async def test_a_loop_is_frozen_and_told() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        drivers = [running.driver(DeskService("left")), running.driver(DeskService("right"))]
        account = running.account("ann", drivers, Rules(most_answers=10))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        left.shown["ann"] = "Busy"
        for turn in range(90):  # something else answers each of our writes with a state of its own
            await anyio.sleep(3)
            right.shown["ann"] = ("DND", "Busy")[turn % 2]
            left.shown["ann"] = ("Available", "DND")[turn % 2]
        assert running.events("frozen: something makes a loop") >= 1
        assert len(right.written) <= 45  # it would be ninety


async def test_a_person_who_changes_often_is_not_taken_for_a_loop() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        for turn in range(15):
            left.shown["ann"] = ("Busy", "DND")[turn % 2]
            await anyio.sleep(4)
        assert not running.events("frozen: something makes a loop")
        assert len(right.written) >= 14


async def test_a_pin_is_shown_everywhere_and_a_reader_is_never_written() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        account.links[0].direction = Direction.READ
        running.tasks.start_soon(account.run)
        await anyio.sleep(10)
        account.board.view = replace(account.board.view, pin=Pin(BUSY, running.clock.now() + 600))
        account.board.ring()
        await anyio.sleep(10)
        assert (left.shown["ann"], right.shown["ann"]) == ("Available", "Busy")
        assert account.links[0].decision.reason is Reason.READ_ONLY


async def test_a_view_that_starts_again_must_be_read_again() -> None:
    left, right = _desks()
    async with engine({"left": left, "right": right}) as running:
        account = _account(running, DeskService("left"), DeskService("right"))
        with anyio.move_on_after(10):
            await account.run()
        again = forget_clock(account.board.view, 99.0)
        assert again.started_at == 99.0
        assert all(entry.live_at is None and entry.shown for entry in again.entries.values())

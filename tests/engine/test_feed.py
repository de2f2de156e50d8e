"""Feeds, boards, places and trouble: who is read, who is woken, what is told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import anyio

from presence_syncd.connectors.connector import Link
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Flow
from presence_syncd.core.entry import Entry, Kind, Observation
from presence_syncd.core.presence import BUSY, UNKNOWN
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction, Rules, View
from presence_syncd.engine.board import Board
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.feed import WOKEN, Feed
from presence_syncd.engine.place import Placed
from presence_syncd.engine.trouble import LONGEST, LONGEST_REFUSED
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, Unavailable
from tests.engine.desk import EPOCH, TRAITS, VOCABULARY, Desk, DeskService, Engine, engine
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture

SWEEPING = replace(TRAITS, sweep_size=2)


def _feed(
    running: Engine, names: Sequence[str] = "abcde", service: DeskService | None = None
) -> tuple[Feed, list[Placed]]:
    driver = running.driver(service or DeskService("desk", SWEEPING))
    feed = Feed(driver, running.clock, running.rng, running.log())
    boards = [Board(View({"desk": Entry()}, running.clock.now()), Rules()) for _ in names]
    links = [running.place(driver, board, name) for board, name in zip(boards, names, strict=True)]
    for link in links:
        feed.add(link)
    return feed, links


def _shown(link: Placed) -> str:
    return link.board.view.entries["desk"].raw


async def test_everybody_is_read_in_chunks_again_and_again() -> None:
    desk = Desk()
    async with engine({"desk": desk}) as running:
        feed, links = _feed(running)
        assert feed.age() is None
        running.tasks.start_soon(feed.run)
        desk.shown["c"] = "Busy"
        await anyio.sleep(30)
        assert [_shown(link) for link in links] == ["Offline", "Offline", "Busy", "Offline", "Offline"]
        assert 30 <= desk.faults.count("GET", "people") <= 60
        age = feed.age()
        assert age is not None
        assert age < 3


async def test_a_sweep_that_wakes_many_lets_others_have_their_turn() -> None:
    """A change that is heard meanwhile would wait until all of them have decided."""
    async with engine({"desk": Desk()}) as running:
        names = [f"p{number}" for number in range(40)]
        feed, links = _feed(running, names, DeskService("desk", replace(TRAITS, sweep_size=100)))
        running.tasks.start_soon(feed.run)
        told = [0]
        await links[0].board.wait()
        while told[-1] < len(links):
            await anyio.lowlevel.checkpoint()
            told.append(sum(map(bool, map(_shown, links))))
        assert max(after - before for before, after in pairwise(told)) < len(links) / 2


class SlowClock(Clock):
    """Time goes on while others work: a tenth of a second from each look at it to the next."""

    def now(self) -> float:
        self.worked = getattr(self, "worked", 0.0) + 0.1
        return super().now() + self.worked


async def test_who_is_woken_by_a_sweep_has_half_of_the_time_at_most() -> None:
    """All they decide, keep and write comes between a change that is heard and what is done about it."""
    async with engine({"desk": Desk()}) as running:
        names = [f"p{number}" for number in range(40)]
        quick, links = _feed(running, names, DeskService("desk", replace(TRAITS, sweep_size=100)))
        feed = Feed(quick.driver, SlowClock(), running.rng, running.log())
        for link in links:
            feed.add(link)
        running.tasks.start_soon(feed.run)
        await links[0].board.wait()
        began = anyio.current_time()
        await links[-1].board.wait()
        assert anyio.current_time() - began >= len(links) // WOKEN * 0.1 - 0.11


async def test_who_is_new_is_read_before_others_are_renewed_and_later_after_them() -> None:
    """Nothing is written for who was never read; where renewals take all there is, that would be for ever."""
    async with engine({"desk": Desk()}) as running:
        feed, links = _feed(running)
        budget = feed.driver.budget
        budget.full_rate, budget.burst = 1.0, 1.0
        budget.pause(1.0)

        async def renew() -> None:
            while True:
                await budget.take(Urgency.REFRESH)

        for _ in range(3):
            running.tasks.start_soon(renew)
        running.tasks.start_soon(feed.run)
        await anyio.sleep(20)
        assert all(map(_shown, links))
        swept = budget.swept
        await anyio.sleep(60)
        assert budget.swept <= swept + 1


async def test_two_links_of_one_person_are_read_once() -> None:
    desk = Desk()
    async with engine({"desk": desk}) as running:
        feed, links = _feed(running, "aa")
        running.tasks.start_soon(feed.run)
        await anyio.sleep(1)
        assert [_shown(link) for link in links] == ["Offline", "Offline"]
        feed.remove(links[0])
        feed.remove(links[0])
        assert feed.has_links
        feed.remove(links[1])
        assert not feed.has_links
        assert feed.age() is None


async def test_trouble_of_one_chunk_is_told_once_and_does_not_stop_the_others() -> None:
    desk = Desk()

    class Half(DeskService):
        def sweep(self, links: Sequence[Link]) -> Flow[dict[str, Observation]]:
            if broken and links[0].key == "a":
                raise Unavailable("no")
            return (yield from super().sweep(links))

    broken = True
    async with engine({"desk": desk}) as running:
        feed, links = _feed(running, "abcd", Half("desk", SWEEPING))
        running.tasks.start_soon(feed.run)
        await anyio.sleep(300)
        assert [_shown(link) for link in links] == ["", "", "Offline", "Offline"]
        assert (running.events("trouble"), running.events("trouble over")) == (1, 0)
        broken = False
        await anyio.sleep(90)
        assert (running.events("trouble"), running.events("trouble over")) == (1, 1)


async def test_who_leaves_during_a_round_is_not_missed_by_the_round() -> None:
    desk = Desk()
    desk.faults.add(Answer(200, body="{}", delay=5.0))
    async with engine({"desk": desk}) as running:
        feed, links = _feed(running, "abcd")
        running.tasks.start_soon(feed.run)
        await anyio.sleep(2)
        for link in links[1:]:
            feed.remove(link)
        await anyio.sleep(20)
        assert [_shown(link) for link in links] == ["Offline", "", "", ""]


async def test_a_bug_in_one_account_does_not_blind_the_others() -> None:
    async with engine({"desk": Desk()}) as running:
        feed, links = _feed(running, "ab")
        links[0].board = Board(View(), Rules())  # has no such domain
        running.tasks.start_soon(feed.run)
        await anyio.sleep(3)
        assert _shown(links[1]) == "Offline"
        assert running.events("reading not taken") >= 1


async def test_the_feed_slows_down_when_the_service_is_away_and_comes_back() -> None:
    desk = Desk()
    async with engine({"desk": desk}) as running:
        feed, links = _feed(running, "a")
        running.network.hosts["desk"].refuses = True
        running.tasks.start_soon(feed.run)
        await anyio.sleep(1200)
        assert feed.live_at is None
        assert feed.trouble.kind == "Unavailable"
        running.network.hosts["desk"].refuses = False
        await anyio.sleep(LONGEST + 1)
        assert _shown(links[0]) == "Offline"


async def test_a_feed_that_was_refused_sweeps_as_soon_as_somebody_gets_in() -> None:
    desk = Desk("secret")
    async with engine({"desk": desk}) as running:
        feed, links = _feed(running, "a", DeskService("desk", SWEEPING, realm="desk"))
        running.secrets["DESK_PASSWORD"] = "wrong"
        running.tasks.start_soon(feed.run)
        await anyio.sleep(1)
        assert feed.trouble.is_parked
        running.secrets["DESK_PASSWORD"] = "secret"
        await anyio.sleep(6)
        await feed.driver.run(links[0].link.read(), feed.driver.service, Urgency.CHANGE)
        await anyio.sleep(1)
        assert _shown(links[0]) == "Offline"


async def test_a_bell_rung_between_deciding_and_waiting_is_heard() -> None:
    board = Board(View({"desk": Entry()}), Rules())
    board.ring()
    with anyio.fail_after(1):
        assert await board.wait()
    with anyio.move_on_after(5) as scope:
        await board.wait()
    assert scope.cancelled_caught


async def test_a_ring_calls_the_stand_in_of_who_is_busy_once_and_at_once_if_it_came_before() -> None:
    board, called = Board(View({"desk": Entry()}), Rules()), list[str]()
    board.leave_to(lambda: called.append("first"))
    board.ring()
    board.ring()
    assert called == ["first"]
    assert not board.come_back()
    board.leave_to(lambda: called.append("second"))
    assert called == ["first", "second"]
    assert board.silence()
    board.leave_to(lambda: called.append("third"))
    assert board.come_back()
    board.ring()
    assert called == ["first", "second"]


async def test_only_what_changes_something_rings() -> None:
    board = Board(View({"desk": Entry()}), Rules())

    def rung(status: object, at: float) -> bool:
        seen = Observation(status, "raw", at, at)  # type: ignore[arg-type]  # a status
        board.observe("desk", seen, VOCABULARY, Direction.BOTH)
        heard, board._is_rung = board._is_rung, False
        return heard

    assert [rung(BUSY, 1), rung(BUSY, 2), rung(UNKNOWN, 3), rung(BUSY, 0)] == [True, False, False, False]


async def test_an_own_word_is_told_and_a_reading_ends_trouble_of_hearing() -> None:
    async with engine({"desk": Desk()}) as running:
        _, links = _feed(running, "a")
        links[0].hearing.starts(Unavailable("no"), "following")
        kind = links[0].emit(Observation(BUSY, "Busy", EPOCH, EPOCH))
        assert kind is Kind.OWN
        assert running.events("observed") == 1
        assert links[0].hearing.kind == ""
        assert links[0].leased is False


async def test_trouble_is_told_at_its_start_and_its_end_and_backs_off_within_bounds() -> None:
    async with engine() as running:
        trouble = running.trouble()
        waits = [trouble.starts(Unavailable("no"), "writing") for _ in range(30)]
        assert all(0.5 * min(2.0**n, LONGEST) <= wait <= min(2.0**n, LONGEST) for n, wait in enumerate(waits))
        assert running.events("trouble") == 1
        assert trouble.starts(RateLimited("slow", retry_after=20.0), "writing") >= 20
        assert running.events("trouble") == 2
        trouble.ends()
        trouble.ends()
        assert running.events("trouble over") == 1
        assert trouble.starts(Unavailable("no"), "writing") > 10, "what comes back at once goes on where it was"
        trouble.ends()
        await anyio.sleep(61)
        assert trouble.starts(Unavailable("no"), "writing") <= 1


async def test_refusals_are_probed_slowly_and_park_only_credentials() -> None:
    async with engine() as running:
        trouble = running.trouble()
        waits = [trouble.starts(AuthRejected("no", retry_after=90.0), "writing") for _ in range(20)]
        assert trouble.is_parked
        assert 81 <= waits[0] <= 99
        assert waits[-1] <= LONGEST_REFUSED * 1.1
        trouble.ends()
        trouble.starts(Rejected("no"), "change", "Busy")
        assert (trouble.word, trouble.is_parked) == ("Busy", False)
        assert trouble.error is not None
        assert trouble.error.__traceback__ is None

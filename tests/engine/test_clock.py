"""Alarms: each rings once, at the time it was set to last."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import ceil, nextafter

import anyio
import pytest

from presence_syncd.engine.clock import GRAIN, NEVER, Alarm, Clock
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture

pytestmark = pytest.mark.anyio


class Bedside:
    """A clock and what it rang, each with the seconds since the start."""

    def __init__(self) -> None:
        self.clock = Clock(lambda: 1000.0)
        self.rang: list[tuple[str, float]] = []

    def alarm(self, name: str) -> Alarm:
        """An alarm that notes its name when it rings."""
        return Alarm(lambda: self.rang.append((name, round(self.clock.now() - 1000, 3))))

    def set(self, alarm: Alarm, seconds: float) -> None:
        """Set an alarm to so many seconds after the start."""
        self.clock.set(alarm, 1000 + seconds)


@asynccontextmanager
async def bedside() -> AsyncIterator[Bedside]:
    """A clock that rings."""
    async with anyio.create_task_group() as tasks:
        beside = Bedside()
        tasks.start_soon(beside.clock.ring_alarms)
        yield beside
        tasks.cancel_scope.cancel()


async def test_alarms_ring_in_the_order_of_their_times_and_of_their_setting() -> None:
    async with bedside() as beside:
        for name, seconds in (("c", 7.0), ("a", 3.0), ("d", 7.0), ("b", 5.0), ("now", -1.0)):
            beside.set(beside.alarm(name), seconds)
        await anyio.sleep(10)
        assert beside.rang == [("now", 0.0), ("a", 3.0), ("b", 5.0), ("c", 7.0), ("d", 7.0)]


async def test_an_alarm_that_is_set_sooner_while_all_wait_rings_then() -> None:
    async with bedside() as beside:
        late = beside.alarm("late")
        beside.set(late, 100.0)
        await anyio.sleep(1)
        beside.set(late, 4.0)
        await anyio.sleep(200)
        assert beside.rang == [("late", 4.0)]


@pytest.mark.parametrize(
    ("change", "rang"),
    [
        (lambda beside, alarm: beside.set(alarm, 9.0), [9.0]),
        (lambda beside, alarm: beside.clock.set(alarm, NEVER), []),
        (lambda beside, alarm: (beside.set(alarm, 2.0), beside.set(alarm, 9.0)), [9.0]),
    ],
)
async def test_an_alarm_that_is_put_off_rings_at_its_last_time_only(
    change: Callable[[Bedside, Alarm], object], rang: list[float]
) -> None:
    async with bedside() as beside:
        alarm = beside.alarm("it")
        beside.set(alarm, 5.0)
        await anyio.sleep(1)
        change(beside, alarm)
        await anyio.sleep(20)
        assert beside.rang == [("it", seconds) for seconds in rang]


async def test_an_alarm_that_rang_can_be_set_again() -> None:
    async with bedside() as beside:
        alarm = beside.alarm("it")
        for seconds in (2.0, 6.0):
            beside.set(alarm, seconds)
            await anyio.sleep(4)
        assert beside.rang == [("it", 2.0), ("it", 6.0)]


async def test_no_alarm_rings_a_hair_too_early() -> None:
    """Who looks at the time then would find that it is not time yet, set the alarm again, and so on."""
    clock = Clock(lambda: 1.8e9)
    times = [nextafter(1.8e9 + number * GRAIN, NEVER) for number in range(1, 200)]
    assert any(ceil(at / GRAIN) * GRAIN < at for at in times)
    early: list[float] = []

    def set_alarm(at: float) -> None:
        clock.set(Alarm(lambda: early.append(at - clock.now())), at)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.ring_alarms)
        for at in times:
            set_alarm(at)
        await anyio.sleep(3)
        tasks.cancel_scope.cancel()
    assert len(early) == len(times)
    assert max(early) <= 0


class Watched(Clock):
    """A clock that counts how often it is looked at. Its offset is no whole number of the loop's ticks."""

    looks = 0

    def __init__(self) -> None:
        super().__init__(lambda: 1000.00067)

    def now(self) -> float:
        self.looks += 1
        return super().now()


def test_moments_are_waited_for_in_few_steps_where_timers_are_rounded() -> None:
    """Rounded down they go off early, and trying again what is left kept the loop busy for half a millisecond each."""
    rang, looks = 0, 0

    def ring() -> None:
        nonlocal rang
        rang += 1

    async def main() -> None:
        nonlocal looks
        clock = Watched()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.ring_alarms)
            for number in range(20):
                clock.set(Alarm(ring), 1000.02 + number * 0.031)
            with anyio.fail_after(30):
                while rang < 20:  # noqa: ASYNC110  # nobody else waits
                    await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
        looks = clock.looks

    timeouts = Counter[str]()
    sys.setprofile(lambda frame, event, _: timeouts.update([frame.f_code.co_name] if event == "call" else ()))
    try:
        anyio.run(main, backend_options={"use_uvloop": True})
    finally:
        sys.setprofile(None)
    assert looks < 20 * 6
    assert timeouts["_timeout"] < 20 * 6

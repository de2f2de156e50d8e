"""The budget: never over the bucket, urgent first, quiet when told."""

from __future__ import annotations

import random
from functools import partial
from itertools import pairwise

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from presence_syncd.engine.budget import LEAST, Budget, Urgency
from presence_syncd.engine.clock import Clock
from tests.virtual.backends import BACKENDS, anyio_backend, run  # noqa: F401  # a fixture


def _budget(rate: float = 1.0, burst: float = 1.0) -> Budget:
    return Budget(rate, burst, Clock(lambda: 0.0), random.Random(1))


async def _spend(budget: Budget, urgency: Urgency, tokens: int, spent: list[tuple[float, Urgency, int]]) -> None:
    await budget.take(urgency, tokens)
    spent.append((anyio.current_time(), urgency, tokens))


WISHES = st.lists(st.tuples(st.floats(0, 20), st.sampled_from(Urgency), st.integers(1, 3)), min_size=1, max_size=40)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40, deadline=None)
@given(wishes=WISHES, rate=st.floats(0.2, 20), burst=st.integers(3, 20), pauses=st.lists(st.floats(0, 20), max_size=3))
def test_no_window_ever_holds_more_than_burst_and_rate_grant(
    backend: str, wishes: list[tuple[float, Urgency, int]], rate: float, burst: int, pauses: list[float]
) -> None:
    async def main() -> list[tuple[float, Urgency, int]]:
        budget, spent = _budget(rate, burst), list[tuple[float, Urgency, int]]()

        async def later(at: float, urgency: Urgency, tokens: int) -> None:
            await anyio.sleep(at)
            await _spend(budget, urgency, tokens, spent)

        async def rest(at: float) -> None:
            await anyio.sleep(at)
            budget.pause(2.0)

        async with anyio.create_task_group() as tasks:
            for wish in wishes:
                tasks.start_soon(later, *wish)
            for at in pauses:
                tasks.start_soon(rest, at)
        assert budget.waiting == 0
        return spent

    spent = run(main, backend)
    assert len(spent) == len(wishes)
    for first in range(len(spent)):
        total = 0
        for at, _, tokens in spent[first:]:
            total += tokens
            assert total <= burst + rate * (at - spent[first][0]) + 1e-3


async def test_the_urgent_go_first_and_equals_in_order() -> None:
    budget, spent = _budget(), list[tuple[float, Urgency, int]]()
    await budget.take(Urgency.SWEEP)
    async with anyio.create_task_group() as tasks:
        for number, urgency in enumerate((Urgency.SWEEP, Urgency.REFRESH, Urgency.DUE, Urgency.CHANGE, Urgency.SWEEP)):
            tasks.start_soon(_spend, budget, urgency, 1, spent)
            await anyio.sleep(0.001 * number)
        await anyio.sleep(0.1)
    assert [urgency for _, urgency, _ in spent] == [*sorted(Urgency), Urgency.SWEEP]
    assert all(0.99 < b[0] - a[0] < 1.01 for a, b in pairwise(spent))


async def test_a_vip_goes_before_the_others_of_the_class_and_after_the_more_urgent() -> None:
    budget, order = _budget(), list[str]()

    async def ask(name: str, urgency: Urgency, *, vip: bool) -> None:
        await budget.take(urgency, vip=vip)
        order.append(name)

    await budget.take(Urgency.SWEEP)
    async with anyio.create_task_group() as tasks:
        for name, urgency, vip in (
            ("due", Urgency.DUE, False),
            ("refresh", Urgency.REFRESH, False),
            ("vip's refresh", Urgency.REFRESH, True),
            ("vip's second refresh", Urgency.REFRESH, True),
            ("change", Urgency.CHANGE, False),
            ("vip's change", Urgency.CHANGE, True),
        ):
            tasks.start_soon(partial(ask, name, urgency, vip=vip))
            await anyio.sleep(0.01)
    assert order == ["vip's change", "change", "due", "vip's refresh", "vip's second refresh", "refresh"]


async def test_what_is_given_back_is_granted_to_the_next() -> None:
    budget = _budget(rate=0.1)
    await budget.take(Urgency.CHANGE)

    async def give_back() -> None:
        await anyio.sleep(2)
        budget.give_back(1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give_back)
        await budget.take(Urgency.CHANGE)
    assert anyio.current_time() == pytest.approx(2.0)
    await anyio.sleep(1000)
    budget.give_back(5)  # never more than the bucket holds
    await budget.take(Urgency.CHANGE)
    await budget.take(Urgency.CHANGE)
    assert anyio.current_time() == pytest.approx(1012.0, abs=0.1)


async def test_a_pause_holds_everybody_and_no_burst_follows_it() -> None:
    budget, spent = _budget(10.0, 20.0), list[tuple[float, Urgency, int]]()
    budget.pause(30.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(_spend, budget, Urgency.CHANGE, 1, spent)
    assert 30 <= spent[0][0] <= 33.1
    assert spent[-1][0] - spent[0][0] > 19 / 10


async def test_many_refusals_slow_down_once_and_quiet_minutes_give_the_rate_back() -> None:
    budget = _budget(10.0, 10.0)
    for _ in range(20):
        budget.pause(1.0)
    assert budget.rate == pytest.approx(7.0)
    for _ in range(20):
        await anyio.sleep(2)
        budget.pause(1.0)
    assert budget.rate == pytest.approx(10.0 * LEAST, rel=0.1)
    await anyio.sleep(3600)
    assert budget.rate == 10.0


async def test_who_gives_up_makes_room_and_costs_nothing() -> None:
    budget, spent = _budget(), list[tuple[float, Urgency, int]]()
    await budget.take(Urgency.CHANGE)
    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.5):
            tasks.start_soon(_spend, budget, Urgency.CHANGE, 1, spent)
            await anyio.sleep(0.1)
            await budget.take(Urgency.SWEEP)
        with anyio.move_on_after(0.1):
            await budget.take(Urgency.CHANGE, 1)
        with anyio.CancelScope() as scope:
            tasks.start_soon(_spend, budget, Urgency.DUE, 1, spent)
            scope.cancel()
            await budget.take(Urgency.CHANGE)
    assert [round(at, 2) for at, _, _ in spent] == [1.0, 2.0]


async def test_graph_16_ten_thousand_due_at_once_are_spread() -> None:
    budget, spent = _budget(100.0, 50.0), list[tuple[float, Urgency, int]]()
    async with anyio.create_task_group() as tasks:
        for _ in range(10_000):
            tasks.start_soon(_spend, budget, Urgency.REFRESH, 1, spent)
    assert spent[-1][0] == pytest.approx(99.5, abs=0.5)
    seconds = [sum(int(at) == second for at, _, _ in spent) for second in range(100)]
    assert max(seconds) <= 151


@pytest.mark.parametrize("asked_every", [0.5, 7.0, 60.0])
async def test_the_ratio_tells_what_was_used_lately_however_often_it_is_asked(asked_every: float) -> None:
    budget = _budget(2.0, 10.0)
    assert budget.used_ratio() == 0.0

    async def ask() -> None:
        while True:
            await anyio.sleep(asked_every)
            budget.used_ratio()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        for _ in range(60):
            await budget.take(Urgency.CHANGE)
            await anyio.sleep(1)
        assert budget.used_ratio() == pytest.approx(0.5, rel=0.15)
        assert budget.used_ratio() == budget.used_ratio()
        await anyio.sleep(30)
        assert budget.used_ratio() < 0.01
        tasks.cancel_scope.cancel()

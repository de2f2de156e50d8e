"""Envelopes: together if they wait together, judged alone, and nobody pays for another's end."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from functools import partial, reduce

import anyio
import pytest

from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.engine.budget import Budget, Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.envelope import LANES, Envelopes, Outcome
from presence_syncd.errors import RateLimited, Unavailable
from tests.engine.desk import together
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture


class Post:
    """Carries envelopes: each takes a second. `sent` keeps their contents."""

    def __init__(self, size: int = 4, rate: float = 1.0, burst: float = 1.0) -> None:
        self.budget = Budget(rate, burst, Clock(lambda: 0.0), random.Random(1))
        self.envelopes = Envelopes(size, self.budget, self.carry)
        self.sent: list[list[str]] = []
        self.times: list[float] = []
        self.fault: Callable[[list[str]], None] = lambda _names: None
        self.lost: set[str] = set()

    async def carry(self, requests: list[Request], urgency: Urgency) -> list[Outcome]:
        """Send."""
        names = [request.operation for request in requests]
        self.sent.append(names)
        self.times.append(anyio.current_time())
        await anyio.sleep(1)
        self.fault(names)
        return [None if name in self.lost else Reply(200, url=name) for name in names]

    async def send(self, name: str, urgency: Urgency = Urgency.CHANGE, *, vip: bool = False) -> str:
        """Send one and return the answer's name."""
        return (await self.envelopes.send(Request("PUT", "https://x/", name), urgency, vip=vip)).url


def _all(post: Post, names: str) -> list[Callable[[], object]]:
    return [partial(post.send, name) for name in names]


async def test_alone_it_goes_as_it_is_and_at_once() -> None:
    post = Post()
    assert await post.send("a") == "a"
    assert post.sent == [["a"]]
    assert anyio.current_time() == 1.0


async def test_what_comes_while_every_lane_is_taken_gathers_however_much_budget_there_is() -> None:
    post = Post(size=20, rate=1000.0, burst=1000.0)
    names = [f"r{number:02}" for number in range(LANES + 15)]
    await together(*(partial(post.send, name) for name in names))
    assert [len(sent) for sent in post.sent] == [1] * LANES + [15]
    assert post.times == [0.0] * LANES + [1.0]


async def test_the_urgent_overtakes_who_waits_for_a_lane() -> None:
    post = Post(size=2, rate=1000.0, burst=1000.0)
    calm = [partial(post.send, f"r{number}", Urgency.REFRESH) for number in range(LANES + 2)]

    async def urgent() -> None:
        await anyio.sleep(0.5)
        await post.send("urgent")

    await together(*calm, urgent)
    assert post.sent[LANES][0] == "urgent"
    assert sum(len(sent) for sent in post.sent) == LANES + 3


async def test_what_waits_together_travels_together_up_to_the_size_and_each_part_counts() -> None:
    post = Post(burst=4)
    await post.budget.take(Urgency.CHANGE, 4)
    assert await together(*_all(post, "abcdefg")) == list("abcdefg")
    assert sorted(len(names) for names in post.sent) == [3, 4]
    assert sorted(reduce(operator.iadd, post.sent, [])) == list("abcdefg")
    assert post.times[-1] == pytest.approx(7.0, abs=0.1)


async def test_the_most_urgent_leads_even_if_it_came_last() -> None:
    post = Post(size=2)
    await post.budget.take(Urgency.CHANGE)
    async with anyio.create_task_group() as tasks:
        for name, urgency in (("r", Urgency.REFRESH), ("s", Urgency.REFRESH), ("c", Urgency.CHANGE)):
            tasks.start_soon(post.send, name, urgency)
            await anyio.sleep(0.1)
        for _ in range(3):
            tasks.start_soon(post.budget.take, Urgency.DUE)
    assert post.sent[0][0] == "c"
    assert sorted(reduce(operator.iadd, post.sent, [])) == ["c", "r", "s"]


async def test_a_vip_travels_before_the_others_of_the_class() -> None:
    post = Post(size=2)
    await post.budget.take(Urgency.CHANGE)
    async with anyio.create_task_group() as tasks:
        for name in "abcd":
            tasks.start_soon(post.send, name, Urgency.REFRESH)
        await anyio.sleep(0.1)
        tasks.start_soon(partial(post.send, "vip", Urgency.REFRESH, vip=True))
    assert "vip" in post.sent[0]


async def test_a_vip_s_envelope_waits_for_its_budget_before_others() -> None:
    post = Post(size=2)
    await post.budget.take(Urgency.CHANGE)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(post.budget.take, Urgency.REFRESH)
        await anyio.sleep(0.1)
        for name in ("vip", "vip too"):
            tasks.start_soon(partial(post.send, name, Urgency.REFRESH, vip=True))
    assert sorted(post.sent[0]) == ["vip", "vip too"]
    assert post.times == pytest.approx([2.0], abs=0.1)


async def test_a_leader_who_is_overtaken_gives_its_budget_back() -> None:
    post = Post(size=2, rate=0.1, burst=2.0)
    await post.budget.take(Urgency.CHANGE, 2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(post.send, "a", Urgency.REFRESH)
        tasks.start_soon(post.send, "b", Urgency.REFRESH)
        await anyio.sleep(15)  # the leader has paid for itself, and waits for what its company costs
        tasks.start_soon(post.send, "urgent", Urgency.CHANGE)
    assert post.sent[0][0] == "urgent"
    assert post.times == pytest.approx([20.0, 30.0], abs=0.1)


async def test_a_part_without_an_answer_is_unavailable_and_the_others_are_not() -> None:
    post = Post()
    post.lost = {"b"}
    await post.budget.take(Urgency.CHANGE)
    results = await together(*_all(post, "abc"))
    assert [results[0], results[2]] == ["a", "c"]
    assert isinstance(results[1], Unavailable)


async def test_an_error_of_the_envelope_reaches_all_in_copies() -> None:
    post = Post()

    def fault(_names: list[str]) -> None:
        raise RateLimited("too many", retry_after=7.0)

    post.fault = fault
    await post.budget.take(Urgency.CHANGE)
    results = await together(*_all(post, "abc"))
    assert [result.retry_after for result in results] == [7.0] * 3
    assert len({id(result) for result in results}) == 3


async def test_a_bug_breaks_the_leader_only() -> None:
    post = Post()

    def fault(_names: list[str]) -> None:
        raise ZeroDivisionError

    post.fault = fault
    await post.budget.take(Urgency.CHANGE)
    kinds = sorted(type(result).__name__ for result in await together(*_all(post, "abc")))
    assert kinds == ["Unavailable", "Unavailable", "ZeroDivisionError"]


@pytest.mark.parametrize("after", [0.5, 1.5, 2.5])
async def test_a_leader_that_is_cancelled_leaves_the_way_to_the_others(after: float) -> None:
    post = Post()
    await post.budget.take(Urgency.CHANGE)
    results: list[object] = []

    async def given_up() -> None:
        with anyio.move_on_after(after):
            await post.send("leader", Urgency.CHANGE)

    async def others() -> None:
        await anyio.sleep(0.1)
        results.extend(await together(*_all(post, "abc")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(given_up)
        tasks.start_soon(others)
    assert results == ["a", "b", "c"]


async def test_a_follower_that_gives_up_is_not_sent_or_not_waited_for() -> None:
    post = Post()
    await post.budget.take(Urgency.CHANGE)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(post.send, "a")
        await anyio.sleep(0.1)
        with anyio.move_on_after(0.2):
            await post.send("b")
    assert post.sent == [["a"]]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(post.send, "c")
        await anyio.sleep(0.01)
        with anyio.move_on_after(2.2):
            await post.send("d")
    assert sorted(reduce(operator.iadd, post.sent, [])) == ["a", "c", "d"]

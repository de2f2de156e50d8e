"""The supervisor: whatever a child does, the others do not notice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from presence_syncd.engine.supervisor import INTENSITY, LEAVE, LEAVING, PARKED, TURN, State, Supervisor
from tests.engine.desk import Engine, engine
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture


class Child:
    """Lives as told; counts its lives and farewells."""

    def __init__(self, life: Callable[[], Awaitable[None]] = anyio.sleep_forever) -> None:
        self.life, self.lives, self.farewells = life, 0, 0

    async def run(self) -> None:
        """Live."""
        self.lives += 1
        await self.life()

    async def leave(self) -> None:
        """Say farewell."""
        self.farewells += 1


def _supervisor(running: Engine) -> Supervisor:
    return Supervisor(running.clock, running.rng, running.metrics, running.log())


async def _break() -> None:
    await anyio.sleep(1)
    raise ZeroDivisionError


async def _break_in_a_group() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_break)
        tasks.start_soon(anyio.sleep_forever)


@pytest.mark.parametrize("life", [_break, _break_in_a_group])
async def test_one_that_breaks_is_restarted_alone_and_parked_if_it_goes_on(life: Callable[[], Awaitable[None]]) -> None:
    async with engine() as running:
        supervisor, bad, good = _supervisor(running), Child(life), Child()
        supervisor.start(running.tasks, "bad", bad.run, bad.leave, lambda: "teams")
        supervisor.start(running.tasks, "good", good.run, good.leave)
        await anyio.sleep(60)
        assert bad.lives == INTENSITY + 1
        assert supervisor.children["bad"].state is State.PARKED
        assert supervisor.children["bad"].error == "ZeroDivisionError"
        assert supervisor.children["good"].state is State.RUNNING
        assert good.lives == 1
        assert running.events("account parked: it breaks too often") == 1
        await anyio.sleep(PARKED)
        assert bad.lives > INTENSITY + 1
        assert 'restarts_total{error="ZeroDivisionError",service="teams"}' in running.metrics.exposition().decode()


async def test_one_that_breaks_now_and_then_is_not_parked() -> None:
    async def rarely() -> None:
        await anyio.sleep(40)
        raise ZeroDivisionError

    async with engine() as running:
        supervisor, child = _supervisor(running), Child(rarely)
        supervisor.start(running.tasks, "one", child.run, child.leave)
        await anyio.sleep(3600)
        assert child.lives > 80
        assert running.events("account parked: it breaks too often") == 0


async def test_a_killed_child_lives_again() -> None:
    async with engine() as running:
        supervisor, child = _supervisor(running), Child()
        supervisor.start(running.tasks, "one", child.run, child.leave)
        await anyio.sleep(1)
        supervisor.kill("one")
        await anyio.sleep(0.1)
        assert supervisor.children["one"].state is State.RESTARTING
        await anyio.sleep(1)
        assert child.lives == 2
        assert child.farewells == 0
        assert running.events("account killed") == 1
        assert 'restarts_total{error="Killed",service="none"} 1.0' in running.metrics.exposition().decode()


async def test_a_child_killed_before_its_first_breath_is_restarted_too() -> None:
    async with engine() as running:
        supervisor, child = _supervisor(running), Child()
        supervisor.start(running.tasks, "one", child.run, child.leave)
        supervisor.kill("one")
        await anyio.sleep(2)
        assert (supervisor.children["one"].restarts, str(supervisor.children["one"].state)) == (1, "running")


async def test_one_that_rests_or_is_parked_starts_at_once_when_it_is_killed() -> None:
    async with engine() as running:
        supervisor, child = _supervisor(running), Child(_break)
        supervisor.start(running.tasks, "one", child.run, child.leave)
        await anyio.sleep(60)
        assert str(supervisor.children["one"].state) == "parked"
        lives, child.life = child.lives, anyio.sleep_forever
        supervisor.kill("one")
        await anyio.sleep(0.01)
        assert (child.lives, str(supervisor.children["one"].state)) == (lives + 1, "running")
        supervisor.kill("one")
        await anyio.sleep(0.01)
        assert str(supervisor.children["one"].state) == "restarting", "what was before is forgotten"
        supervisor.kill("one")
        await anyio.sleep(0.01)
        assert (child.lives, str(supervisor.children["one"].state)) == (lives + 2, "running")


@pytest.mark.parametrize("life", [anyio.sleep_forever, _break])
async def test_a_stopped_child_says_farewell_once_and_is_gone(life: Callable[[], Awaitable[None]]) -> None:
    async with engine() as running:
        supervisor, child = _supervisor(running), Child(life)
        supervisor.start(running.tasks, "one", child.run, child.leave)
        await anyio.sleep(1.2)
        await supervisor.stop("one")
        assert supervisor.children == {}
        assert child.farewells == 1


async def _stop_all(children: int, farewell: Callable[[], Awaitable[None]]) -> None:
    """Start so many, and a second later stop them all at once."""
    async with engine() as running:
        supervisor = _supervisor(running)
        for number in range(children):
            supervisor.start(running.tasks, str(number), anyio.sleep_forever, farewell)
        await anyio.sleep(1)
        running.tasks.cancel_scope.cancel()


async def test_of_thousands_no_farewell_is_late_because_of_the_others() -> None:
    """They share a processor: were all begun at once, all would be cut short."""
    most = at_once = 0

    async def farewell() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await anyio.sleep(0.9 * LEAVE)
        done.append(True)
        at_once -= 1

    done: list[bool] = []
    await _stop_all(2 * LEAVING + 1, farewell)
    assert most == LEAVING
    assert len(done) == 2 * LEAVING + 1


async def test_who_waits_too_long_for_the_others_leaves_all_the_same() -> None:
    left = 0

    async def farewell() -> None:
        nonlocal left
        left += 1
        await anyio.sleep_forever()

    start = anyio.current_time()
    await _stop_all(3 * LEAVING + 1, farewell)
    assert left == 3 * LEAVING + 1
    assert anyio.current_time() - start <= 1 + TURN + LEAVE + 0.1


@pytest.mark.parametrize("farewell", [_break, anyio.sleep_forever])
async def test_a_farewell_that_breaks_or_hangs_reaches_nobody_else(farewell: Callable[[], Awaitable[None]]) -> None:
    async with engine() as running:
        supervisor, child, good = _supervisor(running), Child(), Child()
        supervisor.start(running.tasks, "one", child.run, farewell)
        supervisor.start(running.tasks, "good", good.run, good.leave)
        await anyio.sleep(1)
        start = anyio.current_time()
        await supervisor.stop("one")
        assert anyio.current_time() - start <= LEAVE + 0.1
        assert list(supervisor.children) == ["good"]

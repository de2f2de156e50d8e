"""The supervisor: one child per account, restarted alone (OTP's one_for_one).

The one rule: whatever a child raises, no other child notices. A child that breaks too often is parked, not given up.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

import anyio
from anyio.abc import TaskGroup
from structlog.typing import FilteringBoundLogger

from presence_syncd.engine.bell import Bell
from presence_syncd.engine.clock import Clock
from presence_syncd.metrics import Metrics

INTENSITY, PERIOD = 5, 60.0
"""Restarts within so many seconds; more, and the child is parked."""
FIRST, LONGEST = 0.5, 30.0
"""Seconds of the first and the longest wait before a restart."""
PARKED = 900.0
"""Seconds a child that breaks too often is left alone."""
NOWHERE = "none"
"""The label of an end that no service in particular has to do with."""
LEAVE = 9.0
"""Seconds a child's farewell may take at most."""
LEAVING, TURN = 500, 80.0
"""Farewells at a time, and seconds one waits for its turn at most: of thousands at once all would be cut short."""
GONE = TURN + LEAVE
"""Seconds until the last child is gone at the latest."""


class State(StrEnum):
    """Where a child is in its life."""

    RUNNING = "running"
    RESTARTING = "restarting"
    PARKED = "parked"


class Killed(Exception):
    """The child was killed on purpose."""


@dataclass(slots=True, eq=False)
class Child:
    """One supervised task. `run` is called anew for every life; `leave` once, when it stops for good.

    `service` says in which service the last life met its end; empty for none in particular.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    leave: Callable[[], Awaitable[None]]
    service: Callable[[], str]
    state: State = State.RUNNING
    error: str = ""
    restarts: int = 0
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    life: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    times: tuple[float, ...] = ()
    gone: Bell = field(default_factory=Bell)
    nudge: Bell = field(default_factory=Bell)


class Supervisor:
    """Keeps children alive. `what` they are names them in logs and metrics; `parked` is how long one is left alone."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        metrics: Metrics,
        log: FilteringBoundLogger,
        what: str = "account",
        parked: float = PARKED,
    ) -> None:
        self.children: dict[str, Child] = {}
        self._clock, self._rng, self._metrics, self._log = clock, rng, metrics, log
        self._what, self._parked = what, parked
        self._leaving = anyio.Semaphore(LEAVING, fast_acquire=True)

    def start(
        self,
        tasks: TaskGroup,
        name: str,
        run: Callable[[], Awaitable[None]],
        leave: Callable[[], Awaitable[None]],
        service: Callable[[], str] = str,
    ) -> None:
        """Start a child in the task group given."""
        child = self.children[name] = Child(name, run, leave, service)
        tasks.start_soon(self._live, child, name=f"{self._what} {name}")

    async def stop(self, name: str) -> None:
        """Stop a child for good, with its farewell, and wait until it is gone."""
        child = self.children[name]
        child.scope.cancel()
        await child.gone.wait()

    def kill(self, name: str) -> None:
        """End a child's present life as if it had crashed; it is restarted. One that rests starts at once."""
        child = self.children[name]
        if child.state is State.RUNNING:  # or about to be, for the first time
            child.life.cancel()
        child.nudge.ring()

    async def _live(self, child: Child) -> None:
        try:
            with child.scope:
                while True:
                    await self._one_life(child)
                    await self._rest(child)
        finally:
            try:
                await self._say_farewell(child)
            finally:
                del self.children[child.name]
                child.gone.ring()

    async def _say_farewell(self, child: Child) -> None:
        """Let the child leave when it is its turn, within a bound."""
        has_turn = False
        with anyio.move_on_after(TURN, shield=True):
            await self._leaving.acquire()
            has_turn = True
        try:
            with anyio.move_on_after(LEAVE, shield=True):
                await child.leave()
        except Exception as error:  # a farewell that breaks must not reach another, either
            self._log.error("farewell broke", **{self._what: child.name}, error=_name(error), exc_info=error)
        finally:
            if has_turn:
                self._leaving.release()

    async def _one_life(self, child: Child) -> None:
        child.state = State.RUNNING
        try:
            with child.life:
                await child.run()
            child.error, where = Killed.__name__, ""
            self._log.warning(f"{self._what} killed", **{self._what: child.name})
        except Exception as error:  # a bug in one account must not reach another
            child.error, where = _name(error), child.service()
            self._log.error(f"{self._what} broke", **{self._what: child.name}, error=child.error, exc_info=error)
        self._metrics.restarts.labels(where or NOWHERE, child.error).inc()

    async def _rest(self, child: Child) -> None:
        """Wait before the next life: longer each time, and long when there were too many."""
        child.restarts += 1
        child.times = (*child.times, self._clock.now())[-INTENSITY - 1 :]
        often = len(child.times) > INTENSITY and child.times[-1] - child.times[0] <= PERIOD
        recent = sum(self._clock.now() - at <= PERIOD for at in child.times)
        wait = self._parked if often else min(FIRST * 2.0 ** (recent - 1), LONGEST)
        child.state = State.PARKED if often else State.RESTARTING
        if often:
            self._log.error(f"{self._what} parked: it breaks too often", **{self._what: child.name}, seconds=wait)
        child.life = anyio.CancelScope()
        if await child.nudge.wait(wait * self._rng.uniform(0.5, 1.0)):
            child.times = ()  # whoever wakes it has done something about it
        self._log.info(f"{self._what} restarted", **{self._what: child.name}, restarts=child.restarts)


def _name(error: BaseException) -> str:
    """The name of the innermost error, out of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__

"""Time that stands still while anything can run, and then jumps to the next timer: for asyncio and for trio.

The one rule: whoever waits for what no timer will ever bring is told so (`Deadlock`) instead of hanging.
"""

from __future__ import annotations

import asyncio
import asyncio.taskgroups
import heapq
import itertools
import math
import selectors
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio._backends._asyncio
import anyio.lowlevel
import anyio.to_thread
import trio
import trio._core._run
import trio.testing

ROUNDS = 200_000
"""Turns of the loop at one moment after which it is taken to go round for ever: thousands are usual."""


class Deadlock(RuntimeError):
    """Every task waits for something that no timer will ever bring."""


class Livelock(RuntimeError):
    """Somebody goes round and round, and lets no time pass."""


class _Selector(selectors.SelectSelector):
    """Never waits: that is the jump. Nor does it look: there are no sockets, and each look would be a system call."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0:
            self._loop.jump()
        self._loop.count_round()
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time, starting at 0. Real sockets and threads are unknown to it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._rounds, self._rounds_at = 0, 0.0
        super().__init__(_Selector(self))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """The virtual seconds."""
        return self._now

    def jump(self) -> None:
        """Go to the next timer. Raises Deadlock if there is none."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # the loop's heap of timers
        at = timers[0].when() if timers else math.inf
        if at == math.inf:  # anyio sleeps for ever with such a timer
            raise Deadlock("no task can run and no timer is set")
        self._now = max(self._now, at)

    def count_round(self) -> None:
        """Count a turn of the loop. Raises Livelock after very many at one moment."""
        self._rounds = self._rounds + 1 if self._now == self._rounds_at else 0
        self._rounds_at = self._now
        if self._rounds > ROUNDS:
            self._rounds = 0
            raise Livelock(f"{ROUNDS} turns of the loop, and no time has passed")

    async def getaddrinfo(self, host: Any, port: Any, *, type: int = 0, **_: Any) -> list[Any]:  # noqa: A002  # asyncio's word
        """Every name is its own address."""
        return [(socket.AF_INET, type, socket.IPPROTO_TCP, "", (host, port))]

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Connect one of sockets.py's. Raises OSError."""
        await sock.connect(address)

    async def create_connection(self, protocol_factory: Any, *_: Any, sock: Any, **__: Any) -> Any:  # type: ignore[override]
        """Go on over one of sockets.py's, without encryption: certificates are tested over real sockets."""
        protocol = protocol_factory()
        return sock.attach(protocol), protocol


class _Turn(asyncio.TimerHandle):
    """A timer that goes after those of the same time that were set before it."""

    __slots__ = ("number",)

    def __init__(self, number: int, *args: Any) -> None:
        super().__init__(*args)
        self.number = number

    def __lt__(self, other: object) -> bool:
        assert isinstance(other, _Turn)
        return (self.when(), self.number) < (other.when(), other.number)


class InTurn(VirtualTimeLoop):
    """One in which timers of the same time go off in the order in which they were set.

    The heap of asyncio keeps no such order: which of two goes first depends on what other timers there are, and so one
    account's on another's where nothing takes a time of its own.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        super().__init__()

    def call_at(  # type: ignore[override]  # any callback, with any arguments
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Set a timer."""
        timer = _Turn(next(self._numbers), when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]  # the loop's heap of timers
        timer._scheduled = True  # type: ignore[attr-defined]  # as the loop does
        return timer


def virtual_clock(seed: int = 0) -> trio.testing.MockClock:
    """A trio clock that jumps, with the order in which trio runs tasks shuffled by `seed`."""
    vars(trio._core._run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    trio._core._run._r.seed(seed)
    clock = trio.testing.MockClock(autojump_threshold=0)
    vars(clock)["_autojump"] = lambda: _jump(clock)  # the class is final
    return clock


def _jump(clock: trio.testing.MockClock) -> None:
    """What MockClock does when nothing can run; but with nothing to jump to, it breaks the main task's wait."""
    seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
    if 0 < seconds < math.inf:
        clock.jump(seconds)
    elif seconds > 0:
        main = trio._core._run.GLOBAL_RUN_CONTEXT.runner.main_task
        assert main is not None
        main._attempt_abort(_raise_deadlock)


def _raise_deadlock() -> None:
    raise Deadlock("no task can run and no timer is set")


class _InOrder(dict[Any, None]):
    """What task groups do with their sets of tasks, in the order of insertion."""

    __slots__ = ()

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)

    def remove(self, item: Any) -> None:
        del self[item]

    def copy(self) -> _InOrder:
        return _InOrder(self)


def in_order(items: Iterable[Any] = ()) -> _InOrder:
    """Stands for `set`; two are made for each cancel scope, nearly all of them empty."""
    return _InOrder.fromkeys(items) if items else _InOrder()  # type: ignore[return-value]  # typeshed: a plain dict


def make_cancellation_order_stable() -> None:
    """Let the tasks of a cancelled group wake in the same order in every process.

    Sets of tasks iterate by address, so a seed would not replay from one process to the next. trio needs none of it.
    """
    for module in (anyio._backends._asyncio, asyncio.taskgroups):
        vars(module)["set"] = in_order


@contextmanager
def inline_threads() -> Iterator[None]:
    """Run what goes to a thread on the spot: a thread's work takes no virtual time, and the clock cannot see it."""
    real = anyio.to_thread.run_sync

    async def run_sync(func: Any, *args: Any, **_options: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return func(*args)

    vars(anyio.to_thread)["run_sync"] = run_sync
    try:
        yield
    finally:
        vars(anyio.to_thread)["run_sync"] = real

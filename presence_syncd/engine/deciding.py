"""Deciding: finds out what one account's links need, whenever the bell rings or a deadline comes, and has it written.

The one rule: one task at a time decides. It also writes; only when there is something to decide while it does, another
one takes over, until the first is free again. (A task for each write was an eighth of a renewal.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint_if_cancelled

from presence_syncd.core.compose import compose, next_turn
from presence_syncd.core.decision import WRITES, Reason
from presence_syncd.core.reconcile import reconcile_to
from presence_syncd.engine.bell import Bell
from presence_syncd.engine.board import Board
from presence_syncd.engine.clock import NEVER, Alarm, Clock
from presence_syncd.engine.place import Placed
from presence_syncd.engine.writing import Writing


class Deciding:
    """The decisions of one account. `keep` keeps its view durably; `keep_alive` a link's session, in a task if need be.

    `blaming` does the work of a link, remembering in which service it was that a bug was met.
    """

    def __init__(
        self,
        board: Board,
        links: Sequence[Placed],
        writing: Writing,
        keep: Callable[[], Awaitable[None]],
        keep_alive: Callable[[Placed, TaskGroup], None],
        blaming: Callable[..., Coroutine[Any, Any, None]],
        clock: Clock,
        writer_order: tuple[str, ...],
    ) -> None:
        self._board, self._links, self._writing = board, links, writing
        self._keep, self._keep_alive, self._blaming, self._clock = keep, keep_alive, blaming, clock
        self._shared = _shared(links, writer_order)
        self._alarm = Alarm(board.stir)
        self._is_free, self._wanted = False, Bell()

    def look_by(self, at: float) -> None:
        """Look at the time again at `at`, or before."""
        self._clock.set(self._alarm, min(self._alarm.at, at))

    async def run(self, tasks: TaskGroup) -> None:
        """Decide whenever there is something to decide, until cancelled."""
        self._is_free = False
        try:
            while True:
                await self._decide_on(tasks)
                self._is_free = True
                self._board.ring()
                while self._is_free:
                    await self._wanted.wait()
        finally:
            self._clock.set(self._alarm, NEVER)

    async def _stand_in(self, tasks: TaskGroup) -> None:
        """Decide until the account's own task is free again."""
        await checkpoint_if_cancelled()
        await self._decide_on(tasks)
        self._board.ring()

    def _pass_on(self, tasks: TaskGroup) -> None:
        """Let another task decide: the account's own if it is free."""
        if self._is_free:
            self._is_free = False
            self._wanted.ring()
        else:
            tasks.start_soon(self._stand_in, tasks)

    async def _decide_on(self, tasks: TaskGroup) -> None:
        """Decide, and write or wait, until another task has taken over."""
        self._board.silence()
        while not self._is_free:
            self._choose_writers()
            at, due = self._decide()
            for link in due[1:]:
                tasks.start_soon(self._write_aside, link)
            if not due:
                await self._keep()
                await self._pass_time(at, tasks)
            elif not await self._write_here(due[0], at, tasks):
                return
        self._pass_on(tasks)

    async def _write_here(self, link: Placed, at: float | None, tasks: TaskGroup) -> bool:
        """Write from here: a task would be an eighth of a renewal. Returns whether nobody has taken over meanwhile."""
        if link.decision.reason in (Reason.REFRESH, Reason.RETRACT):  # others are noted first, and kept with that
            await self._keep()
        self._look_ahead(at, tasks)
        self._board.leave_to(partial(self._pass_on, tasks))
        try:
            await self._blaming(link, self._writing.write, link.decision)
        finally:
            stayed = self._board.come_back()
        return stayed

    async def _write_aside(self, link: Placed) -> None:
        """Write beside others."""
        try:
            await self._blaming(link, self._writing.write, link.decision)
        finally:
            self._board.ring()

    async def _pass_time(self, at: float | None, tasks: TaskGroup) -> None:
        """Wait for the bell, or until `at`; keep the links alive meanwhile."""
        while True:
            self._look_ahead(at, tasks)
            rang = await self._board.wait()
            if rang or (at is not None and self._clock.now() >= at):
                return

    def _look_ahead(self, at: float | None, tasks: TaskGroup) -> None:
        """Keep alive the links whose time it is, and set the alarm for the next one, or for `at`."""
        now = self._clock.now()
        for link in self._links:
            if link.keep_at is not None and now >= link.keep_at:
                self._keep_alive(link, tasks)
        soonest = min((link.keep_at for link in self._links if link.keep_at is not None), default=NEVER)
        self._clock.set(self._alarm, soonest if at is None else min(at, soonest))

    def _decide(self) -> tuple[float | None, list[Placed]]:
        """Decide for every link whose domain is not being written.

        Returns when to decide again at the latest, and for which links there is something to write.
        """
        again: list[float] = []
        due: list[Placed] = []
        now, view, rules = self._clock.now(), self._board.view, self._board.rules
        if view.paused or view.pin_at(now):
            self._writing.is_held()
        busy = {link.domain for link in self._links if link.writing}
        composed, turn = compose(view, rules, now), next_turn(view, rules, now)
        for link in self._links:
            if link.domain in busy:
                continue
            link.take(reconcile_to(composed, turn, view, link.sink(), rules, now), now)
            again.extend(link.after_trouble(now))
            if link.decision.reason in WRITES or link.decision.reason is Reason.RETRACT:
                link.writing = True
                due.append(link)
            elif link.decision.requeue_at is not None:
                again.append(link.decision.requeue_at)
        return min(again, default=None), due

    def _choose_writers(self) -> None:
        """One door per domain writes: the first of the order that is well, or else the first to be tried again.

        A door whose back-off is over counts as well: only writing shows whether it is.
        """
        now = self._clock.now()
        for doors in self._shared:
            well = [door for door in doors if not (door.trouble.rests(now) or door.hearing.error)]
            best = well[0] if well else min(doors, key=lambda door: door.trouble.retry_at)
            for door in doors:
                door.writer = door is best


def _shared(links: Sequence[Placed], order: tuple[str, ...]) -> list[list[Placed]]:
    """The writing doors of each domain that has several, in their order; one that is alone always writes."""
    doors: dict[str, list[Placed]] = {}
    for link in sorted(links, key=lambda link: _position(link.service, order)):
        if link.direction.writes:
            doors.setdefault(link.domain, []).append(link)
    return [several for several in doors.values() if len(several) > 1]


def _position(service: str, order: tuple[str, ...]) -> int:
    return order.index(service) if service in order else len(order)

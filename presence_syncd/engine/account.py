"""One account at work: it hears through its links, decides when the bell rings or a deadline comes, and writes.

The one rule: one task group per account; decisions are `reconcile`'s, and at most one write per link is out at a time.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup
from structlog.typing import FilteringBoundLogger

from presence_syncd.connectors.flow import Flow
from presence_syncd.core.compose import Composed, compose
from presence_syncd.core.proof import may_report, to_sign_in_as
from presence_syncd.core.publication import interrupted
from presence_syncd.core.setback import not_ahead
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View
from presence_syncd.engine.board import Board
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.course import Course, slower
from presence_syncd.engine.deciding import Deciding
from presence_syncd.engine.place import Placed
from presence_syncd.engine.writing import Writing
from presence_syncd.errors import ServiceError
from presence_syncd.metrics import Metrics

FAREWELL = 8.0
"""Seconds an account has to sign out of its services."""

Saving = Callable[[str, View], Awaitable[None]]


class Account:
    """One supervised account."""

    def __init__(
        self,
        name: str,
        board: Board,
        links: list[Placed],
        saving: Saving,
        clock: Clock,
        rng: random.Random,
        metrics: Metrics,
        log: FilteringBoundLogger,
        writer_order: tuple[str, ...] = (),
    ) -> None:
        self.name, self.board, self.links = name, board, links
        self._saving, self._clock, self._rng = saving, clock, rng
        self._writing = Writing(name, board, links, self._save, clock, rng, metrics, log)
        self._deciding = Deciding(
            board, links, self._writing, self._save, self._keep, self.blaming, clock, writer_order
        )
        self._saved_version = -1
        self.staying: frozenset[str] = frozenset()
        self.broke_in = ""

    async def run(self) -> None:
        """Live until cancelled, or until something breaks; then sign out of what was signed in to."""
        self.broke_in = ""
        for link in self.links:
            link.keep_at = 0.0
        try:
            async with anyio.create_task_group() as tasks:
                courses = [course for link in self.links for course in self._courses(link, tasks)]
                try:
                    await self._deciding.run(tasks)
                finally:
                    for course in courses:
                        course.stop()
        finally:
            with anyio.move_on_after(1, shield=True):
                for link in self.links:
                    await link.aclose()

    def composed(self) -> Composed | None:
        """The account's status now."""
        return compose(self.board.view, self.board.rules, self._clock.now())

    def freshen(self, rules: Rules, *, vip: bool) -> None:
        """Take other rules while running, and try again what was refused: a secret may be new."""
        for link in self.links:
            if link.link.vip is not vip:
                link.link.vip = vip
            if link.trouble.is_parked or link.hearing.is_parked:
                link.try_now()
        if rules != self.board.rules:
            self.board.rules = rules
            self.board.ring()

    async def leave(self) -> None:
        """Sign out everywhere but of what is `staying`, within a bound; for a stop for good, not for a crash."""
        with anyio.move_on_after(FAREWELL, shield=True):
            async with anyio.create_task_group() as tasks:
                for link in self.links:
                    if link.service not in self.staying:
                        tasks.start_soon(self._sign_out, link)

    async def _sign_out(self, link: Placed) -> None:
        try:
            await link.driver.run(link.link.sign_out(), link.link, Urgency.CHANGE, link)
        except ServiceError as error:
            link.log.debug("farewell not heard", error=type(error).__name__)
        finally:
            with anyio.move_on_after(1, shield=True):
                await link.aclose()

    def _courses(self, link: Placed, tasks: TaskGroup) -> list[Course]:
        """Start to hear through a link, unless it is swept."""
        traits = link.driver.service.traits
        flows: tuple[Callable[[], Flow[None]], ...] = ()
        if traits.pushes:
            flows = (link.link.watch, *link.link.companions())
        elif not traits.sweep_size:
            flows = (partial(_emitted, link),)
        pause = 0.0 if traits.pushes else traits.poll_every
        return [Course(link, flow, pause, self._rng, self, tasks) for flow in flows]

    async def blaming(self, link: Placed, work: Callable[..., Awaitable[None]], *facts: Any) -> None:
        """Do the work of a link, remembering in which service it was that a bug was met."""
        try:
            await work(link, *facts)
        except Exception:
            self.broke_in = link.service
            raise

    def word_now(self, link: Placed) -> str | None:
        """The word to sign in with where one is asked for, which says nothing that is not so."""
        status = to_sign_in_as(self.board.view, link.domain, link.direction, self.board.rules, self._clock.now())
        return link.vocabulary.word_for(status) if status else None

    def _keep(self, link: Placed, tasks: TaskGroup) -> None:
        """Keep a link's session, whose time it is: in a task, unless there is nothing to be done yet."""
        try:
            rest = link.link.rests(present=self._is_present(link))
        except Exception:
            self.broke_in = link.service
            raise
        if rest is not None:
            self._put_off(link, rest)
            return
        link.keep_at = None
        tasks.start_soon(self.blaming, link, self._keep_alive)

    async def _keep_alive(self, link: Placed) -> None:
        """Let the link do what keeps its session, saying whether the person is proven to be there."""
        present = self._is_present(link)
        try:
            wait = await link.driver.run(link.link.keep_alive(present=present), link.link, Urgency.DUE, link)
            link.unkept = 0
        except ServiceError as error:
            link.log.debug("keep-alive failed", error=type(error).__name__)
            link.unkept += 1
            wait = error.retry_after or max(5.0, slower(link.unkept, self._rng))
        if (at := self._put_off(link, wait)) is not None:
            self._deciding.look_by(at)

    def _put_off(self, link: Placed, wait: float) -> float | None:
        """Set when the link's session is to be kept next; None for never."""
        link.keep_at = None if wait == float("inf") else self._clock.now() + wait
        return link.keep_at

    def _is_present(self, link: Placed) -> bool:
        """Whether the person is proven to be there, so that activity may be reported."""
        now, view, rules = self._clock.now(), self.board.view, self.board.rules
        composed = compose(view, rules, now)
        return composed is not None and may_report(view, composed, link.domain, rules, now)

    async def _save(self) -> None:
        """Keep the view, if it changed since it was kept."""
        if self._saved_version == self.board.version:
            return
        self._saved_version = self.board.version
        try:
            await self._saving(self.name, self.board.view)
        except BaseException:
            self._saved_version = -1
            raise


def forget_clock(view: View, started_at: float) -> View:
    """A view as it starts again: everything must be read once more before the first write."""
    view = interrupted(not_ahead(view, started_at), started_at)
    entries = {domain: replace(entry, live_at=None, is_unknown=False) for domain, entry in view.entries.items()}
    return replace(view, entries=entries, started_at=started_at)


def _emitted(link: Placed) -> Flow[None]:
    """Read a link that is polled alone."""
    link.emit((yield from link.link.read()))

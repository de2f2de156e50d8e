"""Writing: carries out the decisions of one account, and tells what became of each write.

The one rule: a publication is on the board, and kept, before its request goes out; every line names its change.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from structlog.typing import FilteringBoundLogger

from presence_syncd.connectors.connector import Publish, Published
from presence_syncd.connectors.flow import Flow
from presence_syncd.connectors.upkeep import LATEST, MARGIN, SOONEST
from presence_syncd.core.change import of_status
from presence_syncd.core.compose import Composed, compose, stands
from presence_syncd.core.decision import Decision, Reason
from presence_syncd.core.publication import Accepted, accept, begin, fail, freeze, take_back
from presence_syncd.core.unfading import may_hide_rest
from presence_syncd.engine.board import Board
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.place import Placed
from presence_syncd.errors import Overtaken, ServiceError
from presence_syncd.metrics import Metrics

T = TypeVar("T")
DUE = 60.0
"""A lease that ends within this many seconds is renewed before others."""


class Writing:
    """The writes of one account. `keep` keeps its view durably; `links` name the services of its domains."""

    def __init__(
        self,
        account: str,
        board: Board,
        links: Sequence[Placed],
        keep: Callable[[], Awaitable[None]],
        clock: Clock,
        rng: random.Random,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._account, self._board, self._links, self._keep = account, board, links, keep
        self._clock, self._rng, self._metrics, self._log = clock, rng, metrics, log
        self._held_at = clock.now()
        self._timed: dict[str, str] = {}

    def is_held(self) -> None:
        """Note that an order holds back, or hides, what people say now: how long that takes is nobody's delay."""
        self._held_at = self._clock.now()

    async def write(self, link: Placed, decision: Decision) -> None:
        """Carry out one decision."""
        try:
            if decision.reason is Reason.RETRACT:
                await self._retract(link, decision)
            else:
                await self._publish(link, decision)
            link.trouble.ends()
            outcome = "accepted"
        except ServiceError as error:
            self._board.view = fail(self._board.view, link.domain, self._clock.now(), settled=error.settled)
            if isinstance(error, Overtaken):  # nothing went out, and nothing is wrong
                link.log.debug("overtaken", word=decision.word, reason=str(decision.reason), change=self._change(link))
                return
            self._tell_failed(link, decision, error)
            outcome = type(error).__name__
        finally:
            link.writing = False
        self._metrics.publish.labels(link.service, decision.reason, outcome).inc()

    async def _publish(self, link: Placed, decision: Decision) -> None:
        refresh = decision.reason is Reason.REFRESH
        if not refresh:
            self._note(link, decision)
            await self._keep()
        publication = self._board.view.entries[link.domain].publication
        attempt = publication.attempt if publication else 0
        note = None if refresh else decision.note
        flow = link.link.publish(Publish(decision.word or "", note, attempt, refresh))
        published = await self._run(link, flow, self._urgency(link, decision), decision)
        self._accept(link, decision, published)

    def _run(self, link: Placed, flow: Flow[T], urgency: Urgency, decision: Decision) -> Coroutine[Any, Any, T]:
        """Carry out what was decided, unless something else is to be written once its turn comes."""

        def is_wanted() -> bool:
            return stands(decision.status, self._board.view, self._board.rules, self._clock.now())

        return link.driver.run(flow, link.link, urgency, link, is_wanted=is_wanted)

    def _note(self, link: Placed, decision: Decision) -> None:
        """Put the publication on the board before its request goes out."""
        if decision.word is None or decision.status is None:
            return
        now, traits, entry = self._clock.now(), link.driver.service.traits, self._board.view.entries[link.domain]
        composed = compose(self._board.view, self._board.rules, now)
        view = begin(
            self._board.view,
            link.domain,
            decision.word,
            decision.status,
            traits.visible_within,
            now,
            note=decision.note,
            restores=composed is not None and composed.domain == link.domain and decision.says(link.vocabulary),
            hides_rest=decision.word not in link.vocabulary.unheld and may_hide_rest(entry, now, fades=traits.fades),
            change=of_status(self._account, self._board.view, composed),
        )
        self._board.view = freeze(view, link.domain, self._board.rules, now)
        if self._board.view.frozen_until > now:
            self._log.error("frozen: something makes a loop", service=link.service, change=self._change(link))

    def _change(self, link: Placed) -> str | None:
        """The change that what is written there is for."""
        publication = self._board.view.entries[link.domain].publication
        return (publication.change or None) if publication else None

    def _urgency(self, link: Placed, decision: Decision) -> Urgency:
        if decision.reason is not Reason.REFRESH:
            return Urgency.CHANGE
        publication = self._board.view.entries[link.domain].publication
        left = (publication.expires_at or 0.0) - self._clock.now() if publication else 0.0
        return Urgency.DUE if left < DUE or link.link.vip else Urgency.REFRESH

    def _accept(self, link: Placed, decision: Decision, published: Published) -> None:
        """The service took it: count, and set the clock for the next renewal."""
        now, before = self._clock.now(), self._board.view.entries[link.domain]
        if decision.reason is Reason.REFRESH:
            self._measure_renewal(link, before.publication.expires_at if before.publication else None, now)
        answer = Accepted(
            published.shown, published.word, self._jittered(published), published.expires_in, published.order
        )
        self._board.view = accept(self._board.view, link.domain, answer, now)
        self._tell(link, decision, now)
        link.tell_confirmed(before)

    def _measure_renewal(self, link: Placed, expired_at: float | None, now: float) -> None:
        if expired_at is None:
            return
        self._metrics.refresh_slack.labels(link.service).observe(max(0.0, expired_at - now))
        link.driver.budget.slack.note(expired_at - now)
        if now > expired_at:
            self._metrics.lapsed.labels(link.service).inc()
            link.log.warning("session lapsed", seconds=round(now - expired_at, 1), change=self._change(link))

    def _jittered(self, published: Published) -> float | None:
        """When to renew: after what the connector says, since a reading may bring it forward; never too late."""
        if published.refresh_in is None:
            return None
        latest = (published.expires_in or float("inf")) * MARGIN
        return min(published.refresh_in * self._rng.uniform(SOONEST, LATEST), latest)

    def _tell(self, link: Placed, decision: Decision, now: float) -> None:
        change = self._change(link)
        if decision.reason is Reason.REFRESH:
            link.log.debug("refreshed", word=decision.word, change=change)
            return
        composed = compose(self._board.view, self._board.rules, now)
        source = self._source(composed)
        link.log.info("published", word=decision.word, reason=str(decision.reason), source=source, change=change)
        if decision.reason is Reason.CHANGE and composed is not None:
            self._time(link, source, composed, now)

    def _source(self, composed: Composed | None) -> str:
        """The service whose word counts now, or `pin`."""
        return next((p.service for p in self._links if composed and p.domain == composed.domain), "pin")

    def _time(self, link: Placed, source: str, composed: Composed, now: float) -> None:
        """Measure how long a word took to get there: one that was said while we listened and were free to write."""
        view = self._board.view
        word = view.entries[composed.domain].word if composed.domain else None
        if word is None or word.initial or word.at <= self._held_at:
            return
        change = of_status(self._account, view, composed)
        if self._timed.get(link.service) != change:
            self._timed[link.service] = change
            self._metrics.propagation.labels(source, link.service).observe(max(0.0, now - word.at))

    def _tell_failed(self, link: Placed, decision: Decision, error: ServiceError) -> None:
        kind, change = type(error).__name__, self._change(link)
        link.log.debug("write failed", word=decision.word, reason=str(decision.reason), error=kind, change=change)
        link.trouble.starts(error, str(decision.reason), decision.word, change)

    async def _retract(self, link: Placed, decision: Decision) -> None:
        flow = link.link.retract(overridden=decision.overridden)
        await self._run(link, flow, Urgency.CHANGE, decision)
        within = link.driver.service.traits.visible_within
        now = self._clock.now()
        self._board.view = take_back(self._board.view, link.domain, within, now, hidden=decision.hidden)
        composed = compose(self._board.view, self._board.rules, now)
        change = of_status(self._account, self._board.view, composed) or None
        link.log.info("retracted", overridden=decision.overridden, change=change)

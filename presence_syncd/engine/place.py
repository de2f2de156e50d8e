"""A link at work: its flows, what it knows of itself, and what of the board it touches.

The one rule: all there is to one link in the engine is here; the account only decides.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import httpx
from structlog.typing import FilteringBoundLogger

from presence_syncd.connectors.connector import Link
from presence_syncd.core.change import of_word
from presence_syncd.core.decision import WRITES, Decision, Reason, Sink
from presence_syncd.core.entry import Entry, Kind, Observation
from presence_syncd.core.presence import Status
from presence_syncd.core.view import Direction
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.engine.bell import Bell
from presence_syncd.engine.board import Board
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.line import Line
from presence_syncd.engine.messages import Jar
from presence_syncd.engine.trouble import Trouble
from presence_syncd.metrics import Metrics

BEHIND = frozenset(
    {
        Reason.UNREAD,
        Reason.BACKOFF,
        Reason.REFUSED,
        Reason.CONFIRMING,
        Reason.SETTLING,
        Reason.FROZEN,
        Reason.RETRACT,
        *WRITES,
    }
)
"""Decisions of a link that does not show, or keep, what it should: each is soon over while all is well."""
TOLD = frozenset({Kind.OWN, Kind.DECAY})
"""Readings that are told: a word of the person, and what became of one by itself."""

Remembering = Callable[[str, str, str], Awaitable[None]]
"""Keeps (service name, key, value) for the account."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Placed:
    """One link of one account.

    `vocabulary` is that of the whole domain (words of this door, echoes of all), `writer` whether this door writes now.
    `trouble` is about writing, `hearing` about reading; `state` is what the link says of its own machine.
    `keep_at` is when its session is to be kept alive next (None: never, or just being done), `unkept` how often in a
    row that failed. `waking` rings when the link's flows are woken; `line` holds its long poll.
    """

    service: str
    domain: str
    link: Link
    driver: Driver
    board: Board
    vocabulary: Vocabulary
    direction: Direction
    metrics: Metrics
    trouble: Trouble
    hearing: Trouble
    log: FilteringBoundLogger
    rng: random.Random
    remembering: Remembering
    writer: bool = True
    writing: bool = False
    decision: Decision = field(default_factory=lambda: Decision(Reason.UNREAD))
    state: str = ""
    detail: str = ""
    live_at: float | None = None
    behind_since: float | None = None
    keep_at: float | None = 0.0
    unkept: int = 0
    waking: Bell = field(default_factory=Bell)
    jar: Jar = field(default_factory=Jar)
    line: Line | None = None
    _own: httpx.AsyncClient | None = None

    @property
    def leased(self) -> bool:
        """Whether what is written there expires."""
        return self.driver.service.traits.leased

    def sink(self) -> Sink:
        """What reconcile asks about this link."""
        return Sink(
            domain=self.domain,
            vocabulary=self.vocabulary,
            direction=self.direction,
            writer=self.writer,
            leased=self.leased,
            fades=self.driver.service.traits.fades,
            wakes=self.driver.service.traits.wakes,
            notes=self.driver.service.traits.notes,
            retry_at=self.trouble.retry_at if self.trouble.word is None else 0.0,
            refused=self.trouble.word,
            refused_until=self.trouble.retry_at,
        )

    def take(self, decision: Decision, now: float) -> None:
        """Take what was decided, noting since when the link is behind, and telling once that it is shadowed."""
        if decision.reason is Reason.SHADOWED and self.decision.reason is not Reason.SHADOWED:
            entry = self.board.view.entries[self.domain]
            ours = entry.publication
            self.log.info("shadowed", word=ours and ours.written, raw=entry.raw, change=(ours and ours.change) or None)
        self.decision = decision
        self.behind_since = (self.behind_since or now) if decision.reason in BEHIND else None

    def after_trouble(self, now: float) -> tuple[float, ...]:
        """When to decide again because of trouble, which is over if there is nothing to write when it may be tried."""
        if self.trouble.rests(now):
            return (self.trouble.retry_at,)
        if self.decision.reason not in BEHIND and not self.writing and not self.trouble.is_parked:
            self.trouble.ends()
        return ()

    def try_now(self) -> None:
        """Let what waits after trouble be tried at once; whether it works is seen then."""
        self.trouble.try_now()
        self.hearing.try_now()
        self.board.ring()

    def emit(self, observation: Observation) -> Kind:
        """Put a reading on the board."""
        before = self.board.view.entries.get(self.domain)
        kind = self.board.observe(self.domain, observation, self.vocabulary, self.direction)
        self.live_at = observation.at
        self.hearing.ends()
        self.metrics.observations.labels(self.service, kind).inc()
        if kind in TOLD:
            self._tell_observed(observation, kind)
        self.tell_confirmed(before)
        return kind

    def foretell(self, status: Status) -> None:
        """Note what signing in here may make the domain show, whichever of its doors reads it."""
        within = self.driver.service.traits.visible_within
        self.board.foretell(self.domain, status, self.driver.clock.now() + within)

    def vouch(self, seconds: float) -> None:
        """Note that we are about to report activity here, and for how long that shows, as far as can be read."""
        now = self.driver.clock.now()
        self.board.vouch(self.domain, now, now + seconds + self.driver.service.traits.visible_within)

    def _tell_observed(self, seen: Observation, kind: Kind) -> None:
        """Tell what was seen, and which change it is, or belongs to."""
        word = self.board.view.entries[self.domain].word
        change = of_word(self.link.account, self.domain, word) if word and self.direction.reads else None
        tell = self.log.info if kind is Kind.OWN else self.log.debug
        tell("observed", status=str(seen.status), raw=seen.raw, kind=str(kind), change=change)

    def tell_confirmed(self, before: Entry | None) -> None:
        """Tell, once, that what was written is seen there; `before` is how it was until now."""
        ours = self.board.view.entries[self.domain].publication
        was_seen = before is None or before.publication is None or before.publication.confirmed_at is not None
        if ours is None or ours.confirmed_at is None or ours.overridden or was_seen:
            return
        seconds = round(ours.confirmed_at - ours.at, 1)
        self.log.info("confirmed", word=ours.written, seconds=seconds, change=ours.change or None)

    def alive(self, at: float) -> None:
        """Note that the channel changes come by works: what it told last is still so."""
        self.live_at = at
        self.board.alive(self.domain, at)

    async def remember(self, key: str, value: str) -> None:
        """Keep a fact over restarts."""
        self.link.memory[key] = value
        await self.remembering(self.service, key, value)

    def enter(self, state: str, detail: str) -> None:
        """Note the state of the link's own machine."""
        if (state, detail) != (self.state, self.detail):
            self.log.debug("link state", state=state, detail=detail)
        self.state, self.detail = state, detail

    def wake(self) -> None:
        """Wake the link's flows that wait."""
        self.waking.ring()

    async def woken(self, seconds: float) -> bool:
        """Wait until woken, at most `seconds`; whether it was woken."""
        return await self.waking.wait(seconds)

    def bell(self) -> anyio.Event:
        """The event that the next `wake` sets."""
        return self.waking.coming()

    def own_client(self) -> httpx.AsyncClient:
        """The link's own connection, for its WebSocket."""
        if self._own is None:
            self._own = self.driver.transport.alone()
        return self._own

    async def aclose(self) -> None:
        """Close the link's own connections, and forget its cookies."""
        self.jar = Jar()
        if self.line is not None:
            self.line.close()
            self.line = None
        if self._own is not None:
            await self._own.aclose()
            self._own = None

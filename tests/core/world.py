"""A small world: services that hold a status, a person who changes it anywhere, and an engine that only does its duty.

Nothing here knows how the core decides. A service shows what was set last, or what it makes of that by itself; a write
takes time, may get lost, may be applied although an error was answered, may be applied late; readings are late,
repeated and out of order. Everything random comes from one seeded generator.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from presence_syncd.core.compose import Composed, compose
from presence_syncd.core.decision import WRITES, Decision, Reason, Sink
from presence_syncd.core.entry import Entry, Kind, Observation
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import OFFLINE, UNKNOWN, Status
from presence_syncd.core.publication import Accepted, accept, begin, fail, freeze, take_back
from presence_syncd.core.reconcile import reconcile
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction, Pin, Rules, View
from presence_syncd.core.vocabulary import Vocabulary

VISIBLE_WITHIN = 60.0
LEASE, RENEW = 300.0, 200.0


class Fate(StrEnum):
    """What becomes of a write."""

    DONE = "done"
    LOST = "lost"
    DONE_BUT_ERROR = "done but error"
    LATE = "late"  # an error is answered, and it is done afterwards
    SLOW = "slow"  # accepted, and visible much later


@dataclass(frozen=True)
class Traits:
    """How a service behaves."""

    vocabulary: Vocabulary
    pushes: bool = False
    answers: bool = False  # the answer to a write tells what is shown
    leased: bool = False
    direction: Direction = Direction.BOTH
    poll_every: float = 10.0


@dataclass
class Service:
    """One service: what the person, or we, set there, and what it shows of that."""

    name: str
    traits: Traits
    base: Status
    lease: Status | None = None
    lease_ends: float = 0.0
    online: bool = True
    fade: Status | None = None
    changes: list[float] = field(default_factory=list)

    def shown(self, now: float) -> Status:
        """What anybody sees."""
        if not self.online:
            return OFFLINE
        kept = self.lease if self.lease is not None and now < self.lease_ends else self.base
        if self.fade is not None and self.traits.vocabulary.is_fade(kept, self.fade):
            return self.fade
        return kept

    def say(self, status: Status) -> None:
        """The person chooses a status: it replaces what is visible."""
        self.online, self.fade, self.lease, self.base = True, None, None, status

    def take(self, word: str, now: float, rng: random.Random) -> None:
        """A write of ours is done; it shows as any of what may be read back."""
        echoes = sorted(self.traits.vocabulary.echoes[word], key=str)
        shown = rng.choice([status for status in echoes if not status.is_absent] or [OFFLINE])
        if self.traits.leased:
            self.lease, self.lease_ends = shown, now + LEASE
        else:
            self.base = shown


class World:
    """Services, the person, and an engine with one account."""

    def __init__(self, services: dict[str, Traits], seed: int, rules: Rules) -> None:
        self.rng = random.Random(seed)
        self.rules, self.now = rules, 0.0
        self.services = {
            name: Service(name, traits, self.rng.choice(sayable(traits.vocabulary)))
            for name, traits in services.items()
        }
        self.view = View({name: Entry() for name in services})
        self.fates: list[Fate] = []
        self.writes: list[tuple[float, str, Reason, str]] = []
        self.landed: dict[str, float] = dict.fromkeys(services, -1.0)
        self.said: tuple[float, str, Status] | None = None
        self.sampled: dict[str, float] = dict.fromkeys(services, -1.0)
        self.changed: dict[str, float] = dict.fromkeys(services, -1.0)
        self.ever: dict[str, set[Status]] = {name: set() for name in services}
        self.calm = False
        self._retry_at = dict.fromkeys(services, 0.0)
        self._tries = dict.fromkeys(services, 0)
        self._busy: dict[str, int] = {}
        self._in_order = dict.fromkeys(services, 0.0)
        self._life = 0
        self._seen: dict[str, Status] = {}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        for name in services:
            self.at(self.rng.uniform(0.0, 2.0), partial(self._poll, name))

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do something at a time."""
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, act))

    def run(self, seconds: float) -> None:
        """Let time pass; the engine decides whenever something changed, and when it asked to be woken."""
        end = self.now + seconds
        while True:
            wake = self._decide()
            due = min(self._queue[0][0], wake if wake is not None else end, end)
            self.now = max(self.now, due)
            if self.now >= end:
                return
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()

    def composed(self) -> Composed | None:
        """The person's status as the core sees it."""
        return compose(self.view, self.rules, self.now)

    def decision(self, name: str) -> Decision:
        """What the core would do for one link now."""
        return reconcile(self.view, self._sink(name), self.rules, self.now)

    def shown(self, name: str) -> Status:
        return self.services[name].shown(self.now)

    # the person

    def say(self, name: str, status: Status) -> None:
        """The person chooses a status somewhere."""
        self.services[name].say(status)
        self.said = (self.now, name, status)
        self._changed(name)

    def idle(self, name: str, fade: Status | None) -> None:
        """Nobody types there for a while, or somebody types again."""
        self.services[name].fade = fade
        self._changed(name)

    def go(self, name: str, *, online: bool) -> None:
        """The person's client there ends, or starts."""
        self.services[name].online = online
        self._changed(name)

    def calm_down(self) -> None:
        """From now on everything works, and the person is there."""
        self.calm = True
        self.view = replace(self.view, paused=False, pin=None)
        self.come_back()

    def come_back(self) -> None:
        """The person's clients are there, and somebody types."""
        for name in self.services:
            self.idle(name, None)
            self.go(name, online=True)

    # the engine

    def restart(self) -> None:
        """The process dies and starts again with the view that was kept."""
        self._life += 1
        self._busy.clear()
        self._retry_at = dict.fromkeys(self.services, 0.0)
        entries = {name: replace(entry, live_at=None) for name, entry in self.view.entries.items()}
        self.view = replace(self.view, entries=entries, started_at=self.now)

    def pin(self, status: Status, seconds: float) -> None:
        self.view = replace(self.view, pin=Pin(status, self.now + seconds))

    def pause(self, *, paused: bool) -> None:
        self.view = replace(self.view, paused=paused)

    def _sink(self, name: str) -> Sink:
        traits = self.services[name].traits
        return Sink(name, traits.vocabulary, traits.direction, leased=traits.leased, retry_at=self._retry_at[name])

    def _decide(self) -> float | None:
        again = []
        for name in self.services:
            if name in self._busy:
                continue
            decision = self.decision(name)
            if decision.reason in WRITES:
                self._write(name, decision)
            elif decision.reason is Reason.RETRACT:
                self._retract(name)
            elif decision.requeue_at is not None:
                assert decision.requeue_at > self.now, (name, decision)
                again.append(decision.requeue_at)
        return min(again, default=None)

    def _write(self, name: str, decision: Decision) -> None:
        assert not self.view.paused, "a paused account was written"
        assert self.services[name].traits.direction.writes, "a read-only link was written"
        assert decision.word is not None
        assert decision.status is not None
        self.writes.append((self.now, name, decision.reason, decision.word))
        refresh = decision.reason is Reason.REFRESH
        if not refresh:
            view = begin(self.view, name, decision.word, decision.status, VISIBLE_WITHIN, self.now)
            self.view = freeze(view, name, self.rules, self.now)
        fate = self.fates.pop() if self.fates and not self.calm else Fate.DONE
        self._busy[name] = life = self._life
        answered = self.now + self.rng.uniform(0.05, 3.0)
        done = {
            Fate.DONE: self.rng.uniform(self.now, answered),
            Fate.DONE_BUT_ERROR: self.rng.uniform(self.now, answered),
            Fate.LATE: answered + self.rng.uniform(0.1, 30.0),
            Fate.SLOW: answered + self.rng.uniform(0.1, 40.0),
        }.get(fate)
        word = decision.word
        answers: list[Status] = []
        accepted = fate in (Fate.DONE, Fate.SLOW)
        if done is not None:
            done = max(done, self._in_order[name] + 0.001)
        if done is not None and accepted:  # nothing overtakes what was accepted
            self._in_order[name] = done
        if done is not None:
            self.at(done, lambda: self._land(name, word, answers))
        self.at(answered, lambda: self._answer(name, life, answers, accepted=accepted))

    def _land(self, name: str, word: str, answers: list[Status]) -> None:
        service = self.services[name]
        service.take(word, self.now, self.rng)
        answers.append(service.shown(self.now))
        self.landed[name] = self.now
        self.ever[name] |= service.traits.vocabulary.echoes[word]
        self._changed(name)

    def _answer(self, name: str, life: int, answers: list[Status], *, accepted: bool) -> None:
        if life != self._life:
            return
        del self._busy[name]
        service = self.services[name]
        if not accepted:
            self.view = fail(self.view, name, self.now, settled=False)
            self._tries[name] += 1
            self._retry_at[name] = self.now + self.rng.uniform(0.5, 1.0) * min(2.0 ** self._tries[name], 30.0)
            return
        self._tries[name] = 0
        shown = answers[0] if service.traits.answers and answers else None
        lease = (RENEW, LEASE) if service.traits.leased else (None, None)
        self.view = accept(self.view, name, Accepted(shown, None, *lease), self.now)

    def _retract(self, name: str) -> None:
        service = self.services[name]
        service.lease = None
        self._changed(name)
        self.view = take_back(self.view, name, VISIBLE_WITHIN, self.now)

    # readings

    def _poll(self, name: str) -> None:
        service, start = self.services[name], self.now
        late = not self.calm and self.rng.random() < 0.15
        sampled = start if late else start + self.rng.uniform(0.0, 1.0)
        self.at(sampled, lambda: self._sample(name, start, late=late))
        again = start + 1.5 + service.traits.poll_every * self.rng.uniform(0.8, 1.2)
        self.at(again, lambda: self._poll(name))

    def _sample(self, name: str, start: float, *, late: bool) -> None:
        shown, sampled = self.services[name].shown(self.now), self.now
        if not self.calm and self.rng.random() < 0.05:
            shown = UNKNOWN
        arrive = sampled + (self.rng.uniform(1.0, 15.0) if late else self.rng.uniform(0.0, 0.4))
        self.at(arrive, lambda: self._hear(name, shown, start, sampled))
        if not self.calm and self.rng.random() < 0.2:
            self.at(arrive + self.rng.uniform(0.0, 20.0), lambda: self._hear(name, shown, start, sampled))

    def _changed(self, name: str) -> None:
        """A service that pushes tells of each change at once."""
        shown = self.services[name].shown(self.now)
        if self._seen.get(name) != shown:
            self.changed[name] = self.now
        self.ever[name].add(shown)
        if self.services[name].traits.pushes and self._seen.get(name) != shown:
            self._hear(name, shown, self.now, self.now)
        self._seen[name] = shown

    def _hear(self, name: str, shown: Status, start: float, sampled: float) -> None:
        before, traits = self.view, self.services[name].traits
        seen = Observation(shown, str(shown), start, self.now)
        self.view, kind = observe(self.view, name, seen, traits.vocabulary, self.rules, traits.direction)
        if shown == UNKNOWN:
            entry = before.entries[name]
            noted = replace(entry, is_unknown=entry.is_unknown or entry.live_at is None)
            assert self.view == before.put(name, noted), "an unknown reading changed something"
        elif kind is not Kind.STALE:
            self.sampled[name] = max(self.sampled[name], sampled)
        if traits.direction is Direction.WRITE:
            assert self.view.entries[name].word is None, "a write-only link made a word"


def sayable(vocabulary: Vocabulary) -> list[Status]:
    """What a person can choose in a service."""
    return [s for s in dict.fromkeys(vocabulary.reads.values()) if not s.idle and s.availability != "offline"]

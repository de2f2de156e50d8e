"""A day as episodes: people work while things go wrong; then calm, a last word, and silence, in which all is judged.

The one rule: the oracle is asked only when every fault has ended, and the stated bounds have passed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import anyio

from presence_syncd.core.presence import AVAILABLE, AWAY, Status
from tests.simulation import invariants, policies, trials
from tests.simulation.faults import SOMEBODY, Fault, faults, scripted
from tests.simulation.invariants import Broken
from tests.simulation.people import Act, acts
from tests.simulation.world import Said, World
from tests.virtual.network import LATENCY

CALM = 420.0
"""Seconds after the last fault until everybody's back-offs are over."""
CALM_AFTER_CLOCK = 1500.0
"""The same after the wall clock was wrong, or sign-ins were refused: that is probed slowly."""
BOUND = 150.0
"""Seconds within which a word is shown everywhere."""
SILENCE = (700.0, 1000.0)
"""Seconds in which nothing but renewals may be written: more than two lives of an Available session."""
IN_SIGHT = 300.0
"""Seconds after which what was written to Teams is in sight at the latest (mapping §4)."""
SLOW = (0.5, 4.0)
"""Seconds that bytes travel where the network is slow."""
READ_WITHIN = 60.0
"""Seconds after which what shows in Symphony or BlackBerry was read, as a rule."""
TOGETHER = 1.0
"""Seconds between two words that nobody can bring in order."""


@dataclass(slots=True)
class Closing:
    """The last words of a person before the silence; with two, either may win."""

    person: str
    words: list[Said] = field(default_factory=list)
    hidden: list[Said] = field(default_factory=list)


class Episode:
    """One round of trouble, calm, last words and silence."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number, self.rng = world, number, world.random(f"episode {number}")
        self.tried = None if "trials" in world.parameters.without else world.random(f"trials {number}")
        self.broken: list[Broken] = []
        self._slow = False

    async def run(self) -> list[Broken]:
        """Go through it; returns what was broken."""
        world, length = self.world, self.rng.uniform(300, 1500)
        await self._trouble(length)
        await self._calm_down()
        if self.tried:
            trials.fail_writes(world, self.tried)
        others = await policies.ask_everybody(world, self._last_word)
        closings = self._close() + [Closing(person, [word]) for person, word in others.items()]
        await anyio.sleep(TOGETHER)
        closed_at = world.now()
        await anyio.sleep(BOUND)
        for closing in closings:
            wrong = invariants.last_word_wins(world, closing.person, closing.words)
            if wrong:
                world.explain(closing.person)
            self.broken += wrong
        await self._silence(closings, closed_at)
        if "siesta" not in world.parameters.without and not self.broken:
            words = [c.words[0] for c in closings if len(c.words) == 1 and world.composes(c.person) != "busiest"]
            self.broken += await trials.siesta(world, world.random(f"siesta {self.number}"), words, BOUND)
        if self.tried and not self.broken:
            home = None if "home" in world.parameters.without else world.random(f"home {self.number}")
            self.broken += await trials.evening(world, self.tried, home, BOUND, self._paused)
        return self.broken

    # trouble

    async def _trouble(self, length: float) -> None:
        world, since = self.world, self.world.now()
        until = since + length
        doings = [act for person in world.people for act in self._doings(person, since, until)]
        accounts = list(world.people)
        wrong = list(faults(self.rng, list(world.desks), accounts, since, until, self.rng.choice([20.0, 60.0, 200.0])))
        async with anyio.create_task_group() as tasks:
            for fault in wrong:
                if fault.kind not in world.parameters.without:
                    tasks.start_soon(self._one_fault, fault)
            for act in sorted(doings, key=lambda doing: (doing.at, doing.person, doing.desk)):
                await anyio.sleep(max(0.0, act.at - world.now()))
                world.act(act)

    def _doings(self, person: str, since: float, until: float) -> list[Act]:
        pace = self.rng.choice([30.0, 90.0, 300.0, 1e9])
        return list(acts(self.rng, person, self.world.links(person), since, until, pace))

    async def _one_fault(self, fault: Fault) -> None:
        await anyio.sleep(max(0.0, fault.at - self.world.now()))
        self.world.note(f"fault {fault.kind} {fault.where} {fault.seconds:.1f}")
        if fault.where in self.world.desks:
            await self._at_service(fault)
        else:
            await self._of_daemon(fault)

    async def _at_service(self, fault: Fault) -> None:
        world, desk = self.world, self.world.desks[fault.where]
        hosts = [world.network.hosts[host] for host in desk.hosts]
        for answer in scripted(fault.kind, fault.where, fault.draw):
            person = world.people[int(fault.draw * 97) % len(world.people)]
            if isinstance(answer.body, str) and hasattr(desk, "id"):
                answer.body = answer.body.replace(SOMEBODY, str(desk.id(person)))
            desk.emulator.faults.add(answer)
        match fault.kind:
            case "refused" | "silent" | "slow":
                await self._while(hosts, fault)
            case "cut":
                for host in hosts:
                    host.cut()
            case "half":
                for host in hosts:
                    host.cut_after = int(fault.draw * 400)
            case "proxy":
                await self._cutting_proxy(hosts, fault)
            case "tokens-lost":
                desk.forget(state=False)
            case "restart" | "restart-empty":
                for host in hosts:
                    host.refuses = True
                    host.cut()
                desk.forget(state=fault.kind == "restart-empty")
                await anyio.sleep(fault.seconds)
                for host in hosts:
                    host.refuses = False

    async def _while(self, hosts: Sequence[object], fault: Fault) -> None:
        """A state of the network that lasts."""
        states = {"refused": ("refuses", True, False), "silent": ("silent", True, False), "slow": ("latency", SLOW, LATENCY)}  # fmt: skip
        name, wrong, right = states[fault.kind]
        since = self.world.now()
        for host in hosts:
            setattr(host, name, wrong)
        await anyio.sleep(fault.seconds)
        for host in hosts:
            setattr(host, name, right)
        self.world.facts.crowded.setdefault(fault.where, []).append((since, self.world.now() + SLOW[1]))

    async def _cutting_proxy(self, hosts: Sequence[object], fault: Fault) -> None:
        """A proxy that cuts what is open for longer than it likes."""
        until = self.world.now() + fault.seconds
        while self.world.now() < until:
            for host in hosts:
                host.cut()  # type: ignore[attr-defined]
            await anyio.sleep(5 + fault.draw * 25)

    async def _of_daemon(self, fault: Fault) -> None:
        world, person = self.world, fault.where
        match fault.kind:
            case "kill":
                await world.kill(fault.draw * 30)
            case "stop":
                await world.stop(fault.draw * 30)
            case "break":
                await world.tell(person, "break")
            case "pause":
                await self._paused(person, fault.seconds)
            case "pin":
                await world.tell(person, "pin", fault.seconds, ("dnd", "busy", "away")[int(fault.draw * 3)])
            case "clock":
                self._slow = True
                world.wall_offset = (fault.draw - 0.5) * 7200
                await anyio.sleep(fault.seconds)
                world.wall_offset = 0.0
            case "reload":
                await self._edited(person, fault)

    async def _paused(self, person: str, seconds: float) -> None:
        world = self.world
        if self._is_silent(person):
            return
        await world.tell(person, "pause")
        account = world.daemon.tasks.get(person) if world.daemon else None
        if account is None or not account.board.view.paused or self._is_silent(person):
            return
        spans = world.facts.silenced.setdefault(person, [])
        spans.append((world.now(), float("inf")))
        await anyio.sleep(seconds)
        self._speaks(person)
        await world.tell(person, "resume")

    def _is_silent(self, person: str) -> bool:
        """Whether the account is paused, or left out of the configuration, just now."""
        spans = self.world.facts.silenced.get(person, [])
        return bool(spans) and spans[-1][1] == float("inf")

    def _speaks(self, person: str) -> None:
        """From now on the account may be written again."""
        if self._is_silent(person):
            spans = self.world.facts.silenced[person]
            spans[-1] = (spans[-1][0], self.world.now())

    async def _edited(self, person: str, fault: Fault) -> None:
        """The administrator edits the file: an account goes and comes back, or its policy changes."""
        world = self.world
        policy = world.accounts[person]["policy"]
        if fault.draw < 0.5 and sum(world.configured.values()) > 1 and world.configured[person]:
            await world.reload(lambda: world.configured.update({person: False}))
            self._speaks(person)  # a pause ends with the account
            world.facts.silenced.setdefault(person, []).append((world.now(), float("inf")))
            await anyio.sleep(fault.seconds)
            self._speaks(person)
            await world.reload(lambda: world.configured.update({person: True}))
        else:
            await world.reload(lambda: policy.update(settle="1s" if fault.draw < 0.75 else "3s"))

    # calm

    async def _calm_down(self) -> None:
        world = self.world
        world.calm()
        for person in world.people:
            for desk in world.desks.values():
                desk.hang_up(person)
            self._speaks(person)
            if not world.configured[person]:
                await world.reload(lambda person=person: world.configured.update({person: True}))
            await world.tell(person, "resume")
            await world.tell(person, "unpin")
        await anyio.sleep(CALM_AFTER_CLOCK if self._slow else CALM)

    def _close(self) -> list[Closing]:
        """Everybody says a last word that can be told from what was shown, some of them two."""
        closings = []
        for person in self.world.people:
            if self.world.composes(person) != "latest":
                continue
            closing = Closing(person)
            desks = [d for d in self.world.links(person) if self.world.direction(person, d) != "write"]
            there = {desk for desk in desks if self.world.desks[desk].seats.get(person) is True}
            for desk in self.rng.sample(desks, min(len(desks), self.rng.choice([1, 1, 1, 2]))):
                said, is_seen = self._last_word(person, desk)
                (closing.words if is_seen else closing.hidden).extend(said)
            closing.words += closing.hidden if closing.words else []  # it may come to light when ours is taken back
            closing.words += self._shown_on_coming(closing.words, there)
            closings.append(closing)
        return closings

    def _shown_on_coming(self, words: list[Said], there: set[str]) -> list[Said]:
        """What coming to BlackBerry tells before the word, if we write the same there at once: nobody tells ours from theirs."""
        came = [w for w in words if w.desk not in there and self.world.desks[w.desk].signs_in_with_a_word]
        crossed = {
            w.desk: [self.world.desks[w.desk].told.get(o.status) for o in words if o.desk != w.desk] for w in came
        }
        return [replace(word, status=AVAILABLE) for word in came if word.status in crossed[word.desk]]

    def _last_word(self, person: str, name: str) -> tuple[list[Said], bool]:
        """Say one there; returns it, and whether it is seen, or hidden by something of higher rank."""
        desk = self.world.desks[name]
        words = list(desk.words)
        hidden = self._like_ours(person, name) | self._like_waking(person, name)
        legal = [
            n for n, w in enumerate(words) if desk.words[w] not in hidden and not desk.is_hidden(person, desk.words[w])
        ]
        if not legal:
            return [], False
        number, wakes_as = self.rng.choice(legal), desk.wakes_as(person)
        said = self.world.act(Act(self.world.now(), person, name, "say", (number + 0.5) / len(words)))
        meant = desk.words[words[number]]
        return [Said(self.world.now(), name, person, meant)], said is not None and said.status == meant != wakes_as

    def _like_ours(self, person: str, name: str) -> set[Status]:
        """What looks like our own last word there, which may still wait for its person, or like what idleness makes of it.

        In Teams one that was replaced may come to sight as late as the last one, while that waits. In Symphony what was
        written over rest may never have shown; what showed then is what they find when they come.
        """
        desk, since = self.world.desks[name], self.world.now() - IN_SIGHT
        ours = [w for w in self.world.facts.wrote if w.person == person and w.desk == name]
        meant = [(w.at, status) for w in ours if (status := desk.meant(w.word)) is not None]
        waits = desk.leased and bool(ours) and "clear" not in ours[-1].word
        late = [status for at, status in meant if waits and at > since]
        done = [w.showed for w in ours if w.showed == desk.meant(w.word)]
        return {AWAY, *late, *(status for _, status in meant[-1:]), *done[-1:]} if ours else set()

    def _like_waking(self, person: str, name: str) -> set[Status]:
        """What looks like the end of rest: where away is shown, which may be rest, what they had said before it.

        That is the last word which stood long enough to be read, or one of those after it.
        """
        desk = self.world.desks[name]
        if desk.leased or desk.shown(person).awake != AWAY:
            return set()
        waking, until = {AVAILABLE} if desk.signs_in_with_a_word else set(), self.world.now()
        for word in reversed([w for w in self.world.facts.said if (w.person, w.desk) == (person, name)]):
            waking |= {word.status} - {AWAY}
            if word.status != AWAY and until - word.at > READ_WITHIN:
                break
            until = word.at
        return waking

    # silence

    async def _silence(self, closings: list[Closing], closed_at: float) -> None:
        world = self.world
        since = world.now()
        before = {person: invariants.lapses(world, person) for person in world.people}
        if self.tried:
            trials.forget_somebody(world, self.tried)
        if "power" not in world.parameters.without:
            await trials.cut_power(world, world.random(f"power {self.number}"))
        await anyio.sleep(self.rng.uniform(*SILENCE))
        for closing in closings:
            person = closing.person
            self.broken += invariants.no_write_makes_a_write(world, person, since)
            self.broken += invariants.no_session_lapses(world, person, before[person], closing.words)
            self.broken += invariants.last_word_wins(world, person, closing.words)
            self.broken += invariants.writes_are_bounded(world, person, closed_at - TOGETHER, since)


Check = Callable[[World], list[Broken]]
ALWAYS: tuple[Check, ...] = (
    invariants.nothing_broke,
    invariants.available_needs_evidence,
    invariants.only_what_was_said_is_written,
    invariants.silenced_accounts_are_not_written,
    invariants.read_only_links_are_not_written,
    invariants.budgets_are_kept,
    invariants.memory_is_bounded,
)
"""Judged after each episode, over all that was seen."""


async def live(world: World) -> list[Broken]:
    """Live through the hours; returns what was broken, ending with the first episode that broke something."""
    random.seed(f"{world.parameters.seed}/global")
    await world.start()
    numbers, broken = count(), list[Broken]()
    while not broken and world.now() < world.parameters.hours * 3600:
        broken += await Episode(world, next(numbers)).run()
        broken += [one for check in ALWAYS for one in check(world)]
    return broken

"""What must hold (DESIGN §4), judged from what people did and what the services show, never from the daemon's opinion.

The one rule: each is one function with the sentence it checks; it returns what is broken, with the numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from math import inf

from presence_syncd.core.presence import AVAILABLE, OFFLINE, Status
from tests.simulation.meanings import idle_forms
from tests.simulation.world import Said, World, Wrote
from tests.virtual.network import LATENCY

SLACK = 20.0
"""Seconds that what was under way may take to arrive."""
ACTIVE_FOR = 300.0
"""Seconds for which Skype shows somebody awake whose activity was reported."""
UNSEEN = 2.5
"""Seconds between a reading and the renewal after it."""
JUST_SAID = 30.0
"""Seconds for which who has said something has not begun to rest."""
REFUSING = 300.0
"""Seconds in which what a service was told to refuse is asked of it, and tried again."""
MOST_CONNECTIONS = 6
"""Connections a link may have open, its share of the pools included."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken invariant: its name, and what was seen."""

    name: str
    said: str

    def __str__(self) -> str:
        return f"{self.name}: {self.said}"


def last_word_wins(world: World, person: str, words: list[Said]) -> list[Broken]:
    """§4 Echo: the person's last word wins everywhere it can be shown, within its bound.

    Of words said within a second any may be the last, but everybody must agree on one of them.
    """
    if not words or any(_was_renewed_over(world, word) for word in words):
        return []
    wrong = [_disagreeing(world, person, word, crossed=len(words) > 1) for word in words]
    if not all(wrong):
        return []
    said = " or ".join(f"{word.status} in {word.desk}" for word in words)
    return [Broken("last word wins", f"{person} said {said}; but {'; or '.join(', '.join(each) for each in wrong)}")]


def _was_renewed_over(world: World, word: Said) -> bool:
    """Whether what stood there was renewed in the moment after it, so that nobody, not the daemon either, saw the word.

    A renewal follows a reading by so long at most, unless the service refused it then, and a reading may be behind; what
    it says, it has said before.
    """
    desk = world.desks[word.desk]
    told = [w for w in world.facts.wrote if (w.person, w.desk) == (word.person, word.desk)]
    unseen = desk.poll_within if word.at < world.facts.refusing.get(word.desk, -inf) + REFUSING else UNSEEN
    before, until = {w.word for w in told if w.at <= word.at}, word.at + desk.visible_after + unseen
    over = (w for w in told if "setUser" in w.word or _ranks_as(desk.meant(w.word), word.status))
    return desk.leased and any(w.word in before and word.at < w.at <= until for w in over)


def _ranks_as(ours: Status | None, theirs: Status) -> bool:
    """Whether a session of ours shows over one of theirs if it is the newer one."""
    return ours is not None and ours.availability == theirs.availability


def a_fade_overrules_nothing(world: World, person: str, word: Said, faded: str) -> list[Broken]:
    """Mapping §1, §4.3: idle and gone are derived by a service; in one they never change what was chosen in another."""
    if _was_renewed_over(world, word):
        return []
    wrong = _disagreeing(world, person, word, besides=faded)
    said = f"{person} said {word.status} in {word.desk}, and idled or left in {faded}; but {', '.join(wrong)}"
    return [Broken("a fade overrules nothing", said)] if wrong else []


def _disagreeing(world: World, person: str, word: Said, *, crossed: bool = False, besides: str = "") -> list[str]:
    """The services that do not show a word, as text.

    Where two words crossed, or ours of another service overruled it for a while, the own one may have been put back.
    Where signing in says a word, and one of three (bems §8), the own one is told in those since the last start.
    """
    wrong = []
    for name in world.links(person):
        if name == besides:
            continue
        desk = world.desks[name]
        retold = crossed or (desk.signs_in_with_a_word and word.at < world.started_at) or _is_put_back(world, word)
        right = desk.right(person, word.status) if retold or name != word.desk else frozenset()
        right |= {word.status} if name == word.desk else set()
        if AVAILABLE in right and _is_left_to_fade(world, name, word):
            right |= idle_forms(AVAILABLE) | {OFFLINE}
        is_ours = name == word.desk or world.direction(person, name) != "read"
        if right and is_ours and desk.shown(person) not in right:
            wrong.append(f"{name} shows {desk.shown(person)}, right is {' or '.join(sorted(map(str, right)))}")
    return wrong


def _is_left_to_fade(world: World, name: str, word: Said) -> bool:
    """Whether nothing proves any more that they are there, so that what says so is let go (§4 Evidence).

    Their word was put back by us, would show although they rest, and is old; and nothing of their own shows elsewhere.
    """
    desk = world.desks[name]
    hidden = desk.unfading and _is_written_since(world, word, JUST_SAID)  # what shows there tells nothing of them
    if not (desk.leased or desk.unfading) or (desk.seats.get(word.person) is True and not hidden):
        return False
    if world.now() - word.at <= world.evidence(word.person) or not _may_hide_rest(world, word):
        return False
    return not any(_shows_them(world, word.person, other) for other in {*world.links(word.person)} - {name, word.desk})


def _shows_them(world: World, person: str, name: str) -> bool:
    """Whether they are at the keyboard there and available, by their own doing, and we have not written there since."""
    if world.desks[name].seats.get(person) is not True or world.direction(person, name) == "write":
        return False
    said = [word for word in world.facts.said if (word.person, word.desk) == (person, name)]
    return world.desks[name].shown(person) == AVAILABLE and bool(said) and not _is_written_since(world, said[-1])


def _may_hide_rest(world: World, word: Said) -> bool:
    """Whether it was put back where it was said, and would show there although they rest."""
    return not world.desks[word.desk].fades_ours and _is_written_since(world, word)


def _is_put_back(world: World, word: Said) -> bool:
    """Whether another word overruled it where it was said, so that it had to be written there, as mapping §3 tells it."""
    return world.composes(word.person) != "latest" and _is_written_since(world, word)


def _is_written_since(world: World, word: Said, later: float = 0.0) -> bool:
    """Whether we have written where it was said, more than `later` seconds after that."""
    return any((w.person, w.desk) == (word.person, word.desk) and w.at > word.at + later for w in world.facts.wrote)


def no_write_makes_a_write(world: World, person: str, since: float, besides: str = "") -> list[Broken]:
    """§4 Echo: after that nothing is written except refreshes; no write makes a write.

    What was accepted and does not show may be written once more (mapping §4.3: one re-write, then it is shadowed), and
    then be taken back. What a session of ours showed that a service has ended is said anew.
    `besides` is a service in which something has changed: where the person left, what they shall find may be written.
    """
    earlier = {(w.desk, w.word) for w in world.facts.wrote if w.person == person and w.at <= since}
    later = [w for w in world.facts.wrote if w.person == person and w.at > since and w.desk != besides]
    once = Counter((w.desk, w.word) for w in later if not _renews(world, w))
    legal = [w for w in later if (w.desk, w.word) in earlier or _takes_back(w) or _is_said_anew(world, w, since)]
    wrong = [w for w in later if w not in legal or once[w.desk, w.word] > 1]
    if len(later) > 40:
        wrong = later
    return [Broken("no write makes a write", f"{person}: {_listed(wrong)}")] if wrong else []


def _renews(world: World, wrote: Wrote) -> bool:
    return world.desks[wrote.desk].leased and "clear" not in wrote.word


def _is_said_anew(world: World, wrote: Wrote, since: float) -> bool:
    """Whether the service ended a session, and what showed with it, so that it must be said in the next one.

    Not where the daemon was started anew meanwhile: what it had said it must know.
    """
    if world.started_at > since:
        return False
    began = (at for at, *where in world.facts.began if where == [wrote.desk, wrote.person])
    return any(since < at <= wrote.at for at in began)


def _takes_back(wrote: Wrote) -> bool:
    return wrote.word.strip() == "clearPresence"


def writes_are_bounded(world: World, person: str, since: float, until: float) -> list[Broken]:
    """§4: writes per change are bounded: a word costs each service one state, in at most four calls, once repeated."""
    broken = []
    for name in world.links(person):
        told = [w for w in world.facts.wrote if w.person == person and w.desk == name and since <= w.at <= until]
        if len(told) > 10:
            broken.append(Broken("writes are bounded", f"{person}: {_listed(told)}"))
    return broken


def lapses(world: World, person: str) -> int:
    """How many sessions of ours have lapsed so far."""
    return sum(getattr(world.desks[name], "lapsed", lambda _: 0)(person) for name in world.links(person))


def no_session_lapses(world: World, person: str, before: int, words: list[Said]) -> list[Broken]:
    """§4 Evidence: no session of a present person lapses while its service is reachable.

    Where a word of theirs was put back by us, and would show although they rest, nobody knows that they are present.
    """
    lapsed = lapses(world, person) - before
    typed = world.last_awake(person, world.now(), "")
    proven = bool(words) and all(word.desk != "teams" for word in words) and typed >= world.now() - 1
    proven = proven and not any(_may_hide_rest(world, word) for word in words)
    if lapsed and proven:
        return [Broken("no session lapses", f"{person}: {lapsed} after {', '.join(str(w.status) for w in words)}")]
    return []


def available_needs_evidence(world: World) -> list[Broken]:
    """§4 Evidence: nobody is shown, or refreshed, Available without proof that they are there."""
    broken = []
    for wrote in world.facts.wrote:
        if not world.desks[wrote.desk].leased or "setPresence Available" not in wrote.word:
            continue
        typed = max(world.last_awake(wrote.person, wrote.at, wrote.desk), _spoke(world, wrote))
        if wrote.at - typed <= world.evidence(wrote.person) + 2 * SLACK or _is_pinned(world, wrote.person, wrote.at):
            continue
        if not _went_unseen(world, wrote) and not _seems_awake(world, wrote, typed):
            broken.append(Broken("available needs evidence", f"{_told(wrote)}, typed last at {typed:.0f}"))
    return broken[:3]


def nobody_gone_looks_available(world: World) -> list[Broken]:
    """§4 Evidence: once everybody has rested, or been gone, for longer than any proof lasts, nobody is shown as available."""
    if world.facts.skews[-1] < max(world.facts.skews[-2:]):  # what happened long ago seems to have happened just now
        return []
    broken = []
    for person in world.people:
        for name in world.links(person):
            seems_so = any(desk.hides_rest(person) for desk in world.desks.values())
            seems_so = seems_so or _went_unseen(world, Wrote(world.now(), name, person, "", world.life))
            if world.desks[name].shown(person) == AVAILABLE and not seems_so:
                world.explain(person)
                broken.append(Broken("nobody gone looks available", f"{person} in {name}"))
    return broken


def _spoke(world: World, wrote: Wrote) -> float:
    """When the person chose something there last that a write of ours cannot be taken for: their own word is a proof."""
    words = (word for word in world.facts.said if word.by_hand and word.status != AVAILABLE)
    said = (word.at for word in words if (word.person, word.desk) == (wrote.person, wrote.desk))
    return max((at for at in said if at <= wrote.at), default=float("-inf"))


def _seems_awake(world: World, wrote: Wrote, typed: float) -> bool:
    """Whether they rest in Skype unseen, for their activity was reported there while there was proof of it (ucwa §5).

    Available that they chose in Teams is one for as long as it shows: nobody can tell that they rest there.
    """
    reports = [r for r in world.facts.reported if r[2] == wrote.person and r[0] <= wrote.at]
    seen = max((at for at, _, _, hidden in reports if hidden), default=typed)
    proven = max(typed, seen) + world.evidence(wrote.person) + SLACK
    return any(at <= proven and wrote.at <= _known(world, wrote, desk, at + ACTIVE_FOR) for at, desk, *_ in reports)


def _known(world: World, wrote: Wrote, desk: str, at: float) -> float:
    """When what has shown in a service since `at` is known: it may have been out of reach for as long as a proof lasts."""
    next_asked = min((asked for asked, _ in world.facts.requests.get(desk, []) if asked >= at), default=wrote.at)
    return min(next_asked, at + world.evidence(wrote.person)) + SLACK


def _went_unseen(world: World, wrote: Wrote) -> bool:
    """Whether they left, where signing in says a word (bems §8), while the daemon was not there: its own word hid that."""
    for name in world.links(wrote.person):
        spans = [until for person, desk, _, until in world.facts.awake if (person, desk) == (wrote.person, name)]
        went = max((until for until in spans if until <= wrote.at), default=None)
        if went is not None and name != wrote.desk and world.desks[name].signs_in_with_a_word:
            unwatched = [at for at, *where in world.facts.unwatched if where == [name, wrote.person]]
            if any(went <= at <= wrote.at for at in unwatched) or _was_down(world, name, went):
                return True
    return False


def _was_down(world: World, name: str, at: float) -> bool:
    """Whether the process that asked a service last before that moment asked nothing after it."""
    asked = world.facts.requests.get(name, [])
    after = bisect_right(asked, (at, inf))
    return 0 < after < len(asked) and asked[after][1] > asked[after - 1][1]


def _is_pinned(_world: World, _person: str, _at: float) -> bool:
    """Nobody is pinned as available here."""
    return False


def only_what_was_said_is_written(world: World) -> list[Broken]:
    """§4 Echo: unknown never becomes available: each write that claims somebody is there was said by the person before."""
    broken = []
    for wrote in world.facts.wrote:
        meant = _claims_presence(wrote.desk, wrote.word)
        if not meant:
            continue
        said = [word for word in world.facts.said if word.person == wrote.person and word.at <= wrote.at]
        if world.last_awake(wrote.person, wrote.at, "") > 0:  # a client that is used says available by itself
            continue
        if not any(_may_become(word.status, wrote.desk, world) for word in said):
            broken.append(Broken("only what was said is written", f"{_told(wrote)}; {len(said)} words before"))
    return broken[:3]


def _claims_presence(desk: str, word: str) -> bool:
    """Whether a write says that somebody is there and free."""
    available = {"teams": "setPresence Available/Available", "symphony": "AVAILABLE", "skype": "Online"}
    return word == available.get(desk, "available")


def _may_become(status: Status, desk: str, world: World) -> bool:
    return world.desks[desk].told.get(status.awake) == AVAILABLE


def silenced_accounts_are_not_written(world: World) -> list[Broken]:
    """§4: an account that is paused, or opted out, gets no write."""
    broken = []
    for person, spans in world.facts.silenced.items():
        for since, until in spans:
            for w in world.facts.wrote:
                if w.person == person and since + SLACK < w.at < until and "clear" not in w.word:  # a farewell may
                    broken.append(Broken("silenced accounts are not written", f"{_told(w)}, silent since {since:.0f}"))
    return broken[:3]


def read_only_links_are_not_written(world: World) -> list[Broken]:
    """§2: a link of direction `read` gets no write."""
    return [
        Broken("read-only links are not written", _told(w))
        for w in world.facts.wrote
        if w.desk in world.links(w.person) and world.direction(w.person, w.desk) == "read"
    ][:3]


def budgets_are_kept(world: World) -> list[Broken]:
    """§4 Budget: no more requests than the bucket of a login holds, in any span, in each life of the daemon."""
    broken = []
    for name, asked in world.facts.requests.items():
        rate = world.rates.get(name) or RATES[world.desks[name].kind]
        crowded = world.facts.crowded.get(name, [])
        for life in range(1, world.life + 1):
            times = [at for at, of in asked if of == life and not any(since <= at < until for since, until in crowded)]
            if (over := _most_over(times, rate)) > rate * (BURST + 2 * LATENCY[1]) + 1:
                broken.append(Broken("budgets are kept", f"{name}: {over:.0f} above {rate}/s in life {life}"))
    return broken


RATES = {"graph": 37.5, "symphony": 10.0, "ucwa": 200.0, "bems": 50.0}
"""Requests per second, by kind: four fifths of what Graph documents, and what is taken where nothing is."""
BURST = 2.0
"""The seconds of a rate that may go at once."""


def _most_over(times: list[float], rate: float) -> float:
    """The most by which any span of times has more than its rate grants."""
    most = level = 0.0
    last = 0.0
    for at in times:
        level = max(0.0, level - (at - last) * rate) + 1
        last, most = at, max(most, level)
    return most


def memory_is_bounded(world: World) -> list[Broken]:
    """§4 Board, §3: no queue: what is kept of an account, and what is open for it, does not grow with its history."""
    broken = []
    for name, record in world.disk.store.records.items():
        for domain, entry in (record.view.entries if record.view else {}).items():
            if len(entry.earlier) > 8 or len(entry.writes) > 60:
                broken.append(
                    Broken("memory is bounded", f"{name} {domain}: {len(entry.earlier)}, {len(entry.writes)}")
                )
    links = sum(len(world.links(person)) for person in world.people)
    if world.cable.connections > MOST_CONNECTIONS * links + 32:
        broken.append(Broken("memory is bounded", f"{world.cable.connections} connections for {links} links"))
    return broken


def nothing_broke(world: World) -> list[Broken]:
    """§4 Supervisor: whatever services and the network do, nothing in the daemon breaks."""
    return [Broken("nothing broke", text) for text in world.facts.broke[:3]]


def _told(wrote: Wrote) -> str:
    return _listed([wrote])


def _listed(writes: list[Wrote]) -> str:
    return ", ".join(f"{w.at:.1f} {w.desk} {w.word} of {w.person}" for w in writes[:6])

"""Properties of the core in a world where all goes wrong that can: the person's last word wins, then nobody writes."""

from __future__ import annotations

import random
from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from presence_syncd.connectors.bems import wire as bems
from presence_syncd.connectors.graph import wire as graph
from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.connectors.ucwa import wire as ucwa
from presence_syncd.core.compose import wanted
from presence_syncd.core.decision import Reason
from presence_syncd.core.presence import Status
from presence_syncd.core.view import Compose, Direction, Rules
from tests.core.desk import Desk
from tests.core.world import Fate, Traits, World, sayable

CALM = 450.0
"""Seconds after which everything that was under way has come or will never come."""

PROFILE = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)

KINDS = {
    "teams": Traits(graph.PREFERRED, leased=True),
    "symphony": Traits(symphony.vocabulary(), answers=True),
    "skype": Traits(ucwa.VOCABULARY, pushes=True),
    "blackberry": Traits(bems.vocabulary(), pushes=True, poll_every=30.0),
    "plain teams": Traits(graph.PREFERRED),
    "reader": Traits(ucwa.VOCABULARY, direction=Direction.READ),
    "board": Traits(symphony.vocabulary(), direction=Direction.WRITE),
}
NAMES = st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=4, unique=True).filter(
    lambda names: any(KINDS[name].direction is Direction.BOTH for name in names)
)


@dataclass(frozen=True)
class Step:
    """After `gap` seconds something happens somewhere; `pick` chooses what of."""

    gap: float
    act: str
    where: int
    pick: int


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0.1, 1.0, 3.0, 8.0, 20.0, 45.0, 90.0]),
        st.sampled_from(
            ["say", "say", "say", "say", "idle", "wake", "leave", "come", "restart", "pin", "unpin", "pause", "resume"]
        ),
        st.integers(0, 3),
        st.integers(0, 30),
    ),
    max_size=14,
)
FATES = st.lists(st.sampled_from(list(Fate)), max_size=12)
SEEDS = st.integers(0, 2**16)


def world_of(names: list[str], seed: int, rules: Rules | None = None) -> World:
    return World({name: KINDS[name] for name in names}, seed, rules or Rules())


def play(world: World, steps: list[Step]) -> None:
    """Let the script happen, once every service was read."""
    world.run(5.0)
    names = list(world.services)
    for step in steps:
        world.run(step.gap)
        _act(world, step, names[step.where % len(names)])


def _act(world: World, step: Step, name: str) -> None:
    vocabulary = world.services[name].traits.vocabulary
    choices = sayable(vocabulary)
    status = choices[step.pick % len(choices)]
    fades = [Status(to, idle=idle) for _, to, idle in sorted(vocabulary.fades)]
    match step.act:
        case "say":
            world.say(name, status)
        case "idle":
            world.idle(name, fades[step.pick % len(fades)])
        case "wake":
            world.idle(name, None)
        case "leave" | "come":
            world.go(name, online=step.act == "come")
        case "restart":
            world.restart()
        case "pin":
            world.pin(status, 60.0)
        case "unpin":
            world.pin(status, 0.0)
        case _:
            world.pause(paused=step.act == "pause")


def settle(world: World) -> None:
    """Everything works from now on; wait until nothing is under way."""
    world.calm_down()
    world.run(CALM)


def assert_agreed(world: World) -> None:
    """Every service that can be written shows what it can of the person's status."""
    composed = world.composed()
    assert composed is not None
    for name, service in world.services.items():
        word = service.traits.vocabulary.word_for(wanted(composed.status, world.rules))
        if not service.traits.direction.writes or word is None or composed.status.is_absent:
            continue
        shown, decision = world.shown(name), world.decision(name)
        if composed.domain == name and shown == composed.status:
            continue
        if service.traits.leased and decision.reason is Reason.FADED:
            continue
        vocabulary = service.traits.vocabulary
        said = vocabulary.is_echo(word, shown) or vocabulary.is_faded_echo(word, shown)
        assert said, f"{name} shows {shown} and not {composed.status} ({decision.reason}, {composed})"


def assert_quiet(world: World, seconds: float = 600.0) -> None:
    """Nothing is written but refreshes."""
    before = len(world.writes)
    world.run(seconds)
    more = [write for write in world.writes[before:] if write[2] is not Reason.REFRESH]
    assert not more, more


def is_read_when_said(world: World, name: str, status: Status) -> bool:
    """Say it; a write of ours that is done before anybody read it hides it for good, and that is nobody's fault."""
    said_at = world.now
    world.say(name, status)
    while world.sampled[name] < said_at and world.landed[name] < said_at and world.now < said_at + 200:
        world.run(0.25)
    return world.sampled[name] >= said_at


def wait_until_heard(world: World, names: list[str]) -> None:
    """A word that is read late counts as said when it was read: wait until everything else was read."""
    world.run(0.25)
    for _ in range(400):
        if all(0 <= world.sampled[name] >= world.changed[name] for name in names):
            return
        world.run(0.25)


def is_distinguishable(world: World, name: str, status: Status) -> bool:
    """Whether nothing else could show this there: not what shows now, not what we have or would have it show."""
    entry, vocabulary = world.view.entries[name], world.services[name].traits.vocabulary
    composed = world.composed()
    word = vocabulary.word_for(wanted(composed.status, world.rules)) if composed else None
    words = [p.written for p in entry.publications(world.now)] + ([word] if word else [])
    shown = world.shown(name)
    said = entry.word
    by_itself = said is not None and (vocabulary.is_fade(said.status, status) or (said.faded and said.status == status))
    caused = any(vocabulary.is_echo(w, status) or vocabulary.is_faded_echo(w, status) for w in words)
    return not caused and not by_itself and status.awake != shown.awake


@PROFILE
@given(NAMES, SEEDS, STEPS, FATES)
def test_after_any_script_all_services_agree_and_then_nobody_writes(
    names: list[str], seed: int, steps: list[Step], fates: list[Fate]
) -> None:
    world = world_of(names, seed)
    world.fates = fates
    play(world, steps)
    settle(world)
    assert_agreed(world)
    assert_quiet(world)
    assert_agreed(world)


@PROFILE
@given(NAMES, SEEDS, STEPS, FATES, st.integers(0, 3), st.integers(0, 30))
def test_the_last_word_of_the_person_wins_everywhere_with_every_detail(
    names: list[str], seed: int, steps: list[Step], fates: list[Fate], where: int, pick: int
) -> None:
    world = world_of(names, seed)
    world.fates = fates
    play(world, steps)
    settle(world)
    readable = [name for name in names if world.services[name].traits.direction.reads]
    name = readable[where % len(readable)]
    choices = [s for s in sayable(world.services[name].traits.vocabulary) if is_distinguishable(world, name, s)]
    if not choices:
        return
    status = choices[pick % len(choices)]
    if not is_read_when_said(world, name, status):
        return
    world.run(CALM)
    composed = world.composed()
    assert composed is not None
    assert (composed.domain, composed.status) == (name, status)
    assert world.shown(name) == status
    assert_agreed(world)
    assert_quiet(world)


@PROFILE
@given(NAMES, SEEDS, STEPS, FATES, st.integers(0, 3), st.integers(0, 30))
def test_a_word_in_the_middle_of_trouble_wins_too_if_nothing_else_could_have_shown_it(
    names: list[str], seed: int, steps: list[Step], fates: list[Fate], where: int, pick: int
) -> None:
    world = world_of(names, seed)
    world.fates = fates
    play(world, steps)
    readable = [name for name in names if world.services[name].traits.direction.reads]
    name = readable[where % len(readable)]
    world.come_back()
    wait_until_heard(world, names)
    vocabulary = world.services[name].traits.vocabulary
    fresh = [s for s in sayable(vocabulary) if s not in world.ever[name] and is_distinguishable(world, name, s)]
    faded = {s for s in fresh if any(vocabulary.is_fade(was, s) for was in world.ever[name])}
    choices = [s for s in fresh if s not in faded]
    if not choices or world.view.pin_at(world.now) or world.view.paused:
        return
    status = choices[pick % len(choices)]
    was_read = is_read_when_said(world, name, status)
    settle(world)
    if was_read:
        composed = world.composed()
        assert composed is not None
        assert composed.status == status
        assert composed.domain == name
    assert_agreed(world)
    assert_quiet(world)


@PROFILE
@given(NAMES, SEEDS, STEPS, FATES, st.sampled_from(list(Compose)))
def test_whatever_merges_the_words_all_services_agree_and_then_nobody_writes(
    names: list[str], seed: int, steps: list[Step], fates: list[Fate], mode: Compose
) -> None:
    world = world_of(names, seed, Rules(compose=mode, priority=tuple(reversed(names)), idle_away=True))
    world.fates = fates
    play(world, steps)
    settle(world)
    assert_quiet(world)


READINGS = st.lists(st.tuples(st.sampled_from(["skype", "symphony"]), st.integers(0, 9)), min_size=1, max_size=6)


@PROFILE
@given(READINGS, st.randoms(use_true_random=False))
def test_the_order_and_the_repetition_of_late_readings_do_not_matter(
    readings: list[tuple[str, int]], rng: random.Random
) -> None:
    asked = [(name, pick, 100.0 + 10 * place) for place, (name, pick) in enumerate(readings)]
    late = rng.sample(asked, len(asked)) + rng.choices(asked, k=3)
    assert heard(asked) == heard(late)


@PROFILE
@given(st.permutations(["skype", "symphony", "teams"]), st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_the_order_of_the_first_readings_does_not_matter(order: list[str], picks: list[int]) -> None:
    given_order = [(name, pick, 100.0) for name, pick in zip(["skype", "symphony", "teams"], picks, strict=True)]
    first = [next(reading for reading in given_order if reading[0] == name) for name in order]
    assert heard(given_order, first=True) == heard(first, first=True)


def heard(asked: list[tuple[str, int, float]], *, first: bool = False) -> tuple[str, dict[str, str]]:
    """What is shown, and where, after readings asked for at those times arrive in this order, long after."""
    desk = Desk("skype", "symphony", "teams")
    if not first:
        desk.start(skype="brb", symphony="brb", teams="brb")
    for place, (name, pick, from_) in enumerate(asked):
        choices = list(KINDS[name].vocabulary.reads.values())
        desk.see(name, str(choices[pick % len(choices)]), 500.0 + 0.01 * place, from_=from_)
    words = {name: str(entry.word.effective(900, 30)) for name, entry in desk.view.entries.items() if entry.word}
    return ",".join(str(entry.shown) for entry in desk.view.entries.values()), words

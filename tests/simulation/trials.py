"""Trials at the end of an episode: what seldom happens by chance, asked of everybody where all is quiet.

The one rule: each draws from a source of its own, so that a seed's trouble is the same with and without them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import anyio

from presence_syncd.connectors.emulation import Answer
from presence_syncd.core.presence import AVAILABLE
from tests.simulation import invariants
from tests.simulation.faults import SOMEBODY, scripted
from tests.simulation.invariants import Broken
from tests.simulation.people import Act
from tests.simulation.world import Said, World

WRITES = {"teams": "/presence/set", "symphony": "/user/presence$"}
"""Paths of writes, by service, as patterns."""
PAUSED = 60.0
"""Seconds of a pause in which everybody says something."""
NIGHT = 1800.0
"""Seconds in which nobody types: longer than any proof of a person lasts."""


def fail_writes(world: World, rng: Random) -> None:
    """Let the next writes of a service fail: they must be tried again."""
    for name, path in WRITES.items():
        if name in world.desks and rng.random() < 0.5:
            world.desks[name].emulator.faults.add(Answer(503, method="POST", path=path, times=2))
            world.facts.refusing[name] = world.now()


def forget_somebody(world: World, rng: Random) -> None:
    """Let services say that they do not know what somebody shows: that is nobody's word."""
    for name, desk in world.desks.items():
        person = rng.choice(world.people)
        for answer in scripted("unknown", name, 0.0):
            if isinstance(answer.body, str) and hasattr(desk, "id"):
                answer.body = answer.body.replace(SOMEBODY, str(desk.id(person)))
            desk.emulator.faults.add(answer)


async def cut_power(world: World, rng: Random) -> None:
    """Kill the daemon while all is quiet, now and then: what it wrote before it must know, and keep, after."""
    if rng.random() < 0.5:
        await world.kill(rng.uniform(0.0, 5.0))


async def siesta(world: World, rng: Random, words: list[Said], bound: float) -> list[Broken]:
    """Everybody idles, and then leaves, in a service where they have not said their word: that is no word."""
    naps = [(word, desk) for word in words if (desk := _rests_in(world, rng, word))]
    broken: list[Broken] = []
    for what in ("idle", "leave"):
        since = world.now()
        for word, desk in naps:
            world.act(Act(since, word.person, desk, what))
        await anyio.sleep(bound)
        for word, desk in naps:
            broken += invariants.a_fade_overrules_nothing(world, word.person, word, desk)
            broken += invariants.no_write_makes_a_write(world, word.person, since, desk)
    for word, desk in naps:
        world.act(Act(world.now(), word.person, desk, "wake"))
    return broken


def _rests_in(world: World, rng: Random, word: Said) -> str:
    """Where somebody sits, besides the service of their word; nothing if nowhere."""
    desks = [d for d in world.links(word.person) if d != word.desk and world.desks[d].seats.get(word.person) is True]
    return rng.choice(desks) if desks else ""


async def evening(
    world: World,
    rng: Random,
    home: Random | None,
    bound: float,
    pause: Callable[[str, float], Coroutine[Any, Any, None]],
) -> list[Broken]:
    """Everybody is paused and says something; then they are available, and rest; where `home` says so they leave."""
    async with anyio.create_task_group() as tasks:
        for person in world.people:
            tasks.start_soon(pause, person, PAUSED)
        await anyio.sleep(5)
        for person in world.people:
            world.act(Act(world.now(), person, rng.choice(world.links(person)), "say", rng.random()))
    for person in world.people:
        _say_available(world, rng, person)
    await anyio.sleep(bound)
    for person in world.people:
        for desk in world.links(person):
            goes = home is not None and home.random() < 0.5
            world.act(Act(world.now(), person, desk, "leave" if goes else "idle"))
    await anyio.sleep(NIGHT)
    if home is not None:
        await cut_power(world, home)
        await anyio.sleep(bound)
    return invariants.nobody_gone_looks_available(world)


def _say_available(world: World, rng: Random, person: str) -> None:
    """Say it where nothing but the word itself proves it elsewhere."""
    desks = [d for d in world.links(person) if world.direction(person, d) != "write" and not world.desks[d].leased]
    if desks:
        desk = rng.choice(desks)
        words = list(world.desks[desk].words.values())
        draw = (words.index(AVAILABLE) + 0.5) / len(words)
        world.act(Act(world.now(), person, desk, "say", draw))

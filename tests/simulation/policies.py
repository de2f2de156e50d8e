"""People whose accounts compose by another rule than the newest word: all that they say, and which of it must win.

The one rule: the winner is reckoned from what they said just now in every service that is read, never from older words.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from presence_syncd.core.presence import Availability
from tests.simulation.world import Said, World

APART = 90.0
"""Seconds between two words of a person: each is read, and mirrored, before the next."""
LADDER = tuple(map(Availability, ("dnd", "busy", "brb", "away", "available", "offline")))
"""What `busiest` prefers, highest first (DESIGN §4)."""
Speak = Callable[[str, str], tuple[list[Said], bool]]
"""Lets a person say something in a service that can be told from what it shows; what, and whether it was seen."""


async def ask_everybody(world: World, speak: Speak) -> dict[str, Said]:
    """Let them all say something everywhere; returns, by person, the word that must win.

    Whoever could not say a word somewhere is left out: what counts there is older, and nobody here knows it.
    """
    people = [person for person in world.people if world.composes(person) != "latest"]
    said: dict[str, list[Said]] = {person: [] for person in people}
    rounds = {person: _readable(world, person) for person in people}
    for number in range(max(map(len, rounds.values()), default=0)):
        for person in people:
            for desk in rounds[person][number : number + 1]:
                words, is_seen = speak(person, desk)
                said[person] += words if is_seen else []
        await anyio.sleep(APART)
    whole = [person for person in people if len(said[person]) == len(rounds[person])]
    return {person: _winner(world, person, said[person]) for person in whole}


def _readable(world: World, person: str) -> list[str]:
    """The services whose words count, in any order."""
    desks = [desk for desk in world.links(person) if world.direction(person, desk) != "write"]
    return world.random(f"rounds {person} {world.now():.0f}").sample(desks, len(desks))


def _winner(world: World, person: str, words: list[Said]) -> Said:
    """The word that the account's rule prefers; of equals the newest."""
    if world.composes(person) == "busiest":
        return min(words, key=lambda word: (LADDER.index(word.status.availability), -word.at))
    order = world.accounts[person]["policy"]["priority"]
    return min(words, key=lambda word: order.index(word.desk))

"""What people do all day: say words, take calls, stop typing, go home, come back, say two things within a second.

The one rule: everything is drawn before the daemon runs; nobody reacts to what it does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Act:
    """One thing somebody does: `what` is `say`, `wake`, `idle` or `leave`; `draw` chooses the word (0 to 1)."""

    at: float
    person: str
    desk: str
    what: str
    draw: float = 0.0


HABITS = (("say", 50), ("idle", 12), ("wake", 14), ("leave", 8), ("home", 3), ("twice", 13))
"""What people do, and how often of a hundred times."""


def acts(rng: random.Random, person: str, desks: list[str], since: float, until: float, pace: float) -> Iterator[Act]:
    """A person's doings between two times; `pace` is the mean of the seconds between them."""
    at = since + rng.expovariate(1 / pace)
    while at < until:
        what = rng.choices([name for name, _ in HABITS], [often for _, often in HABITS])[0]
        yield from _one(rng, person, desks, at, what)
        at += rng.expovariate(1 / pace) + 0.001


def _one(rng: random.Random, person: str, desks: list[str], at: float, what: str) -> Iterator[Act]:
    desk = rng.choice(desks)
    if what == "home":
        for number, each in enumerate(desks):
            yield Act(at + number * rng.uniform(0, 5), person, each, "leave")
    elif what == "twice":
        yield Act(at, person, desk, "say", rng.random())
        yield Act(at + rng.uniform(0.05, 1.0), person, rng.choice(desks), "say", rng.random())
    else:
        yield Act(at, person, desk, what, rng.random())

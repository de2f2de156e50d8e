"""How the accounts of a tenant are drawn: where each is, which way its links carry, and its policy.

The one rule: what was added later has a source of its own, so that the accounts of a seed stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.simulation.desks import Desk


def draw_account(
    person: str, desks: Mapping[str, Desk], source: Callable[[str], Random], without: frozenset[str]
) -> dict[str, Any]:
    """One account, as a table of the configuration. `source` makes the source of a purpose."""
    rng, names = source(f"account {person}"), list(desks)
    if {"skype", "blackberry"} <= set(names):  # they would be two doors to one presence, and here they are two
        names.remove(rng.choice(["skype", "blackberry"]))
    if len(names) > 2 and rng.random() < 0.2:
        names.remove(rng.choice(names))
    links = {name: dict(desks[name].link(person)) for name in names}
    if len(names) > 2 and rng.random() < 0.15:
        links[rng.choice(names)]["direction"] = rng.choice(["read", "write"])
    policy = {
        "settle": rng.choice(["2s", "0s", "5s"]),
        "idle": rng.choice(["ignore", "ignore", "away"]),
        "offline": rng.choice(["hold", "hold", "away"]),
        "evidence": rng.choice(["15m", "10m"]),
    }
    composing = {} if "policies" in without else _composing(source(f"composing {person}"), names)
    return {"name": person, "policy": policy | composing, "links": links}


def _composing(rng: Random, names: list[str]) -> dict[str, Any]:
    """By which rule the words of an account become one: seldom by another than the newest."""
    match rng.choice(["latest", "latest", "latest", "priority", "busiest"]):
        case "priority":
            return {"compose": "priority", "priority": rng.sample(names, len(names))}
        case "busiest":
            return {"compose": "busiest"}
    return {}

"""What is measured, and how large: measurements and their options, by the name of the result.

The one rule: options say everything that a result depends on, so that a kept result is of the same measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.polling import PRESS

ALL = (
    "polls",
    "compressed",
    "graph",
    "graph-tls",
    "symphony",
    "swept",
    "polled",
    "polled-tls",
    "hand",
    "growth",
    "swept-growth",
    "storm",
)
"""What can be measured."""
BURST = 1000
"""Most people whose sessions are renewed at once, and most of those whose polls are watched."""
PARTS = (0.1, 0.5, 1.5)
"""Sizes of the other crowds, as parts of the great one's, by which growth is told."""
LINKS = ["teams", "symphony", "skype", "blackberry"]
Plan = tuple[str, dict[str, Any]]
"""The kind of a measurement, and its options."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many people, rounds of what alternates, and seconds a crowd is watched.

    `press` is how much the time of long polls is pressed together, `at_once` how many measurements run side by side.
    """

    accounts: int = 10_000
    rounds: int = 5
    seconds: float = 20.0
    press: float = PRESS
    at_once: int = 1


SMOKE = Extent(accounts=20, rounds=1, seconds=2.0, press=12.0, at_once=8)
"""The whole command in small; it says that everything runs, and nothing of times."""


def plans(extent: Extent, names: tuple[str, ...], tls: Mapping[str, str]) -> dict[str, Plan]:
    """What to run, by the name of the result."""
    every = {**_refreshing(extent, tls), **_crowds(extent, tls), **_judged(extent)}
    return {name: plan for group in names for name, plan in every[group].items()}


def _refreshing(extent: Extent, tls: Mapping[str, str]) -> dict[str, dict[str, Plan]]:
    burst = {"size": min(BURST, extent.accounts), "rounds": extent.rounds}
    return {
        "graph": {"graph": ("graph", burst)},
        "graph-tls": {"graph-tls": ("graph-tls", {**burst, **tls})},
        "symphony": {"symphony": ("symphony", {**burst, "rounds": min(extent.rounds, 4)})},
    }


def _crowds(extent: Extent, tls: Mapping[str, str]) -> dict[str, dict[str, Plan]]:
    watched: dict[str, Any] = {"size": extent.accounts, "seconds": extent.seconds}
    linked, swept = {**watched, "links": LINKS}, {**watched, "links": LINKS[:2]}
    parts = {part: max(1, int(part * extent.accounts)) for part in PARTS}
    return {
        "swept": {"swept": ("scale", swept)},
        "polled": {"polled": ("scale", linked)},
        "polled-tls": {"polled-tls": ("scale", {**linked, **tls})},
        "hand": {"hand": ("hand", watched)},
        "growth": {
            **{f"polled@{part}": ("scale", {**linked, "size": size}) for part, size in parts.items()},
            **{f"hand@{part}": ("hand", {**watched, "size": size}) for part, size in parts.items()},
        },
        "swept-growth": {f"swept@{part}": ("scale", {**swept, "size": size}) for part, size in parts.items()},
        "storm": {"storm": ("storm", {**linked, "seconds": 3 * extent.seconds})},
    }


def _judged(extent: Extent) -> dict[str, dict[str, Plan]]:
    polls = {"size": min(BURST, extent.accounts), "seconds": extent.seconds, "press": extent.press}
    return {
        "polls": {"polls": ("polls", polls)},
        "compressed": {"compressed": ("compressed", {"size": extent.accounts, "seconds": 4 * extent.seconds})},
    }

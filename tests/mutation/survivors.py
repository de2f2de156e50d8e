"""What mutmut left alive, against the list of those that are explained.

The one rule: a survivor is known by its function and its changed lines, never by mutmut's number: that moves.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

EXPLAINED = Path(__file__).with_name("explained.toml")
DEAD = frozenset({"killed", "timeout"})
"""Verdicts of mutmut that say a test fails; `mutmut results` leaves the killed ones out."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One mutation: the function it is in (`observe._kind`), the lines it takes away and those it puts there."""

    where: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.where}\n  - {self.was}\n  + {self.becomes}"


def place(mutant: str) -> str:
    """The function of a mutant's name, as `presence_syncd.core.view.xǁViewǁput__mutmut_1` is `view.View.put`."""
    module, _, function = mutant.removeprefix("presence_syncd.core.").partition(".")
    name = re.sub(r"__mutmut_\d+$", "", function)
    return f"{module}.{name[2:].replace('ǁ', '.')}" if name.startswith("xǁ") else f"{module}.{name[2:]}"


def module_of(where: str) -> str:
    """The module of a place."""
    return where.partition(".")[0]


def alive(results: str, modules: Iterable[str]) -> list[str]:
    """The names of the mutants of some modules no test noticed, of what `mutmut results` printed."""
    verdicts = (line.strip().rpartition(": ") for line in results.splitlines())
    return [name for name, _, said in verdicts if name and said not in DEAD and module_of(place(name)) in modules]


def change(mutant: str, diff: str) -> Change:
    """Read what `mutmut show` printed of one mutant."""
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("---", "+++")]
    was, becomes = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return Change(place(mutant), was, becomes)


def read_explained(path: Path = EXPLAINED) -> dict[Change, str]:
    """Why each explained survivor cannot, or need not, be noticed. Raises KeyError where a part is missing."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    return {Change(entry["where"], entry["was"], entry["becomes"]): entry["why"] for entry in entries}


def unexplained(changes: Iterable[Change], explained: Mapping[Change, str]) -> list[Change]:
    """Those that no line explains, in order."""
    return sorted(set(changes) - set(explained))


def outdated(changes: Iterable[Change], explained: Iterable[Change], modules: Iterable[str]) -> list[Change]:
    """Those of some modules that are explained though a test notices them, or the code is another, in order."""
    return sorted(one for one in set(explained) - set(changes) if module_of(one.where) in modules)

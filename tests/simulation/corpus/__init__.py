"""The seeds of every bug that the simulation has found: one text file each, run by CI.

The one rule: a file's first line says what it was; the rest are `name = value` lines of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.world import Parameters

FOLDER = Path(__file__).parent
READ: dict[str, Any] = {
    "seed": int,
    "hours": float,
    "accounts": int,
    "engine": str,
    "carrier": str,
    "without": lambda text: frozenset(text.split(",")),
    "services": lambda text: frozenset(text.split(",")),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One bug that was found: what it was, and how."""

    name: str
    what: str
    parameters: Parameters


def read_corpus(folder: Path = FOLDER) -> list[Entry]:
    """Every entry, by name."""
    return [_read(path) for path in sorted(folder.glob("*.txt"))]


def _read(path: Path) -> Entry:
    what, *lines = path.read_text().strip().splitlines()
    pairs = (line.partition("=") for line in lines if line.strip())
    values = {name.strip(): READ[name.strip()](value.strip()) for name, _, value in pairs}
    return Entry(path.stem, what.removeprefix("# "), Parameters(**values))

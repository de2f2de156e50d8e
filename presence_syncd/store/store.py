"""What a store keeps, and what it promises.

The one rule: `save` and `remember` return once the record would survive a power cut (the memory store does not).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from presence_syncd.core.view import View


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one account: its view, and by link the small facts its protocol asked to remember."""

    view: View | None = None
    memory: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Store(Protocol):
    """Keeps records by account name. `failing`: what was to be kept lately could not be."""

    failing: bool

    async def load(self) -> dict[str, Record]:
        """Everything that is kept."""
        ...

    async def save(self, account: str, view: View) -> None:
        """Keep an account's view: what was said, what was published, pin and pause."""
        ...

    async def remember(self, account: str, link: str, key: str, value: str) -> None:
        """Keep a small fact of a link."""
        ...

    async def forget(self, account: str) -> None:
        """Drop an account that is no longer configured."""
        ...

    async def aclose(self) -> None:
        """Let go of what is held."""
        ...

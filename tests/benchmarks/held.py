"""A long poll that a service holds back until there is something to say.

The one rule: what is told while nobody polls is kept, as news, until somebody does.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.wire import Asked


@dataclass(slots=True)
class Held:
    """Whatever holds one poll at a time."""

    held: Asked | None = None
    held_until: float = 0.0
    news: bool = False

    def hold(self, asked: Asked, until: float) -> None:
        """Keep a poll back."""
        self.held, self.held_until = asked, until

    def release(self, answer: bytes) -> bool:
        """Answer the poll, if one is held; returns whether there was."""
        held, self.held = self.held, None
        if held is not None:
            held.reply(answer)
        return held is not None

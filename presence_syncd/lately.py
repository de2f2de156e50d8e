"""What was told of each account lately, for `explain`.

The one rule: a few events each, packed, so that ten thousand accounts can afford it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from presence_syncd.engine.clock import Clock

KEPT = 12
"""Events remembered per account."""


class Lately:
    """The last events of the log, by account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: dict[str, tuple[bytes, ...]] = {}

    def remember(self, event: dict[str, Any]) -> None:
        """Keep an event, if it is of an account; the oldest one makes room."""
        name = event.get("account")
        if name is not None:
            told = msgspec.json.encode({"at": self._clock.now(), **event}, enc_hook=str)
            self._events[name] = (*self._events.get(name, ()), told)[-KEPT:]

    def of(self, name: str) -> list[dict[str, Any]]:
        """What was told of an account, oldest first; `at` is when, by the daemon's clock."""
        return [msgspec.json.decode(event) for event in self._events.get(name, ())]

    def forget(self, name: str) -> None:
        """Let go of an account that is gone."""
        self._events.pop(name, None)

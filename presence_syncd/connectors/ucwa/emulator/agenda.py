"""Who is to be looked at when: the emulated server's timers in one heap, so that a request costs the same in any crowd.

The one rule: an entry is only a reason to look; what is so then is worked out anew.
"""

from __future__ import annotations

from heapq import heappop, heappush


class Agenda:
    """The next time each name is to be looked at, in emulated seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._next: dict[str, float] = {}

    def note(self, name: str, at: float) -> None:
        """Look at `name` at `at` at the latest; infinity: not because of this."""
        if at < self._next.get(name, float("inf")):
            self._next[name] = at
            heappush(self._heap, (at, name))

    def due(self, now: float) -> list[str]:
        """Take out the names whose time has come."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heappop(self._heap)
            if self._next.get(name) == at:
                del self._next[name]
                found.append(name)
        return found

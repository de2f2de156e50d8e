"""How much time was left when sessions were renewed: the least of it, lately.

The one rule: what was seen counts for ten minutes at least and twenty at most, whoever asks and how often.
"""

from __future__ import annotations

from presence_syncd.engine.clock import Clock

SPAN = 600.0
"""Seconds of one of the two spans that count."""


class LeastSlack:
    """The least seconds between the acceptance of a renewal and the end of its session; negative: it came late."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._least: float | None = None
        self._before: float | None = None

    def note(self, seconds: float) -> None:
        """A session was renewed so many seconds before its end."""
        self._turn()
        self._least = seconds if self._least is None else min(self._least, seconds)

    def seen(self) -> float | None:
        """The least of what was seen lately; None if nothing was renewed."""
        self._turn()
        return min((each for each in (self._least, self._before) if each is not None), default=None)

    def _turn(self) -> None:
        """Begin a new span when the present one is over."""
        spans = (self._clock.now() - self._began) // SPAN
        if spans:
            self._before, self._least = self._least if spans == 1 else None, None
            self._began += spans * SPAN

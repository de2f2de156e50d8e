"""The board: one account's view, where its links meet, and the bell that says that something changed.

The one rule: newer overwrites older. There is no queue, and a lost ring is harmless.
"""

from __future__ import annotations

from collections.abc import Callable

from anyio.lowlevel import checkpoint

from presence_syncd.core.entry import Entry, Kind, Observation
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import Status
from presence_syncd.core.publication import vouch
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction, Rules, View
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.engine.bell import Bell

QUIET = frozenset({Kind.SAME, Kind.STALE, Kind.UNKNOWN})
"""What changes nothing, so that nobody is woken for it."""


class Board:
    """One account's view and bell. `version` counts what is worth keeping: a mere proof of life is not."""

    def __init__(self, view: View, rules: Rules) -> None:
        self.rules = rules
        self._view = view
        self._bell = Bell()
        self._is_rung = False
        self._stand_in: Callable[[], None] | None = None
        self.version = 0

    @property
    def view(self) -> View:
        """The account as it is known now."""
        return self._view

    @view.setter
    def view(self, view: View) -> None:
        self._view = view
        self.version += 1

    def observe(self, domain: str, seen: Observation, vocabulary: Vocabulary, direction: Direction) -> Kind:
        """Take a reading, and ring if it changed something."""
        before = self._view.entries[domain]
        if not (seen.raw.isascii() and (seen.note or "").isascii()):
            seen = replace(seen, raw=_whole(seen.raw), note=None if seen.note is None else _whole(seen.note))
        self._view, kind = observe(self._view, domain, seen, vocabulary, self.rules, direction)
        after = self._view.entries[domain]
        if _is_worth_keeping(before, after, kind):
            self.version += 1
        if kind not in QUIET or before.live_at is None or after.note_word != before.note_word or _is_awaited(after):
            self.ring()
        return kind

    def foretell(self, domain: str, status: Status, until: float) -> None:
        """Note that the domain may show a status because we sign in."""
        entry = self._view.entries[domain]
        self.view = self._view.put(domain, replace(entry, foretold=status, foretold_until=until))

    def vouch(self, domain: str, now: float, until: float) -> None:
        """Note that the domain may show the person awake until `until` because we report activity."""
        self.view = vouch(self._view, domain, until, self.rules, now)

    def alive(self, domain: str, at: float) -> None:
        """Note a proof of life of a channel that pushes; it counts once something was read at all."""
        entry = self._view.entries[domain]
        if entry.live_at is not None:
            self._view = self._view.put(domain, replace(entry, live_at=at))

    def ring(self) -> None:
        """Wake the account."""
        self._is_rung = True
        self.stir()

    def stir(self) -> None:
        """Let who waits look at the time again; nothing has changed."""
        self._bell.ring()
        stand_in, self._stand_in = self._stand_in, None
        if stand_in is not None:
            stand_in()

    def leave_to(self, stand_in: Callable[[], None]) -> None:
        """Let the next ring call `stand_in` instead of waking who is busy now; at once if it rang already."""
        self._stand_in = stand_in
        if self._is_rung:
            self.stir()

    def come_back(self) -> bool:
        """Listen again; whether the stand-in was not called meanwhile."""
        stand_in, self._stand_in = self._stand_in, None
        return stand_in is not None

    async def wait(self) -> bool:
        """Wait for the bell, or until stirred, and silence it; whether it rang."""
        if self._is_rung:
            await checkpoint()
        else:
            await self._bell.wait()
        return self.silence()

    def silence(self) -> bool:
        """Take note that it rang; whether it did."""
        rang, self._is_rung = self._is_rung, False
        return rang


def _is_worth_keeping(before: Entry, after: Entry, kind: Kind) -> bool:
    """Whether more has changed than how fresh the reading is; how fresh matters once, when a lease of ours is over."""
    if kind not in QUIET or _is_first_since_the_end(before, after):
        return True
    earlier = (before.publication, before.earlier, before.note, before.beneath)
    return earlier != (after.publication, after.earlier, after.note, after.beneath)


def _is_first_since_the_end(before: Entry, after: Entry) -> bool:
    end = after.publication.expires_at if after.publication else None
    return end is not None and before.shown_from < end <= after.shown_from


def _is_awaited(entry: Entry) -> bool:
    """Whether a reading was waited for, though it shows nothing new."""
    return entry.publication is not None and entry.publication.is_nearly_due(entry.live_at or 0.0)


def _whole(text: str) -> str:
    """The text without halves of characters, which services cut and JSON lets pass, but nothing can keep or send."""
    return text.encode(errors="replace").decode()

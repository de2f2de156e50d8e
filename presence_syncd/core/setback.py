"""A view that comes from the future: the clock was set back between two lives of the daemon.

The one rule: what lies ahead of now cannot have happened, so everything is moved back together; its order stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from presence_syncd.core.entry import Entry, Publication, Word
from presence_syncd.core.values import replace
from presence_syncd.core.view import View

T = TypeVar("T", Entry, Publication, Word)

PAST = {
    Entry: ("shown_at", "shown_from", "live_at", "note_at", "hidden_at"),
    Word: ("at", "faded_at"),
    Publication: ("at", "accepted_at", "confirmed_at"),
}
"""Times at which something happened, by the value that holds them."""
AHEAD = {
    Entry: ("foretold_until", "vouched_until"),
    Word: (),
    Publication: ("visible_by", "late_until", "left_until", "refresh_at", "expires_at"),
}
"""Times until which something holds."""


def not_ahead(view: View, now: float) -> View:
    """The view, moved back as a whole if anything in it happened after `now` (daemon's seconds)."""
    ahead = max((at for entry in view.entries.values() for at in _happened(entry)), default=now) - now
    return view if ahead <= 0 else _moved_view(view, -ahead, now)


def _happened(entry: Entry) -> Iterator[float]:
    """Every time of an entry at which something happened."""
    yield from entry.writes
    for value in (entry, entry.word, entry.publication, *entry.earlier):
        if value is not None:
            times = (getattr(value, name) for name in PAST[type(value)])
            yield from (at for at in times if at is not None)


def _moved_view(view: View, by: float, now: float) -> View:
    pin = replace(view.pin, until=view.pin.until + by) if view.pin else None
    entries = {domain: _moved_entry(entry, by, now) for domain, entry in view.entries.items()}
    return replace(view, entries=entries, pin=pin, frozen_until=view.frozen_until + by)


def _moved_entry(entry: Entry, by: float, now: float) -> Entry:
    return replace(
        _moved(entry, by),
        word=_moved(entry.word, by) if entry.word else None,
        publication=_due(_moved(entry.publication, by), now) if entry.publication else None,
        earlier=tuple(_moved(publication, by) for publication in entry.earlier),
        writes=tuple(at + by for at in entry.writes),
    )


def _due(publication: Publication, now: float) -> Publication:
    """How long ago it was nobody knows, so that a lease may be nearly over: it is renewed at once."""
    return publication if publication.refresh_at is None else replace(publication, refresh_at=now)


def _moved(value: T, by: float) -> T:
    """One value with its own times moved."""
    times = {name: getattr(value, name) for name in PAST[type(value)] + AHEAD[type(value)]}
    return replace(value, **{name: at + by for name, at in times.items() if at is not None})

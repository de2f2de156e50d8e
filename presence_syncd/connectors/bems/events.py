"""Contact presence: found in messages by structure, not by the name of an event, and kept in the order of `sequence`.

The one rule: an older presence of a contact never overwrites a newer one; the marks are those of one session, because a
new one may count from anywhere. Sources: bems.md §3 (sequence), §4.2 (structural reader).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from presence_syncd.connectors.bems.jsonrpc import Answer
from presence_syncd.connectors.bems.wire import presence_name, same_contact

LISTS = ("contacts", "contactList")
CONTACT_KEYS = ("contactId", "id", "uri", "userId")
PRESENCE_KEYS = ("presence", "availability", "status", "state")
NOTE_KEYS = ("personalMessage", "note")
_NO_PRESENCE = frozenset({"processing", "complete", "success"})
"""States of requests, which are never a person's."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a message says of one contact. `contact` is normalised; `name` one of the wire table, or `unknown`."""

    contact: str
    name: str
    note: str | None = field(default=None, repr=False)


def contacts_in(data: Mapping[str, Any], guesses: Mapping[str, str] | None = None) -> list[Shown]:
    """Find every contact's presence in `result.data` or `params`; none if there is nothing of the kind."""
    return [shown for contact, entry in _entries(data) if (shown := _shown(contact, entry, guesses)) is not None]


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str | None, object]]:
    """Yield (contact id if it is a key, entry): of a list, of an object keyed by SIP URIs, or of the data itself."""
    for key in LISTS:
        if isinstance(data.get(key), list):
            yield from ((None, entry) for entry in data[key])
            return
        if isinstance(data.get(key), dict):
            yield from data[key].items()
            return
    keyed: list[tuple[str | None, object]] = [
        (key, value) for key, value in data.items() if key.lower().startswith("sip:")
    ]
    yield from keyed or [(None, data)]


def _shown(contact: str | None, entry: object, guesses: Mapping[str, str] | None) -> Shown | None:
    if contact is not None and not isinstance(entry, Mapping):
        return Shown(same_contact(contact), presence_name(entry, guesses)) if entry is not None else None
    if not isinstance(entry, Mapping):
        return None
    contact = next((entry[key] for key in CONTACT_KEYS if isinstance(entry.get(key), str)), contact)
    presence = next((entry[key] for key in PRESENCE_KEYS if _may_be_presence(entry.get(key))), None)
    if contact is None or presence is None:
        return None
    note = next((entry[key] for key in NOTE_KEYS if isinstance(entry.get(key), str)), None)
    return Shown(same_contact(contact), presence_name(presence, guesses), note)


def _may_be_presence(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _NO_PRESENCE
    return isinstance(value, int | float) and not isinstance(value, bool)


MARKS = 32
"""Messages of a session that are known again. One that comes twice after more of them still replaces nothing newer."""


class Marks:
    """The order of one session: what was seen, and how new each contact's presence is."""

    def __init__(self) -> None:
        self.highest = -1
        self._seen: tuple[tuple[int, str | None], ...] = ()
        self._newest: dict[str, int] = {}

    def is_repeated(self, answer: Answer) -> bool:
        """Whether this very message came before. Remembers it."""
        if answer.sequence is None:
            return False
        mark = (answer.sequence, answer.id)
        if answer.sequence <= self.highest and mark in self._seen:
            return True
        self.highest = max(self.highest, answer.sequence)
        self._seen = (*self._seen, mark)[-MARKS:]
        return False

    def is_news(self, contact: str, sequence: int | None) -> bool:
        """Whether a presence with this sequence may overwrite what is known of the contact. Remembers it if so."""
        if sequence is None:
            return True
        if sequence < self._newest.get(contact, -1):
            return False
        self._newest[contact] = sequence
        return True

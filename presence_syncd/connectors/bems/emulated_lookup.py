"""The Presence lookup side of an emulated BEMS: subscriptions by key, answers in full or since a sequence. No I/O.

The one rule: a subscription nobody asks for is forgotten after its time-out, and its key then answers 404.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from presence_syncd.connectors.bems.emulated_connect import Clock
from presence_syncd.connectors.bems.emulated_people import Backend, bare


@dataclass(slots=True)
class Subscription:
    """Whom a key is for, and when it was asked for last."""

    contacts: list[str]
    asked_at: float


@dataclass(slots=True)
class Oddities:
    """`sequence_as`: `number`, `text` or `missing`; `empty` answers deltas without contacts; `unknown` shows -1."""

    sequence_as: str = "number"
    unknown: set[str] = field(default_factory=set)


class Lookups:
    """The service. `asked` are the requests: (method, whether for a delta)."""

    def __init__(self, clock: Clock, backend: Backend, *, timeout: float) -> None:
        self.clock, self.backend, self.timeout = clock, backend, timeout
        self.subscriptions: dict[str, Subscription] = {}
        self.oddities = Oddities()
        self.asked: list[tuple[str, bool]] = []
        self._version = 1
        self._changed_at: dict[str, int] = {}
        backend.subscribe(self._changed)

    def _changed(self, sip: str) -> None:
        self._version += 1
        self._changed_at[bare(sip)] = self._version

    def subscribe(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Make, replace or (with no contacts) end a subscription."""
        self.asked.append(("POST", False))
        contacts, key = body.get("contacts"), body.get("notify")
        if not isinstance(contacts, list) or not isinstance(key, str) or not key:
            return 400, {}
        self.subscriptions[key] = Subscription([str(contact) for contact in contacts], self.clock.now())
        if not contacts:
            del self.subscriptions[key]
        return 200, self._answer(contacts)

    def read(self, key: str, sequence: str | None) -> tuple[int, dict[str, Any]]:
        """Answer in full, or what changed since `sequence`; one that is not known is answered in full."""
        self.asked.append(("GET", sequence is not None))
        found = self.subscriptions.get(key)
        if found is None or self.clock.now() - found.asked_at > self.timeout:
            self.subscriptions.pop(key, None)
            return 404, {}
        found.asked_at = self.clock.now()
        if sequence is None or not sequence.isdigit() or int(sequence) > self._version:
            return 200, self._answer(found.contacts)
        since = int(sequence)
        return 200, self._answer([c for c in found.contacts if self._changed_at.get(bare(c), 0) > since])

    def _answer(self, contacts: list[str]) -> dict[str, Any]:
        shown = [{"id": contact, "availability": self._availability(contact)} for contact in contacts]
        shapes: dict[str, dict[str, Any]] = {
            "number": {"sequence": self._version},
            "text": {"sequence": str(self._version)},
            "missing": {},
        }
        return {**shapes[self.oddities.sequence_as], "contacts": shown}

    def _availability(self, contact: str) -> int:
        return -1 if bare(contact) in self.oddities.unknown else self.backend.get(contact)[0]

"""The Presence lookup service: one subscription for many people, read by key, all of them or what has changed.

The one rule: what an answer does not mention has not changed; only a number says something about a person.
Source: bems.md §7.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from presence_syncd.connectors.bems.settings import BemsSettings
from presence_syncd.connectors.bems.wire import UNKNOWN_RAW, presence_name, same_contact, status_of
from presence_syncd.connectors.flow import Flow, Reply, Request, expect, json_body
from presence_syncd.core.entry import Observation

REALM = "lookup"
"""The realm whose token these requests carry."""
SWEEP_SIZE = 100
"""People one subscription holds; no limit is documented."""
FULL_EVERY = 10
"""Every so many readings all are asked for, not only what has changed."""
ALARM_AFTER = 5
"""Readings in a row in which a person is unknown to the service, until that is counted as an alarm."""


@dataclass(slots=True)
class Subscription:
    """One subscription: its key, whom it holds, and where the last answer ended. `sequence` None: ask for all."""

    key: str
    contacts: frozenset[str]
    is_made: bool = False
    sequence: str | None = None
    readings: int = 0


class Lookup:
    """The subscriptions of one service. `counters` counts what is odd, `missing` people unknown, in a row."""

    def __init__(self, settings: BemsSettings, counters: Counter[str]) -> None:
        self._settings, self.counters = settings, counters
        self._subscriptions: list[Subscription] = []
        self.missing: Counter[str] = Counter()

    def read(self, contacts: Sequence[str]) -> Flow[dict[str, Observation]]:
        """Read some people; returns those the answer mentions. Raises what `expect` raises."""
        subscription = self._subscription(frozenset(same_contact(contact) for contact in contacts))
        if not subscription.is_made:
            return (yield from self._subscribe(subscription))
        reply: Reply = yield self._asking(subscription)
        if 400 <= reply.status < 500 and reply.status not in (401, 403, 408, 423, 425, 429):
            self.counters["resubscribed"] += 1
            return (yield from self._subscribe(subscription))
        return self._taken(subscription, expect(reply, 200))

    def read_one(self, contact: str) -> Flow[Observation | None]:
        """Read one person, with a subscription of their own that is given back at once."""
        alone = Subscription(self._key(contact, "one"), frozenset({same_contact(contact)}))
        seen = yield from self._subscribe(alone)
        yield self._subscribing(alone.key, [])
        return seen.get(same_contact(contact))

    def _subscription(self, contacts: frozenset[str]) -> Subscription:
        """Find the subscription of these people, or the one to replace by it, or make one."""
        overlapping = (s for s in self._subscriptions if s.contacts & contacts)
        found = next((s for s in self._subscriptions if s.contacts == contacts), None) or next(overlapping, None)
        if found is None:
            found = Subscription(self._key(min(contacts), str(len(self._subscriptions))), contacts)
            self._subscriptions.append(found)
        if found.contacts != contacts:
            found.contacts, found.is_made = contacts, False
        return found

    def _key(self, contact: str, part: str) -> str:
        """A key that is unique, the same after a restart, and tells nobody anything."""
        return hashlib.sha256(f"{self._settings.device} {part} {contact}".encode()).hexdigest()[:32]

    def _subscribe(self, subscription: Subscription) -> Flow[dict[str, Observation]]:
        subscription.is_made, subscription.sequence, subscription.readings = False, None, 0
        reply = expect((yield self._subscribing(subscription.key, sorted(subscription.contacts))), 200, 201)
        subscription.is_made = True
        return self._taken(subscription, reply)

    def _taken(self, subscription: Subscription, reply: Reply) -> dict[str, Observation]:
        """Take an answer: remember where it ended, and who it mentions."""
        data = reply.json_object()
        sequence = data.get("sequence")
        text = str(sequence) if isinstance(sequence, str | int) and not isinstance(sequence, bool) else ""
        subscription.sequence = text if text and text.isprintable() else None  # no URL carries any other
        subscription.readings += 1
        entries = data.get("contacts")
        found = (_entry(entry) for entry in (entries if isinstance(entries, list) else []))
        wanted = {contact: name for contact, name in found if contact in subscription.contacts}
        self._count_missing(wanted)
        return {
            contact: Observation(status_of(name), name, reply.started_at, reply.at) for contact, name in wanted.items()
        }

    def _count_missing(self, names: Mapping[str, str]) -> None:
        for contact, name in names.items():
            self.missing[contact] = self.missing[contact] + 1 if name == UNKNOWN_RAW else 0
            if self.missing[contact] == ALARM_AFTER:
                self.counters["unknown-contact"] += 1

    def _asking(self, subscription: Subscription) -> Request:
        url = f"{self._settings.lookup_url}/presence/subscriptions/{subscription.key}"
        if subscription.sequence is not None and subscription.readings % FULL_EVERY:
            url += f"?sequence={quote(subscription.sequence, safe='')}"
        return Request("GET", url, "lookup", headers=self._headers(), realm=REALM)

    def _subscribing(self, key: str, contacts: list[str]) -> Request:
        url, body = f"{self._settings.lookup_url}/presence/subscriptions", {"contacts": contacts, "notify": key}
        headers = {**self._headers(), "content-type": "application/json"}
        return Request("POST", url, "subscribe", headers=headers, body=json_body(body), realm=REALM)

    def _headers(self) -> dict[str, str]:
        device = self._settings.device
        return {"accept": "application/json", "x-good-deviceid": device, "x-good-presence-version": "1.0.0"}


def _entry(entry: Any) -> tuple[str, str]:
    """Read one contact: (id as compared, name); an entry that is none has an id nobody has."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str):
        return "", UNKNOWN_RAW
    return same_contact(entry["id"]), presence_name(entry.get("availability"))

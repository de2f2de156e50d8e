"""All that decisions are made from: the rules, and one account's view.

The one rule: a view is a value; whoever changes it makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from presence_syncd.core.entry import Entry
from presence_syncd.core.presence import Status
from presence_syncd.core.values import Value, replace


class Direction(StrEnum):
    """Which way a link carries: `read` only makes words, `write` only shows them."""

    BOTH = "both"
    READ = "read"
    WRITE = "write"

    @property
    def reads(self) -> bool:
        """Whether what is said there counts."""
        return self is not Direction.WRITE

    @property
    def writes(self) -> bool:
        """Whether we may write there."""
        return self is not Direction.READ


class Compose(StrEnum):
    """How the words of several domains become one status."""

    LATEST = "latest"
    PRIORITY = "priority"
    BUSIEST = "busiest"


class Rules(Value, frozen=True):
    """One account's policy. Times in seconds.

    `settle`       least time between two changes written to one domain: what comes faster is written as one;
    `settle_fade`  how long idle, away or gone must last, where a service made it by itself, before it is mirrored;
    `idle_away`    idle is mirrored as away instead of being dropped;
    `offline_away` "no client there" is mirrored as away instead of holding what is shown;
    `notes`        notes are mirrored too;
    `evidence`     how old a proof that the person is there may be;
    `grace`        how long to wait at the start for domains that cannot be read;
    `most_writes`  in one minute to one domain, and
    `most_answers` words that come right after a write of ours, in one minute: more freezes the account for `freeze`.
    """

    compose: Compose = Compose.LATEST
    priority: tuple[str, ...] = ()
    settle: float = 2.0
    settle_fade: float = 30.0
    idle_away: bool = False
    offline_away: bool = False
    notes: bool = False
    evidence: float = 900.0
    grace: float = 60.0
    most_writes: int = 30
    most_answers: int = 20
    freeze: float = 300.0


class Pin(Value, frozen=True):
    """A status set from above: whatever the services say, until `until` (daemon's seconds)."""

    status: Status
    until: float
    reason: str = ""
    by: str = ""


_EMPTY = Entry()


class View(Value, frozen=True):
    """One account. `entries` are in the order in which its links are configured.

    In daemon's seconds: `started_at`, and `gone_at`, when it was taken out of the configuration (None: it is there).
    """

    entries: Mapping[str, Entry] = msgspec.field(default_factory=dict)
    started_at: float = 0.0
    pin: Pin | None = None
    paused: bool = False
    frozen_until: float = 0.0
    gone_at: float | None = None

    def entry(self, domain: str) -> Entry:
        """What is known of a domain; of one that nothing was heard of yet, nothing."""
        return self.entries.get(domain, _EMPTY)

    def put(self, domain: str, entry: Entry) -> View:
        """The view with one entry replaced."""
        return replace(self, entries={**self.entries, domain: entry})

    def proving(self, domain: str, now: float, evidence: float) -> tuple[str, ...]:
        """The domains that prove to `domain` that the person is there, and awake."""
        entries = self.entries.items()
        return tuple(name for name, entry in entries if name != domain and entry.is_proof(domain, now, evidence))

    def pin_at(self, now: float) -> Pin | None:
        """The pin, while it lasts."""
        return self.pin if self.pin and now < self.pin.until else None

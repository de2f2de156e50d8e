"""Decision: what to do for one link now, and why; and what of the link that depends on.

The one rule: there is a reason for every outcome, for doing nothing too, and `explain` has a sentence for each.
"""

from __future__ import annotations

from enum import StrEnum

from presence_syncd.core.presence import Status
from presence_syncd.core.values import Value
from presence_syncd.core.view import Direction
from presence_syncd.core.vocabulary import Vocabulary


class Reason(StrEnum):
    """Why something is, or is not, written. One for every outcome."""

    READ_ONLY = "read-only"  # the link's direction
    STANDBY = "standby"  # another door of the domain writes
    PAUSED = "paused"
    UNREAD = "unread"  # waiting until everything was read once, or for long if this was not
    NOTHING_SAID = "nothing-said"
    BACKOFF = "backoff"  # the link is in trouble until `requeue_at`
    REFUSED = "refused"  # the service refuses this word for good
    HELD = "held"  # nobody is there, and policy holds what is shown
    UNSAYABLE = "unsayable"  # the service has no word for it
    OWN_WORD = "own-word"  # it is what the person said here
    IN_SYNC = "in-sync"
    ABSENT = "absent"  # written, but no client of the person is there to show it
    FADED = "faded"  # no proof that the person is there: left to fade
    CONFIRMING = "confirming"  # accepted, not seen yet
    SHADOWED = "shadowed"  # accepted, but something of higher rank is shown
    SETTLING = "settling"  # changes come too fast to write each
    FROZEN = "frozen"  # something makes a loop
    CHANGE = "change"
    LET_GO = "let-go"  # no proof that the person is there, where nothing fades: turned to away
    RETRY = "retry"
    REWRITE = "rewrite"
    REFRESH = "refresh"
    RETRACT = "retract"


WRITES = frozenset({Reason.CHANGE, Reason.LET_GO, Reason.RETRY, Reason.REWRITE, Reason.REFRESH})
"""Reasons that publish."""


class Decision(Value, frozen=True):
    """What to do for one link.

    `word` is set for the reasons of `WRITES`; `requeue_at` is when to decide again at the latest (daemon seconds; None:
    when something changes). With `RETRACT` go `overridden`: the person replaced what we published; and `hidden`:
    available, chosen there, hides it.
    """

    reason: Reason
    word: str | None = None
    status: Status | None = None
    note: str | None = None
    requeue_at: float | None = None
    overridden: bool = False
    hidden: bool = False

    def says(self, vocabulary: Vocabulary) -> bool:
        """Whether the word says the status, instead of letting go what nobody has proven."""
        return self.status is not None and self.word == vocabulary.word_for(self.status)


class Sink(Value, frozen=True):
    """What reconcile knows of a link besides the view. `retry_at` is the end of a back-off (daemon's seconds).

    `refused` is a word the service refuses for good, not tried again before `refused_until`. `fades`: it shows by
    itself when nobody is there any more. `wakes`: who is not awake there seems so for a while when we write available.
    """

    domain: str
    vocabulary: Vocabulary
    direction: Direction = Direction.BOTH
    writer: bool = True
    leased: bool = False
    fades: bool = True
    wakes: bool = False
    notes: bool = False
    retry_at: float = 0.0
    refused: str | None = None
    refused_until: float = 0.0

"""What is known of one presence domain of one account: what it shows, whose word that is, what we wrote there.

The one rule: these are values. They change only by `observe` (something was read) and `publication` (something was
written), and a whole account can be rebuilt from them after a restart.
"""

from __future__ import annotations

from enum import StrEnum

from presence_syncd.core.presence import Activity, Availability, Status
from presence_syncd.core.values import Value, replace


class Kind(StrEnum):
    """What an observation was found to be when it arrived."""

    OWN = "own"  # the person said so
    ECHO = "echo"  # it shows because we wrote, or took back, something
    DECAY = "decay"  # the service changed it by itself: idle, away, gone, lapsed
    STALE = "stale"  # older than what is known
    UNKNOWN = "unknown"  # the service does not know
    SAME = "same"  # nothing changed; a proof of life


class Observation(Value, frozen=True):
    """What one reading showed, and how fresh it is.

    `started_at` and `at` are the daemon's seconds: when the request that brought it left (for a pushed event: when it
    came), and when it arrived. `order` is the service's own version of the object (compared only with its like),
    `changed_at` the Unix time at which the service says it was set; both None where the service does not tell.
    `raw` is the service's own word for it, for people to read. `by_signing_in`: it shows because we signed in.
    """

    status: Status
    raw: str
    started_at: float
    at: float
    note: str | None = None
    order: int | str | None = None
    changed_at: float | None = None
    by_signing_in: bool = False


class Word(Value, frozen=True):
    """What the person said in one domain, and when (daemon's seconds).

    `initial` marks a word that was already there at the first reading: nobody knows when it was said. `faded` is what
    the service made of it by itself since `faded_at`: idle, away, or gone. `gone`: before that nobody was there for
    long; who comes back may rest first.
    """

    status: Status
    at: float
    initial: bool = False
    faded: Status | None = None
    faded_at: float = 0.0
    gone: bool = False

    def was_gone(self, now: float, settle: float) -> bool:
        """Whether nobody was there for `settle` seconds since it was said."""
        is_gone = self.faded is not None and self.faded.is_absent
        return self.gone or (is_gone and now >= self.faded_at + settle)

    def effective(self, now: float, settle: float) -> Status:
        """The word, or what it faded to once that has lasted `settle` seconds."""
        if self.faded is not None and now >= self.faded_at + settle:
            return self.faded
        return self.status

    def faded_to(self, seen: Status, now: float, settle: float) -> Word:
        """What the service made of it laid over it, keeping in mind that nobody was there for `settle` seconds."""
        return replace(self, faded=seen, faded_at=now, gone=self.was_gone(now, settle))

    def as_said(self) -> Word:
        """The word without what became of it."""
        return replace(self, faded=None, faded_at=0.0, gone=False)


class Publication(Value, frozen=True):
    """One write of ours. It is noted before its request goes out, so that no echo can come before it.

    `substitute` is what was written where the service refused `word` itself. `before` holds what the service may still
    show instead of it until `visible_by`. `accepted_at` is None while the request is out or after it failed;
    `confirmed_at` None until it was read back. A try of unknown outcome may be done as late as `late_until`, one that
    failed for good (`settled`) is not. A lease has an `expires_at`. `version` is the service's of what was there
    before. `overridden`: the person said something else after it was noted; `taken_back`: we withdrew it; `left_until`:
    we signed out, and if that was not heard it is over by then; `restores`: it only says again what the person said in
    this very place, as after a pin, and what it shows is theirs; `hides_rest`: it shows although they rest. `change`
    names what it was written for.
    """

    word: str
    status: Status
    at: float
    visible_by: float
    before: frozenset[Status] = frozenset()
    note: str | None = None
    substitute: str | None = None
    accepted_at: float | None = None
    confirmed_at: float | None = None
    returned: Status | None = None
    order: int | str | None = None
    version: int | str | None = None
    refresh_at: float | None = None
    expires_at: float | None = None
    late_until: float = 0.0
    attempt: int = 0
    rewrites: int = 0
    failed: bool = False
    settled: bool = False
    overridden: bool = False
    taken_back: bool = False
    left_until: float | None = None
    restores: bool = False
    hides_rest: bool = True
    change: str = ""

    @property
    def written(self) -> str:
        """The word that was really written."""
        return self.substitute or self.word

    def may_show(self, now: float) -> bool:
        """Whether what is shown can be because of this: it stands, or it may still come late."""
        stands = not (self.overridden or self.taken_back or self.settled)
        return stands or self.is_awaited(now) or now < self.late_until

    @property
    def gone_by(self) -> float:
        """When it is in sight at the latest, if it comes at all; one that stands no more is out of sight by then."""
        return max(self.visible_by, self.late_until)

    def is_over(self, now: float) -> bool:
        """Whether we have signed out so long ago that it cannot be shown any more, but for what it faded to."""
        return self.left_until is not None and now >= self.left_until

    def is_awaited(self, now: float) -> bool:
        """Whether it was not seen yet and may still come."""
        return self.confirmed_at is None and now < self.visible_by

    def is_nearly_due(self, now: float) -> bool:
        """Whether it is renewed as soon as the person's state was read afresh."""
        if self.refresh_at is None or self.accepted_at is None:
            return False
        return now >= self.refresh_at - min(AHEAD, (self.refresh_at - self.accepted_at) / 10)

    def holds(self, now: float) -> bool:
        """Whether the service still keeps a lease because of this."""
        return self.expires_at is not None and now < self.expires_at


class Entry(Value, frozen=True):
    """One domain of one account.

    `shown` is what it showed last, read by a request that left at `shown_from`; `mine` says that it shows so because of
    us; `beneath` is the last thing it showed that was not ours; `left` is what it showed because of us when the last
    client of the person went, while none is there. `live_at` is the last proof that the feed works; `is_unknown` says
    that so far the service did not know what it shows. `writes` and `answers` are the times, within the last minute, of
    our writes and of words that came right after one of them.
    `foretold` is what it may show until `foretold_until` because one of its doors signed in. Until `vouched_until` it
    may show them awake, where they rested, because we reported activity; the domains `vouched_by` were the proof of it.
    `hidden_at` is when a session of ours was ended because available, chosen there, hid it, and nothing proved them.
    """

    shown: Status | None = None
    raw: str = ""
    shown_at: float = 0.0
    shown_from: float = 0.0
    order: int | str | None = None
    mine: bool = False
    beneath: Status | None = None
    left: Status | None = None
    live_at: float | None = None
    is_unknown: bool = False
    word: Word | None = None
    publication: Publication | None = None
    earlier: tuple[Publication, ...] = ()
    writes: tuple[float, ...] = ()
    answers: tuple[float, ...] = ()
    note: str | None = None
    note_word: str | None = None
    note_at: float = 0.0
    foretold: Status | None = None
    foretold_until: float = 0.0
    vouched_by: frozenset[str] = frozenset()
    vouched_until: float = 0.0
    hidden_at: float | None = None

    def publications(self, now: float) -> tuple[Publication, ...]:
        """Those that may matter: the present one first, then earlier ones that are not overdue."""
        present = (self.publication,) if self.publication else ()
        return present + tuple(p for p in self.earlier if now < p.gone_by)

    def may_cause(self, publication: Publication, now: float) -> bool:
        """Whether what is shown now can be because of a publication."""
        return publication.may_show(now) and not self._never_came(publication) and not self._has_ended(publication)

    def _never_came(self, publication: Publication) -> bool:
        """Whether a try failed, and what was read when it could not come any more showed something else.

        What we signed out of is told by `is_over`: a session that outlived its farewell shows late.
        """
        if publication.left_until is not None:
            return False
        unseen = publication.accepted_at is None and publication.confirmed_at is None
        return publication.failed and unseen and self.shown_from >= publication.gone_by

    def _has_ended(self, publication: Publication) -> bool:
        """Whether a lease is over, and something else has been read since: the same again is not ours."""
        end = publication.expires_at if publication.left_until is None else None
        return end is not None and self.shown_from >= end and not self.mine

    def is_off_work_of_ours(self) -> bool:
        """Whether what shows as gone is our word, which no client ends by coming."""
        p, shown = self.publication, self.shown
        stands = p is not None and p.confirmed_at is not None and p.expires_at is None and not p.overridden
        is_off_work = p is not None and p.status.activity is Activity.OFF_WORK
        return stands and is_off_work and shown is not None and shown.is_absent

    def has_replaced_word(self, now: float) -> bool:
        """Whether what they said was written over, by no lease: it does not come back when a client does, or they type.

        A write that could not be seen, for nobody was there to show it, is taken for done.
        """
        p, is_shown = self.publication, self.shown is not None and not self.shown.is_absent
        if p is None or p.expires_at is not None or p.overridden or p.restores:
            return False
        return p.confirmed_at is not None or (p.accepted_at is not None and now >= p.gone_by and not is_shown)

    def still_out(self, now: float) -> tuple[Publication, ...]:
        """Of the earlier ones those that matter although a later one was seen: it is not known if they were done."""
        return tuple(p for p in self.earlier if now < p.late_until or (p.taken_back and now < p.visible_by))

    def is_proof(self, domain: str, now: float, evidence: float) -> bool:
        """Whether it proves to `domain` that they are there: a live feed shows a state that is theirs, and not idle.

        What not every service lets fade (busy chosen in Teams, do not disturb, a meeting), and what is theirs but was
        put back by us, or woken because of `domain` alone, proves it no longer than the word itself is fresh.
        """
        shown = self.shown
        if shown is None or self.mine or not self.is_awake:
            return False
        if self.word is not None and self.word.faded is not None:  # we put back awake, after a pin, what had faded
            return False
        is_held_up = self._may_be_held_up() or (self.is_vouched and self.vouched_by <= {domain})
        fades = shown.availability is Availability.AVAILABLE and not is_held_up
        said = self.word is not None and now - self.word.at <= evidence
        return (fades or said) and self.is_live(now, evidence)

    def _may_be_held_up(self) -> bool:
        """Whether what shows may hide that they rest: put back by us, also where we are writing over that already."""
        p = self.publication
        is_written_over = p is not None and p.confirmed_at is None and not p.restores and self.shown_at <= p.at
        return self.is_put_back() or (is_written_over and p is not None and p.hides_rest and not p.overridden)

    def is_put_back(self) -> bool:
        """Whether we said their word here again, and nothing moved since: what is ours may hide that they rest."""
        p = self.publication
        if p is None or not p.restores or not p.hides_rest or p.overridden:
            return False
        return p.confirmed_at is None or self.shown_at <= p.confirmed_at

    @property
    def is_awake(self) -> bool:
        """Whether it shows somebody who is there, and not idle."""
        return self.shown is not None and self.shown.is_awake

    @property
    def is_vouched(self) -> bool:
        """Whether it may be awake only because we reported activity: no word woke it, and nothing was heard since."""
        is_said = self.word is not None and self.word.at == self.shown_at
        return not is_said and (self.live_at or 0.0) < self.vouched_until

    def is_live(self, now: float, evidence: float) -> bool:
        """Whether the feed was alive within the last `evidence` seconds."""
        return self.live_at is not None and now - self.live_at <= evidence


AHEAD = 20.0
"""Seconds before a renewal is due (at most a tenth of its time) in which it follows a reading, hiding nothing newer."""
IN_SIGHT = 20.0
"""Seconds after which a write that is done, and that nothing can hide, is seen; more would only be a client's delay."""


def is_idle_variant(one: Status, other: Status) -> bool:
    """Whether two statuses differ in nothing but idleness."""
    return one.awake == other.awake


def is_older(one: int | str | None, other: int | str | None) -> bool:
    """Whether version `one` is older than `other`; False where they cannot be compared."""
    if isinstance(one, int) and isinstance(other, int):
        return one < other
    if isinstance(one, str) and isinstance(other, str):
        return one < other
    return False

"""Explain: why an account is shown as it is, and why something is not written. The same facts the decisions use.

The one rule: nothing is decided here; every sentence belongs to a reason of `reconcile` or a rule of `compose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from presence_syncd.core.compose import BUSIEST, Composed, compose, wanted
from presence_syncd.core.decision import Decision, Reason, Sink
from presence_syncd.core.entry import Entry, Publication, Word
from presence_syncd.core.presence import PRESENT, Availability
from presence_syncd.core.proof import is_proven
from presence_syncd.core.values import Value
from presence_syncd.core.view import Compose, Rules, View

SENTENCES: dict[Reason, str] = {
    Reason.READ_ONLY: "the link's direction is read: nothing is ever written here",
    Reason.STANDBY: "another link of the same presence domain writes; this one would take over from it",
    Reason.PAUSED: "the account is paused: nothing is written until it is resumed",
    Reason.UNREAD: "not every service could be read since the start; nothing is written blindly",
    Reason.NOTHING_SAID: "no service has told a status yet",
    Reason.BACKOFF: "the last try failed; the next one waits",
    Reason.REFUSED: "the service refuses this word for good; it is tried again slowly, or when it changes",
    Reason.HELD: "no client of the person is there, and policy offline = hold leaves the last status standing",
    Reason.UNSAYABLE: "the service has no word for this status",
    Reason.OWN_WORD: "this is where the person said it, so there is nothing to write",
    Reason.IN_SYNC: "it shows what it should",
    Reason.ABSENT: "it is written, but no client of the person is there to show it",
    Reason.FADED: "nothing proves that the person is there, so nothing is claimed and the session is left to fade",
    Reason.CONFIRMING: "it was accepted; waiting until it can be read back",
    Reason.SHADOWED: "it was accepted, but the service shows something of higher rank; it is not written again",
    Reason.SETTLING: "it was written a moment ago; changes that come faster are written as one",
    Reason.FROZEN: "it was written more often than a person can cause: something makes a loop; frozen for a while",
    Reason.CHANGE: "the status changed; it is being written",
    Reason.LET_GO: "nothing proves that the person is there, and nothing fades here by itself: it is turned to away",
    Reason.RETRY: "the outcome of the last try is not known; it is being written again",
    Reason.REWRITE: "it does not show what was written; it is being written once more",
    Reason.REFRESH: "the session is being renewed before it ends",
    Reason.RETRACT: "what we published no longer holds; it is being taken back",
}
"""What each reason means, for people."""

RULES: dict[str, str] = {
    Compose.LATEST: "the newest word wins",
    Compose.BUSIEST: "the busiest word wins",
    Compose.PRIORITY: "the first of the list wins whose client is there",
    "pin": "a pin is above all words",
}
"""What each rule of composing means."""


class Told(Value, frozen=True):
    """One link as the engine knows it: what reconcile was given and what it decided.

    `trouble` is what is wrong, since `trouble_at`; it is tried again at `retry_at` (daemon's seconds).
    """

    service: str
    sink: Sink
    decision: Decision
    trouble: str = ""
    state: str = ""
    trouble_at: float = 0.0
    retry_at: float = 0.0


def explain(view: View, links: Sequence[Told], rules: Rules, now: float) -> dict[str, Any]:
    """The whole chain of one account as plain values; times are seconds ago or ahead, rounded."""
    composed = compose(view, rules, now)
    pin = view.pin_at(now)
    words = {domain: entry.word for domain, entry in view.entries.items() if entry.word}
    return {
        "status": _composed(words, composed, rules, now),
        "pin": {"status": str(pin.status), "for": round(pin.until - now), "reason": pin.reason, "by": pin.by}
        if pin
        else None,
        "paused": view.paused,
        "frozen_for": round(view.frozen_until - now) if view.frozen_until > now else None,
        "words": [_word(words, domain, composed, rules, now) for domain in words],
        "links": [_link(view, link, composed, rules, now) for link in links],
    }


def _composed(words: dict[str, Word], composed: Composed | None, rules: Rules, now: float) -> dict[str, Any] | None:
    if composed is None:
        return None
    word = words.get(composed.domain or "")
    return {
        "shown_as": str(wanted(composed.status, rules)),
        "said": str(composed.status),
        "in": composed.domain or "pin",
        "ago": _age(word, now) if word else None,
        "rule": composed.rule,
        "because": RULES[composed.rule],
        "other_words": [domain for domain in words if domain != composed.domain],
    }


def _age(word: Word, now: float) -> int | None:
    """Seconds since a word was said; None for one that was there at the first reading."""
    return None if word.initial else round(now - word.at)


def _word(words: dict[str, Word], domain: str, composed: Composed | None, rules: Rules, now: float) -> dict[str, Any]:
    word = words[domain]
    due = word.faded_at + rules.settle_fade - now
    return {
        "domain": domain,
        "said": str(word.status),
        "ago": _age(word, now),
        "faded_to": str(word.faded) if word.faded else None,
        "faded_ago": round(now - word.faded_at) if word.faded else None,
        "fade_counts_in": round(due, 1) if word.faded and due > 0 else None,
        "counts": composed is not None and composed.domain == domain,
        "because": _why_not(words, domain, composed, rules, now),
    }


def _why_not(words: dict[str, Word], domain: str, composed: Composed | None, rules: Rules, now: float) -> str | None:
    """Why a word is not the one that counts; None if it is."""
    if composed is None or composed.domain == domain:
        return None
    if composed.domain is None:
        return RULES["pin"]
    word, winner = words[domain], words[composed.domain]
    if rules.compose is Compose.BUSIEST:
        return _less_busy(word, winner, rules, now)
    if rules.compose is Compose.PRIORITY and composed.domain in rules.priority:
        return _later_in_the_list(word, domain in rules.priority, rules, now)
    return _less_new(word, winner)


def _less_busy(word: Word, winner: Word, rules: Rules, now: float) -> str:
    rank, first = (BUSIEST.index(w.effective(now, rules.settle_fade).availability) for w in (word, winner))
    return "it is less busy" if rank > first else "it is as busy, but not newer"


def _later_in_the_list(word: Word, is_listed: bool, rules: Rules, now: float) -> str:
    if not is_listed:
        return "it is not in the list of priority"
    if word.effective(now, rules.settle_fade).is_absent:
        return "no client of the person is there"
    return "it stands later in the list of priority"


def _less_new(word: Word, winner: Word) -> str:
    if not word.initial:
        return "it is older"
    if not winner.initial:
        return "it was there before the first reading, so the other is newer"
    if word.status.is_absent or word.status.idle:
        return "it says only that nobody is there"
    return "both were there before the first reading; the later, or else the first in the file, counts"


def _link(view: View, link: Told, composed: Composed | None, rules: Rules, now: float) -> dict[str, Any]:
    entry = view.entry(link.sink.domain)
    words = link.sink.vocabulary
    status = wanted(composed.status, rules) if composed else None
    wants = words.word_for(status) if status else None
    return {
        "service": link.service,
        "domain": link.sink.domain,
        "direction": str(link.sink.direction),
        "shows": str(entry.shown) if entry.shown else None,
        "raw": entry.raw,
        "shown_ago": round(now - entry.shown_at) if entry.shown else None,
        "heard_ago": round(now - entry.live_at, 1) if entry.live_at is not None else None,
        "whose": _whose(entry),
        "beneath": str(entry.beneath) if entry.mine and entry.beneath else None,
        "wants": wants,
        "is_nearest": wants is not None and words.reads.get(wants, status) != status,
        "shows_it": wants is not None and entry.shown is not None and words.is_echo(wants, entry.shown),
        "reason": str(link.decision.reason),
        "because": SENTENCES[link.decision.reason],
        "written": _written(entry.publication, now),
        "proven": is_proven(view, composed, link.sink.domain, rules, now) if composed else None,
        "proof": _proof(view, link.sink, composed, rules, now) if composed else None,
        "next": _ahead(link.decision.requeue_at, now),
        "trouble": link.trouble or None,
        "trouble_for": round(now - link.trouble_at) if link.trouble else None,
        "trouble_again_in": _ahead(link.retry_at, now) if link.trouble else None,
        "state": link.state or None,
    }


def _ahead(at: float | None, now: float) -> float | None:
    """Seconds until `at`; None if there is none, or it is over."""
    return round(at - now, 1) if at is not None and at > now else None


def _whose(entry: Entry) -> str:
    if entry.shown is None or entry.shown.is_absent:
        return "nobody's"
    return "ours" if entry.mine else "the person's"


def _written(published: Publication | None, now: float) -> dict[str, Any] | None:
    if published is None:
        return None
    return {
        "word": published.written,
        "instead_of": published.word if published.substitute else None,
        "ago": round(now - published.at),
        "accepted": published.accepted_at is not None,
        "failed": published.failed,
        "seen": published.confirmed_at is not None,
        "ends_in": round(published.expires_at - now) if published.expires_at is not None else None,
        "renewed_in": _ahead(published.refresh_at, now),
        "taken_back": published.taken_back,
        "replaced_by_person": published.overridden,
        "change": published.change or None,
    }


def _proof(view: View, sink: Sink, composed: Composed, rules: Rules, now: float) -> str:
    """What proves that the status is still true there, or what is missing."""
    availability = wanted(composed.status, rules).availability
    is_free = availability is not Availability.AVAILABLE or (sink.fades and not sink.wakes)
    if not sink.leased and is_free:
        return "not needed: what is written here holds by itself"
    if composed.domain is None:
        return "not needed: a pin proves itself"
    if availability not in PRESENT:
        return f"not needed: {availability} claims nothing that could become false"
    if availability is Availability.AVAILABLE:
        return _seen_there(view, sink.domain, rules, now)
    return _heard(view.entries[composed.domain], composed.domain, rules, now)


def _seen_there(view: View, domain: str, rules: Rules, now: float) -> str:
    """Which other domains show the person there and awake."""
    proving = view.proving(domain, now, rules.evidence)
    if not proving:
        return (
            f"missing: no other service has shown the person there, and awake, in the last {rules.evidence / 60:g} min"
        )
    return f"{' and '.join(proving)} show{'s' if len(proving) == 1 else ''} the person there"


def _heard(entry: Entry, domain: str, rules: Rules, now: float) -> str:
    """Whether the feed of the word itself is alive."""
    if entry.is_live(now, rules.evidence):
        return f"{domain}, where it was said, is heard"
    return f"missing: {domain}, where it was said, has not been heard in the last {rules.evidence / 60:g} min"

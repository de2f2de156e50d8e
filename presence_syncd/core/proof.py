"""Proof: whether what we show is still true, and whether it was all the time.

The one rule: nobody is kept present who is gone; what was let go for want of proof is begun anew, not renewed.
"""

from __future__ import annotations

from presence_syncd.core.compose import Composed, compose, wanted
from presence_syncd.core.decision import Sink
from presence_syncd.core.entry import Publication
from presence_syncd.core.presence import AVAILABLE, AWAY, PRESENT, Availability, Status
from presence_syncd.core.revealed import SOON
from presence_syncd.core.unfading import is_still_theirs
from presence_syncd.core.view import Direction, Rules, View


def is_proven(view: View, composed: Composed, domain: str, rules: Rules, now: float) -> bool:
    """Whether what we are about to keep showing in `domain` is still true.

    A pin proves itself. Available needs another domain that shows the person there, awake, on a live feed. Busy and do
    not disturb need the feed of the word itself to be live. Away and the like claim nothing that could become false.
    """
    availability = wanted(composed.status, rules).availability
    if composed.domain is None or availability not in PRESENT:
        return True
    if availability is Availability.AVAILABLE:
        return bool(view.proving(domain, now, rules.evidence))
    source = view.entries.get(composed.domain)
    return source is not None and source.is_live(now, rules.evidence)


def to_sign_in_as(view: View, domain: str, direction: Direction, rules: Rules, now: float) -> Status | None:
    """What to begin a session with where one must begin with a status: what shows there, or else what is to show.

    No word says idle: as away, where nothing is written that would correct it. Nor is anything claimed without proof.
    """
    shown = view.entries[domain].shown
    if shown is not None and not shown.is_absent:
        return AWAY if shown.idle and not direction.writes else shown
    if (composed := compose(view, rules, now)) is None:
        return None
    return wanted(composed.status, rules) if is_proven(view, composed, domain, rules, now) else AWAY


def may_report(view: View, composed: Composed, domain: str, rules: Rules, now: float) -> bool:
    """Whether activity may be reported in `domain`, which keeps the person from being shown idle there.

    Away needs no proof to be shown, but is none of activity either. Where they show what is theirs, which proves them
    to others, they must be proven by others: do not disturb, said elsewhere, would keep that up as long as it is read.
    """
    if wanted(composed.status, rules).availability not in PRESENT or not is_proven(view, composed, domain, rules, now):
        return False
    is_theirs = not view.entries[domain].mine and composed.domain is not None
    return not is_theirs or bool(view.proving(domain, now, rules.evidence))


def may_claim(view: View, composed: Composed, word: str | None, sink: Sink, rules: Rules, now: float) -> bool:
    """Whether a word may be written: what nobody has proven is claimed neither by a lease nor where nothing fades.

    Nor where it would wake who is not awake, as it does whom Skype makes available (makeMeAvailable; ucwa sheet §5).
    """
    if sink.leased:
        return is_proven(view, composed, sink.domain, rules, now) and not _was_hidden(view, composed, sink, rules, now)
    is_harmless = sink.fades and not (sink.wakes and not view.entry(sink.domain).is_awake)
    if is_harmless or word != sink.vocabulary.word_for(AVAILABLE) or is_still_theirs(view, composed, sink):
        return True
    is_news = now <= composed.at + rules.evidence and not _is_said_at_rest(view, composed)
    return is_news or is_proven(view, composed, sink.domain, rules, now)


def _is_said_at_rest(view: View, composed: Composed) -> bool:
    """Whether the word was idle when it was read first: then it is no sign of the person."""
    word = view.entry(composed.domain).word if composed.domain is not None else None
    return word is not None and word.status.idle


def holds_up_available(view: View, sink: Sink, rules: Rules, now: float) -> bool:
    """Whether available shows although a session of ours says something else, or has faded, and nothing proves them.

    It was chosen there, and shows as long as any session lasts (Graph's preferred state; graph sheet §2): if who chose
    it is gone, ours is the one.
    """
    entry = view.entry(sink.domain)
    ours, shown = entry.publication, entry.shown
    if not sink.leased or ours is None or ours.accepted_at is None or shown != AVAILABLE:
        return False
    is_said = sink.vocabulary.is_echo(ours.written, shown)
    in_sight = entry.shown_from >= (ours.expires_at or 0.0) + SOON if is_said else not ours.is_awaited(now)
    return in_sight and not view.proving(sink.domain, now, rules.evidence)


def _was_hidden(view: View, composed: Composed, sink: Sink, rules: Rules, now: float) -> bool:
    """Whether that was so the last time, and is still to be feared: there is no news, and nothing else shows."""
    entry = view.entry(sink.domain)
    if entry.hidden_at is None or composed.at > entry.hidden_at:
        return False
    is_past = entry.shown is not None and entry.shown != AVAILABLE and not entry.shown.is_absent
    return not is_past and not view.proving(sink.domain, now, rules.evidence)


def was_let_go(published: Publication, view: View, composed: Composed, domain: str, rules: Rules, now: float) -> bool:
    """Whether a lease of ours has ended when nobody needed it: what it says is said, or proven, only since then."""
    end = published.expires_at
    if end is None or now < end:
        return False
    needs_proof = wanted(composed.status, rules).availability is Availability.AVAILABLE
    proofs = view.proving(domain, now, rules.evidence)
    return composed.at > end or (needs_proof and all(view.entries[name].shown_at > end for name in proofs))

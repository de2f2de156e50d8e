"""Proof: whether what we show is still true, and whether it was all the time.

The one rule: nobody is kept present who is gone; what was let go for want of proof is begun anew, not renewed.
"""

from __future__ import annotations

from presence_syncd.core.compose import Composed, compose, wanted
from presence_syncd.core.decision import Sink
from presence_syncd.core.entry import PRESENT, Entry, Publication
from presence_syncd.core.presence import AVAILABLE, AWAY, Availability, Status
from presence_syncd.core.revealed import SOON
from presence_syncd.core.view import Direction, Rules, View
from presence_syncd.core.vocabulary import Vocabulary

JUST_SAID = 30.0
"""Seconds for which who has said something has not begun to rest."""


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


def kept_until(view: View, composed: Composed, sink: Sink, rules: Rules, now: float) -> float | None:
    """When what shows them as there, because of us and where nothing fades, is let go: some time after their last sign.

    None: there is nothing to let go. Busy is held when they leave, as policy may have it; available is not.
    """
    entry, status = view.entries.get(sink.domain, Entry()), wanted(composed.status, rules)
    if sink.fades or composed.domain is None or not entry.is_awake:
        return None
    is_green = entry.shown is not None and entry.shown.availability is Availability.AVAILABLE
    is_false = is_green if status.is_absent else status.availability is Availability.AVAILABLE
    is_theirs = composed.domain == sink.domain
    if not is_false or not (_lies_over_rest(entry, sink.vocabulary) if is_theirs else entry.mine):
        return None
    last = _last_sign(view, composed, sink.domain, rules, now)
    return rules.evidence + (max(last, _last_seen_here(entry, sink.vocabulary)) if is_theirs else last)


def _lies_over_rest(entry: Entry, vocabulary: Vocabulary) -> bool:
    """Whether what shows because of us may hide, or hides, that they rest who said the word there."""
    return _says_it_again(entry, vocabulary) or (entry.mine and entry.word is not None and entry.word.faded is not None)


def _says_it_again(entry: Entry, vocabulary: Vocabulary) -> bool:
    """Whether available shows for we said their own word again, or one like it from elsewhere, perhaps over rest."""
    ours = entry.publication
    if entry.is_put_back() or ours is None:
        return entry.is_put_back()
    is_ours = entry.mine and entry.shown == AVAILABLE and vocabulary.is_echo(ours.written, AVAILABLE)
    return is_ours and ours.hides_rest and not ours.overridden


def _last_seen_here(entry: Entry, vocabulary: Vocabulary) -> float:
    """When their own word there began to rest, or was said again by us; what else shows there is our doing."""
    said_at = entry.publication.at if entry.publication and _says_it_again(entry, vocabulary) else 0.0
    return max(said_at, entry.word.faded_at if entry.word else 0.0)


def _last_sign(view: View, composed: Composed, domain: str, rules: Rules, now: float) -> float:
    """When something said last that the person is there: their word, a proof, or the moment in which one ended.

    What ended where ours showed was none.
    """
    proving = view.proving(domain, now, rules.evidence)
    others = ((name, entry) for name, entry in view.entries.items() if name != domain)
    theirs = ((name, entry) for name, entry in others if not entry.mine and entry.left is None)
    signs = ((entry.live_at or 0.0) if name in proving else entry.shown_at for name, entry in theirs)
    return max((composed.at, *signs))


def may_claim(view: View, composed: Composed, word: str | None, sink: Sink, rules: Rules, now: float) -> bool:
    """Whether a word may be written: what nobody has proven is claimed neither by a lease nor where nothing fades."""
    if sink.leased:
        return is_proven(view, composed, sink.domain, rules, now) and not _was_hidden(view, composed, sink, rules, now)
    if sink.fades or word != sink.vocabulary.word_for(AVAILABLE):
        return True
    entry = view.entries.get(sink.domain, Entry())
    if composed.domain == sink.domain and not (_rests(entry, sink.vocabulary) or _is_let_go(entry, composed, sink)):
        return True
    return now <= composed.at + rules.evidence or is_proven(view, composed, sink.domain, rules, now)


def _is_let_go(entry: Entry, composed: Composed, sink: Sink) -> bool:
    """Whether what we wrote there is not the word for the status it was written for, and nothing was said since."""
    ours = entry.publication
    return ours is not None and ours.word != sink.vocabulary.word_for(ours.status) and composed.at <= ours.at


def may_hide_rest(entry: Entry, now: float, *, fades: bool) -> bool:
    """Whether what is written there now, and shows as awake, may hide that they rest.

    Where nothing fades by itself what shows tells, so long as it has been awake, or theirs, all the time.
    """
    ours, word, shown = entry.publication, entry.word, entry.shown
    if fades or shown is None or shown.idle:
        return True
    if word is not None and word.faded is None and now - word.at < JUST_SAID:
        return False
    is_ours = entry.mine or entry.is_put_back()
    return not entry.is_awake or (is_ours and (ours is None or ours.hides_rest))


def _rests(entry: Entry, vocabulary: Vocabulary) -> bool:
    """Whether what shows tells that nobody types there; what we wrote ourselves does not, but may lie over rest."""
    ours = entry.publication
    is_ours = ours is not None and entry.shown is not None and vocabulary.is_echo(ours.written, entry.shown)
    rests_visibly = entry.shown is not None and not entry.is_awake and not is_ours
    return rests_visibly or (entry.mine and entry.word is not None and entry.word.faded is not None)


def holds_up_available(view: View, sink: Sink, rules: Rules, now: float) -> bool:
    """Whether available shows although a session of ours says something else, or has faded, and nothing proves them.

    It was chosen there, and shows as long as any session lasts (Graph's preferred state; graph sheet §2): if who chose
    it is gone, ours is the one.
    """
    entry = view.entries.get(sink.domain, Entry())
    ours, shown = entry.publication, entry.shown
    if not sink.leased or ours is None or ours.accepted_at is None or shown != AVAILABLE:
        return False
    is_said = sink.vocabulary.is_echo(ours.written, shown)
    in_sight = entry.shown_from >= (ours.expires_at or 0.0) + SOON if is_said else not ours.is_awaited(now)
    return in_sight and not view.proving(sink.domain, now, rules.evidence)


def _was_hidden(view: View, composed: Composed, sink: Sink, rules: Rules, now: float) -> bool:
    """Whether that was so the last time, and is still to be feared: there is no news, and nothing else shows."""
    entry = view.entries.get(sink.domain, Entry())
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

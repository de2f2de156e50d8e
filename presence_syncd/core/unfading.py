"""Unfading: a service, as BlackBerry, in which nothing fades by itself, so that what we say stands whoever is there.

The one rule: available is let go there some time after the last sign of the person; what shows tells of their rest only
where nothing of ours lies over it.
"""

from __future__ import annotations

from presence_syncd.core.compose import Composed, wanted
from presence_syncd.core.decision import Sink
from presence_syncd.core.entry import Entry
from presence_syncd.core.presence import AVAILABLE, Availability
from presence_syncd.core.view import Rules, View
from presence_syncd.core.vocabulary import Vocabulary

JUST_SAID = 30.0
"""Seconds for which who has said something has not begun to rest."""


def kept_until(view: View, composed: Composed, sink: Sink, rules: Rules, now: float) -> float | None:
    """When what shows them as there, because of us and where nothing fades, is let go: some time after their last sign.

    None: there is nothing to let go. Busy is held when they leave, as policy may have it; available is not.
    """
    entry = view.entry(sink.domain)
    if sink.fades or composed.domain is None or not entry.is_awake:
        return None
    status = wanted(composed.status, rules)
    is_green = entry.shown is not None and entry.shown.availability is Availability.AVAILABLE
    is_false = is_green if status.is_absent else status.availability is Availability.AVAILABLE
    is_theirs = composed.domain == sink.domain
    shows_ours = _lies_over_rest(entry, sink.vocabulary) if is_theirs else entry.mine or entry.is_put_back()
    if not is_false or not shows_ours:
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


def is_still_theirs(view: View, composed: Composed, sink: Sink) -> bool:
    """Whether the status is their own word there, which nothing says they rest under, and which was not let go."""
    entry = view.entry(sink.domain)
    if composed.domain != sink.domain:
        return False
    return not (_rests(entry, sink.vocabulary) or _is_let_go(entry, composed, sink))


def _is_let_go(entry: Entry, composed: Composed, sink: Sink) -> bool:
    """Whether what we wrote there is not the word for the status it was written for, and nothing was said since."""
    ours = entry.publication
    return ours is not None and ours.word != sink.vocabulary.word_for(ours.status) and composed.at <= ours.at


def _rests(entry: Entry, vocabulary: Vocabulary) -> bool:
    """Whether what shows tells that nobody types there; what we wrote ourselves does not, but may lie over rest."""
    ours = entry.publication
    is_ours = ours is not None and entry.shown is not None and vocabulary.is_echo(ours.written, entry.shown)
    rests_visibly = entry.shown is not None and not entry.is_awake and not is_ours
    return rests_visibly or (entry.mine and entry.word is not None and entry.word.faded is not None)


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

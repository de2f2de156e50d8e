"""Observe: settle whose word a reading is, at the moment it arrives.

The one rule: compare with what we may have caused (expected-read sets), never with what we would like to see. What we
did not cause, and the service does not do by itself, the person did.
"""

from __future__ import annotations

from math import nextafter

from presence_syncd.core.compose import Composed, said_elsewhere, wanted
from presence_syncd.core.entry import (
    IN_SIGHT,
    Entry,
    Kind,
    Observation,
    Publication,
    Word,
    is_idle_variant,
    is_older,
)
from presence_syncd.core.presence import Status
from presence_syncd.core.revealed import (
    has_come_back,
    has_stayed,
    is_answer_over,
    is_brought_back,
    is_by_signing_in,
    is_call_over,
    is_fade_of_shown,
    is_revealed,
    is_seen_to_be_over,
    is_what_was_left,
    lies_beneath,
    may_be_from_before,
    may_cause,
    says,
    stays_without_us,
    was_chosen,
    with_rest,
    without_replaced,
)
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction, Rules, View
from presence_syncd.core.vocabulary import Vocabulary

MINUTE = 60.0
RIGHT_AFTER = 10.0
"""Seconds after our write within which a word in the same place may be somebody's answer to it."""
VERSION_TRUSTED = 60.0
"""Seconds for which a lower version than the last one is taken for an old reading; after that it counts anew."""


def observe(
    view: View,
    domain: str,
    seen: Observation,
    vocabulary: Vocabulary,
    rules: Rules,
    direction: Direction = Direction.BOTH,
) -> tuple[View, Kind]:
    """Take one reading into the view, and say what it was found to be."""
    entry = view.entry(domain)
    if not seen.status.is_known:
        return view if entry.live_at is not None else view.put(domain, replace(entry, is_unknown=True)), Kind.UNKNOWN
    if seen.started_at < entry.shown_from or _is_old_version(entry, seen):
        return view, Kind.STALE
    elsewhere = planned = None
    if seen.status == entry.shown:
        kind = _kind_of_same(entry, seen, vocabulary)
    else:
        compared = direction.writes and entry.shown is not None  # or the order of the first readings would matter
        elsewhere = said_elsewhere(view, domain, seen, rules) if compared else None
        planned = vocabulary.word_for(wanted(elsewhere.status, rules)) if elsewhere else None
        kind = _kind(entry, seen, planned, vocabulary, rules)
    if kind is Kind.STALE:
        return view, kind
    after = _heed_note(_show(with_rest(entry, seen), seen, kind, vocabulary), seen, view.started_at, direction)
    if direction.reads:
        after = _heed(after, seen, kind, vocabulary, view.started_at, rules, first=entry.shown is None)
    if direction.reads and kind is Kind.ECHO and elsewhere and planned and vocabulary.is_echo(planned, seen.status):
        after = _agree(after, seen, view, elsewhere)
    return view.put(domain, after), kind


def _kind_of_same(entry: Entry, seen: Observation, vocabulary: Vocabulary) -> Kind:
    """Find out what a reading is that shows what was shown before, as nearly all do."""
    is_own = _is_chosen_again(entry, seen, vocabulary) or has_stayed(entry, seen, vocabulary)
    return Kind.OWN if is_own else Kind.SAME


def _kind(entry: Entry, seen: Observation, planned: str | None, vocabulary: Vocabulary, rules: Rules) -> Kind:
    """Find out what a reading is that shows something else. The order of the questions is the algorithm."""
    if _is_old_value(entry, seen):
        return Kind.STALE
    status, ours = seen.status, entry.publications(seen.at)
    may_show = [p for p in ours if may_cause(p, entry, seen, vocabulary)]
    if any(_says(p, status, vocabulary, seen.at) for p in may_show):
        return Kind.ECHO
    if planned is not None and vocabulary.is_echo(planned, status):
        return Kind.ECHO
    if is_by_signing_in(entry, seen) or is_what_was_left(entry, seen, vocabulary):
        return Kind.ECHO
    if any(vocabulary.is_faded_echo(p.written, status) for p in may_show):
        return Kind.DECAY
    if any(is_revealed(p, entry, seen, vocabulary) for p in ours) or is_brought_back(entry, seen, vocabulary):
        return Kind.ECHO
    return _own_or_faded(entry, seen, vocabulary, rules)


def _says(publication: Publication, status: Status, vocabulary: Vocabulary, now: float) -> bool:
    """Whether it is what a write of ours says, and we did not sign out too long ago for that."""
    return says(publication, status, vocabulary) and not publication.is_over(now)


def _is_old_version(entry: Entry, seen: Observation) -> bool:
    """Whether the service's own version says so; not believed for ever, since a service may count anew."""
    trusted = entry.live_at is not None and seen.started_at < entry.live_at + VERSION_TRUSTED
    return trusted and is_older(seen.order, entry.order)


def _is_old_value(entry: Entry, seen: Observation) -> bool:
    """Whether a value from before one of our writes is still shown, or was read before the write was done."""
    return any(
        seen.status in p.before
        and p.is_awaited(seen.at)
        and not is_older(p.order, seen.order)
        and (p.accepted_at is None or seen.started_at < p.accepted_at)
        for p in entry.publications(seen.at)
    )


def _is_chosen_again(entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether the person went back to what was shown before a write of ours, faster than we could see the write.

    Only a service with versions tells: the object has changed since, it looks as before, and nothing could hide the
    write. A while is given to writes that come into sight one after the other.
    """
    p = entry.publication
    return (
        p is not None
        and p.written in vocabulary.top
        and not vocabulary.is_echo(p.written, seen.status)
        and p.accepted_at is not None
        and p.confirmed_at is None
        and not p.overridden
        and seen.started_at >= p.accepted_at + IN_SIGHT
        and is_older(p.version, seen.order)
        and (seen.raw, seen.note or entry.note) == (entry.raw, entry.note)
    )


def _own_or_faded(entry: Entry, seen: Observation, vocabulary: Vocabulary, rules: Rules) -> Kind:
    """Tell the person's doing from the service's, where nothing of ours explains what is shown."""
    status, word = seen.status, entry.word
    if entry.shown is None:
        return Kind.OWN
    if status.is_absent or is_idle_variant(status, entry.shown):
        return Kind.DECAY
    if entry.mine and vocabulary.is_fade(entry.shown, status):  # whichever of our writes that was
        return Kind.DECAY
    if entry.mine or word is None or entry.has_replaced_word(seen.at):
        return Kind.OWN
    if vocabulary.is_fade(word.status, status):
        return Kind.DECAY
    if word.faded is not None and status == word.status and not was_chosen(entry, vocabulary):
        return Kind.OWN if word.was_gone(seen.at, rules.settle_fade) else Kind.DECAY
    return Kind.OWN


def _show(entry: Entry, seen: Observation, kind: Kind, vocabulary: Vocabulary) -> Entry:
    """Write down what is shown, and what that says of our own writes."""
    publication = _judge(entry, seen, kind, vocabulary)
    confirmed = publication is not None and publication.confirmed_at is not None
    mine = not seen.status.is_absent and _is_mine(entry, seen, kind, vocabulary)
    mine = mine or _is_ours_by_now(entry.publication, publication)
    earlier = entry.still_out(seen.at) if confirmed else entry.publications(seen.at)[bool(entry.publication) :]
    earlier = tuple(p for p in earlier if not is_seen_to_be_over(p, seen, vocabulary))
    return replace(
        entry,
        shown=seen.status,
        raw=seen.raw,
        shown_at=entry.shown_at if kind is Kind.SAME or has_stayed(entry, seen, vocabulary) else seen.at,
        shown_from=max(entry.shown_from, seen.started_at),
        order=seen.order if seen.order is not None else entry.order,
        live_at=seen.at,
        mine=mine,
        left=_left(entry) if seen.status.is_absent else None,
        beneath=lies_beneath(entry, seen, vocabulary, mine=mine),
        publication=publication,
        earlier=earlier if kind is not Kind.OWN else tuple(replace(p, before=frozenset()) for p in earlier),
    )


def _left(entry: Entry) -> Status | None:
    """What we wrote, and did not take back, and was shown until no client was left to show it."""
    return entry.shown if entry.mine and entry.publication else entry.left


def _is_mine(entry: Entry, seen: Observation, kind: Kind, vocabulary: Vocabulary) -> bool:
    """Whether a write of ours explains what is shown."""
    if kind is Kind.SAME:
        return entry.mine and not stays_without_us(entry, seen, vocabulary)
    if kind is Kind.DECAY and is_fade_of_shown(entry, seen.status, vocabulary):
        return entry.mine
    if is_by_signing_in(entry, seen) or is_what_was_left(entry, seen, vocabulary):
        return True
    if kind is Kind.ECHO and is_brought_back(entry, seen, vocabulary):
        return True
    return any(
        _says(p, seen.status, vocabulary, seen.at) or vocabulary.is_faded_echo(p.written, seen.status)
        for p in entry.publications(seen.at)
        if may_cause(p, entry, seen, vocabulary) and not p.restores
    )


def _is_ours_by_now(before: Publication | None, after: Publication | None) -> bool:
    """Whether a write was just found to be in effect that says what was shown all along: it proves nothing any more."""
    if before is None or after is None or after.overridden or after.restores:
        return False
    return before.confirmed_at is None and after.confirmed_at is not None


def _judge(entry: Entry, seen: Observation, kind: Kind, vocabulary: Vocabulary) -> Publication | None:
    """Confirm a write that can be read, or note that the person overrode it."""
    publication = entry.publication
    if publication is None:
        return None
    if is_answer_over(publication, seen.status, vocabulary, seen.at):
        publication = replace(publication, returned=None)
    if kind is Kind.OWN:  # what was there before cannot come back by itself any more
        seen_at = publication.confirmed_at or (seen.at if seen.status in publication.before else None)
        return replace(publication, overridden=True, before=frozenset(), confirmed_at=seen_at)
    shows = vocabulary.is_echo(publication.written, seen.status) and not seen.status.is_absent
    if not shows or not publication.may_show(seen.at) or seen.started_at < publication.at:
        return without_replaced(publication, entry, seen)
    if publication.is_awaited(seen.at) and may_be_from_before(publication, entry, seen):
        return publication
    return replace(publication, overridden=False, confirmed_at=publication.confirmed_at or seen.at, rewrites=0)


def _heed(
    entry: Entry, seen: Observation, kind: Kind, vocabulary: Vocabulary, start: float, rules: Rules, *, first: bool
) -> Entry:
    """Take a reading as the person's word, or as what became of it."""
    if kind is Kind.OWN and first:
        return replace(entry, word=Word(seen.status, min(seen.changed_at or start, seen.at), initial=True))
    if kind is Kind.OWN:
        return replace(entry, word=Word(seen.status, entry.shown_at), answers=_answers(entry, seen.at))
    if kind is Kind.ECHO and entry.word is not None and has_come_back(entry, seen):
        return replace(entry, word=entry.word.as_said())
    if kind is Kind.ECHO and entry.word is not None and is_call_over(entry, seen, vocabulary):
        rest = replace(entry.word, status=seen.status.awake)  # since when nobody knows: it is no news
        return replace(entry, word=_faded(rest, seen, vocabulary, rules.settle_fade))
    if kind is not Kind.DECAY or entry.word is None or entry.mine:
        return entry
    return replace(entry, word=_faded(entry.word, seen, vocabulary, rules.settle_fade))


def _answers(entry: Entry, now: float) -> tuple[float, ...]:
    """Count a word that comes right after our own write: people seldom do that, and a loop does nothing else."""
    recent = tuple(at for at in entry.answers if now - at < MINUTE)
    return (*recent, now) if any(0 <= now - at < RIGHT_AFTER for at in entry.writes) else recent


def _agree(entry: Entry, seen: Observation, view: View, said: Composed) -> Entry:
    """Where the person chose by hand what we were about to write: their word here, but no news, and just before it."""
    if entry.mine or seen.status.is_absent:
        return entry
    source = view.entries[said.domain].word if said.domain else None
    word = Word(seen.status, nextafter(said.at, float("-inf")), source is not None and source.initial)
    ours = entry.publication
    replaced = replace(ours, overridden=True) if ours is not None and ours.confirmed_at is not None else ours
    return replace(entry, word=word, publication=replaced)


def _faded(word: Word, seen: Observation, vocabulary: Vocabulary, settle: float) -> Word:
    if seen.status == word.status:
        return word.as_said()
    fades = is_idle_variant(word.status, seen.status) or vocabulary.is_fade(word.status, seen.status)
    return word.faded_to(seen.status, seen.at, settle) if seen.status.is_absent or fades else word


def _heed_note(entry: Entry, seen: Observation, start: float, direction: Direction) -> Entry:
    """Take a note as the person's, unless it is the one we wrote."""
    if seen.note is None or seen.note == entry.note:
        return entry
    first = entry.note is None
    entry = replace(entry, note=seen.note)
    ours = any(seen.note == p.note for p in entry.publications(seen.at))
    if ours or not direction.reads or (first and not seen.note):
        return entry
    return replace(entry, note_word=seen.note, note_at=start if first else seen.at)

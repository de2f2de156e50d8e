"""Revealed: what comes to light because of us, and is nobody's word: by our signing in, under a write, after a lease.

The one rule: each is a question about one reading; what follows from the answer is `observe`'s.
"""

from __future__ import annotations

from presence_syncd.core.entry import IN_SIGHT, Entry, Observation, Publication, is_idle_variant, is_older
from presence_syncd.core.presence import (
    AVAILABLE,
    BRB,
    BUSY,
    DND,
    OFF_WORK,
    OFFLINE,
    Activity,
    Availability,
    Status,
)
from presence_syncd.core.values import replace
from presence_syncd.core.vocabulary import Vocabulary

CHOSEN = (Activity.NONE, Activity.OFF_WORK)
"""What is chosen by hand says nothing of what the person is doing, but that they do not work."""
ABOVE_AVAILABLE = (Availability.BUSY, Availability.DND)
"""What hides a session that is available, but no choice (Graph: the sessions' aggregate; mapping §3)."""
CHOICES = (BUSY, DND, BRB, OFF_WORK)
"""What is shown in Teams only as somebody's choice, which all sessions give way to (Graph: preferred; mapping §3)."""
SOON = 300.0
"""Seconds after its end, at most, in which a lease reveals what lay beneath: Graph may take as long (mapping §4)."""


def is_by_signing_in(entry: Entry, seen: Observation) -> bool:
    """Whether it shows because we signed in: the door that did says so, or the other one reads what was foretold."""
    return seen.by_signing_in or (seen.status == entry.foretold and seen.at < entry.foretold_until)


def with_rest(entry: Entry, seen: Observation) -> Entry:
    """The entry; its word goes on resting where our signing in shows awake who rested beneath a word of ours."""
    shown, word = entry.shown, entry.word
    is_woken = shown is not None and shown.idle and not seen.status.idle and is_by_signing_in(entry, seen)
    if not (is_woken and entry.mine) or word is None or word.faded is not None or word.status != AVAILABLE:
        return entry
    return replace(entry, word=replace(word, faded=replace(AVAILABLE, idle=True), faded_at=entry.shown_at))


def has_come_back(entry: Entry, seen: Observation) -> bool:
    """Whether the word we put back has faded since, and shows again: the person types, for we did nothing."""
    p, word = entry.publication, entry.word
    if p is None or not p.restores or p.confirmed_at is None or word is None or word.faded is None:
        return False
    return word.faded_at > p.confirmed_at and seen.status == word.status and not is_by_signing_in(entry, seen)


def may_cause(publication: Publication, entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether it can show because of a publication, which may have been accepted by mistake and never done."""
    return entry.may_cause(publication, seen.at) and not _was_never_done(publication, entry, vocabulary)


def _was_never_done(publication: Publication, entry: Entry, vocabulary: Vocabulary) -> bool:
    """Whether a word that nothing outranks was accepted, and something else read of who is there when it had to show.

    A lease tells by its end.
    """
    if publication.written not in vocabulary.top or publication.accepted_at is None:
        return False
    is_unseen = publication.confirmed_at is None and publication.expires_at is None
    is_there = entry.shown is not None and not entry.shown.is_absent
    return is_unseen and is_there and entry.shown_from >= publication.gone_by


def is_revealed(publication: Publication, entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether it is what lay under a write of ours that is not visible yet, was taken back, or has lapsed.

    The end of a lease reveals once, and soon: what shows after that the person changes.
    """
    over = publication.taken_back or _has_just_lapsed(publication, entry, seen.at)
    over = over and entry.mine and not _is_another_seen(publication, entry)
    return (over or publication.is_awaited(seen.at)) and any(
        is_idle_variant(seen.status, below) or vocabulary.is_fade(below, seen.status)
        for below in _beneath(publication, entry, seen, vocabulary)
    )


def _is_another_seen(publication: Publication, entry: Entry) -> bool:
    """Whether a later write of ours was seen: then what lay under this one came to light before, or lies under that."""
    last = entry.publication
    return last is not None and last is not publication and last.confirmed_at is not None


def _beneath(publication: Publication, entry: Entry, seen: Observation, vocabulary: Vocabulary) -> frozenset[Status]:
    """What may lie under a write: what was seen there, or, where ours hid it for long, a client that rests since.

    Available may be what they choose when a word that nothing outranks has lapsed; to be idle nobody chooses.
    """
    hid = _hides(entry) and publication.expires_at is not None and not publication.overridden
    rests = hid and (publication.taken_back or publication.written not in vocabulary.top or seen.status.idle)
    below = publication.before | {AVAILABLE} if rests else publication.before
    return frozenset(status for status in below if not _would_show(status, publication, vocabulary))


def _hides(entry: Entry) -> bool:
    """Whether what shows because of us is all that can be seen: it may also let be seen what they chose before.

    A call of theirs is nothing chosen: under one of ours that looks the same it may have ended.
    """
    shown = entry.shown
    return entry.mine and shown is not None and (shown != entry.beneath or shown.activity not in CHOSEN)


def is_call_over(entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether a call, their last word here, has ended beneath ours: what shows after a reading is theirs."""
    if entry.word is None or entry.word.status.activity in CHOSEN or entry.mine or seen.status.is_absent:
        return False
    return not any(says(p, seen.status, vocabulary) for p in entry.publications(seen.at))  # a word put back is theirs


def _would_show(status: Status, publication: Publication, vocabulary: Vocabulary) -> bool:
    """Whether it cannot lie under ours, which was seen: it outranks that, or was replaced by it."""
    if publication.confirmed_at is None:
        return False
    is_replaced = publication.expires_at is not None and status.awake in CHOICES
    return is_replaced or _outranks(status, publication, vocabulary)


def _outranks(status: Status, publication: Publication, vocabulary: Vocabulary) -> bool:
    """Whether it is a call, which shows over ours: a session that is available."""
    is_session = publication.expires_at is not None and publication.written not in vocabulary.top
    is_available = is_session and publication.status.awake == AVAILABLE
    return is_available and status.activity not in CHOSEN and status.availability in ABOVE_AVAILABLE


def without_replaced(publication: Publication, entry: Entry, seen: Observation) -> Publication:
    """A lease without what it replaced of ours: once it is done, and something else shows, that cannot come back.

    Only what is theirs lies beneath: what shows now, or did last.
    """
    accepted_at = publication.accepted_at if publication.expires_at is not None else None
    if accepted_at is None or seen.started_at < accepted_at + IN_SIGHT:
        return publication
    theirs = publication.before & {seen.status, entry.beneath}
    return publication if theirs == publication.before else replace(publication, before=theirs)


def _has_just_lapsed(publication: Publication, entry: Entry, now: float) -> bool:
    """Whether a lease is over, and was not yet, as far as could be seen, when it was looked last."""
    end, soon = publication.expires_at, min(publication.visible_by - publication.at, SOON)
    return end is not None and now >= end and entry.shown_from < end + soon


def is_what_was_left(entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether the person's client is back, and shows what we wrote before it went.

    Not where the service took a write since, and said that nobody is there: what it will show then is that write. Nor
    where our lease is over by now: what it said ended with it.
    """
    left, ours = entry.left, entry.publication
    waits = ours is not None and ours.returned is not None and ours.returned.is_absent
    is_over = ours is not None and ours.expires_at is not None and seen.at >= ours.expires_at
    if left is None or waits or is_over:
        return False
    return is_idle_variant(seen.status, left) or vocabulary.is_fade(left, seen.status)


def is_brought_back(entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether a session of ours, the only one there is, lets be seen again what the person chose before they left.

    That need not be what was seen last: they may have chosen before we looked first, or just before they left. Whoever
    comes at this very moment and chooses looks the same; to take that for old does less harm than an old choice that
    overrules what they say now.
    """
    ours, is_gone = entry.publication, entry.shown is not None and entry.shown.is_absent
    if ours is None or not is_gone or not (ours.holds(seen.at) and ours.is_awaited(seen.at)):
        return False
    return seen.status == entry.beneath or (
        _is_chosen(entry, seen.status, ours) and not says(ours, seen.status, vocabulary)
    )


def _is_chosen(entry: Entry, status: Status, ours: Publication) -> bool:
    """Whether nobody shows it over ours who just comes: available, which ranks below a call of ours, or in a call.

    Where available outranks ours, who comes looks like who has chosen it, but seldom comes as soon as ours is in sight.
    """
    if status.awake != AVAILABLE:
        return status.activity in CHOSEN
    is_at_once = entry.shown_from < (ours.accepted_at or 0.0) + IN_SIGHT
    return not status.idle and (is_at_once or ours.status.availability in ABOVE_AVAILABLE)


def was_chosen(entry: Entry, vocabulary: Vocabulary) -> bool:
    """Whether what showed last, and looks like rest, was chosen: it hid a session of ours, written twice.

    Rest would not, but a preferred state is above all sessions (Graph; mapping §3). So it ended by choice, too.
    """
    ours = entry.publication
    if ours is None or not ours.status.is_awake or ours.written in vocabulary.top or ours.accepted_at is None:
        return False
    stands = not (ours.overridden or ours.taken_back) and ours.confirmed_at is None
    return stands and ours.rewrites > 0 and ours.holds(entry.shown_from) and not ours.is_awaited(entry.shown_from)


def lies_beneath(entry: Entry, seen: Observation, vocabulary: Vocabulary, *, mine: bool) -> Status | None:
    """What lies under ours after a reading, as far as is known: what showed last that was theirs, or may be.

    A call of theirs does not, once ours is seen over which it would show.
    """
    if seen.status.is_absent:
        return entry.beneath
    if not mine or is_brought_back(entry, seen, vocabulary) or _has_given_way(entry, seen):
        return seen.status
    ours, beneath = entry.publication, entry.beneath
    is_over = seen.status == AVAILABLE and ours and beneath and _outranks(beneath, ours, vocabulary)
    return None if is_over else beneath


def _has_given_way(entry: Entry, seen: Observation) -> bool:
    """Whether a word of theirs gave way to what a lease of ours has said for long: they chose the same, or nothing."""
    ours, was = entry.publication, entry.shown
    if ours is None or ours.expires_at is None or was is None or was.is_absent or entry.mine or seen.status == was:
        return False
    return not any(p.is_awaited(seen.at) for p in entry.publications(seen.at))


def is_seen_to_be_over(publication: Publication, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether a session that we ended cannot show any more: nobody is shown, and not because it was not yet in sight.

    Off work may be chosen over a session, and a word that nothing outranks waits beneath for a client.
    """
    is_ended = publication.taken_back and publication.expires_at is not None
    if not is_ended or seen.status != OFFLINE or publication.written in vocabulary.top:
        return False
    return publication.confirmed_at is not None or is_older(publication.version, seen.order)


def stays_without_us(entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether what showed because of us still does, long after a lease of ours says something else: it is theirs.

    A lease that is renewed in time has not faded to it, either.
    """
    ours = entry.publication
    if ours is None or ours.refresh_at is None or ours.confirmed_at is not None or seen.status == entry.beneath:
        return False
    if ours.is_awaited(seen.at) or seen.at >= ours.refresh_at:
        return False
    return not any(says(p, seen.status, vocabulary) for p in entry.publications(seen.at))


def passing(entry: Entry, vocabulary: Vocabulary) -> tuple[Publication, ...]:
    """Writes of ours that what is shown is taken for, though none of them stands: it passes, or the person says so.

    All of them were replaced, or taken back; each may be in sight as late as `Publication.gone_by`.
    """
    shown = entry.shown
    if shown is None or not entry.mine or entry.publication is not None:
        return ()
    return tuple(p for p in entry.earlier if says(p, shown, vocabulary) or vocabulary.is_faded_echo(p.written, shown))


def has_stayed(entry: Entry, seen: Observation, vocabulary: Vocabulary) -> bool:
    """Whether it was taken for writes of ours that stand no more, and is still shown when none of them can be."""
    ours = passing(entry, vocabulary) if seen.status == entry.shown else ()
    return bool(ours) and all(seen.at >= p.gone_by for p in ours)


def is_fade_of_shown(entry: Entry, status: Status, vocabulary: Vocabulary) -> bool:
    """Whether it is what was shown before, faded or awake again; a fade of anything else is of a write of ours."""
    was = entry.shown
    return was is not None and (is_idle_variant(was, status) or vocabulary.is_fade(was, status))


def may_be_from_before(publication: Publication, entry: Entry, seen: Observation) -> bool:
    """Whether what a write of ours says may be what was there before it: the same, or that but awake again.

    The latter only until it is done; news may come before the word that it is, several at once.
    """
    if seen.status in publication.before:
        return not (entry.mine and seen.status != entry.shown)
    is_done = publication.accepted_at is not None and seen.started_at >= publication.accepted_at
    return not is_done and any(is_idle_variant(seen.status, status) for status in publication.before)


def says(publication: Publication, status: Status, vocabulary: Vocabulary) -> bool:
    """Whether it is what a write of ours shows as, or was answered with."""
    return vocabulary.is_echo(publication.written, status) or status == publication.returned


def is_answer_over(publication: Publication, status: Status, vocabulary: Vocabulary, now: float) -> bool:
    """Whether what a write was answered with shows no more, and comes back by nobody's doing but the person's.

    For a while either may be read; later only what fades comes back by itself.
    """
    told = publication.returned
    if told is None or status == told or now < publication.visible_by:
        return False
    return vocabulary.is_echo(publication.written, status) or not vocabulary.is_fade(told, status)

"""Reconcile: from the whole present state, decide what to do for one link now, and why.

The one rule: level-triggered. Start, reconnect, restart, reload and resync are this one function; a lost or repeated
wake-up changes nothing.
"""

from __future__ import annotations

from presence_syncd.core.compose import Composed, compose, next_turn, wanted
from presence_syncd.core.decision import Decision, Reason, Sink
from presence_syncd.core.entry import IN_SIGHT, Entry, Publication
from presence_syncd.core.forbidden import is_forbidden
from presence_syncd.core.presence import AVAILABLE, AWAY, Status
from presence_syncd.core.proof import holds_up_available, is_proven, may_claim, was_let_go
from presence_syncd.core.revealed import CHOSEN, passing
from presence_syncd.core.unfading import kept_until
from presence_syncd.core.values import Value, earlier, replace
from presence_syncd.core.view import Rules, View

JUST_NOW = 2.0
"""Seconds for which a reading is taken for the present state."""
PROOF_AGAIN = 30.0
"""Seconds after which proof is looked for again."""


class _Case(Value, frozen=True):
    """One decision's inputs, gathered."""

    view: View
    sink: Sink
    rules: Rules
    now: float
    entry: Entry
    composed: Composed
    status: Status
    word: str | None
    note: str | None
    is_let_go: bool

    @property
    def publication(self) -> Publication | None:
        return self.entry.publication

    def is_proven(self) -> bool:
        return is_proven(self.view, self.composed, self.sink.domain, self.rules, self.now)

    def may_claim(self) -> bool:
        return may_claim(self.view, self.composed, self.word, self.sink, self.rules, self.now)

    def write(self, reason: Reason) -> Decision:
        if self.word == self.sink.refused and self.now < self.sink.refused_until:
            return Decision(Reason.REFUSED, requeue_at=self.sink.refused_until)
        return Decision(reason, self.word, self.status, self.note)


def reconcile(view: View, sink: Sink, rules: Rules, now: float) -> Decision:
    """Decide for one link."""
    return reconcile_to(compose(view, rules, now), next_turn(view, rules, now), view, sink, rules, now)


def reconcile_to(
    composed: Composed | None, turn: float | None, view: View, sink: Sink, rules: Rules, now: float
) -> Decision:
    """Decide for one link of an account whose status, and whose next turn, were found already for all its links."""
    if forbidden := is_forbidden(view, sink, rules, now):
        return forbidden
    if composed is None or not composed.status.is_known:
        return Decision(Reason.NOTHING_SAID)
    status = wanted(composed.status, rules)
    note = composed.note if sink.notes else None
    entry = view.entry(sink.domain)
    until = kept_until(view, composed, sink, rules, now)
    is_let_go = until is not None and now >= until
    word = sink.vocabulary.word_for(AWAY if is_let_go else status)
    case = _Case(view, sink, rules, now, entry, composed, status, word, note, is_let_go)
    return _by(turn if is_let_go else earlier(turn, until), _answer(case))


def _answer(case: _Case) -> Decision:
    """Ask one question after the other; the first answer is the decision."""
    return _nothing_to_say(case) or _own_word(case) or _published(case) or _already_shown(case) or _to_write(case)


def _nothing_to_say(case: _Case) -> Decision | None:
    """The service cannot, or must not, say it: what we said before is taken back, unless the person is just gone."""
    if case.word is not None:
        return None
    if case.status.is_absent:
        return _hidden(case) or Decision(Reason.HELD, requeue_at=_again_if_green(case))
    if case.publication and case.publication.holds(case.now):
        return Decision(Reason.RETRACT)
    return Decision(Reason.UNSAYABLE)


def _own_word(case: _Case) -> Decision | None:
    """The status comes from here and is shown here: only our own old lease may be in the way."""
    if case.composed.domain != case.sink.domain:
        return None
    if passing(case.entry, case.sink.vocabulary):
        return Decision(Reason.CONFIRMING)  # if it stays, the person has said it since; to write would hide that
    if case.entry.mine or case.entry.is_off_work_of_ours():
        return _uncover(case)
    if case.publication and case.publication.restores and not case.publication.overridden:
        return None  # what shows is held up by us, though it is the person's
    if case.publication and case.publication.holds(case.now):
        return _retract_under(case, case.publication)
    return Decision(Reason.OWN_WORD)


def _uncover(case: _Case) -> Decision | None:
    """A call of theirs under a lease of ours is not said again but uncovered: nobody could tell when it ends."""
    published, is_call = case.publication, case.status.activity not in CHOSEN
    return Decision(Reason.RETRACT) if is_call and published and published.holds(case.now) else None


def _retract_under(case: _Case, published: Publication) -> Decision:
    """Take our lease back under the person's word; but if they crossed on the way, first see which of them is left.

    A reading that left before our write was in sight may show a word that our write has replaced since.
    """
    done = published.accepted_at is not None and published.confirmed_at is None
    crossed = done and case.entry.shown_from < (published.accepted_at or 0.0) + IN_SIGHT
    if published.overridden and crossed and case.now < published.visible_by:
        return Decision(Reason.CONFIRMING, requeue_at=min(published.visible_by, case.now + PROOF_AGAIN))
    return Decision(Reason.RETRACT, overridden=published.overridden)  # or it is just not seen yet


def _published(case: _Case) -> Decision | None:
    """The word is already written: renew it, wait for it, or accept that it does not show."""
    published = case.publication
    if published is None or published.word != case.word or published.overridden or published.note != case.note:
        return None
    if not _is_done(case, published):
        return case.write(Reason.RETRY) if case.may_claim() else _faded(case)
    if published.refresh_at is not None and case.now >= published.refresh_at:
        return _renew(case, published) if case.is_proven() else _faded(case)
    if published.is_nearly_due(case.now) and case.now - case.entry.shown_from < JUST_NOW and case.is_proven():
        return case.write(Reason.REFRESH)
    return _shown_or_not(case, published)


def _renew(case: _Case, published: Publication) -> Decision:
    """Renew a lease; one that was let go is written anew: something else may have been chosen there since."""
    if not was_let_go(published, case.view, case.composed, case.sink.domain, case.rules, case.now):
        return case.write(Reason.REFRESH)
    return _write_again(case, published)


def _write_again(case: _Case, published: Publication) -> Decision:
    """Write it once more: for a newer word that says the same, or to repair."""
    return _change(case, Reason.CHANGE if _is_news(case, published) else Reason.REWRITE)


def _is_news(case: _Case, published: Publication) -> bool:
    """Whether the person said it after it was written."""
    return case.composed.domain is not None and published.at < case.composed.at


def _faded(case: _Case) -> Decision:
    """Without proof nothing is claimed; proof is looked for again soon, because a feed's sign of life rings no bell."""
    return _hidden(case) or Decision(Reason.FADED, requeue_at=case.now + PROOF_AGAIN)


def _again_if_green(case: _Case) -> float | None:
    """When to look again whether a session of ours holds up what shows."""
    is_green = case.sink.leased and case.publication and case.entry.shown == AVAILABLE
    return case.now + PROOF_AGAIN if is_green else None


def _hidden(case: _Case) -> Decision | None:
    """A session of ours that available hides may be all that keeps that up; what the person chose is not cleared."""
    is_hidden = holds_up_available(case.view, case.sink, case.rules, case.now)
    return Decision(Reason.RETRACT, overridden=True, hidden=True) if is_hidden else None


def _is_done(case: _Case, published: Publication) -> bool:
    """Whether the write came through: accepted, or seen where nothing has to be known of a lease.

    One that was noted before the process died may never have gone out.
    """
    seen = published.confirmed_at is not None and not case.sink.leased
    return seen or published.accepted_at is not None


def _shown_or_not(case: _Case, published: Publication) -> Decision:
    shown, at, vocabulary = case.entry.shown, published.refresh_at, case.sink.vocabulary
    if _is_lost(case, published) or _is_gone_since(case, published):
        return _change(case, Reason.REWRITE) if case.may_claim() else _faded(case)
    if _is_answered_otherwise(case, published) and _is_news(case, published):  # what stood in its way may have gone
        return _write_again(case, published) if case.may_claim() else _faded(case)
    if shown is not None and shown.is_absent:
        return Decision(Reason.ABSENT, requeue_at=at)
    if shown is None or shown == published.returned or vocabulary.shows(published.written, shown):
        return Decision(Reason.IN_SYNC, requeue_at=at)
    if published.is_awaited(case.now):
        return Decision(Reason.CONFIRMING, requeue_at=earlier(published.visible_by, at))
    if published.rewrites < 1 or _is_news(case, published):  # news may end what hides ours
        return _write_again(case, published) if case.may_claim() else _faded(case)
    return _hidden(case) or Decision(Reason.SHADOWED, requeue_at=at)


def _is_answered_otherwise(case: _Case, published: Publication) -> bool:
    """Whether what shows is what the service answered to our write, instead of doing it."""
    shown = case.entry.shown
    is_right = shown is None or shown.is_absent or case.sink.vocabulary.is_echo(published.written, shown)
    return shown == published.returned and not is_right


def _is_lost(case: _Case, published: Publication) -> bool:
    """Whether the service forgot a session it should hold: it was seen, it has not expired, and nobody is shown."""
    shown, is_seen = case.entry.shown, published.confirmed_at is not None
    return shown is not None and shown.is_absent and is_seen and published.holds(case.now)


def _is_gone_since(case: _Case, published: Publication) -> bool:
    """Whether the service let go of it by itself before the person said what it says once more, elsewhere."""
    entry, vocabulary = case.entry, case.sink.vocabulary
    if entry.shown is None or vocabulary.is_echo(published.written, entry.shown):
        return False
    gone = entry.shown.is_absent or vocabulary.is_faded_echo(published.written, entry.shown)
    return gone and published.at < entry.shown_at < case.composed.at


def _already_shown(case: _Case) -> Decision | None:
    """It shows without our doing: nothing to write, unless an old lease or note of ours is there or it would fade."""
    shown = case.entry.shown
    if case.word is None or shown is None or case.note is not None or _is_in_the_way(case, shown):
        return None
    vocabulary = case.sink.vocabulary
    if vocabulary.is_echo(case.word, shown) and not shown.is_absent:
        return Decision(Reason.IN_SYNC)
    if _is_own_faded(case, case.word, shown):
        is_worth_it = case.is_proven() if case.sink.leased else _is_said_since(case)
        return None if is_worth_it else _faded(case)
    return None


def _is_said_since(case: _Case) -> bool:
    """Whether the word came after the fade, which may have been the person's doing: nobody can tell it from away."""
    own = case.entry.word
    return own is not None and case.composed.at > own.faded_at


def _is_own_faded(case: _Case, word: str, shown: Status) -> bool:
    """Whether it is what the service made of the person's own word here, which says the same as ours would."""
    own, vocabulary = case.entry.word, case.sink.vocabulary
    said = own is not None and vocabulary.is_echo(word, own.status)
    return said and not case.entry.mine and vocabulary.is_faded_echo(word, shown)


def _is_in_the_way(case: _Case, shown: Status) -> bool:
    """Whether a lease of ours, what is left of one, or a write that may still be applied, says something else."""
    published = case.publication
    if published is None:
        return False
    return published.holds(case.now) or published.is_awaited(case.now) or _is_left_of_ours(case, published, shown)


def _is_left_of_ours(case: _Case, published: Publication, shown: Status) -> bool:
    """Whether what shows is what a lease of ours has faded to, which ends by itself: nobody would be shown then."""
    is_leased = published.expires_at is not None
    return is_leased and case.entry.mine and case.sink.vocabulary.is_faded_echo(published.written, shown)


def _to_write(case: _Case) -> Decision:
    """Write, unless what would be claimed has no proof: then only what is not true any more is taken back."""
    if case.may_claim():
        return _change(case, Reason.LET_GO if case.is_let_go else Reason.CHANGE)
    if case.publication and case.publication.holds(case.now) and case.publication.word != case.word:
        return Decision(Reason.RETRACT, overridden=case.publication.overridden)
    return _faded(case)


def _change(case: _Case, reason: Reason) -> Decision:
    """Write, but not too often."""
    if case.now < case.view.frozen_until:
        return Decision(Reason.FROZEN, requeue_at=case.view.frozen_until)
    last = max(case.entry.writes, default=float("-inf"))
    if case.now < last + case.rules.settle:
        return Decision(Reason.SETTLING, requeue_at=last + case.rules.settle)
    return case.write(reason)


def _by(turn: float | None, decision: Decision) -> Decision:
    """Decide again at that turn if it comes first."""
    at = earlier(decision.requeue_at, turn)
    return decision if at == decision.requeue_at else replace(decision, requeue_at=at)

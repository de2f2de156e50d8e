"""What becomes of one write: noted before it goes out, accepted, failed, or taken back.

The one rule: the note comes first. Whatever happens to the request, its echo is known.
"""

from __future__ import annotations

from presence_syncd.core.entry import Entry, Publication, is_older
from presence_syncd.core.presence import Status
from presence_syncd.core.values import Value, replace
from presence_syncd.core.view import Rules, View

MINUTE = 60.0
KEPT = 6
"""Earlier writes remembered per domain; more cannot be waiting at once."""


class Accepted(Value, frozen=True):
    """What the service said to a write. Lease times are seconds from the answer; `shown` what it says it shows now.

    `word` is what was written instead, where the service refused the word itself.
    """

    shown: Status | None = None
    word: str | None = None
    refresh_in: float | None = None
    expires_in: float | None = None
    order: int | str | None = None


def begin(
    view: View,
    domain: str,
    word: str,
    status: Status,
    visible_within: float,
    now: float,
    *,
    note: str | None = None,
    restores: bool = False,
    hides_rest: bool = True,
    change: str = "",
) -> View:
    """Note that `word` is about to be written to say `status`, because of `change`."""
    entry = view.entry(domain)
    last = _given_up(entry.publication)
    again = last if last and last.word == word and last.note == note and not last.overridden else None
    awaited = again if again and again.is_awaited(now) else None
    before = frozenset(s for s in (entry.shown, _beneath(entry)) if s is not None)
    publication = Publication(
        word=word,
        status=status,
        at=now,
        visible_by=now + visible_within,
        before=before | awaited.before if awaited else before,
        note=note,
        restores=restores,
        hides_rest=hides_rest,
        change=change,
        version=awaited.version if awaited else entry.order,
        substitute=again.substitute if again else None,
        refresh_at=again.refresh_at if again else None,
        expires_at=last.expires_at if last else None,
        late_until=again.late_until if again else 0.0,
        attempt=again.attempt + 1 if again and again.failed else 0,
        rewrites=again.rewrites + 1 if again and not again.failed else 0,
    )
    waiting = (last,) if last is not None and not again and (last.confirmed_at is None or now < last.late_until) else ()
    writes = tuple(at for at in entry.writes if now - at < MINUTE)
    counted = writes if publication.attempt else (*writes, now)
    earlier = (*entry.earlier, *waiting)[-KEPT:]
    return view.put(domain, replace(entry, publication=publication, earlier=earlier, writes=counted))


def _given_up(publication: Publication | None) -> Publication | None:
    """A write of unknown outcome that is not waited for any longer: it may still be done."""
    if publication is None or publication.accepted_at is not None or publication.settled:
        return publication
    return replace(publication, late_until=max(publication.late_until, publication.visible_by))


def _beneath(entry: Entry) -> Status | None:
    """What a lease of ours hides, and its end would show again."""
    return entry.beneath if entry.publication is None or entry.publication.expires_at is not None else None


def freeze(view: View, domain: str, rules: Rules, now: float) -> View:
    """Freeze the account for a while if our writes are answered as only a loop does, or come too often altogether.

    The mapping sheet counts writes alone; that would freeze a person who tries the thing out.
    """
    written = sum(now - at < MINUTE for at in view.entries[domain].writes)
    answered = sum(now - at < MINUTE for entry in view.entries.values() for at in entry.answers)
    too_often = written > rules.most_writes or answered > rules.most_answers
    return replace(view, frozen_until=now + rules.freeze) if too_often else view


def accept(view: View, domain: str, answer: Accepted, now: float) -> View:
    """The service took the present publication, or the renewal of its lease."""
    entry = view.entries[domain]
    last = entry.publication
    if last is None:
        return view
    shown = None if is_older(answer.order, entry.order) else answer.shown
    publication = replace(
        last,
        substitute=answer.word,
        accepted_at=now,
        visible_by=now + (last.visible_by - last.at) if last.accepted_at is None else last.visible_by,
        failed=False,
        attempt=0,
        returned=shown or last.returned,
        order=answer.order if answer.order is not None else last.order,
        refresh_at=None if answer.refresh_in is None else now + answer.refresh_in,
        expires_at=None if answer.expires_in is None else now + answer.expires_in,
    )
    entry = replace(entry, publication=publication)
    return view.put(domain, entry if shown is None else _shows(entry, publication, shown, now))


def _shows(entry: Entry, publication: Publication, shown: Status, now: float) -> Entry:
    """The answer told what is shown: a reading that left before it, or of an older version, is older."""
    return replace(
        entry,
        shown=shown,
        raw=publication.written,
        shown_at=now,
        shown_from=now,
        order=entry.order if publication.order is None else publication.order,
        mine=not shown.is_absent and not publication.restores,
        live_at=now,
        publication=replace(publication, confirmed_at=now, overridden=False),
        earlier=entry.still_out(now),
    )


def vouch(view: View, domain: str, until: float, rules: Rules, now: float) -> View:
    """Note that activity is about to be reported, which shows the person awake until `until` even if they rest there.

    Who is awake there by their own doing is not woken by it.
    """
    entry = view.entries[domain]
    if entry.is_awake and not entry.is_vouched:
        return view
    by = frozenset(view.proving(domain, now, rules.evidence))
    return view.put(domain, replace(entry, vouched_by=by, vouched_until=until))


def fail(view: View, domain: str, now: float, *, settled: bool) -> View:
    """The write did not come through. Whether it was, or will be, applied is not known, unless that is `settled`.

    Then nothing that shows from now on is because of it, though perhaps because of an earlier try.
    """
    entry = view.entries[domain]
    if entry.publication is None or entry.publication.accepted_at is not None:
        return view
    visible_by = now if settled else entry.publication.visible_by
    failed = replace(entry.publication, failed=True, settled=settled, visible_by=visible_by)
    return view.put(domain, replace(entry, publication=_given_up(failed)))


def interrupted(view: View, now: float) -> View:
    """The view of a process that died, or was stopped: what it was writing is a try that failed, of unknown outcome."""
    for domain, entry in view.entries.items():
        if entry.publication is not None and not (entry.publication.failed or entry.publication.settled):
            view = fail(view, domain, now, settled=False)
    return view


def take_back(view: View, domain: str, visible_within: float, now: float, *, hidden: bool = False) -> View:
    """The service forgot what we published; it may show for `visible_within` seconds more. `hidden`: it never did."""
    entry = view.entries[domain]
    if entry.publication is None:
        return view
    gone = replace(entry.publication, taken_back=True, visible_by=now + visible_within)
    hidden_at = now if hidden else entry.hidden_at
    earlier = (*entry.earlier, gone)[-KEPT:]
    return view.put(domain, replace(entry, publication=None, earlier=earlier, hidden_at=hidden_at))


def leave(view: View, domain: str, now: float) -> View:
    """We are about to sign out: a lease of ours ends then, or ends later by itself if the farewell is not heard.

    However long we are away, what lay under it is not the person's doing; when we are back it is written anew.
    """
    entry = view.entries[domain]
    last = entry.publication
    if last is None or last.expires_at is None:
        return view
    until = last.expires_at + (last.visible_by - last.at) if last.left_until is None else last.left_until
    left = replace(last, accepted_at=None, failed=True, refresh_at=None, expires_at=now, visible_by=now)
    return view.put(domain, replace(entry, publication=replace(left, left_until=until)))

"""Proof: whether what we show is still true, and whether it was all the time.

The one rule: nobody is kept present who is gone; what was let go for want of proof is begun anew, not renewed.
"""

from __future__ import annotations

from presence_syncd.core.compose import Composed, wanted
from presence_syncd.core.entry import PRESENT, Publication
from presence_syncd.core.presence import Availability
from presence_syncd.core.view import Rules, View


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


def may_report(view: View, composed: Composed, domain: str, rules: Rules, now: float) -> bool:
    """Whether activity may be reported in `domain`, which keeps the person from being shown idle there.

    Away needs no proof to be shown, but is none of activity either. Where they show what is theirs, which proves them
    to others, they must be proven by others: do not disturb, said elsewhere, would keep that up as long as it is read.
    """
    if wanted(composed.status, rules).availability not in PRESENT or not is_proven(view, composed, domain, rules, now):
        return False
    is_theirs = not view.entries[domain].mine and composed.domain is not None
    return not is_theirs or bool(view.proving(domain, now, rules.evidence))


def was_let_go(published: Publication, view: View, composed: Composed, domain: str, rules: Rules, now: float) -> bool:
    """Whether a lease of ours has ended when nobody needed it: what it says is said, or proven, only since then."""
    end = published.expires_at
    if end is None or now < end:
        return False
    needs_proof = wanted(composed.status, rules).availability is Availability.AVAILABLE
    proofs = view.proving(domain, now, rules.evidence)
    return composed.at > end or (needs_proof and all(view.entries[name].shown_at > end for name in proofs))

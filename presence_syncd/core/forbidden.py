"""Forbidden: what keeps a link from being written at all, whatever there is to say.

The one rule: these questions come before all others, and none of them looks at what the person said.
"""

from __future__ import annotations

from presence_syncd.core.decision import Decision, Reason, Sink
from presence_syncd.core.view import Rules, View

BLIND = 3600.0
"""Seconds from the start until a service that never could be read is written all the same: it may forbid to read."""


def is_forbidden(view: View, sink: Sink, rules: Rules, now: float) -> Decision | None:
    """Ask what forbids it; None: nothing."""
    if not sink.direction.writes:
        return Decision(Reason.READ_ONLY)
    if not sink.writer:
        return Decision(Reason.STANDBY)
    if view.paused:
        return Decision(Reason.PAUSED)
    if now < view.started_at + rules.grace and any(entry.live_at is None for entry in view.entries.values()):
        return Decision(Reason.UNREAD, requeue_at=view.started_at + rules.grace)
    if now < sink.retry_at:
        return Decision(Reason.BACKOFF, requeue_at=sink.retry_at)
    if _would_be_blind(view, sink) and now < view.started_at + BLIND:
        return Decision(Reason.UNREAD, requeue_at=view.started_at + BLIND)
    return None


def _would_be_blind(view: View, sink: Sink) -> bool:
    """Whether a write may go over a word that was said there while we were away, and that we have not read yet."""
    entry = view.entry(sink.domain)
    return sink.direction.reads and entry.live_at is None and not entry.is_unknown

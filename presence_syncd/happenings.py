"""What happened, in words: one phrase for each event of the daemon's log.

The one rule: an event nobody knows here is shown as it is, never dropped.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from presence_syncd.spans import span

PHRASES = {
    "watching": "watching; Ctrl-C ends it",
    "events lost": "{count} events were lost: this terminal is too slow for them",
    "observed": "the person said {status} ({raw})",
    "published": "wrote {word}, because of {source} ({reason})",
    "confirmed": "it shows {word} now, {seconds} after it was written",
    "shadowed": "{word} was accepted, but {raw} is shown, of higher rank",
    "retracted": "took back what was written",
    "trouble": "trouble while {doing}: {error}: {said}",
    "trouble over": "{error} is over; it lasted {seconds}",
    "session over": "the session is over: {said}",
    "session lapsed": "the session had lapsed for {seconds} when it was renewed",
    "frozen: something makes a loop": "frozen: it was written more often than a person can cause",
    "pinned": "pinned to {status} for {seconds} by {by}: {reason}",
    "unpinned": "the pin was taken away by {by}",
    "paused": "paused by {by}: nothing is written",
    "resumed": "resumed by {by}",
    "restart ordered": "a restart of the account's task was ordered by {by}",
    "account killed": "the account's task was ended",
    "account broke": "the account's task broke: {error}",
    "account restarted": "the account's task was started again (restarts so far: {restarts})",
    "account parked: it breaks too often": "the account's task breaks too often; it is left alone for {seconds}",
    "reloaded": "configuration reloaded: accounts added {added}, removed {removed}, changed {changed}",
    "reload refused": "configuration refused; the daemon goes on with the one it has",
}
"""A phrase for each event; what stands in braces are its facts."""
UNSAID = {"by": "an operator", "reason": "no reason given"}
"""What is said for facts that nobody gave."""
SHOWN_APART = frozenset({"event", "level", "time", "at", "account", "service", "change"})
"""Facts that have a place of their own in a line."""


def phrase(event: dict[str, Any]) -> str:
    """Say what happened, without when and to whom."""
    known = PHRASES.get(event["event"])
    if known is None:
        rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in SHOWN_APART)
        return f"{event['event']} {rest}".strip()
    given = {key: value for key, value in event.items() if value not in (None, "")}
    facts: defaultdict[str, Any] = defaultdict(lambda: "?", UNSAID | given)
    if isinstance(facts["seconds"], int | float):
        facts["seconds"] = span(facts["seconds"]) if facts["seconds"] >= 1 else "a moment"
    return known.format_map(facts)


def is_bad(event: dict[str, Any]) -> bool:
    """Whether a person should look."""
    return event.get("level") in ("warning", "error")

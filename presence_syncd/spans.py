"""Spans of time in words.

The one rule: two units at most; who needs more asks for JSON.
"""

from __future__ import annotations

UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
"""Seconds of each unit, the longest first."""


def span(seconds: float) -> str:
    """`0 s`, `12 s`, `3 min`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; seconds are left out from ten minutes on."""
    left = max(0, round(seconds))
    if left >= 600:
        left -= left % 60
    if left >= 2 * 86400:
        left -= left % 3600
    parts = []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def ago(seconds: float | None) -> str:
    """`12 s ago`; None is what was there before anybody looked."""
    if seconds is None:
        return "before the first reading"
    return "just now" if seconds < 1 else f"{span(seconds)} ago"

"""A change: what one word of a person, or one order of an operator, sets going.

The one rule: its name is made of what began it, so the observation, every write and a later restart call it the same
without anything being handed on.
"""

from __future__ import annotations

from hashlib import blake2s

from presence_syncd.core.compose import Composed
from presence_syncd.core.entry import Word
from presence_syncd.core.view import Pin, View


def of_word(account: str, domain: str, word: Word) -> str:
    """Name the change that a word began: eight letters and digits."""
    return _name(account, domain, word.at)


def of_pin(account: str, pin: Pin) -> str:
    """Name the change that a pin began."""
    return _name(account, "", pin.until)


def of_status(account: str, view: View, composed: Composed | None) -> str:
    """Name the change that made the status of an account what it is; empty while there is none."""
    if composed is None:
        return ""
    began_at = view.pin.until if view.pin and composed.domain is None else composed.at
    return _name(account, composed.domain or "", began_at)


def _name(*parts: object) -> str:
    return blake2s(repr(parts).encode(), digest_size=4).hexdigest()

"""What the values of the core are made of: records that never change, compared by what they hold.

The one rule: a value is replaced, never changed. It holds no way back to what holds it, so the collector need
not look at it; the one that may (an error with its traceback) says `gc=True`.

Why msgspec: a frozen dataclass of twenty fields takes ten times as long to make, and every reading makes one. msgspec
(0.22) reads and writes the same JSON, checking types, several times as fast as what we had.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A record; as JSON an object without what is at its default."""


def replace(value: T, **changes: Any) -> T:
    """The same value with some fields changed; dataclasses are values, too. Raises TypeError for an unknown field."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]  # what is no Struct here is a dataclass


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two times; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)

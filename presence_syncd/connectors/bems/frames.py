"""Frames: from text to JSON objects, forgiving what the documents' own samples get wrong.

The one rule: strict first; then one repair, limited to the three documented malformations outside of strings; then the
frame is dropped and the session lives on. Source: bems.md §6. What we send is always strict JSON.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

MAX_FRAME = 1024 * 1024
"""Largest frame that is looked at, in bytes."""

Message = dict[str, Any]

_SIGN = re.compile(r'[ \t\r\n]*(?:("(?:[^"\\]|\\.)*")|([{}\[\]:,;])|([^\s{}\[\]:,;"]+)|$)')
_DECODER = json.JSONDecoder()


class Frames:
    """Reads frames. `counters` counts what was `repaired` and `dropped`."""

    def __init__(self, counters: Counter[str] | None = None) -> None:
        self.counters: Counter[str] = Counter() if counters is None else counters

    def read(self, frame: str | bytes) -> list[Message]:
        """Read one frame or body: an object, an array of them, or several one after the other; none if unreadable."""
        text = _text(frame)
        values = None if text is None else self._values(text)
        if values is None:
            self.counters["dropped"] += 1
            return []
        return self._objects(values)

    def _values(self, text: str) -> list[Any] | None:
        values = _decode(text)
        if values is not None:
            return values
        repaired = repair(text)
        values = None if repaired is None else _decode(repaired)
        if values is not None:
            self.counters["repaired"] += 1
        return values

    def _objects(self, values: list[Any]) -> list[Message]:
        flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
        objects = [item for item in flat if isinstance(item, dict)]
        self.counters["dropped"] += len(flat) - len(objects)
        return objects


def _text(frame: str | bytes) -> str | None:
    """The frame as text; None if it is too large or no UTF-8."""
    if len(frame) > MAX_FRAME or (isinstance(frame, str) and len(frame.encode("utf-8", "replace")) > MAX_FRAME):
        return None
    if isinstance(frame, str):
        return frame
    try:
        return frame.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _decode(text: str) -> list[Any] | None:
    """Decode values that stand one after the other; None unless all of the text is JSON."""
    values, at, end = [], 0, len(text)
    try:
        while (at := _skip_space(text, at)) < end:
            value, at = _DECODER.raw_decode(text, at)
            values.append(value)
    except (ValueError, RecursionError):
        return None
    return values


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def repair(text: str) -> str | None:
    """Mend a trailing comma before `}`, a semicolon for a colon, and a missing comma before a member; else as it is.

    None if the text does not even consist of JSON's signs (an open string, for example).
    """
    signs = _signs(text)
    if signs is None:
        return None
    mended: list[str] = []
    for sign, following in zip(signs, [*signs[1:], ""], strict=False):
        before = mended[-1] if mended else ""
        if sign == "," and following == "}":
            continue
        if sign.startswith('"') and following in (":", ";") and _ends_value(before):
            mended.append(",")
        mended.append(":" if sign == ";" and before.startswith('"') else sign)
    return " ".join(mended)


def _signs(text: str) -> list[str] | None:
    signs: list[str] = []
    at = 0
    while at < len(text):
        found = _SIGN.match(text, at)
        if found is None:
            return None
        at = found.end()
        signs.extend(part for part in found.groups() if part)
    return signs


def _ends_value(sign: str) -> bool:
    return bool(sign) and sign not in ("{", "[", ":", ",", ";")


def strict(value: object) -> str:
    """Write a message the way every server can read it: compact, strict JSON; half a surrogate pair becomes `?`."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace").decode()

"""Where each key and array item of a TOML text stands, which tomllib does not tell.

The one rule: tomllib stays the parser; this only finds places, in text that tomllib has accepted. A path is a tuple of
keys and array indexes, as they lead through tomllib's result.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)


def locate(text: str) -> dict[Path, tuple[int, int]]:
    """Find (line, column) of every path in `text`, both counted from 1, columns in characters.

    A key stands where its (dotted) name starts, a table where its header starts, an array item where its value starts.
    `text` is TOML that tomllib accepts; what is returned for any other text is not defined.
    """
    lines = [0, *(newline.end() for newline in re.finditer("\n", text))]
    places: dict[Path, tuple[int, int]] = {}
    for path, offset in _Scanner(text).offsets().items():
        line = bisect_right(lines, offset)
        places[path] = (line, offset - lines[line - 1] + 1)
    return places


class _Scanner:
    """Walks over the text once. Every method takes an offset and returns the one after what it read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: dict[Path, int] = {}
        self.tables_in: dict[Path, int] = {}  # arrays of tables: path -> index of the last one

    def offsets(self) -> dict[Path, int]:
        """Read the whole document; the offset of every path."""
        base: Path = ()
        offset = self.skip_blank(0)
        while offset < len(self.text):
            if self.text[offset] == "[":
                base, offset = self.header(offset)
            else:
                offset = self.pair(base, offset)
            offset = self.skip_blank(offset)
        return self.found

    def header(self, start: int) -> tuple[Path, int]:
        """Read `[a.b]` or `[[a.b]]`; also returns the path of the table it opens."""
        brackets = 2 if self.text.startswith("[[", start) else 1
        parts, offset = self.key(start + brackets)
        base: Path = ()
        for depth, part in enumerate(parts, 1):
            base = self.mark((*base, part), start)
            if brackets == 2 and depth == len(parts):
                self.tables_in[base] = self.tables_in.get(base, -1) + 1
            if base in self.tables_in:
                base = self.mark((*base, self.tables_in[base]), start)
        return base, offset + brackets

    def pair(self, base: Path, start: int) -> int:
        """Read `key = value`."""
        parts, offset = self.key(start)
        for part in parts:
            base = self.mark((*base, part), start)
        return self.value(base, self.skip_space(offset + 1))

    def key(self, offset: int) -> tuple[list[str], int]:
        """Read a dotted key; also returns its parts."""
        parts: list[str] = []
        while True:
            offset = self.skip_space(offset)
            quoted = self.text[offset] in "\"'"
            end = _end(_STRING if quoted else _BARE, self.text, offset)
            part = self.text[offset:end]
            parts.append(tomllib.loads(f"k={part}")["k"] if quoted else part)
            offset = self.skip_space(end)
            if self.text[offset] != ".":
                return parts, offset
            offset += 1

    def value(self, path: Path, offset: int) -> int:
        """Read any value."""
        self.mark(path, offset)
        opening = self.text[offset]
        if opening == "{":
            return self.inside(path, offset + 1, "}")
        if opening == "[":
            return self.inside(path, offset + 1, "]")
        return _end(_STRING if opening in "\"'" else _SCALAR, self.text, offset)

    def inside(self, path: Path, offset: int, closing: str) -> int:
        """Read what stands in an array or an inline table, up to and with its end."""
        index = 0
        while True:
            offset = self.skip_blank(offset)
            if self.text[offset] == closing:
                return offset + 1
            if self.text[offset] == ",":
                offset += 1
                continue
            offset = self.pair(path, offset) if closing == "}" else self.value((*path, index), offset)
            index += 1

    def mark(self, path: Path, offset: int) -> Path:
        """Note where `path` stands, the first time only; returns the path."""
        self.found.setdefault(path, offset)
        return path

    def skip_space(self, offset: int) -> int:
        """The offset after spaces and tabs."""
        return _end(_SPACE, self.text, offset)

    def skip_blank(self, offset: int) -> int:
        """The offset after white space, newlines and comments."""
        return _end(_BLANK, self.text, offset)


def _end(pattern: re.Pattern[str], text: str, offset: int) -> int:
    found = pattern.match(text, offset)
    if found is None:
        raise ValueError(f"this is not TOML that tomllib accepted (offset {offset})")
    return found.end()

"""The files of a configuration: the main one, and `conf.d/*.toml` beside it, with the places of their keys.

The one rule: whatever is wrong with a file is one finding with a place; nothing of a file's text is ever quoted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from presence_syncd import toml_places
from presence_syncd.errors import Problem

MAX_FILE = 64 * 1024 * 1024
"""Largest file that is read, in bytes."""
EXTRA_FOLDER = "conf.d"
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Place:
    """A point of a file; line and column count from 1, and are 0 where the whole file is meant."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Document:
    """One file that tomllib has accepted."""

    file: str
    text: str
    data: dict[str, Any]

    @cached_property
    def places(self) -> dict[toml_places.Path, tuple[int, int]]:
        """Where each path stands; found when first asked, since a good file is never asked."""
        try:
            return toml_places.locate(self.text)
        except RecursionError:  # tomllib got along with this depth, we need not
            return {}

    def place(self, path: toml_places.Path) -> Place:
        """Where `path`, or the nearest table around it, stands."""
        while path and path not in self.places:
            path = path[:-1]
        return Place(self.file, *self.places.get(path, (0, 0)))


@dataclass(frozen=True, slots=True)
class Origin:
    """A table of a document, and its name for people (`services.teams`, `account.alice`)."""

    document: Document
    path: toml_places.Path
    name: str

    def place(self, *rest: str | int) -> Place:
        """Where the table, or a key in it, stands."""
        return self.document.place((*self.path, *rest))

    def has(self, key: str) -> bool:
        """Whether the key stands in this very table."""
        table: Any = self.document.data
        for part in self.path:
            try:
                table = table[part]
            except (KeyError, IndexError):
                return False
        return key in table

    def known(self, rest: toml_places.Path) -> toml_places.Path:
        """The part of a path below this table that stands in the file."""
        while rest and (*self.path, *rest) not in self.document.places:
            rest = rest[:-1]
        return rest

    def problem(self, rest: toml_places.Path, message: str, hint: str = "", *, at: toml_places.Path = ()) -> Problem:
        """Make a finding about a key of this table, or about the table itself; `at` is a better place for it."""
        place = self.place(*(at or rest))
        label = ".".join(str(part) for part in (self.name, *rest) if part != "")
        said = _printable(f"{label}: {message}" if label else message)
        return Problem(place.file, place.line, place.column, said, _printable(hint))


def _printable(text: str) -> str:
    """A finding is one line, whatever the file has in it."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


NOWHERE = Origin(Document("(no file)", "", {}), (), "")
"""The origin of settings that were not read from a file."""


def read_documents(path: Path) -> tuple[list[Document], list[Problem]]:
    """Read the main file, then those of `conf.d` in the order of their names."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for found in (_read(path, hint="name the file with --config"), *_read_extra(path.parent / EXTRA_FOLDER)):
        if isinstance(found, Document):
            documents.append(found)
        else:
            problems.append(found)
    return documents, problems


def _read_extra(folder: Path) -> Iterator[Document | Problem]:
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Problem(str(folder), 0, 0, f"cannot be listed: {_reason(error)}")
        return
    for path in paths:
        if path.suffix == ".toml" and not path.name.startswith("."):
            yield _read(path)


def _read(path: Path, hint: str = "") -> Document | Problem:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        return Problem(str(path), 0, 0, f"cannot be read: {_reason(error)}", hint)
    if len(content) > MAX_FILE:
        return Problem(str(path), 0, 0, f"is larger than {MAX_FILE // 1024 // 1024} MiB")
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return _not_utf8(path, content[: error.start])
    return _parse(path, text)


def _parse(path: Path, text: str) -> Document | Problem:
    if text.startswith("\ufeff"):
        return Problem(str(path), 1, 1, "starts with a byte order mark", "save it as UTF-8 without one")
    try:
        return Document(str(path), text, tomllib.loads(text))
    except RecursionError:
        return Problem(str(path), 0, 0, "is nested too deeply")
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        return _malformed(path, text, str(error))


def _malformed(path: Path, text: str, said: str) -> Problem:
    found = _POSITION.search(said)
    if found is None:
        return Problem(str(path), 0, 0, "a number is too long" if "digits" in said else f"not TOML: {said}")
    lines = text.split("\n")
    line, column = (int(found[1]), int(found[2])) if found[1] else (len(lines), len(lines[-1]) + 1)
    message = said[: found.start()]
    return Problem(str(path), line, column, f"not TOML: {message[:1].lower()}{message[1:]}", _toml_hint(message))


def _toml_hint(message: str) -> str:
    """What most likely happened."""
    if message.startswith(("Cannot declare", "Cannot overwrite")):
        return "a table or a key stands twice"
    if message.startswith(("Invalid value", "Invalid date")):
        return 'text stands in quotes: key = "value"'
    return ""


def _not_utf8(path: Path, good: bytes) -> Problem:
    """The place of the first byte that is not UTF-8; `good` is what stands before it."""
    lines = good.decode().split("\n")
    return Problem(str(path), len(lines), len(lines[-1]) + 1, "is not UTF-8 text", "save the file as UTF-8")


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()

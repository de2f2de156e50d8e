"""The people of an emulated Skype for Business: what each of them shows, whoever set it.

The one rule: one presence per person, and the newest wins; a person who is signed in nowhere shows offline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

NUMBERS = {
    "available": 3500,
    "busy": 6500,
    "donotdisturb": 9500,
    "berightback": 12500,
    "away": 15500,
    "offwork": 15500,
    "offline": 18000,
}
"""The number each word shows as."""
OFFLINE = 18000

Told = Callable[[str], None]


@dataclass(slots=True)
class Person:
    """One person: the number they show, their note, and whether any client of theirs is signed in."""

    sip: str
    number: int = OFFLINE
    note: str = ""
    is_present: bool = False


class Backend(Protocol):
    """Where presence is kept; another emulator may bring its own, so that both are doors to one."""

    def get(self, sip: str) -> tuple[int, str]:
        """The number and the note a person shows; -1 for a stranger."""
        ...

    def set(self, sip: str, number: int | None, note: str | None) -> None:
        """Set what a person shows; None: the last client left."""
        ...

    def subscribe(self, told: Told) -> None:
        """Have `told(sip)` called after every change."""
        ...


def bare(sip: str) -> str:
    """A SIP URI as it is compared."""
    return sip.strip().lower().removeprefix("sip:")


class People:
    """The backend this emulator has of its own."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._told: list[Told] = []

    def add(self, sip: str) -> None:
        """Let a person exist, signed in nowhere."""
        self._people.setdefault(bare(sip), Person(bare(sip)))

    def names(self) -> list[str]:
        """Everybody there is."""
        return list(self._people)

    def get(self, sip: str) -> tuple[int, str]:
        """The number and the note a person shows; -1 for a stranger."""
        person = self._people.get(bare(sip))
        if person is None:
            return -1, ""
        return (person.number if person.is_present else OFFLINE), person.note

    def set(self, sip: str, number: int | None, note: str | None) -> None:
        """Set what a person shows; None: the last client left."""
        person = self._people[bare(sip)]
        before = self.get(sip)
        person.is_present = number is not None
        person.number = person.number if number is None else number
        person.note = person.note if note is None else note
        if self.get(sip) != before:
            for told in self._told:
                told(person.sip)

    def subscribe(self, told: Told) -> None:
        """Have `told(sip)` called after every change."""
        self._told.append(told)

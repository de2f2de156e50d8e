"""Two doors to one presence: the emulated BlackBerry server on the presence the emulated Skype servers keep.

The one rule: there is one presence; each emulator only translates.
"""

from __future__ import annotations

from collections.abc import Callable

from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.connectors.ucwa.emulator.people import Endpoint

NUMBERS = {
    "Online": 3500,
    "IdleOnline": 5000,
    "Busy": 6500,
    "IdleBusy": 8000,
    "DoNotDisturb": 9500,
    "BeRightBack": 12500,
    "Away": 15500,
    "Offline": 18000,
}
"""The Lync number of each availability."""
AVAILABILITIES = {3500: "Online", 6500: "Busy", 9500: "DoNotDisturb", 12500: "BeRightBack", 15500: "Away"}
"""The availability a number sets."""


class OneSkype:
    """The backend of an emulated BEMS that is an emulated Skype for Business."""

    def __init__(self, skype: UcwaEmulator) -> None:
        self._skype = skype
        self._told: list[Callable[[str], None]] = []
        self._last: dict[str, tuple[int, str]] = {}

    def get(self, sip: str) -> tuple[int, str]:
        """The number and the note a person shows; -1 for a stranger."""
        try:
            person = self._skype.person(sip)
        except KeyError:
            return -1, ""
        return NUMBERS[self._skype.shown(sip)], person.note

    def set(self, sip: str, number: int | None, note: str | None) -> None:
        """Set what a person shows through their BlackBerry; None: it leaves."""
        person = self._skype.person(sip)
        if number is None or number not in AVAILABILITIES:
            person.endpoints.pop("blackberry", None)
        else:
            person.preferred = AVAILABILITIES[number]
            person.endpoints["blackberry"] = Endpoint(self._skype.clock.now(), is_client=True)
        person.note = person.note if note is None else note
        self._skype.settle()
        self.look()

    def subscribe(self, told: Callable[[str], None]) -> None:
        """Have `told(sip)` called after every change."""
        self._told.append(told)

    def look(self) -> None:
        """Tell what has changed since the last look, whoever changed it."""
        for sip in self._skype.people:
            shown = self.get(sip)
            if self._last.get(sip) != shown:
                self._last[sip] = shown
                for told in self._told:
                    told(sip)

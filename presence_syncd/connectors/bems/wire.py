"""The words and numbers of BEMS as tables: what can be read, what to write, and what is read back of it.

The one rule: numbers are folded into eight names by the ranges of the Lync availability scale, never compared with
single constants; a word nobody documented says nothing. Sources: bems.md §8, mapping.md §3 and §4.2.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping

from presence_syncd.core.presence import (
    AVAILABLE,
    AWAY,
    BRB,
    BUSY,
    DND,
    OFF_WORK,
    OFFLINE,
    UNKNOWN,
    Availability,
    Status,
)
from presence_syncd.core.vocabulary import Fade, Vocabulary

UNKNOWN_RAW = "unknown"
"""The name of a value that says nothing: a negative number, or a word that no document has."""

READS: dict[str, Status] = {
    "available": AVAILABLE,
    "available-idle": Status(Availability.AVAILABLE, idle=True),
    "busy": BUSY,
    "busy-idle": Status(Availability.BUSY, idle=True),
    "dnd": DND,
    "brb": BRB,
    "away": AWAY,
    "offline": OFFLINE,
}
"""Everything that can be read, by the name that numbers and words are folded into."""

_STEPS = (0, 4500, 6000, 7500, 9000, 12000, 15000, 18000)
_NAMES = ("available", "available-idle", "busy", "busy-idle", "dnd", "brb", "away", "offline")

_WORDS_READ: dict[str, str] = {
    "available": "available",
    "busy": "busy",
    "away": "away",
    "donotdisturb": "dnd",
    "berightback": "brb",
    "offline": "offline",
}
"""Words in lower case -> the name they are folded into."""

SAFE_WORDS: frozenset[str] = frozenset({"available", "busy", "away"})
"""The words the documents name; every other word is a guess of the configuration (§8)."""

WORDS: dict[Status, str] = {
    AVAILABLE: "available",
    BUSY: "busy",
    DND: "busy",
    BRB: "away",
    AWAY: "away",
    OFF_WORK: "away",
}
"""What to write, in documented words only. Offline without off work has no word: nobody chose it."""

ECHOES: dict[str, frozenset[Status]] = {
    "available": frozenset({AVAILABLE}),
    "busy": frozenset({BUSY}),
    "away": frozenset({AWAY}),
}
"""Word -> what is read back because of it."""

FADES: frozenset[Fade] = frozenset(
    {
        (Availability.AVAILABLE, Availability.AVAILABLE, True),
        (Availability.AVAILABLE, Availability.AWAY, False),
        (Availability.BUSY, Availability.BUSY, True),
    }
)
"""What Skype for Business makes of a state by itself when nobody types (15000-17999 carries no idle flag)."""

GUESSABLE: dict[str, Status] = {"dnd": DND, "brb": BRB, "off_work": OFF_WORK}
"""Keys of the `words` table: states without a documented word of their own. All the rest have one."""
_GUESS_READ: dict[str, Status] = {"dnd": DND, "brb": BRB, "off_work": AWAY}
"""What is read back of a guess the server took (off work keeps the number of away, §8)."""


def vocabulary(guesses: Mapping[str, str] | None = None) -> Vocabulary:
    """Make the tables, with `guesses` (a key of `GUESSABLE` -> the word to try) in place of documented words."""
    words, echoes = dict(WORDS), dict(ECHOES)
    for key, word in (guesses or {}).items():
        words[GUESSABLE[key]] = word
        echoes[word] = echoes.get(word, frozenset()) | {_GUESS_READ[key]}
    return Vocabulary(reads=READS, words=words, echoes=echoes, fades=FADES)


def substitute_for(word: str, guesses: Mapping[str, str]) -> str | None:
    """Find the documented word to write where the server refused `word`; None if `word` is documented itself."""
    if word in SAFE_WORDS:
        return None
    return next((WORDS[GUESSABLE[key]] for key, guess in guesses.items() if guess == word), "busy")


def number_name(number: float) -> str:
    """Fold a Lync availability number into a name; a negative one is an unknown contact."""
    return _NAMES[bisect_right(_STEPS, number) - 1] if number >= 0 else UNKNOWN_RAW


def presence_name(value: object, guesses: Mapping[str, str] | None = None) -> str:
    """Fold a presence as it came (a number, a number as text, a word in any case) into a name."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return UNKNOWN_RAW
    if not isinstance(value, str):
        return number_name(value)
    text = value.strip().lower()
    if re.fullmatch(r"-?[0-9]{1,9}", text):
        return number_name(int(text))
    guessed = next((key for key, word in (guesses or {}).items() if word.lower() == text), None)
    if guessed is not None and text not in _WORDS_READ:
        return _name_of(_GUESS_READ[guessed])
    return _WORDS_READ.get(text, UNKNOWN_RAW)


def status_of(name: str) -> Status:
    """Find the meaning of a name; UNKNOWN for `unknown`."""
    return READS.get(name, UNKNOWN)


def _name_of(status: Status) -> str:
    return next(name for name, meaning in READS.items() if meaning == status)


def same_contact(contact: str) -> str:
    """Bring a contact id to the form that is compared: lower case, without `sip:` (§4.2)."""
    text = contact.strip().lower()
    return text.removeprefix("sip:")

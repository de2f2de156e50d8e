"""Changes have names: one for each word and each pin, the same after a restart."""

from __future__ import annotations

from presence_syncd.core.change import of_pin, of_status, of_word
from presence_syncd.core.compose import compose
from presence_syncd.core.entry import Entry, Word
from presence_syncd.core.presence import BUSY, DND
from presence_syncd.core.view import Pin, Rules, View

WORD = Word(BUSY, 1_800_000_000.123)


def test_each_word_of_each_person_in_each_place_has_a_name_of_its_own() -> None:
    later = Word(BUSY, WORD.at + 0.001)
    names = [of_word("ann", "teams", WORD), of_word("bob", "teams", WORD), of_word("ann", "sfb", WORD)]
    assert len({*names, of_word("ann", "teams", later), of_pin("ann", Pin(DND, WORD.at))}) == 5
    assert all(len(name) == 8 and name.isalnum() for name in names)
    assert of_word("ann", "teams", Word(DND, WORD.at, faded=BUSY)) == names[0], "what becomes of it is no other change"


def test_the_status_has_the_name_of_what_made_it_so() -> None:
    view = View({"teams": Entry(word=WORD), "sfb": Entry(word=Word(DND, WORD.at - 60))})
    assert of_status("ann", view, compose(view, Rules(), WORD.at)) == of_word("ann", "teams", WORD)
    pin = Pin(DND, WORD.at + 60)
    pinned = View(view.entries, pin=pin)
    assert of_status("ann", pinned, compose(pinned, Rules(), WORD.at)) == of_pin("ann", pin)
    assert of_status("ann", View(), None) == ""

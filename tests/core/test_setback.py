"""The clock was set back between two lives: what was kept must not lie in the future."""

from __future__ import annotations

from typing import cast

from msgspec import Struct
from msgspec.structs import fields

from presence_syncd.core.entry import Entry, Observation, Publication, Word
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import AVAILABLE, BUSY
from presence_syncd.core.setback import AHEAD, PAST, not_ahead
from presence_syncd.core.values import replace
from presence_syncd.core.view import Pin, Rules, View
from presence_syncd.core.vocabulary import Vocabulary

PUBLICATION = Publication(
    "Busy",
    BUSY,
    900.0,
    1200.0,
    accepted_at=901.0,
    confirmed_at=905.0,
    refresh_at=1100.0,
    expires_at=1300.0,
    late_until=1250.0,
    left_until=1260.0,
)
ENTRY = Entry(
    shown=BUSY,
    shown_at=950.0,
    shown_from=990.0,
    live_at=1000.0,
    word=Word(BUSY, 800.0, faded_at=850.0),
    publication=PUBLICATION,
    earlier=(replace(PUBLICATION, at=700.0),),
    writes=(900.0,),
    note_at=600.0,
    foretold_until=1010.0,
    vouched_until=1020.0,
)
VIEW = View({"teams": ENTRY, "empty": Entry()}, pin=Pin(BUSY, 2000.0), frozen_until=1400.0)


def test_a_view_of_the_past_stays_as_it_is() -> None:
    assert not_ahead(VIEW, 1000.0) is VIEW
    assert not_ahead(View(), 1000.0) == View()


def test_a_view_of_the_future_is_moved_back_as_a_whole() -> None:
    moved = not_ahead(VIEW, 400.0)
    entry = moved.entries["teams"]
    assert (entry.live_at, entry.shown_from, entry.shown_at, entry.note_at) == (400.0, 390.0, 350.0, 0.0)
    assert entry.word == Word(BUSY, 200.0, faded_at=250.0)
    assert entry.writes == (300.0,)
    assert (entry.foretold_until, entry.vouched_until) == (410.0, 420.0)
    assert entry.publication == Publication(
        "Busy",
        BUSY,
        300.0,
        600.0,
        accepted_at=301.0,
        confirmed_at=305.0,
        refresh_at=400.0,
        expires_at=700.0,
        late_until=650.0,
        left_until=660.0,
    )
    assert entry.earlier[0].at == 100.0
    assert moved.pin == Pin(BUSY, 1400.0)
    assert moved.frozen_until == 800.0


def test_a_lease_of_unknown_age_is_renewed_at_once_and_what_is_none_is_not() -> None:
    """How long the daemon was down cannot be told: a lease taken for younger than it is would lapse."""
    forever = replace(ENTRY, publication=replace(PUBLICATION, refresh_at=None, expires_at=None))
    moved = not_ahead(View({"teams": ENTRY, "symphony": forever}), 400.0)
    due = {name: entry.publication.refresh_at for name, entry in moved.entries.items() if entry.publication}
    assert due == {"teams": 400.0, "symphony": None}


def test_readings_are_heard_at_once_after_the_clock_was_set_back() -> None:
    seen = Observation(AVAILABLE, "Available", 410.0, 411.0)
    words = Vocabulary({}, {}, {})
    deaf, _ = observe(VIEW, "teams", seen, words, Rules())
    hears, _ = observe(not_ahead(VIEW, 400.0), "teams", seen, words, Rules())
    assert deaf.entries["teams"].shown == BUSY
    assert hears.entries["teams"].shown == AVAILABLE


def test_every_time_is_known() -> None:
    for value, names in PAST.items():
        times = {
            f.name for f in fields(cast("type[Struct]", value)) if "float" in str(f.type) and "tuple" not in str(f.type)
        }
        assert times == {*names, *AHEAD[value]}

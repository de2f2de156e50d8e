"""What no story noticed when a mutation tool changed `observe`: one reading, and the entry before it."""

from __future__ import annotations

from typing import Any

import pytest

from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.core.entry import Entry, Kind, Observation, Publication, Word
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, Status
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View

VOCABULARY = replace(symphony.vocabulary(), top=frozenset({"AWAY", "BUSY"}))
IDLE = replace(AVAILABLE, idle=True)


def read(entry: Entry, status: Status, at: float, order: int | None = None) -> tuple[Entry, Kind]:
    """Take one reading of the only domain there is."""
    seen = Observation(status, entry.raw, at, at, order=order)
    view, kind = observe(View({"symphony": entry}), "symphony", seen, VOCABULARY, Rules())
    return view.entries["symphony"], kind


def put_back(*, confirmed_at: float, faded: Status | None = IDLE) -> Entry:
    """Available of theirs, said at 10, was said again by us at 20; they rest since 60."""
    ours = Publication(
        "AVAILABLE", AVAILABLE, at=20, visible_by=50, accepted_at=21, confirmed_at=confirmed_at, restores=True
    )
    word = Word(AVAILABLE, 10, faded=faded, faded_at=60)
    return Entry(shown=IDLE, shown_at=60, shown_from=60, live_at=60, word=word, publication=ours)


def test_who_types_again_after_we_put_their_word_back_has_not_faded_any_more() -> None:
    after, kind = read(put_back(confirmed_at=25), AVAILABLE, 100)
    assert kind is Kind.ECHO
    assert after.word == Word(AVAILABLE, 10)


def test_what_we_put_back_after_they_began_to_rest_is_no_typing() -> None:
    before = put_back(confirmed_at=70)
    after, kind = read(before, AVAILABLE, 100)
    assert kind is Kind.ECHO
    assert after.word == before.word


def test_typing_goes_on_where_nothing_was_ever_said() -> None:
    after, kind = read(replace(put_back(confirmed_at=25), word=None), AVAILABLE, 100)
    assert (after.word, kind) == (None, Kind.ECHO)


def test_a_reading_of_the_fade_itself_is_no_typing() -> None:
    before = put_back(confirmed_at=25)
    after, kind = read(before, IDLE, 100)
    assert kind is Kind.SAME
    assert after.word == before.word


def stale(gone_by: float) -> Entry:
    """Busy shows, and is taken for a write of ours that was taken back and passes by then."""
    gone = Publication("BUSY", BUSY, at=10, visible_by=gone_by, accepted_at=11, confirmed_at=12, taken_back=True)
    return Entry(shown=BUSY, shown_at=12, shown_from=12, live_at=12, mine=True, earlier=(gone,))


@pytest.mark.parametrize(("gone_by", "kind"), [(100.0, Kind.OWN), (100.1, Kind.SAME)])
def test_what_passes_is_theirs_from_the_moment_on_at_which_it_must_be_gone(gone_by: float, kind: Kind) -> None:
    assert read(stale(gone_by), BUSY, 100)[1] is kind


@pytest.mark.parametrize(("word", "status", "kind"), [("AWAY", AWAY, Kind.OWN), ("BUSY", BUSY, Kind.SAME)])
def test_what_our_write_says_too_is_not_chosen_again(word: str, status: Status, kind: Kind) -> None:
    """The object has changed since: by our write, if that says the same."""
    ours: dict[str, Any] = {"at": 10.0, "visible_by": 100.0, "accepted_at": 11.0, "version": 1}
    before = Entry(shown=BUSY, shown_from=5, live_at=5, order=1, publication=Publication(word, status, **ours))
    assert read(before, BUSY, 50, order=2)[1] is kind


@pytest.mark.parametrize(("mine", "is_seen"), [(False, False), (True, True)])
def test_what_was_there_before_confirms_a_write_only_where_it_ended_what_showed_of_ours(
    mine: bool, is_seen: bool
) -> None:
    ours = Publication("BUSY", BUSY, at=10, visible_by=100, accepted_at=11, before=frozenset({AWAY, BUSY}), order=None)
    before = Entry(shown=AWAY, shown_from=5, live_at=5, mine=mine, beneath=BUSY, publication=ours)
    after, kind = read(before, BUSY, 50)
    assert kind is Kind.ECHO
    assert after.publication is not None
    assert (after.publication.confirmed_at is not None) is is_seen


def test_what_came_to_light_and_is_no_word_may_rest_without_touching_the_word() -> None:
    before = Entry(shown=BUSY, shown_at=60, shown_from=60, live_at=60, word=Word(AWAY, 10))
    after, kind = read(before, replace(BUSY, idle=True), 100)
    assert kind is Kind.DECAY
    assert after.word == Word(AWAY, 10)

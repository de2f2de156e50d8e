"""The tables of BEMS, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_syncd.connectors.bems import wire
from presence_syncd.core.presence import AWAY, BRB, BUSY, DND, OFF_WORK, OFFLINE, UNKNOWN, parse_status


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (-1, "unknown"), (0, "available"), (3500, "available"), (4499, "available"), (4500, "available-idle"),
        (5000, "available-idle"), (5999, "available-idle"), (6000, "busy"), (6500, "busy"), (7499, "busy"),
        (7500, "busy-idle"), (8999, "busy-idle"), (9000, "dnd"), (9500, "dnd"), (11999, "dnd"), (12000, "brb"),
        (12500, "brb"), (14999, "brb"), (15000, "away"), (15500, "away"), (17999, "away"), (18000, "offline"),
        (18500, "offline"), (99999, "offline"),
    ],
)  # fmt: skip
def test_numbers_are_folded_by_ranges(number: int, name: str) -> None:
    assert wire.presence_name(number) == name
    assert wire.presence_name(str(number)) == name


def test_b18_numbers_words_and_unknown_words() -> None:
    assert [wire.presence_name(value) for value in (6500, "6500", "Busy")] == ["busy"] * 3
    assert wire.presence_name("focus") == "unknown"
    assert wire.status_of("unknown") == UNKNOWN


@pytest.mark.parametrize("value", [None, True, [], {}, "", "9" * 40])
def test_what_is_no_presence_says_nothing(value: object) -> None:
    assert wire.presence_name(value) == "unknown"


def test_the_names_read_are_exactly_eight() -> None:
    assert list(wire.READS) == ["available", "available-idle", "busy", "busy-idle", "dnd", "brb", "away", "offline"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("available", "available"), ("available+idle", "available"), ("available+ooo", "available"), ("busy", "busy"),
        ("busy+idle", "busy"), ("busy/call", "busy"), ("busy/conference", "busy"), ("busy/meeting", "busy"),
        ("dnd", "busy"), ("dnd/presenting", "busy"), ("dnd/urgent-only", "busy"), ("brb", "away"), ("away", "away"),
        ("away+ooo", "away"), ("offline/off-work", "away"), ("offline", None), ("offline+ooo", None), ("unknown", None),
    ],
)  # fmt: skip
def test_what_is_written_is_the_table_of_the_mapping(status: str, word: str | None) -> None:
    assert wire.vocabulary().word_for(parse_status(status)) == word


def test_each_word_written_is_among_what_may_be_read_back() -> None:
    vocabulary = wire.vocabulary({"dnd": "doNotDisturb", "brb": "beRightBack", "off_work": "offWork"})
    for word in vocabulary.words.values():
        shown = wire.status_of(wire.presence_name(word, {"off_work": "offWork"}))
        assert vocabulary.is_echo(word, shown), word


def test_an_available_that_we_wrote_fades_to_idle_and_to_away() -> None:
    vocabulary = wire.vocabulary()
    assert vocabulary.is_faded_echo("available", wire.READS["available-idle"])
    assert vocabulary.is_faded_echo("available", AWAY)
    assert vocabulary.is_faded_echo("busy", wire.READS["busy-idle"])
    assert not vocabulary.is_faded_echo("busy", AWAY)
    assert not vocabulary.is_faded_echo("away", OFFLINE)


def test_a_guess_replaces_a_documented_word_and_has_an_echo_of_its_own() -> None:
    vocabulary = wire.vocabulary({"dnd": "doNotDisturb"})
    assert vocabulary.word_for(DND) == "doNotDisturb"
    assert vocabulary.echoes["doNotDisturb"] == {DND}
    assert vocabulary.word_for(BRB) == "away"
    assert vocabulary.word_for(OFF_WORK) == "away"
    assert vocabulary.word_for(BUSY) == "busy"


def test_a_refused_guess_has_a_documented_substitute() -> None:
    guesses = {"dnd": "doNotDisturb", "brb": "beRightBack"}
    assert wire.substitute_for("doNotDisturb", guesses) == "busy"
    assert wire.substitute_for("beRightBack", guesses) == "away"
    assert wire.substitute_for("somethingElse", guesses) == "busy"
    assert wire.substitute_for("busy", guesses) is None


def test_b16_contacts_are_compared_without_case_and_scheme() -> None:
    assert wire.same_contact(" SIP:User_1@Example.COM ") == "user_1@example.com"
    assert wire.same_contact("user_1@example.com") == "user_1@example.com"


@given(st.integers() | st.text() | st.floats() | st.none())
def test_nothing_that_comes_over_the_wire_breaks_the_reader(value: object) -> None:
    assert wire.presence_name(value) in {*wire.READS, "unknown"}

"""The tables of Graph: what is read, what is written, and that the one is recognised in the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_syncd.connectors.graph import wire
from presence_syncd.connectors.graph.wire import PREFERRED, READS, SESSION, iso_duration, read_status, vocabulary
from presence_syncd.core.presence import OFFLINE, UNKNOWN, parse_status
from presence_syncd.core.vocabulary import Vocabulary

LEGAL_SESSION = {
    "Available/Available",
    "Busy/InACall",
    "Busy/InAConferenceCall",
    "Away/Away",
    "DoNotDisturb/Presenting",
}
LEGAL_PREFERRED = {
    "Available/Available",
    "Busy/Busy",
    "DoNotDisturb/DoNotDisturb",
    "BeRightBack/BeRightBack",
    "Away/Away",
    "Offline/OffWork",
}


def test_reads_lists_the_documented_pairs() -> None:
    assert len(READS) == 26
    assert {str(status) for status in READS.values()} >= {"away+ooo", "busy/call+ooo", "dnd/urgent-only", "offline+ooo"}


@pytest.mark.parametrize(
    ("availability", "activity", "meaning"),
    [
        ("busyidle", None, "busy+idle"),
        ("AVAILABLE", "available", "available"),
        ("Available", "Inactive", "available+idle"),
        ("Away", "Inactive", "away"),
        ("Busy", "BusyInactive", "busy+idle"),
        ("inAMeeting", "busy", "busy/meeting"),
        ("inAMeeting", "InACall", "busy/meeting"),
        ("Focusing", "x", "dnd/focusing"),
        ("Busy", "InACall + OOF", "busy/call+ooo"),
        ("Busy", ["Nonsense", "InACall", "InAMeeting"], "busy/call"),
        ("Busy", ["Nonsense", 7, None], "busy"),
        ("Away", "InACall", "away"),
        ("OutOfOffice", None, "away+ooo"),
        ("Offline", "OffWork", "offline/off-work"),
        (["Busy"], "Busy", "busy"),
    ],
)
def test_reads_values_in_either_field_and_any_case(availability: object, activity: object, meaning: str) -> None:
    assert read_status(availability, activity, False)[0] == parse_status(meaning)


def test_out_of_office_comes_from_its_own_setting_too() -> None:
    assert read_status("Busy", "Busy", True) == (parse_status("busy+ooo"), "Busy/Busy")


def test_keeps_the_raw_text_of_what_it_does_not_know() -> None:
    assert read_status("FutureState", "Something", False) == (UNKNOWN, "FutureState/Something")
    assert read_status("PresenceUnknown", "PresenceUnknown", True)[0] == UNKNOWN
    assert read_status(None, None, True) == (UNKNOWN, "null")
    assert read_status("Busy", ["A", "B"], False)[1] == "Busy/A, B"


def test_what_a_service_says_at_length_is_not_kept() -> None:
    kept = wire._remembered.cache_info().currsize
    assert read_status("Busy", "x" * wire.SHORT, False)[0] == parse_status("busy")
    assert wire._remembered.cache_info().currsize == kept


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists), st.none() | st.text())
def test_never_fails_whatever_is_sent(availability: object, activity: object) -> None:
    status, raw = read_status(availability, activity, False)
    assert isinstance(raw, str)
    assert status == UNKNOWN or isinstance(availability, (str, list))


def test_writes_only_pairs_the_service_takes() -> None:
    assert set(SESSION.words.values()) <= LEGAL_SESSION
    assert set(SESSION.echoes) == LEGAL_SESSION
    assert set(PREFERRED.echoes) == LEGAL_SESSION | LEGAL_PREFERRED
    assert set(vocabulary(False, beta=True).echoes) == LEGAL_SESSION - {"DoNotDisturb/Presenting"}


@pytest.mark.parametrize("tables", [SESSION, PREFERRED])
def test_recognises_every_word_when_it_is_read_back(tables: Vocabulary) -> None:
    for word, echoes in tables.echoes.items():
        availability, _, activity = word.partition("/")
        assert {READS[word], OFFLINE, read_status(availability, activity, True)[0]} <= echoes


@pytest.mark.parametrize(
    ("status", "session", "preferred"),
    [
        ("available", "Available/Available", "Available/Available"),
        ("available+idle", "Available/Available", "Available/Available"),
        ("available+ooo", "Available/Available", "Available/Available"),
        ("busy", None, "Busy/Busy"),
        ("busy/call", "Busy/InACall", "Busy/InACall"),
        ("busy/conference", "Busy/InAConferenceCall", "Busy/InAConferenceCall"),
        ("busy/meeting", "Busy/InAConferenceCall", "Busy/InAConferenceCall"),
        ("dnd", None, "DoNotDisturb/DoNotDisturb"),
        ("dnd/presenting", "DoNotDisturb/Presenting", "DoNotDisturb/Presenting"),
        ("dnd/urgent-only", None, "DoNotDisturb/DoNotDisturb"),
        ("dnd/focusing", None, "DoNotDisturb/DoNotDisturb"),
        ("brb", "Away/Away", "BeRightBack/BeRightBack"),
        ("away+ooo", "Away/Away", "Away/Away"),
        ("offline/off-work", None, "Offline/OffWork"),
        ("offline", None, None),
        ("offline+ooo", None, None),
        ("unknown", None, None),
    ],
)
def test_says_what_the_mapping_says(status: str, session: str | None, preferred: str | None) -> None:
    assert SESSION.word_for(parse_status(status)) == session
    assert PREFERRED.word_for(parse_status(status)) == preferred


def test_knows_what_the_service_does_by_itself() -> None:
    assert SESSION.is_faded_echo("Available/Available", parse_status("available+idle"))
    assert SESSION.is_faded_echo("Available/Available", parse_status("away"))
    assert SESSION.is_faded_echo("Busy/InACall", parse_status("busy+idle"))
    assert not SESSION.is_faded_echo("Away/Away", parse_status("available"))


def test_an_override_must_be_a_pair_the_mode_can_write() -> None:
    assert SESSION.override({"dnd": "Busy/InACall"}).word_for(parse_status("dnd")) == "Busy/InACall"
    with pytest.raises(ValueError, match="Busy/Busy"):
        SESSION.override({"busy": "Busy/Busy"})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300, "PT5M"), (3600, "PT1H"), (5400.9, "PT1H30M"), (14400, "PT4H"), (90, "PT1M30S"), (0, "PT0S")],
)
def test_writes_durations_as_iso_8601(seconds: float, text: str) -> None:
    assert iso_duration(seconds) == text

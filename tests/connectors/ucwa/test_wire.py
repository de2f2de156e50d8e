"""The tables of Skype for Business: what is written is recognised when it is read back."""

from __future__ import annotations

import pytest

from presence_syncd.connectors.ucwa.wire import READS, VOCABULARY, Preferred, status_of
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, DND, OFF_WORK, OFFLINE, UNKNOWN, parse_status


def test_exactly_the_eight_documented_availabilities_are_read() -> None:
    assert set(READS) == {"Online", "Busy", "DoNotDisturb", "BeRightBack", "Away", "Offline", "IdleOnline", "IdleBusy"}


@pytest.mark.parametrize("word", list(Preferred))
def test_every_word_but_off_work_is_read_back_as_itself(word: Preferred) -> None:
    shown = AWAY if word is Preferred.OFFWORK else READS[word]
    assert VOCABULARY.is_echo(word, shown)
    assert VOCABULARY.echoes[word]


@pytest.mark.parametrize("said", ["Inactive", "PresenceX", "NotSet", "Reset", "online", "", "None"])
def test_a_value_no_page_documents_says_nothing(said: str) -> None:
    assert status_of(said) == UNKNOWN


def test_off_work_is_written_and_expected_back_as_away_offline_or_itself() -> None:
    assert VOCABULARY.word_for(OFF_WORK) == "Offwork"
    assert VOCABULARY.echoes["Offwork"] == {AWAY, OFFLINE, OFF_WORK}
    assert status_of("Offwork") == OFF_WORK


def test_nobody_can_be_made_to_appear_offline() -> None:
    assert VOCABULARY.word_for(OFFLINE) is None
    assert VOCABULARY.word_for(UNKNOWN) is None


def test_details_the_service_does_not_know_are_given_up() -> None:
    assert VOCABULARY.word_for(parse_status("busy/meeting+ooo")) == "Busy"
    assert VOCABULARY.word_for(parse_status("dnd/presenting")) == "DoNotDisturb"


def test_the_server_fades_online_to_idle_and_away_and_busy_to_idle_only() -> None:
    assert VOCABULARY.is_fade(AVAILABLE, READS["IdleOnline"])
    assert VOCABULARY.is_fade(AVAILABLE, AWAY)
    assert VOCABULARY.is_fade(BUSY, READS["IdleBusy"])
    assert not VOCABULARY.is_fade(BUSY, AWAY)
    assert not VOCABULARY.is_fade(DND, AWAY)

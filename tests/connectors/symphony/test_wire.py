from __future__ import annotations

import pytest

from presence_syncd.connectors.symphony.wire import ALWAYS_WRITABLE, READS, record, vocabulary
from presence_syncd.core.presence import (
    AVAILABLE,
    AWAY,
    BRB,
    BUSY,
    DND,
    OFF_WORK,
    OFFLINE,
    UNKNOWN,
    Activity,
    Availability,
    Status,
    parse_status,
)
from presence_syncd.errors import RemoteProtocolError

TABLE = {
    "available": "AVAILABLE",
    "available+idle": "AVAILABLE",
    "available+ooo": "AVAILABLE",
    "busy": "BUSY",
    "busy+idle": "BUSY",
    "busy+ooo": "BUSY",
    "busy/call": "ON_THE_PHONE",
    "busy/conference": "IN_A_MEETING",
    "busy/meeting": "IN_A_MEETING",
    "dnd": "BUSY",
    "dnd/presenting": "BUSY",
    "dnd/urgent-only": "BUSY",
    "brb": "BE_RIGHT_BACK",
    "away": "AWAY",
    "away+ooo": "OUT_OF_OFFICE",
    "offline/off-work": "OFFLINE",
    "offline": None,
    "offline+ooo": None,
    "unknown": None,
}


@pytest.mark.parametrize(("status", "word"), TABLE.items())
def test_writes_what_the_mapping_table_says(status: str, word: str | None) -> None:
    assert vocabulary().word_for(parse_status(status)) == word


def test_older_pods_take_the_deprecated_words() -> None:
    older = vocabulary("DO_NOT_DISTURB", "OFF_WORK")
    assert older.word_for(DND) == "DO_NOT_DISTURB"
    assert older.word_for(Status(Availability.DND, Activity.PRESENTING)) == "DO_NOT_DISTURB"
    assert older.word_for(OFF_WORK) == "OFF_WORK"


@pytest.mark.parametrize("words", [("BUSY", "OFFLINE"), ("DO_NOT_DISTURB", "OFF_WORK")])
def test_every_word_that_is_written_is_expected_back(words: tuple[str, str]) -> None:
    table = vocabulary(*words)
    assert set(table.echoes) == ALWAYS_WRITABLE | set(words)
    assert set(table.words.values()) <= set(table.echoes)
    for word in table.echoes:
        assert table.is_echo(word, READS[word])


def test_off_work_comes_back_as_either_kind_of_offline() -> None:
    table = vocabulary(off_work_as="OFF_WORK")
    for word in ("OFFLINE", "OFF_WORK"):
        assert table.echoes[word] == {OFFLINE, OFF_WORK}


def test_only_available_and_busy_fade_to_away() -> None:
    table = vocabulary()
    assert {word for word in table.echoes if table.is_faded_echo(word, AWAY)} == {"AVAILABLE", "BUSY"}


def test_viewers_of_another_company_see_less() -> None:
    table = vocabulary("DO_NOT_DISTURB", "OFF_WORK", external=True)
    assert table.echoes["BE_RIGHT_BACK"] == {BRB, AWAY}
    assert table.echoes["DO_NOT_DISTURB"] == {DND, AWAY}
    assert table.echoes["OFF_WORK"] == {OFFLINE, OFF_WORK}
    assert table.echoes["AVAILABLE"] == {AVAILABLE}


def test_an_override_must_be_a_word_that_can_be_written() -> None:
    assert vocabulary().override({"dnd": "IN_A_MEETING"}).word_for(DND) == "IN_A_MEETING"
    with pytest.raises(ValueError, match="DO_NOT_DISTURB"):
        vocabulary().override({"dnd": "DO_NOT_DISTURB"})


def test_reads_a_record_whose_id_is_large() -> None:
    seen = record({"category": "BUSY", "userId": 2**63 - 1, "timestamp": 1533928483800})
    assert (seen.status, seen.user_id, seen.order) == (BUSY, 2**63 - 1, 1533928483800)


@pytest.mark.parametrize("value", [1.4568529068038e13, "14568529068038", True, None])
def test_an_id_that_is_no_integer_is_no_id(value: object) -> None:
    assert record({"category": "BUSY", "userId": value}).user_id is None


def test_the_time_of_an_offline_user_orders_nothing() -> None:
    assert record({"category": "OFFLINE", "timestamp": 1533928483800}).order is None


@pytest.mark.parametrize(
    "data", [{}, {"category": None}, {"category": 7}, {"category": "UNDEFINED"}, {"category": "MEETING_ROOM"}]
)
def test_an_undocumented_category_says_nothing(data: dict[str, object]) -> None:
    assert record(data).status == UNKNOWN


@pytest.mark.parametrize("data", [None, [], "BUSY"])
def test_what_is_no_object_is_no_presence(data: object) -> None:
    with pytest.raises(RemoteProtocolError, match="not an object"):
        record(data)

"""The tables of the four services against the project's mapping, in both directions."""

from __future__ import annotations

import pytest

from presence_syncd.connectors.bems import wire as bems
from presence_syncd.connectors.graph import wire as graph
from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.connectors.ucwa import wire as ucwa
from presence_syncd.core.presence import (
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
from presence_syncd.core.vocabulary import Vocabulary
from tests.core.tables import BEMS_READS, EXPECTED, GRAPH_READS, SYMPHONY_READS, UCWA_READS

VOCABULARIES = {
    "combined": graph.PREFERRED,
    "session": graph.SESSION,
    "symphony": symphony.vocabulary(),
    "ucwa": ucwa.VOCABULARY,
    "bems": bems.vocabulary(),
}
CELLS = [(column, status) for column in VOCABULARIES for status in EXPECTED[column]]


def read_back(column: str, word: str) -> Status:
    """What reading a written word gives first; off work is read as away in Skype for Business."""
    return VOCABULARIES[column].reads.get(word, AWAY)


@pytest.mark.parametrize(("column", "status"), CELLS, ids=[f"{column}-{status}" for column, status in CELLS])
def test_each_row_of_the_mapping_is_written_as_the_table_says(column: str, status: Status) -> None:
    assert VOCABULARIES[column].word_for(status) == EXPECTED[column][status][0]


@pytest.mark.parametrize(("column", "status"), CELLS, ids=[f"{column}-{status}" for column, status in CELLS])
def test_each_written_word_reads_back_as_the_table_says_and_is_known_as_an_echo(column: str, status: Status) -> None:
    word, lossy = EXPECTED[column][status]
    if word is None:
        return
    shown = read_back(column, word)
    assert shown == (parse_status(lossy) if lossy else status)
    assert VOCABULARIES[column].is_echo(word, shown)


@pytest.mark.parametrize("status", [s for s, cell in EXPECTED["preferred"].items() if cell[0]], ids=str)
def test_a_preferred_state_alone_differs_from_the_combination_only_where_a_session_says_more(status: Status) -> None:
    word, lossy = EXPECTED["preferred"][status]
    assert word in graph.PREFERRED.echoes
    assert graph.READS[str(word)] == (parse_status(lossy) if lossy else status)


@pytest.mark.parametrize("column", VOCABULARIES)
def test_whatever_can_be_read_anywhere_has_a_word_that_can_be_written_or_none_on_purpose(column: str) -> None:
    unsaid = {OFFLINE, Status(Availability.OFFLINE, ooo=True)}
    no_words = {status for status, cell in EXPECTED[column].items() if cell[0] is None}
    for source in VOCABULARIES.values():
        for status in source.reads.values():
            word = VOCABULARIES[column].word_for(status)
            if word is None:
                plain = {status, Status(status.availability, status.activity), Status(status.availability)}
                assert status in unsaid or plain & no_words, status
            else:
                assert word in VOCABULARIES[column].echoes


@pytest.mark.parametrize(("pair", "status"), GRAPH_READS.items())
def test_each_value_of_graph_is_read(pair: str, status: str) -> None:
    availability, activity = pair.split("/")
    assert str(graph.read_status(availability, activity, out_of_office=False)[0]) == status
    assert str(graph.read_status(availability.lower(), [activity.upper()], out_of_office=False)[0]) == status


@pytest.mark.parametrize(("category", "status"), SYMPHONY_READS.items())
def test_each_category_of_symphony_is_read(category: str, status: str) -> None:
    assert str(symphony.record({"category": category}).status) == status


@pytest.mark.parametrize(("availability", "status"), UCWA_READS.items())
def test_each_availability_of_ucwa_is_read(availability: str, status: str) -> None:
    assert str(ucwa.status_of(availability)) == status


@pytest.mark.parametrize(("value", "status"), BEMS_READS.items())
def test_each_range_and_word_of_bems_is_read(value: float | str, status: str) -> None:
    assert str(bems.status_of(bems.presence_name(value))) == status


def test_the_readable_values_are_as_many_as_the_simulation_counts() -> None:
    tables = (graph.READS, symphony.READS, ucwa.READS, bems.READS)
    assert [len(table) for table in tables] == [26, 10, 8, 8]
    assert all(status.is_known for table in tables for status in table.values())


def test_an_override_changes_one_row_and_no_other() -> None:
    own = symphony.vocabulary().override({"brb": "AWAY", "dnd/presenting": "IN_A_MEETING"})
    assert own.word_for(BRB) == "AWAY"
    assert own.word_for(Status(Availability.DND, Activity.PRESENTING)) == "IN_A_MEETING"
    assert own.word_for(DND) == "BUSY"
    assert symphony.vocabulary().word_for(BRB) == "BE_RIGHT_BACK"


def test_an_override_with_a_word_nobody_can_write_names_the_legal_ones() -> None:
    with pytest.raises(ValueError, match=r"'Lunch' cannot be written for away; legal: .*AWAY"):
        symphony.vocabulary().override({"away": "Lunch"})


def test_an_override_of_an_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match="'lunch' is no status"):
        symphony.vocabulary().override({"lunch": "AWAY"})


def test_configured_words_of_symphony_are_recognised_when_read_back() -> None:
    old_pod = symphony.vocabulary(dnd_as="DO_NOT_DISTURB", off_work_as="OFF_WORK")
    assert old_pod.word_for(DND) == "DO_NOT_DISTURB"
    assert old_pod.is_echo("DO_NOT_DISTURB", DND)
    assert old_pod.is_echo("OFF_WORK", OFF_WORK)
    assert old_pod.is_echo("OFF_WORK", OFFLINE)


def test_off_work_never_becomes_plain_offline() -> None:
    only_offline = Vocabulary(reads={}, words={OFFLINE: "gone", BUSY: "busy"}, echoes={})
    assert only_offline.word_for(OFF_WORK) is None
    assert only_offline.word_for(UNKNOWN) is None


def test_a_door_beside_another_takes_its_echoes_and_fades_but_keeps_its_own_words() -> None:
    both = bems.vocabulary().beside(ucwa.VOCABULARY)
    assert both.word_for(DND) == "busy"
    assert both.is_echo("DoNotDisturb", DND)
    assert both.fades == bems.FADES | ucwa.FADES


def test_a_chosen_detail_neither_fades_nor_is_a_fade() -> None:
    pod = symphony.vocabulary()
    call = Status(Availability.BUSY, Activity.CALL)
    assert pod.is_faded_echo("BUSY", AWAY)
    assert not pod.is_faded_echo("ON_THE_PHONE", AWAY)
    assert ucwa.VOCABULARY.is_fade(BUSY, Status(Availability.BUSY, idle=True))
    assert not ucwa.VOCABULARY.is_fade(BUSY, Status(call.availability, call.activity, idle=True))


def test_doors_that_fade_differently_fade_in_both_ways() -> None:
    both = ucwa.VOCABULARY.beside(symphony.vocabulary())
    assert both.is_fade(BUSY, AWAY)
    assert both.is_fade(BUSY, Status(Availability.BUSY, idle=True))

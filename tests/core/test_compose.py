"""How words become one status: by time, by place, by rank; and a pin above all."""

from __future__ import annotations

import pytest

from presence_syncd.core.compose import BUSIEST, compose, next_fade, stands, wanted
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, OFF_WORK, OFFLINE, Availability, Status, parse_status
from presence_syncd.core.view import Compose, Rules, View
from tests.core.desk import Desk


def test_nobody_said_anything() -> None:
    assert compose(View(), Rules(), 0) is None


def test_the_newest_word_wins() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("symphony", "busy", 10)
    desk.see("skype", "dnd", 20)
    composed = desk.composed(21)
    assert (str(composed.status), composed.domain, composed.at, composed.rule) == ("dnd", "skype", 20, "latest")
    assert composed.note is None


def test_what_was_decided_stands_until_something_else_is_said_or_writing_is_paused() -> None:
    desk = Desk("skype", "symphony")
    assert stands(None, desk.view, desk.rules, 0)
    assert not stands(BUSY, desk.view, desk.rules, 0)
    desk.start(skype="brb", symphony="brb")
    desk.see("symphony", "busy", 10)
    assert stands(BUSY, desk.view, desk.rules, 12)
    desk.pause(paused=True)
    assert not stands(BUSY, desk.view, desk.rules, 13)
    assert not stands(None, desk.view, desk.rules, 13)
    desk.pause(paused=False)
    desk.see("skype", "dnd", 16)
    assert not stands(BUSY, desk.view, desk.rules, 17)
    assert stands(None, desk.view, desk.rules, 17)


def test_what_is_to_be_shown_for_who_is_idle_stands_while_they_are() -> None:
    desk = Desk("skype", "symphony", rules=Rules(idle_away=True))
    desk.start(skype="available", symphony="available+idle")
    desk.see("skype", "available+idle", 10)
    assert stands(AWAY, desk.view, desk.rules, 100)
    desk.see("skype", "available", 110)
    assert not stands(AWAY, desk.view, desk.rules, 111)


def test_any_word_said_since_the_start_is_newer_than_those_that_were_there() -> None:
    desk = Desk("skype", "symphony")
    desk.see("skype", "brb", 50, changed_at=50)
    desk.restart(100)
    desk.see("symphony", "dnd", 101)
    assert desk.word("symphony").at == 100
    desk.see("skype", "busy", 102)
    assert desk.status(103) == "busy"


@pytest.mark.parametrize("first", ["offline", "available+idle", "busy+idle"])
def test_of_words_of_unknown_age_one_of_a_person_who_is_there_wins(first: str) -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype=first, symphony="away")
    assert desk.status(2) == "away"


def test_of_words_of_unknown_age_the_later_one_wins_and_then_the_place() -> None:
    desk = Desk("skype", "symphony", "teams")
    desk.restart(100)
    desk.see("skype", "brb", 101, changed_at=20)
    desk.see("symphony", "dnd", 101, changed_at=30)
    assert desk.status(102) == "dnd"
    desk.see("teams", "away", 101, changed_at=30)
    assert desk.status(102) == "dnd"


def test_going_away_by_itself_is_no_reason_to_rank_a_said_word_lower() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("symphony", "busy", 10)
    desk.see("skype", "available+idle", 20)
    assert desk.status(21) == "available+idle"


def test_a_pin_is_above_all_until_it_ends() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.pin("dnd", until=100)
    composed = desk.composed(99)
    assert (str(composed.status), composed.domain, composed.at, composed.rule) == ("dnd", None, 99, "pin")
    assert desk.status(100) == "brb"


def test_the_first_of_the_list_wins_whose_client_is_there() -> None:
    desk = Desk("skype", "symphony", "teams", rules=Rules(compose=Compose.PRIORITY, priority=("symphony", "skype")))
    desk.start(skype="dnd", symphony="busy", teams="brb")
    desk.see("teams", "away", 10)
    assert desk.status(11) == "busy"
    desk.see("symphony", "offline", 20)
    assert desk.status(49) == "busy"
    assert desk.status(50) == "dnd"
    desk.see("skype", "offline", 60)
    assert desk.status(90) == "away"


def test_without_any_of_the_list_the_newest_wins() -> None:
    desk = Desk("skype", "symphony", rules=Rules(compose=Compose.PRIORITY, priority=("bems",)))
    desk.start(skype="dnd", symphony="busy")
    desk.see("symphony", "brb", 10)
    assert desk.status(11) == "brb"


def test_the_busiest_wins_and_of_equals_the_newest() -> None:
    desk = Desk("skype", "symphony", "teams", rules=Rules(compose=Compose.BUSIEST))
    desk.start(skype="available", symphony="busy", teams="busy/call")
    assert desk.composed(2).domain == "symphony"
    desk.see("teams", "busy/conference", 10)
    assert desk.composed(11).domain == "teams"
    desk.see("skype", "dnd", 20)
    assert desk.status(21) == "dnd"


def test_a_busy_client_that_has_gone_is_not_the_busiest_any_more() -> None:
    desk = Desk("skype", "symphony", rules=Rules(compose=Compose.BUSIEST))
    desk.start(skype="busy", symphony="available")
    desk.see("skype", "offline", 10)
    assert desk.status(39) == "busy"
    assert desk.status(40) == "available"


def test_the_ladder_has_every_step() -> None:
    assert set(BUSIEST) == set(Availability)
    assert [str(step) for step in BUSIEST[:5]] == ["dnd", "busy", "brb", "away", "available"]


def test_a_fade_counts_once_it_has_lasted() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="brb")
    desk.see("skype", "away", 10)
    assert next_fade(desk.view, desk.rules, 39) == 40
    assert next_fade(desk.view, desk.rules, 40) is None
    assert desk.status(39.9) == "available"
    assert desk.status(40) == "away"


def test_the_earliest_fade_is_the_next() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.see("skype", "away", 10)
    desk.see("symphony", "away", 5)
    assert next_fade(desk.view, desk.rules, 11) == 35


def test_the_newest_note_wins_wherever_it_was_said() -> None:
    desk = Desk("skype", "teams", rules=Rules(notes=True))
    desk.see("skype", "busy", 1, note="in Rome")
    desk.see("teams", "busy", 1, note="in Oslo")
    desk.see("skype", "busy", 10, note="at home")
    assert desk.composed(11).note == "at home"
    desk.pin("dnd", until=100)
    assert desk.composed(11).note == "at home"
    assert compose(desk.view, Rules(), 11).note is None  # type: ignore[union-attr]  # somebody has said something


@pytest.mark.parametrize(
    ("said", "rules", "shown"),
    [
        ("offline", Rules(), "offline"),
        ("offline", Rules(offline_away=True), "away"),
        ("offline/off-work", Rules(offline_away=True), "offline/off-work"),
        ("available+idle", Rules(), "available+idle"),
        ("available+idle", Rules(idle_away=True), "away"),
        ("available", Rules(idle_away=True), "available"),
        ("busy+idle", Rules(idle_away=True), "busy+idle"),
        ("unknown", Rules(idle_away=True, offline_away=True), "unknown"),
    ],
)
def test_policies_for_idle_and_offline(said: str, rules: Rules, shown: str) -> None:
    assert str(wanted(parse_status(said), rules)) == shown


def test_statuses_read_what_they_print() -> None:
    for status in (AVAILABLE, AWAY, BUSY, OFF_WORK, OFFLINE, Status(Availability.AWAY, ooo=True)):
        assert parse_status(str(status)) == status


@pytest.mark.parametrize("text", ["", "lunch", "busy/presenting", "busy+late", "busy+ooo+idle", "busy/"])
def test_what_no_status_prints_is_refused(text: str) -> None:
    legal = r"available, busy, dnd, brb, away, offline, unknown, then /activity, \+idle, \+ooo$"
    with pytest.raises(ValueError, match=f"is no status; legal: one of {legal}"):
        parse_status(text)

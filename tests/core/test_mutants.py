"""What no test noticed when a mutation tool changed it: edges of the rules that are told elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.core.change import of_status, of_word
from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import IN_SIGHT, Entry, Kind, Observation, Publication, Word
from presence_syncd.core.forbidden import BLIND
from presence_syncd.core.presence import (
    AVAILABLE,
    AWAY,
    BRB,
    BUSY,
    DND,
    OFF_WORK,
    OFFLINE,
    Activity,
    Availability,
    Status,
    status,
)
from presence_syncd.core.publication import begin, freeze, leave
from presence_syncd.core.revealed import (
    _is_chosen,
    _would_show,
    has_come_back,
    is_revealed,
    is_seen_to_be_over,
    passing,
)
from presence_syncd.core.setback import not_ahead
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View
from presence_syncd.core.vocabulary import Vocabulary
from tests.core.desk import VOCABULARIES, Desk


def test_a_status_is_neither_idle_nor_out_of_office_unless_that_is_said() -> None:
    assert status(Availability.BUSY) == BUSY


def busy_in_symphony() -> Desk:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("symphony", "busy", 10)
    return desk


def test_after_a_pin_the_change_is_named_by_the_word_again() -> None:
    desk = busy_in_symphony()
    desk.pin("dnd", until=20)
    name = of_status("ann", desk.view, desk.composed(21))
    assert name == of_word("ann", "symphony", desk.word("symphony"))


def test_a_view_less_than_a_second_ahead_is_moved_back_too() -> None:
    ahead = View({"teams": Entry(shown=BUSY, live_at=100.5)})
    assert not_ahead(ahead, 100.0).entries["teams"].live_at == 100.0


def test_what_was_written_and_never_shown_is_still_renewed_in_time() -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "offline", 20)
    decision = desk.decide("teams", 21)
    assert (decision.reason, decision.requeue_at) == (Reason.ABSENT, 210)


def test_a_farewell_ends_the_lease_and_its_renewal_and_leaves_a_write_to_be_done_anew() -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.view = leave(desk.view, "teams", 30)
    left = desk.publication("teams")
    assert left.failed is True
    assert left.refresh_at is None
    assert not left.holds(30)
    assert not left.is_awaited(30)


@pytest.mark.parametrize(("asked_at", "reason"), [(29.9, Reason.CONFIRMING), (30.0, Reason.RETRACT)])
def test_a_word_read_when_our_write_must_be_in_sight_is_not_waited_for(asked_at: float, reason: Reason) -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    assert desk.see("teams", "dnd", 31, from_=asked_at) is Kind.OWN
    assert desk.why("teams", 32) is reason


def test_a_word_that_comes_back_from_a_fade_is_as_it_was_said() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "available", 10)
    said = desk.word("skype")
    assert desk.see("skype", "available+idle", 100) is Kind.DECAY
    assert desk.word("skype") != said
    desk.see("skype", "available", 105)
    assert desk.word("skype") == said


def test_a_word_nobody_can_write_is_answered_with_those_that_can_be() -> None:
    words: Vocabulary = replace(symphony.vocabulary(), echoes={"ON": frozenset(), "OFF": frozenset()})
    with pytest.raises(ValueError, match=r"legal: ON, OFF$"):
        words.override({"busy": "NO"})


LATE = 100_000.0
"""A daemon that has run for a day: sums of two times, where their difference was meant, are far off."""


@pytest.mark.parametrize(("ago", "frozen"), [(59.9, True), (60.0, False)])
def test_writes_of_the_last_minute_count_towards_a_loop_on_any_day(ago: float, frozen: bool) -> None:
    view = View({"teams": Entry(writes=(LATE - ago,) * 31)})
    assert (freeze(view, "teams", Rules(), LATE).frozen_until > LATE) is frozen


@pytest.mark.parametrize(("ago", "frozen"), [(59.9, True), (60.0, False)])
def test_answers_of_the_last_minute_count_towards_a_loop_on_any_day(ago: float, frozen: bool) -> None:
    view = View({"teams": Entry(), "skype": Entry(answers=(LATE - ago,) * 21)})
    assert (freeze(view, "teams", Rules(), LATE).frozen_until > LATE) is frozen


@pytest.mark.parametrize("after", [0.0, 0.5, 9.9])
def test_a_word_that_comes_at_once_answers_a_write_on_any_day(after: float) -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("symphony", "busy", LATE)
    desk.write("teams", LATE)
    assert desk.see("teams", "dnd", LATE + after) is Kind.OWN
    desk.see("symphony", "brb", LATE + 20)
    desk.write("teams", LATE + 20)
    assert desk.see("teams", "available", LATE + 20 + after) is Kind.OWN
    assert desk.entry("teams").answers == (LATE + after, LATE + 20 + after)


@pytest.mark.parametrize(("looked_at", "kind"), [(369.9, Kind.ECHO), (370.0, Kind.OWN)])
def test_the_end_of_a_lease_reveals_what_lay_under_it_once_and_soon(looked_at: float, kind: Kind) -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 20)
    desk.see("teams", "busy", looked_at)
    assert desk.see("teams", "available", looked_at + 1) is kind


def test_a_lease_is_over_at_its_end() -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 20)
    assert desk.see("teams", "available", 310) is Kind.ECHO


def test_a_client_that_rests_can_only_come_to_light_where_ours_hid_it() -> None:
    desk = Desk("session", "symphony")
    desk.start(session="busy/call", symphony="busy")
    desk.see("symphony", "brb", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    assert desk.see("session", "available", 11) is Kind.OWN


def test_a_write_of_unknown_outcome_is_not_expected_any_more_when_its_time_is_up() -> None:
    late = Publication("busy", BUSY, at=0.0, visible_by=20.0, overridden=True, confirmed_at=1.0, late_until=50.0)
    assert late.may_show(49.9)
    assert not late.may_show(50.0)
    assert Entry(earlier=(late,)).still_out(49.9) == (late,)
    assert Entry(earlier=(late,)).still_out(50.0) == ()


def test_what_was_taken_back_is_not_expected_any_more_when_it_should_be_out_of_sight() -> None:
    gone = Publication("busy", BUSY, at=0.0, visible_by=20.0, taken_back=True)
    assert Entry(earlier=(gone,)).still_out(19.9) == (gone,)
    assert Entry(earlier=(gone,)).still_out(20.0) == ()


@pytest.mark.parametrize(("gone_at", "writes"), [(100.0, False), (199.9, True), (200.0, False)])
def test_only_a_word_said_after_the_person_left_is_written_once_more(gone_at: float, *, writes: bool) -> None:
    """Left in the instant of our write, or of the word: nobody knows which came first, so nothing is written."""
    desk = Desk("bems", "symphony")
    desk.start(bems="available", symphony="available")
    desk.see("symphony", "busy", 100)
    desk.write("bems", 100)
    desk.see("bems", "offline", gone_at)
    desk.see("symphony", "busy/meeting", 200)
    assert desk.why("bems", 200) is (Reason.REWRITE if writes else Reason.ABSENT)


def test_what_is_as_written_while_nobody_is_there_is_not_written_once_more() -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10)
    desk.see("teams", "busy", 20)
    desk.see("teams", "offline", 100)
    desk.see("symphony", "busy+ooo", 200)
    assert desk.why("teams", 200) is Reason.ABSENT


def test_a_lease_that_ends_before_its_write_must_be_in_sight_is_renewed_in_time() -> None:
    desk = Desk("bems", "symphony")
    desk.start(bems="available", symphony="available")
    desk.see("symphony", "busy", 10)
    desk.write("bems", 10, refresh_in=20, expires_in=300)
    desk.see("bems", "available", 15)
    assert desk.decide("bems", 16).requeue_at == 30


@pytest.mark.parametrize(("shown", "reason"), [("offline", Reason.ABSENT), ("busy+idle", Reason.IN_SYNC)])
def test_a_write_that_the_service_lets_go_of_is_still_renewed_in_time(shown: str, reason: Reason) -> None:
    desk = Desk("bems", "symphony")
    desk.start(bems="available", symphony="available")
    desk.see("symphony", "busy", 10)
    desk.write("bems", 10, refresh_in=200)
    desk.see("bems", "busy", 20)
    desk.see("bems", shown, 100)
    decision = desk.decide("bems", 131)
    assert (decision.reason, decision.requeue_at) == (reason, 210)


def test_a_write_is_named_by_the_change_it_was_made_for() -> None:
    view = View({"teams": Entry()})
    named = begin(view, "teams", "Busy/Busy", BUSY, 60.0, 10.0, change="a1b2c3d4").entries["teams"].publication
    plain = begin(view, "teams", "Busy/Busy", BUSY, 60.0, 10.0).entries["teams"].publication
    assert named is not None
    assert plain is not None
    assert (named.change, plain.change) == ("a1b2c3d4", "")


def test_a_write_tried_again_keeps_the_version_it_began_with() -> None:
    desk = Desk("teams", "symphony")
    desk.see("teams", "available", 1, order="1")
    desk.see("symphony", "available", 1)
    desk.see("symphony", "busy", 10)
    desk.begin("teams", 10)
    desk.see("teams", "available", 11, order="2")
    desk.begin("teams", 13)
    assert desk.publication("teams").version == "1"


def test_a_first_write_is_expected_no_longer_than_it_takes_to_show() -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10)
    assert desk.publication("teams").late_until == 0.0


def test_a_confirmed_write_that_cannot_come_late_any_more_is_forgotten_with_the_next() -> None:
    last = Publication("busy", BUSY, at=0.0, visible_by=20.0, accepted_at=1.0, confirmed_at=2.0, late_until=50.0)
    view = View({"bems": Entry(publication=last)})
    assert begin(view, "bems", "away", AWAY, 60.0, 49.9).entries["bems"].earlier == (last,)
    assert begin(view, "bems", "away", AWAY, 60.0, 50.0).entries["bems"].earlier == ()


def test_writes_are_counted_for_less_than_a_minute() -> None:
    view = View({"bems": Entry(writes=(40.0, 40.1))})
    assert begin(view, "bems", "away", AWAY, 60.0, 100.0).entries["bems"].writes == (40.1, 100.0)


@pytest.mark.parametrize(("lease", "early"), [(50.0, 5.0), (1000.0, 20.0)])
def test_a_renewal_may_be_early_by_a_tenth_of_the_lease_or_by_20_seconds(lease: float, early: float) -> None:
    held = Publication("busy", BUSY, at=LATE, visible_by=LATE, accepted_at=LATE, refresh_at=LATE + lease)
    assert not held.is_nearly_due(LATE + lease - early - 0.1)
    assert held.is_nearly_due(LATE + lease - early)


def test_a_domain_that_was_never_configured_is_taken_in_with_its_first_reading() -> None:
    desk = busy_in_symphony()
    desk.view = View()
    assert desk.see("symphony", "busy", 10) is Kind.OWN
    assert desk.status(10) == "busy"


@pytest.mark.parametrize(("asked_at", "kind"), [(60.9, Kind.STALE), (61.0, Kind.OWN)])
def test_a_lower_version_is_an_old_reading_for_less_than_a_minute(asked_at: float, kind: Kind) -> None:
    desk = Desk("teams", "symphony")
    desk.see("teams", "available", 1, order=2)
    desk.see("symphony", "available", 1)
    assert desk.see("teams", "busy", 62, from_=asked_at, order=1) is kind


@pytest.mark.parametrize(("lasted", "kind"), [(29.9, Kind.DECAY), (30.0, Kind.OWN)])
def test_a_person_who_was_gone_long_enough_to_count_says_their_word_anew(lasted: float, kind: Kind) -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="busy", symphony="busy")
    desk.see("skype", "offline", 100)
    assert desk.see("skype", "busy", 100 + lasted) is kind


@pytest.mark.parametrize(("at", "kind"), [(19.9, Kind.ECHO), (20.0, Kind.OWN)])
def test_what_signing_in_may_show_is_expected_until_its_time_is_up(at: float, kind: Kind) -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="away", symphony="away")
    desk.foretell("skype", "available", until=20)
    assert desk.see("skype", "available", at) is kind


@pytest.mark.parametrize(("asked_at", "kind"), [(19.9, Kind.STALE), (20.0, Kind.ECHO)])
def test_a_reading_that_left_when_our_write_was_done_is_not_from_before_it(asked_at: float, kind: Kind) -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 15)
    desk.see("symphony", "brb", 20)
    desk.write("teams", 20, refresh_in=200, expires_in=300)
    assert desk.see("teams", "available", 25, from_=asked_at) is kind


@pytest.mark.parametrize(("asked_at", "confirmed_at"), [(9.9, None), (10.0, 12.0)])
def test_only_a_reading_that_left_before_our_write_cannot_confirm_it(
    asked_at: float, confirmed_at: float | None
) -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10)
    desk.see("teams", "busy", 12, from_=asked_at)
    assert desk.publication("teams").confirmed_at == confirmed_at


@pytest.mark.parametrize(("at", "returned"), [(69.9, AWAY), (70.0, None)])
def test_what_an_answer_told_is_expected_until_another_echo_is_seen_in_time(at: float, returned: Status | None) -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, shown="away")
    desk.see("teams", "busy", at)
    assert desk.publication("teams").returned == returned


@pytest.mark.parametrize(("at", "word"), [(19.9, None), (20.0, "at lunch")])
def test_a_note_of_an_earlier_write_is_ours_while_that_may_come_late(at: float, word: str | None) -> None:
    desk = Desk("bems")
    earlier = Publication("busy", BUSY, at=0.0, visible_by=20.0, note="at lunch")
    desk.view = View({"bems": Entry(shown=BUSY, note="", earlier=(earlier,))})
    desk.see("bems", "busy", at, note="at lunch")
    assert desk.entry("bems").note_word == word


@pytest.mark.parametrize(("now", "reason"), [(196.9, Reason.REFRESH), (197.0, Reason.IN_SYNC)])
def test_a_renewal_follows_only_a_reading_of_less_than_two_seconds_ago(now: float, reason: Reason) -> None:
    desk = busy_in_symphony()
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("symphony", "busy", 194)
    desk.see("teams", "busy", 195)
    assert desk.why("teams", now) is reason


def test_a_place_that_is_not_in_the_view_yet_is_taken_like_one_that_was_not_read() -> None:
    desk = busy_in_symphony()
    desk.view = View({"symphony": desk.entry("symphony")})
    assert desk.why("teams", BLIND - 1) is Reason.UNREAD
    assert desk.why("teams", BLIND) is Reason.CHANGE


@pytest.mark.parametrize(("age", "is_proof"), [(0.0, True), (900.0, True), (900.1, False)])
def test_do_not_disturb_proves_that_somebody_is_there_while_its_word_is_fresh(age: float, *, is_proof: bool) -> None:
    entry = Entry(shown=DND, live_at=LATE, word=Word(DND, LATE - age))
    assert entry.is_proof("teams", LATE, 900.0) is is_proof


def test_a_write_passes_only_where_ours_shows_and_no_other_write_stands() -> None:
    ours = Publication("Available/Available", AVAILABLE, at=0.0, visible_by=20.0, taken_back=True)
    entry, spoken = Entry(shown=AVAILABLE, mine=True, earlier=(ours,)), VOCABULARIES["session"]
    assert passing(entry, spoken) == (ours,)
    assert passing(replace(entry, shown=replace(AVAILABLE, idle=True)), spoken) == (ours,)
    answered = replace(ours, returned=BUSY)
    assert passing(replace(entry, shown=BUSY, earlier=(answered,)), spoken) == (answered,)
    for other in ({"shown": None}, {"shown": BUSY}, {"mine": False}, {"publication": ours}):
        assert passing(replace(entry, **other), spoken) == ()


def test_what_comes_back_is_the_word_itself_that_faded_since_we_put_it_back() -> None:
    put_back = Publication("AVAILABLE", AVAILABLE, at=0.0, visible_by=20.0, restores=True, confirmed_at=10.0)
    word = Word(AVAILABLE, 5.0, faded=replace(AVAILABLE, idle=True), faded_at=20.0)
    entry = Entry(word=word, publication=put_back)
    seen = Observation(AVAILABLE, "AVAILABLE", 30.0, 30.0)
    assert has_come_back(entry, seen)
    for else_seen in (replace(seen, status=BUSY), replace(seen, by_signing_in=True)):
        assert not has_come_back(entry, else_seen)
    for other in (None, replace(put_back, restores=False), replace(put_back, confirmed_at=None)):
        assert not has_come_back(replace(entry, publication=other), seen)
    for said in (None, replace(word, faded=None), replace(word, faded_at=10.0)):
        assert not has_come_back(replace(entry, word=said), seen)


def test_a_failed_write_that_was_seen_has_come() -> None:
    seen = Publication("busy", BUSY, at=0.0, visible_by=20.0, failed=True, confirmed_at=10.0)
    entry = Entry(shown=AVAILABLE, shown_from=LATE, publication=seen)
    assert entry.may_cause(seen, LATE)
    assert not entry.may_cause(replace(seen, confirmed_at=None), LATE)


def test_off_work_is_ours_while_it_stands_and_shows_as_gone() -> None:
    ours = Publication("OFF_WORK", OFF_WORK, at=0.0, visible_by=20.0, confirmed_at=10.0)
    entry = Entry(shown=OFFLINE, publication=ours)
    assert entry.is_off_work_of_ours()
    for shown in (None, AVAILABLE):
        assert not replace(entry, shown=shown).is_off_work_of_ours()
    for changed in ({"status": AWAY}, {"confirmed_at": None}, {"expires_at": 300.0}, {"overridden": True}):
        assert not replace(entry, publication=replace(ours, **changed)).is_off_work_of_ours()


@dataclass(frozen=True)
class Pair:
    """A dataclass, as those outside of the core are."""

    one: int
    other: int


def test_a_dataclass_is_replaced_like_any_value() -> None:
    assert replace(Pair(1, 2), other=3) == Pair(1, 3)


def test_a_view_is_read_as_it_was_written_after_each_step_of_a_write() -> None:
    desk = busy_in_symphony()
    desk.begin("teams", 10)
    for step in (
        lambda: desk.fail("teams"),
        lambda: desk.accept("teams", 11),
        lambda: desk.see("teams", "busy", 20),
        lambda: desk.accept("teams", 30, shown="busy"),
        lambda: desk.see("teams", "dnd", 40),
        lambda: desk.take_back("teams", 50),
    ):
        step()
        assert msgspec.json.decode(msgspec.json.encode(desk.view), type=View) == desk.view


def test_the_word_as_it_was_said_knows_nothing_of_who_was_gone() -> None:
    faded = Word(AVAILABLE, 1.0, faded=AWAY, faded_at=2.0, gone=True)
    assert faded.as_said() == Word(AVAILABLE, 1.0)


def test_what_was_not_accepted_yet_is_in_sight_by_nothing_that_was_read_later() -> None:
    ours = Publication("Away", AWAY, at=0.0, visible_by=60.0, expires_at=300.0)
    assert _is_chosen(Entry(shown_from=IN_SIGHT - 0.1), AVAILABLE, ours)
    assert not _is_chosen(Entry(shown_from=IN_SIGHT), AVAILABLE, ours)


@pytest.mark.parametrize(
    ("change", "would_show"),
    [
        ({}, True),
        ({"expires_at": None}, False),
        ({"confirmed_at": None}, False),
        ({"status": AWAY}, False),
        ({"word": "busy"}, False),
    ],
)
def test_a_call_would_show_over_a_session_that_is_available_and_was_seen(
    change: dict[str, Any], would_show: bool
) -> None:
    ours = Publication("available", AVAILABLE, at=0.0, visible_by=60.0, confirmed_at=5.0, expires_at=300.0)
    vocabulary = Vocabulary(reads={}, words={}, echoes={}, top=frozenset({"busy"}))
    call = Status(Availability.BUSY, Activity.CALL)
    assert _would_show(call, replace(ours, **change), vocabulary) is would_show
    assert not _would_show(AVAILABLE, ours, vocabulary)


@pytest.mark.parametrize(
    ("change", "is_so"), [({}, True), ({"expires_at": None}, False), ({"confirmed_at": None}, False)]
)
@pytest.mark.parametrize("choice", [BUSY, DND, BRB, OFF_WORK, replace(BRB, idle=True)])
def test_a_choice_is_not_beneath_a_lease_that_was_seen(choice: Status, change: dict[str, Any], is_so: bool) -> None:
    ours = Publication("busy", BUSY, at=0.0, visible_by=60.0, confirmed_at=5.0, expires_at=300.0)
    vocabulary = Vocabulary(reads={}, words={}, echoes={}, top=frozenset({"busy"}))
    assert _would_show(choice, replace(ours, **change), vocabulary) is is_so
    assert not _would_show(AWAY, ours, vocabulary)


@pytest.mark.parametrize(("taken_back", "expires_at"), [(True, None), (False, 300.0)])
def test_what_is_no_lease_or_was_not_taken_back_is_not_over_because_nobody_shows(
    taken_back: bool, expires_at: float | None
) -> None:
    ours = Publication(
        "away", AWAY, at=0.0, visible_by=60.0, confirmed_at=5.0, taken_back=taken_back, expires_at=expires_at
    )
    nobody = Observation(OFFLINE, "offline", 10.0, 10.0)
    assert not is_seen_to_be_over(ours, nobody, Vocabulary(reads={}, words={}, echoes={}))


@pytest.mark.parametrize(("confirmed_at", "is_so"), [(None, True), (50.0, False)])
def test_nothing_comes_to_light_under_one_of_ours_once_a_later_one_was_seen(
    confirmed_at: float | None, is_so: bool
) -> None:
    gone = Publication("dnd", DND, at=0.0, visible_by=20.0, taken_back=True, expires_at=300.0, before=frozenset({BUSY}))
    last = Publication("brb", BRB, at=40.0, visible_by=60.0, confirmed_at=confirmed_at)
    entry = Entry(shown=BRB, mine=True, publication=last, earlier=(gone,))
    seen = Observation(BUSY, "busy", 100.0, 100.0)
    assert is_revealed(gone, entry, seen, Desk("teams").sinks["teams"].vocabulary) is is_so

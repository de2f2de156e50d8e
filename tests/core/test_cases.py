"""Cases of the sheets of Symphony, Graph and BEMS that the core must get right, by their numbers."""

from __future__ import annotations

from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import Kind
from presence_syncd.core.values import replace
from tests.core.desk import Desk


def test_s07_a_softly_set_available_that_shows_away_is_success_and_no_word() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="brb", symphony="brb")
    desk.see("teams", "available", 10)
    desk.write("symphony", 10, shown="away")
    assert desk.see("symphony", "away", 20) is Kind.SAME
    assert desk.status(100) == "available"
    assert desk.writing(100) == {}
    assert desk.see("symphony", "available", 110) is Kind.ECHO
    assert desk.status(200) == "available"
    assert desk.writing(200) == {}


def test_s08_a_softly_set_busy_of_a_person_offline_is_known_when_it_appears() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="offline")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 10, shown="offline")
    assert desk.see("symphony", "offline", 40) is Kind.SAME
    assert desk.why("symphony", 40) is Reason.ABSENT
    assert desk.see("symphony", "busy", 70) is Kind.ECHO
    assert desk.composed(200).domain == "teams"
    assert desk.writing(200) == {}


def test_s09_idle_that_flips_every_20_seconds_writes_nothing() -> None:
    desk = Desk("symphony", "teams", "skype")
    desk.start(symphony="brb", teams="brb", skype="brb")
    desk.see("symphony", "available", 10)
    desk.write("teams", 10)
    desk.write("skype", 10)
    desk.see("teams", "available", 12)
    desk.see("skype", "available", 12)
    for flip in range(30):
        at = 30.0 + 20 * flip
        assert desk.see("symphony", "away" if flip % 2 == 0 else "available", at) is Kind.DECAY
        assert desk.writing(at) == {}
        assert desk.writing(at + 19) == {}
        assert desk.status(at + 19) == "available"


def test_s09_idle_that_lasts_is_mirrored_once_and_so_is_its_end() -> None:
    desk = Desk("symphony", "teams")
    desk.start(symphony="brb", teams="brb")
    desk.see("symphony", "available", 10)
    desk.write("teams", 10)
    desk.see("teams", "available", 12)
    desk.see("symphony", "away", 100)
    waiting = desk.decide("teams", 110)
    assert (waiting.reason, waiting.requeue_at) == (Reason.IN_SYNC, 130)
    assert desk.write("teams", 130).word == "Away/Away"
    assert desk.see("teams", "away", 140) is Kind.ECHO
    assert desk.see("symphony", "available", 200) is Kind.DECAY
    assert desk.write("teams", 200).word == "Available/Available"


def test_s10_a_new_timestamp_at_each_poll_of_an_offline_user_is_no_event() -> None:
    desk = Desk("symphony", "teams")
    desk.start(symphony="offline", teams="busy")
    before = desk.entry("symphony")
    for poll in range(5):
        assert desk.see("symphony", "offline", 10.0 + poll, changed_at=10.0 + poll) is Kind.SAME
    assert desk.entry("symphony") == replace(before, shown_from=14, live_at=14)


def test_s16_a_user_gone_from_the_list_for_one_cycle_does_not_flap() -> None:
    desk = Desk("symphony", "teams")
    desk.start(symphony="brb", teams="brb")
    desk.see("symphony", "busy", 10)
    desk.write("teams", 10)
    desk.see("teams", "busy", 12)
    assert desk.see("symphony", "unknown", 40) is Kind.UNKNOWN
    assert desk.see("symphony", "offline", 50) is Kind.DECAY
    assert desk.writing(60) == {}
    assert desk.see("symphony", "busy", 70) is Kind.DECAY
    assert desk.writing(300) == {}
    assert desk.composed(300).at == 10


def test_s20_a_reading_that_left_before_a_write_and_came_after_it_is_stale() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 12, shown="busy")
    assert desk.see("symphony", "available", 13, from_=11) is Kind.STALE
    assert str(desk.entry("symphony").shown) == "busy"
    assert desk.writing(14) == {}


def test_s20_the_same_where_the_answer_does_not_tell_what_shows() -> None:
    desk = Desk("teams", "bems")
    desk.start(teams="available", bems="available")
    desk.see("teams", "busy", 10)
    desk.begin("bems", 10)
    desk.see("bems", "available+idle", 11)
    assert desk.see("bems", "available", 12) is Kind.STALE
    desk.accept("bems", 13)
    assert desk.see("bems", "available", 14, from_=12.5) is Kind.STALE
    assert desk.see("bems", "available", 15) is Kind.ECHO
    assert desk.why("bems", 16) is Reason.CONFIRMING
    assert desk.see("bems", "busy", 17) is Kind.ECHO
    assert desk.why("bems", 18) is Reason.IN_SYNC


def test_s25_the_word_of_the_person_a_second_after_our_write_wins_once() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 10, shown="busy", order=1000)
    assert desk.see("symphony", "busy/meeting", 11, order=1900) is Kind.OWN
    assert desk.writing(13) == {"teams": "Busy/InAConferenceCall"}
    desk.write("teams", 13)
    assert desk.see("teams", "busy/conference", 20) is Kind.ECHO
    assert desk.see("symphony", "busy", 21, order=1000) is Kind.STALE
    assert desk.status(400) == "busy/meeting"
    assert desk.writing(400) == {}


def test_s25_an_answer_that_comes_after_a_newer_reading_does_not_undo_it() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.begin("symphony", 10)
    desk.see("symphony", "busy/meeting", 11, order=1900)
    desk.accept("symphony", 12, shown="busy", order=1000)
    assert str(desk.entry("symphony").shown) == "busy/meeting"
    assert desk.why("symphony", 13) is Reason.OWN_WORD


def test_graph_07_a_session_of_higher_rank_is_not_fought() -> None:
    desk = Desk("session", "skype")
    desk.start(session="available", skype="available")
    desk.see("skype", "brb", 10)
    assert desk.write("session", 10).word == "Away/Away"
    assert desk.see("session", "available", 40) is Kind.SAME
    assert desk.decide("session", 40).requeue_at == 70
    assert desk.why("session", 70) is Reason.REWRITE
    desk.write("session", 70)
    desk.see("session", "available", 100)
    for now in (130, 500, 5000):
        assert desk.why("session", now) is Reason.SHADOWED
    desk.see("skype", "away", 6000)
    assert desk.status(6001) == "away"
    tried = desk.write("session", 6000)  # a new word is tried, though it is written as the old one
    assert tried.reason is Reason.CHANGE
    assert desk.why("session", 6059) is Reason.CONFIRMING
    for now in (6060, 9000):
        assert desk.why("session", now) is Reason.SHADOWED


def test_graph_08_a_preference_of_the_person_shadows_us_and_the_session_is_kept_alive() -> None:
    desk = Desk("session", "skype")
    desk.start(session="dnd", skype="away")
    desk.sink("session", leased=True)
    desk.see("skype", "available", 10)
    desk.write("session", 10, refresh_in=240, expires_in=300)
    desk.see("session", "dnd", 30)
    desk.write("session", 70, refresh_in=240, expires_in=300)
    desk.see("session", "dnd", 100)
    desk.see("skype", "available", 131)
    shadowed = desk.decide("session", 131)
    assert (shadowed.reason, shadowed.requeue_at) == (Reason.SHADOWED, 310)
    assert desk.why("session", 310) is Reason.REFRESH
    assert desk.status(310) == "available"


def test_graph_09_a_preference_without_a_session_reads_offline_and_appears_later() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="offline", skype="available")
    desk.see("skype", "dnd", 10)
    desk.write("teams", 10)
    assert desk.see("teams", "offline", 100) is Kind.SAME
    assert desk.why("teams", 100) is Reason.ABSENT
    assert desk.see("teams", "dnd", 4000) is Kind.ECHO
    assert desk.writing(4000) == {}
    assert desk.composed(4000).domain == "skype"


def test_graph_12_a_write_that_shows_after_three_minutes_makes_no_storm() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "dnd", 10)
    assert desk.begin("teams", 10, visible_within=300.0).word == "DoNotDisturb/DoNotDisturb"
    desk.accept("teams", 11)
    for poll in range(12, 190, 5):
        assert desk.see("teams", "available", poll) is Kind.SAME
        assert desk.writing(poll) == {}
    assert desk.see("teams", "dnd", 192) is Kind.ECHO
    assert desk.status(500) == "dnd"
    assert desk.writing(500) == {}


def test_graph_31_an_unknown_presence_keeps_what_was_known() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="dnd", skype="dnd")
    before = desk.view
    assert desk.see("teams", "unknown", 20) is Kind.UNKNOWN
    assert desk.view == before
    assert desk.writing(500) == {}


def test_graph_31_what_is_unknown_from_the_start_is_not_written_before_the_grace_ends() -> None:
    desk = Desk("teams", "skype")
    desk.see("teams", "dnd", 1)
    assert desk.see("skype", "unknown", 1) is Kind.UNKNOWN
    waiting = desk.decide("skype", 30)
    assert (waiting.reason, waiting.requeue_at) == (Reason.UNREAD, 60)
    assert desk.why("skype", 60) is Reason.CHANGE


def test_graph_32_an_older_sequence_number_is_dropped_and_none_is_no_harm() -> None:
    desk = Desk("teams", "skype")
    desk.see("teams", "available", 1, order="A0137")
    desk.see("skype", "available", 1)
    assert desk.see("teams", "busy", 10, order="A0139") is Kind.OWN
    assert desk.see("teams", "available", 11, order="A0138") is Kind.STALE
    assert desk.see("teams", "dnd", 12) is Kind.OWN
    assert desk.entry("teams").order == "A0139"
    assert desk.see("teams", "busy", 13, order=5) is Kind.OWN


def test_graph_33_a_write_answered_504_is_superseded_by_what_is_newer() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "busy", 10)
    desk.begin("teams", 10)
    desk.see("skype", "dnd", 12)
    desk.fail("teams")
    assert desk.writing(13) == {"teams": "DoNotDisturb/DoNotDisturb"}
    desk.write("teams", 13)
    assert desk.see("teams", "dnd", 20) is Kind.ECHO
    assert desk.see("teams", "busy", 30) is Kind.ECHO  # the first write, done after all
    assert desk.status(30) == "dnd"
    assert desk.why("teams", 30) is Reason.REWRITE
    desk.write("teams", 30)
    assert desk.see("teams", "dnd", 40) is Kind.ECHO
    assert desk.writing(500) == {}


def test_b11_sequences_that_come_out_of_order_do_not_undo_newer_ones() -> None:
    desk = Desk("bems", "teams")
    desk.see("bems", "available", 1, order=50)
    desk.see("teams", "available", 1)
    assert desk.see("bems", "busy", 10, order=52) is Kind.OWN
    assert desk.see("bems", "available", 11, order=51) is Kind.STALE
    assert desk.see("bems", "busy", 12, order=52) is Kind.SAME
    assert desk.status(13) == "busy"
    assert desk.see("bems", "away", 14, order=60) is Kind.OWN


def test_b12_a_counter_that_starts_anew_is_believed_after_a_while() -> None:
    desk = Desk("bems", "teams")
    desk.see("bems", "available", 1, order=5000)
    desk.see("teams", "available", 1)
    assert desk.see("bems", "busy", 30, order=1) is Kind.STALE
    assert desk.see("bems", "busy", 100, order=2) is Kind.OWN
    assert desk.entry("bems").order == 2


def test_b17_the_echo_of_our_own_write_is_no_word() -> None:
    desk = Desk("teams", "bems")
    desk.start(teams="available", bems="available")
    desk.see("teams", "dnd/presenting", 10)
    desk.begin("bems", 10)
    assert desk.see("bems", "busy", 10.1) is Kind.ECHO  # before the answer
    desk.accept("bems", 11)
    assert desk.see("bems", "busy+idle", 400) is Kind.DECAY
    assert desk.see("bems", "busy", 500) is Kind.ECHO
    assert desk.status(600) == "dnd/presenting"
    assert desk.writing(600) == {}


def test_b22_a_write_for_a_person_signed_in_nowhere_is_not_repeated() -> None:
    desk = Desk("teams", "bems")
    desk.start(teams="available", bems="offline")
    desk.see("teams", "busy", 10)
    desk.write("bems", 10)
    for poll in range(20, 2000, 60):
        assert desk.see("bems", "offline", poll) is Kind.SAME
        assert desk.why("bems", poll) is Reason.ABSENT
    assert desk.status(2000) == "busy"
    assert desk.writing(2000) == {}

"""What is written, and what is not, for every reason there is."""

from __future__ import annotations

import pytest

from presence_syncd.core.decision import Reason, Sink
from presence_syncd.core.entry import Entry, Kind
from presence_syncd.core.forbidden import BLIND
from presence_syncd.core.presence import AWAY
from presence_syncd.core.proof import is_proven, may_report
from presence_syncd.core.reconcile import reconcile
from presence_syncd.core.view import Direction, Rules, View
from presence_syncd.core.vocabulary import Vocabulary
from tests.core.desk import VOCABULARIES, Desk


def leased(source: str = "available", shown: str = "brb", **rules: object) -> Desk:
    """Skype says `source` at 10; Teams is written by leases and shows `shown`."""
    desk = Desk("skype", "teams", rules=Rules(**rules))  # type: ignore[arg-type]  # by name
    desk.sink("teams", leased=True)
    desk.start(skype="brb", teams=shown)
    desk.see("skype", source, 10)
    return desk


def test_nothing_is_said_before_anybody_said_anything() -> None:
    assert (
        reconcile(View({"teams": Entry(live_at=0.0)}), Sink("teams", VOCABULARIES["teams"]), Rules(), 0).reason
        is Reason.NOTHING_SAID
    )


def test_a_person_who_is_nowhere_from_the_start_is_written_nowhere() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="offline", teams="offline")
    assert desk.why("teams", 500) is Reason.HELD


def test_an_unknown_status_that_was_kept_is_never_written() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="brb")
    desk.pin("unknown", until=100)
    assert desk.why("teams", 50) is Reason.NOTHING_SAID


def test_one_door_of_a_domain_writes_and_the_other_stands_by() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="brb")
    desk.sink("teams", writer=False)
    assert desk.why("teams", 10) is Reason.STANDBY


def test_a_paused_account_is_not_written_and_resumes_where_it_is() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="brb")
    desk.pause(paused=True)
    assert desk.why("teams", 10) is Reason.PAUSED
    desk.pause(paused=False)
    assert desk.why("teams", 10) is Reason.CHANGE


def test_a_read_only_link_is_never_written() -> None:
    desk = Desk("skype", "teams", teams=Direction.READ)
    desk.start(skype="busy", teams="brb")
    assert desk.why("teams", 10) is Reason.READ_ONLY


def test_back_off_waits_until_its_end() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="brb")
    desk.sink("teams", retry_at=20)
    waiting = desk.decide("teams", 19)
    assert (waiting.reason, waiting.requeue_at) == (Reason.BACKOFF, 20)
    assert desk.why("teams", 20) is Reason.CHANGE


def test_a_word_refused_for_good_is_not_repeated_and_another_is_written() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="brb")
    desk.sink("teams", refused="Busy/Busy", refused_until=100)
    refused = desk.decide("teams", 10)
    assert (refused.reason, refused.word, refused.requeue_at) == (Reason.REFUSED, None, 100)
    assert desk.why("teams", 100) is Reason.CHANGE
    desk.see("skype", "dnd", 20)
    assert desk.why("teams", 20) is Reason.CHANGE


def test_after_a_restart_everything_is_read_once_more_before_the_first_write() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "busy", 10)
    desk.begin("teams", 10)
    desk.restart(100)
    assert desk.why("teams", 101) is Reason.UNREAD
    desk.see("teams", "available", 101)
    assert desk.why("teams", 101) is Reason.UNREAD
    desk.see("skype", "dnd", 102)
    assert desk.decide("teams", 102).word == "DoNotDisturb/DoNotDisturb"


def test_a_write_noted_before_the_process_died_is_tried_again() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "busy", 10)
    desk.begin("teams", 10)
    desk.restart(20)
    desk.see("skype", "busy", 21)
    desk.see("teams", "available", 21)
    assert desk.why("teams", 21) is Reason.RETRY


def test_a_write_noted_before_the_process_died_that_shows_is_done() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.see("skype", "busy", 10)
    desk.begin("symphony", 10)
    desk.restart(20)
    desk.see("skype", "busy", 21)
    assert desk.see("symphony", "busy", 21) is Kind.ECHO
    assert desk.why("symphony", 21) is Reason.IN_SYNC


def test_a_write_answered_with_an_error_that_shows_is_done() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.see("skype", "busy", 10)
    desk.begin("symphony", 10)
    desk.fail("symphony")
    assert desk.why("symphony", 11) is Reason.RETRY
    desk.see("symphony", "busy", 12)
    assert desk.why("symphony", 12) is Reason.IN_SYNC


def test_a_lease_answered_with_an_error_is_asked_for_again_even_if_it_shows() -> None:
    desk = leased("busy")
    desk.begin("teams", 10)
    desk.fail("teams")
    desk.see("teams", "busy", 12)
    assert desk.why("teams", 12) is Reason.RETRY


def test_a_failed_lease_is_not_claimed_again_without_proof() -> None:
    desk = leased("available")
    desk.begin("teams", 10)
    desk.fail("teams")
    assert desk.why("teams", 12) is Reason.RETRY
    desk.see("skype", "available+idle", 20)
    faded = desk.decide("teams", 21)
    assert (faded.reason, faded.requeue_at) == (Reason.FADED, 50)


def test_the_persons_own_word_is_left_alone() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="brb", teams="brb")
    desk.see("teams", "dnd/urgent-only", 10)
    assert desk.why("teams", 10) is Reason.OWN_WORD


def test_a_lease_under_the_persons_own_word_is_taken_back() -> None:
    desk = leased("busy")
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 11)
    desk.see("teams", "dnd", 20)
    decision = desk.decide("teams", 20)
    assert (decision.reason, decision.overridden) == (Reason.RETRACT, True)
    desk.take_back("teams", 21)
    assert desk.why("teams", 21) is Reason.OWN_WORD


def test_a_lease_that_crossed_with_the_persons_word_is_looked_at_before_it_is_taken_back() -> None:
    desk = leased("busy")
    desk.begin("teams", 10)
    desk.see("teams", "dnd", 11)
    desk.accept("teams", 12, refresh_in=200, expires_in=300)
    waiting = desk.decide("teams", 13)
    assert (waiting.reason, waiting.requeue_at) == (Reason.CONFIRMING, 43)
    assert desk.why("teams", 72) is Reason.RETRACT
    desk.see("teams", "dnd", 20)
    assert desk.why("teams", 21) is Reason.CONFIRMING  # it may show late what our write has replaced
    desk.see("teams", "dnd", 32)
    assert desk.why("teams", 33) is Reason.RETRACT


def test_a_lease_that_crossed_and_was_left_is_written_over() -> None:
    desk = leased("busy")
    desk.begin("teams", 10)
    desk.see("teams", "dnd", 11)
    desk.accept("teams", 12, refresh_in=200, expires_in=300)
    assert desk.see("teams", "busy", 20) is Kind.ECHO
    assert desk.decide("teams", 21).word == "DoNotDisturb/DoNotDisturb"


def test_words_that_follow_our_writes_at_once_are_a_loop() -> None:
    desk = Desk("skype", "symphony", rules=Rules(settle=0.0, most_answers=2))
    desk.start(skype="brb", symphony="brb")
    for turn in range(3):
        at = 10.0 + 3 * turn
        desk.see("skype", "busy" if turn % 2 == 0 else "away", at)
        desk.write("symphony", at)
        desk.see("symphony", "available" if turn % 2 == 0 else "dnd", at + 1)
        assert len(desk.entry("symphony").answers) == turn + 1
    assert desk.view.frozen_until == 0
    desk.write("skype", 18)
    assert desk.view.frozen_until == 318


def test_words_that_take_their_time_are_no_loop() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "busy", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "available", 20)
    assert desk.entry("symphony").answers == ()
    desk.see("skype", "dnd", 30)
    desk.write("symphony", 30)
    desk.see("symphony", "busy/call", 39)
    assert desk.entry("symphony").answers == (39,)
    desk.see("symphony", "brb", 99)
    assert desk.entry("symphony").answers == ()


def test_a_lease_that_is_over_needs_no_taking_back() -> None:
    desk = leased("busy")
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 11)
    desk.see("teams", "dnd", 20)
    assert desk.why("teams", 310) is Reason.OWN_WORD


def test_what_cannot_be_said_takes_back_what_we_said() -> None:
    desk = Desk("skype", "session")
    desk.sink("session", leased=True)
    desk.start(skype="available", session="brb")
    desk.pin("busy/call", until=100)
    desk.write("session", 2, refresh_in=200, expires_in=300)
    desk.see("session", "busy/call", 3)
    desk.pin("busy", until=100)
    assert desk.why("session", 4) is Reason.RETRACT
    assert not desk.decide("session", 4).overridden
    desk.take_back("session", 5)
    assert desk.why("session", 5) is Reason.UNSAYABLE


def test_absence_takes_nothing_back() -> None:
    desk = leased("busy")
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 11)
    desk.see("skype", "offline", 20)
    assert desk.decide("teams", 40).requeue_at == 50
    assert desk.why("teams", 60) is Reason.HELD


def test_absence_is_mirrored_as_away_where_policy_says_so() -> None:
    desk = Desk("skype", "teams", rules=Rules(offline_away=True))
    desk.start(skype="busy", teams="busy")
    desk.see("skype", "offline", 20)
    assert desk.why("teams", 49) is Reason.IN_SYNC
    assert desk.decide("teams", 50).word == "Away/Away"


def test_idle_is_mirrored_as_away_where_policy_says_so_and_needs_no_proof() -> None:
    desk = leased("available", idle_away=True)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "available", 11)
    desk.see("skype", "available+idle", 20)
    assert desk.why("teams", 30) is Reason.IN_SYNC
    assert desk.decide("teams", 50).word == "Away/Away"


def test_idle_busy_stays_busy_under_the_same_policy() -> None:
    desk = Desk("skype", "teams", rules=Rules(idle_away=True))
    desk.start(skype="brb", teams="brb")
    desk.see("skype", "busy+idle", 10)
    assert desk.decide("teams", 100).word == "Busy/Busy"


def test_available_is_refreshed_only_with_proof() -> None:
    desk = leased("available")
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "available", 11)
    waiting = desk.decide("teams", 100)
    assert (waiting.reason, waiting.requeue_at) == (Reason.IN_SYNC, 210)
    assert desk.why("teams", 210) is Reason.REFRESH
    desk.see("skype", "available+idle", 150)
    assert desk.why("teams", 210) is Reason.FADED


def test_old_proof_is_none() -> None:
    desk = leased("available", evidence=100.0)
    assert desk.why("teams", 110) is Reason.CHANGE
    faded = desk.decide("teams", 111)
    assert (faded.reason, faded.requeue_at) == (Reason.FADED, 141)


def test_busy_is_proven_by_a_live_feed_of_where_it_was_said() -> None:
    desk = leased("busy", evidence=100.0)
    assert desk.why("teams", 110) is Reason.CHANGE
    desk.see("teams", "brb", 111)
    assert desk.why("teams", 111) is Reason.FADED


def test_away_needs_no_proof() -> None:
    desk = leased("away", evidence=100.0)
    assert desk.why("teams", 5000) is Reason.CHANGE


def test_a_pin_proves_itself() -> None:
    desk = leased("away", evidence=100.0)
    desk.pin("available", until=9000)
    decision = desk.decide("teams", 5000)
    assert (decision.reason, decision.word) == (Reason.CHANGE, "Available/Available")


def test_available_said_where_it_would_be_shown_proves_nothing() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="away")
    composed = desk.composed(2)
    assert composed.domain == "teams"
    assert not is_proven(desk.view, composed, "teams", desk.rules, 2)
    assert is_proven(desk.view, composed, "skype", desk.rules, 2)


def test_what_we_show_ourselves_proves_nobody_there() -> None:
    desk = Desk("skype", "symphony", "teams")
    desk.sink("teams", leased=True)
    desk.start(skype="brb", symphony="brb", teams="brb")
    desk.see("skype", "available", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "available", 11)
    desk.see("skype", "available+idle", 12)
    assert desk.why("teams", 13) is Reason.FADED


def kept_awake(**elsewhere: str) -> Desk:
    """Who said available in Skype long ago, and rests there, is at work elsewhere: we report that in Skype at 2000."""
    desk = Desk("skype", "teams", "symphony")
    desk.sink("teams", leased=True)
    desk.start(**{"skype": "brb", "teams": "brb", "symphony": "brb", **elsewhere})
    desk.see("skype", "available", 2)
    desk.see("skype", "available+idle", 500)
    for name, status in elsewhere.items():
        desk.see(name, status, 1990)
    desk.vouch("skype", 2000, until=2330)
    desk.see("skype", "available", 2005)
    return desk


def test_what_we_keep_awake_because_of_a_place_proves_nobody_to_that_place() -> None:
    desk = kept_awake(teams="available")
    assert desk.view.proving("symphony", 2010, 900) == ("skype", "teams")
    desk.see("teams", "available+idle", 2010)
    assert desk.why("teams", 2010) is Reason.FADED
    desk.see("skype", "available", 2329)
    assert desk.why("teams", 2329) is Reason.FADED


def test_what_shows_awake_after_our_report_is_over_is_the_persons() -> None:
    desk = kept_awake(teams="available")
    desk.see("teams", "available+idle", 2010)
    desk.see("skype", "available", 2330)
    assert desk.why("teams", 2330) is Reason.CHANGE


def test_what_we_keep_awake_because_of_a_place_proves_them_to_another() -> None:
    desk = kept_awake(symphony="available")
    assert desk.why("teams", 2010) is Reason.CHANGE
    assert desk.view.proving("symphony", 2010, 900) == ()


def test_what_we_keep_awake_for_no_such_reason_proves_nobody_to_anybody() -> None:
    assert kept_awake().view.proving("teams", 2010, 900) == ()


def test_one_report_after_the_other_keeps_them_awake() -> None:
    desk = kept_awake(teams="available")
    desk.vouch("skype", 2180, until=2510)
    desk.see("teams", "available+idle", 2200)
    desk.see("skype", "available", 2509)
    assert desk.why("teams", 2509) is Reason.FADED
    desk.see("skype", "available", 2510)
    assert desk.why("teams", 2510) is Reason.CHANGE


def test_who_was_awake_before_we_reported_it_is_not_woken_by_that() -> None:
    desk = kept_awake(teams="available")
    desk.see("skype", "available", 2330)
    desk.vouch("skype", 2340, until=2670)
    desk.see("teams", "available+idle", 2350)
    assert desk.why("teams", 2350) is Reason.CHANGE


def test_activity_is_reported_beside_their_own_word_only_while_somebody_proves_them() -> None:
    """Do not disturb, left in Teams for hours, would keep up available in Skype, which then proves them present."""
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("teams", "dnd", 100)

    def may(at: float, skype: str = "available") -> bool:
        desk.see("teams", "dnd", at)
        desk.see("skype", skype, at)
        return may_report(desk.view, desk.composed(at), "skype", desk.rules, at)

    assert [may(at) for at in (110, 1000, 1001)] == [True, True, False]
    desk.write("skype", 1002, "dnd")
    assert desk.entry("skype").mine
    assert may(5000, skype="dnd")


def test_a_pin_has_activity_reported_and_who_is_away_or_gone_never() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("teams", "away", 100)
    assert not may_report(desk.view, desk.composed(110), "skype", desk.rules, 110)
    desk.pin("available", until=9000)
    assert may_report(desk.view, desk.composed(2000), "skype", desk.rules, 2000)
    for status in ("away", "offline"):
        desk.pin(status, until=9000)
        assert not may_report(desk.view, desk.composed(2000), "skype", desk.rules, 2000)


def test_the_word_they_say_where_we_woke_them_proves_them_as_any_word() -> None:
    desk = kept_awake(teams="available")
    desk.see("skype", "busy", 2011)
    desk.see("skype", "available", 2012)
    desk.vouch("skype", 2180, until=9000)
    desk.see("teams", "available+idle", 2200)
    desk.see("skype", "available", 2012 + 901)
    assert desk.why("teams", 2012 + 901) is Reason.CHANGE


def test_nobody_proves_anything_for_a_word_whose_domain_is_gone() -> None:
    desk = leased("busy")
    composed = desk.composed(11)
    only = View({"teams": desk.entry("teams")})
    assert not is_proven(only, composed, "teams", desk.rules, 11)


def test_a_stale_lease_of_another_word_is_taken_back_when_the_new_one_has_no_proof() -> None:
    desk = leased("dnd")
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("teams", "dnd", 11)
    desk.see("skype", "available+idle", 20)
    assert desk.why("teams", 60) is Reason.RETRACT
    assert not desk.decide("teams", 60).overridden
    desk.take_back("teams", 60)
    assert desk.why("teams", 61) is Reason.FADED


def test_a_pins_lease_ends_with_the_pin_where_the_word_was_said_there() -> None:
    desk = Desk("teams", "skype")
    desk.sink("teams", leased=True)
    desk.start(teams="available", skype="available")
    desk.pin("dnd", until=100)
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("teams", "dnd", 11)
    assert desk.decide("teams", 12).requeue_at == 100
    desk.see("skype", "available+idle", 13)
    assert desk.why("teams", 101) is Reason.RETRACT


def test_a_lease_of_the_same_word_that_the_person_replaced_is_not_taken_back_without_need() -> None:
    desk = leased("available", evidence=100.0)
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("teams", "available", 11)
    desk.see("teams", "dnd", 20)
    desk.see("skype", "busy", 30)
    desk.see("skype", "available+idle", 40)
    assert desk.why("teams", 75) is Reason.FADED


def test_an_unseen_lease_is_not_rewritten_without_proof() -> None:
    desk = leased("available")
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("skype", "available+idle", 20)
    assert desk.why("teams", 60) is Reason.CONFIRMING
    assert desk.why("teams", 75) is Reason.FADED


def test_a_lost_session_is_written_again_once_and_with_proof_only() -> None:
    desk = leased("available")
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("teams", "available", 11)
    desk.see("teams", "offline", 20)
    assert desk.why("teams", 21) is Reason.REWRITE
    desk.see("skype", "available+idle", 22)
    assert desk.why("teams", 23) is Reason.FADED
    desk.see("skype", "available", 24)
    desk.write("teams", 24, refresh_in=2000, expires_in=3000)
    assert desk.why("teams", 30) is Reason.ABSENT
    desk.see("skype", "available", 2020)
    assert desk.why("teams", 2024) is Reason.REFRESH


def test_without_a_lease_absence_is_no_loss() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "available", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "available", 11)
    desk.see("symphony", "offline", 20)
    assert desk.why("symphony", 21) is Reason.ABSENT


def test_what_is_not_known_to_show_is_taken_as_accepted() -> None:
    desk = Desk("skype", "symphony")
    desk.see("skype", "busy", 1)
    desk.write("symphony", BLIND)
    assert desk.why("symphony", BLIND + 10) is Reason.IN_SYNC


def test_what_was_not_read_since_the_start_is_not_written_over() -> None:
    """A person may have said something there while we were away, and only its reading waits for its turn."""
    desk = Desk("skype", "symphony")
    desk.see("symphony", "busy", 1)
    waiting = desk.decide("skype", 61)
    assert (waiting.reason, waiting.requeue_at) == (Reason.UNREAD, BLIND)
    assert desk.see("skype", "brb", 70) is Kind.OWN
    assert desk.composed(71).status.availability == "brb"
    assert desk.why("symphony", 71) is Reason.CHANGE


def test_what_is_only_written_need_not_be_read_first() -> None:
    desk = Desk("skype", "symphony", symphony=Direction.WRITE)
    desk.see("skype", "busy", 1)
    assert desk.why("symphony", 59) is Reason.UNREAD
    assert desk.why("symphony", 60) is Reason.CHANGE


def test_a_write_that_does_not_show_in_time_is_written_once_more_and_then_called_shadowed() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="brb", teams="available")
    desk.see("skype", "busy", 10)
    desk.write("teams", 12)
    waiting = desk.decide("teams", 71)
    assert (waiting.reason, waiting.requeue_at) == (Reason.CONFIRMING, 72)
    desk.write("teams", 72)
    assert desk.why("teams", 131) is Reason.CONFIRMING
    assert desk.why("teams", 132) is Reason.SHADOWED
    desk.see("skype", "dnd", 140)
    assert desk.why("teams", 140) is Reason.CHANGE


def test_a_pin_is_said_once_however_long_it_is_shadowed() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.pin("busy", until=1e4)
    desk.write("teams", 10)
    desk.write("teams", 70)
    for now in (130, 1000, 9000):
        assert desk.why("teams", now) is Reason.SHADOWED


def test_a_shadow_that_passes_makes_it_ours_again() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="brb", teams="available")
    desk.see("skype", "busy", 10)
    desk.write("teams", 12)
    desk.write("teams", 72)
    assert desk.see("teams", "busy", 500) is Kind.ECHO
    assert desk.publication("teams").rewrites == 0
    assert desk.why("teams", 501) is Reason.IN_SYNC


def test_what_already_shows_is_not_written() -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="dnd", bems="busy")
    assert desk.why("bems", 2) is Reason.IN_SYNC


def test_an_expected_offline_is_no_reason_to_write_nothing() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="offline")
    assert desk.why("teams", 2) is Reason.CHANGE


def test_what_shows_while_another_write_is_on_its_way_is_written_after_it() -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="available", bems="available")
    desk.see("skype", "busy", 10)
    desk.write("bems", 10)
    desk.see("skype", "available", 13)
    assert desk.decide("bems", 13).word == "available"
    assert desk.why("bems", 100) is Reason.IN_SYNC


def test_what_shows_over_a_lease_of_another_word_is_written() -> None:
    desk = leased("busy", shown="dnd")
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("teams", "busy", 11)
    desk.see("teams", "dnd", 20)
    desk.pin("dnd", until=100)
    assert desk.why("teams", 30) is Reason.CHANGE


def test_a_manual_away_is_written_over_when_the_person_says_available_elsewhere() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="away", symphony="away")
    desk.see("skype", "available", 10)
    assert desk.decide("symphony", 10).word == "AVAILABLE"


def test_a_write_only_link_that_shows_away_is_written_too() -> None:
    desk = Desk("skype", "symphony", symphony=Direction.WRITE)
    desk.start(skype="away", symphony="away")
    desk.see("skype", "available", 10)
    assert desk.decide("symphony", 10).word == "AVAILABLE"


def test_an_idle_service_that_says_the_same_is_left_idle() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.see("symphony", "away", 10)
    assert desk.why("symphony", 11) is Reason.FADED


def test_an_idle_service_is_woken_by_a_word_said_since() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="available")
    desk.see("symphony", "away", 10)
    desk.see("skype", "available", 11)
    assert desk.why("symphony", 11) is Reason.CHANGE


def test_an_idle_leased_service_is_woken_with_proof_only() -> None:
    desk = Desk("skype", "teams")
    desk.sink("teams", leased=True)
    desk.start(skype="available", teams="available")
    desk.see("teams", "available+idle", 10)
    assert desk.why("teams", 11) is Reason.CHANGE
    desk.see("skype", "available+idle", 12)
    assert desk.why("teams", 13) is Reason.FADED


def test_what_we_wrote_and_has_faded_is_replaced_by_a_new_word() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "busy", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "busy", 11)
    desk.see("symphony", "away", 20)
    assert desk.why("symphony", 21) is Reason.IN_SYNC
    desk.see("skype", "available", 30)
    assert desk.why("symphony", 30) is Reason.CHANGE


def test_changes_faster_than_settle_are_written_as_one() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "busy", 10)
    desk.write("symphony", 10)
    desk.see("skype", "dnd", 11)
    desk.see("skype", "away", 11.5)
    waiting = desk.decide("symphony", 11.5)
    assert (waiting.reason, waiting.requeue_at) == (Reason.SETTLING, 12)
    assert desk.decide("symphony", 12).word == "AWAY"


def test_a_loop_freezes_the_account_and_ends() -> None:
    desk = Desk("skype", "symphony", rules=Rules(settle=0.0, most_writes=6))
    desk.start(skype="brb", symphony="brb")
    for turn in range(7):
        assert desk.view.frozen_until == 0
        desk.see("skype", "busy" if turn % 2 == 0 else "away", 10.0 + turn)
        desk.write("symphony", 10.0 + turn)
    assert desk.view.frozen_until == 316
    desk.see("skype", "available", 20)
    frozen = desk.decide("symphony", 20)
    assert (frozen.reason, frozen.requeue_at) == (Reason.FROZEN, 316)
    assert desk.why("symphony", 316) is Reason.CHANGE


def test_writes_older_than_a_minute_and_retries_count_for_no_loop() -> None:
    desk = Desk("skype", "symphony", rules=Rules(settle=0.0, most_writes=2))
    desk.start(skype="brb", symphony="brb")
    for turn, status in enumerate(["busy", "away", "available", "dnd"]):
        desk.see("skype", status, 10.0 + 60 * turn)
        desk.begin("symphony", 10.0 + 60 * turn)
        desk.fail("symphony")
        desk.begin("symphony", 11.0 + 60 * turn)
        desk.fail("symphony")
    assert desk.view.frozen_until == 0
    assert len(desk.entry("symphony").writes) == 1
    assert desk.publication("symphony").attempt == 1


def test_a_note_alone_is_a_change() -> None:
    desk = Desk("teams", "session", rules=Rules(notes=True))
    desk.sink("session", notes=True)
    desk.see("teams", "busy/call", 1, note="in Rome")
    desk.see("session", "busy/call", 1)
    assert desk.decide("session", 2).note == "in Rome"
    desk.write("session", 2)
    desk.see("session", "busy/call", 3)
    assert desk.why("session", 4) is Reason.IN_SYNC
    desk.see("teams", "busy/call", 10, note="in Oslo")
    assert desk.decide("session", 10).note == "in Oslo"
    desk.sink("session", notes=False)
    assert desk.decide("session", 10).note is None


def test_the_end_of_a_pin_and_of_a_fade_wake_whoever_waits() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.see("skype", "away", 10)
    assert desk.decide("symphony", 11).requeue_at == 40
    desk.pin("available", until=30)
    assert desk.decide("symphony", 11).requeue_at == 30
    assert desk.decide("symphony", 30).requeue_at == 40
    assert desk.decide("symphony", 40).requeue_at is None


def test_a_service_without_a_word_for_it_is_left_alone() -> None:
    nothing = Sink("teams", Vocabulary({}, {AWAY: "away"}, {"away": frozenset({AWAY})}))
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="away")
    assert reconcile(desk.view, nothing, desk.rules, 2).reason is Reason.UNSAYABLE


def test_what_cannot_be_said_takes_nothing_back_that_is_over() -> None:
    desk = Desk("skype", "session")
    desk.start(skype="available", session="brb")
    desk.pin("busy/call", until=1000)
    desk.write("session", 2, refresh_in=200, expires_in=300)
    desk.pin("busy", until=1000)
    assert desk.why("session", 302) is Reason.UNSAYABLE


def test_a_session_that_was_never_seen_is_not_lost() -> None:
    desk = leased("available", shown="offline")
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    assert desk.why("teams", 20) is Reason.ABSENT


def test_a_session_that_ended_is_not_lost() -> None:
    desk = leased("busy")
    desk.write("teams", 10, expires_in=300)
    desk.see("teams", "busy", 11)
    desk.see("teams", "offline", 320)
    assert desk.why("teams", 321) is Reason.ABSENT


def test_an_idle_service_that_would_come_back_as_something_else_is_written() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="busy")
    desk.see("skype", "available", 10)
    assert desk.see("symphony", "away", 20) is Kind.DECAY
    assert desk.why("symphony", 21) is Reason.CHANGE


def test_an_idle_service_where_we_said_something_else_is_written() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.pin("busy", until=100)
    desk.write("symphony", 10)
    desk.see("symphony", "busy", 11)
    desk.see("symphony", "away", 20)
    assert desk.why("symphony", 101) is Reason.CHANGE


def test_nothing_is_taken_back_that_is_over_when_there_is_no_proof() -> None:
    desk = leased("dnd", evidence=100.0)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "dnd", 11)
    desk.see("skype", "available+idle", 20)
    assert desk.why("teams", 400) is Reason.FADED


def test_what_does_not_expire_needs_no_proof() -> None:
    desk = Desk("skype", "symphony", rules=Rules(evidence=100.0))
    desk.start(skype="available", symphony="brb")
    assert desk.why("symphony", 5000) is Reason.CHANGE


def test_idle_busy_is_still_proven_by_its_live_feed() -> None:
    desk = leased("busy+idle")
    assert desk.why("teams", 20) is Reason.CHANGE


def test_settling_counts_from_the_last_write() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    for at, status in ((10, "busy"), (20, "away")):
        desk.see("skype", status, at)
        desk.write("symphony", at)
    desk.see("skype", "available", 21)
    assert desk.why("symphony", 21) is Reason.SETTLING


def test_one_proof_is_enough() -> None:
    desk = Desk("skype", "symphony", "teams")
    desk.sink("teams", leased=True)
    desk.start(skype="brb", symphony="brb", teams="brb")
    desk.see("skype", "available", 10)
    assert desk.why("teams", 10) is Reason.CHANGE


def test_a_lease_that_is_taken_back_for_want_of_proof_tells_that_the_person_replaced_it() -> None:
    desk = leased("busy")
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("teams", "busy", 11)
    desk.see("teams", "dnd", 20)
    desk.see("skype", "available", 30)
    desk.see("skype", "available+idle", 40)
    decision = desk.decide("teams", 75)
    assert (decision.reason, decision.overridden) == (Reason.RETRACT, True)


def test_a_lease_nobody_wants_any_more_is_taken_back_before_it_was_seen() -> None:
    desk = Desk("teams", "skype")
    desk.sink("teams", leased=True)
    desk.start(teams="available", skype="brb")
    desk.pin("dnd", until=20)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    decision = desk.decide("teams", 20)
    assert (decision.reason, decision.overridden) == (Reason.RETRACT, False)


def test_what_our_lease_has_faded_to_is_not_taken_for_what_is_to_be_shown() -> None:
    """It ends by itself, an hour later: nobody would be shown until that is seen, and written then."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="offline", symphony="away")
    desk.see("symphony", "available", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("session", "available", 15)
    assert desk.see("session", "away", 620) is Kind.DECAY
    desk.see("symphony", "away+ooo", 700)
    assert desk.writing(701)["session"] == "Away/Away"


@pytest.mark.parametrize("answer", ["brb", "dnd"])
def test_a_new_word_is_written_also_where_the_service_answered_the_same_with_another(answer: str) -> None:
    """Symphony lets a soft write wait for who is not there, and answers with what shows; they may have come since."""
    desk = Desk("symphony", "skype")
    desk.start(symphony=answer, skype="available")
    desk.see("skype", "busy", 100)
    desk.begin("symphony", 100)
    desk.accept("symphony", 100, answer)
    desk.see("symphony", answer, 101)
    assert desk.why("symphony", 200) is Reason.IN_SYNC
    desk.see("skype", "busy/meeting", 300)
    desk.see("skype", "busy", 301)
    assert desk.why("symphony", 302) is Reason.CHANGE
    desk.write("symphony", 302)
    assert desk.why("symphony", 500) is not Reason.CHANGE


def test_a_new_word_is_not_written_again_where_the_service_answered_that_nobody_is_there() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="offline", skype="available")
    desk.see("skype", "busy", 100)
    desk.begin("symphony", 100)
    desk.accept("symphony", 100, "offline")
    desk.see("symphony", "offline", 101)
    desk.see("skype", "busy/meeting", 300)
    desk.see("skype", "busy", 301)
    assert desk.why("symphony", 302) is Reason.ABSENT

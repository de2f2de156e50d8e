"""Whose word a reading is, where it was easy to get wrong."""

from __future__ import annotations

import pytest

from presence_syncd.connectors.symphony import wire
from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import Kind, is_older
from presence_syncd.core.forbidden import BLIND
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY
from presence_syncd.core.proof import is_proven
from presence_syncd.core.publication import leave
from presence_syncd.core.view import Compose, Direction, Rules
from tests.core.desk import VISIBLE_WITHIN, VOCABULARIES, Desk


def test_the_order_of_the_first_readings_does_not_matter() -> None:
    forth, back = Desk("symphony", "skype"), Desk("symphony", "skype")
    forth.start(symphony="busy", skype="dnd")
    back.start(skype="dnd", symphony="busy")
    assert forth.status(10) == back.status(10) == "busy"
    assert {name: forth.word(name) for name in forth.sinks} == {name: back.word(name) for name in back.sinks}


def test_the_first_word_carries_the_time_the_service_tells_but_never_a_later_one() -> None:
    desk = Desk("symphony", "skype")
    desk.see("symphony", "busy", 50, changed_at=20)
    desk.see("skype", "dnd", 50, changed_at=9999)
    assert (desk.word("symphony").at, desk.word("skype").at) == (20, 50)
    assert desk.word("symphony").initial


def test_a_reading_begun_before_the_last_one_is_stale_and_one_begun_with_it_is_not() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="busy", skype="busy")
    desk.see("symphony", "dnd", 12, from_=10)
    assert desk.see("symphony", "away", 13, from_=9.9) is Kind.STALE
    assert desk.see("symphony", "brb", 14, from_=10) is Kind.OWN


def test_a_repeated_reading_moves_no_time_but_proves_life() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="busy", skype="busy")
    assert desk.see("symphony", "busy", 30) is Kind.SAME
    entry = desk.entry("symphony")
    assert (entry.shown_at, entry.shown_from, entry.live_at, desk.word("symphony").at) == (1, 30, 30, 0)


def test_a_write_that_never_came_through_hides_no_later_word() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.begin("symphony", 10)
    desk.fail("symphony")
    assert desk.see("symphony", "dnd", 20) is Kind.OWN
    assert desk.see("symphony", "available", 30) is Kind.OWN
    assert desk.status(31) == "available"
    assert desk.composed(31).domain == "symphony"


def test_a_failed_write_that_nothing_followed_hides_no_word_for_ever() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="away", symphony="away")
    desk.see("symphony", "busy", 10)
    desk.begin("skype", 10)
    desk.fail("skype")
    desk.see("symphony", "away", 12)
    desk.see("skype", "away", 10 + VISIBLE_WITHIN - 1)
    early = desk.view
    assert desk.see("skype", "busy", 10 + VISIBLE_WITHIN + 20) is Kind.ECHO, "it may have come between the readings"
    desk.view = early
    desk.see("skype", "away", 10 + VISIBLE_WITHIN)
    assert desk.see("skype", "busy", 10 + VISIBLE_WITHIN + 20) is Kind.OWN
    assert not desk.entry("skype").mine
    assert desk.publication("skype").overridden


def accepted(word: str) -> Desk:
    """A desk whose Skype said yes to a word at second 10, and showed nothing of it in time."""
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.pin(word, until=30)
    desk.write("skype", 10)
    desk.see("skype", "away", 10 + VISIBLE_WITHIN - 1)
    return desk


def test_do_not_disturb_that_was_accepted_and_never_done_hides_no_word_for_ever() -> None:
    desk = accepted("dnd")
    early = desk.view
    assert desk.see("skype", "dnd", 2000) is Kind.ECHO, "it may have come between the readings"
    desk.view = early
    desk.see("skype", "away", 10 + VISIBLE_WITHIN)
    assert desk.see("skype", "dnd", 2000) is Kind.OWN
    assert not desk.entry("skype").mine
    assert desk.status(2000) == "dnd"


def test_what_a_call_may_hide_is_not_taken_for_never_done() -> None:
    desk = accepted("busy")
    desk.see("skype", "away", 10 + VISIBLE_WITHIN)
    assert desk.see("skype", "busy", 2000) is Kind.ECHO


def test_where_nobody_is_seen_do_not_disturb_may_wait_for_them() -> None:
    desk = accepted("dnd")
    desk.see("skype", "offline", 10 + VISIBLE_WITHIN)
    assert desk.see("skype", "dnd", 2000) is Kind.ECHO


def test_do_not_disturb_that_was_seen_once_may_show_again() -> None:
    desk = accepted("dnd")
    desk.see("skype", "dnd", 10 + VISIBLE_WITHIN)
    assert desk.see("skype", "dnd+idle", 100) is Kind.DECAY
    assert desk.see("skype", "dnd", 2000) is Kind.ECHO


def test_a_choice_under_a_lease_may_show_as_long_as_the_lease_lasts() -> None:
    """In Teams it shows only while a session is there."""
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.pin("dnd", until=30)
    desk.write("teams", 10, refresh_in=2000, expires_in=3000)
    desk.see("teams", "away", 10 + VISIBLE_WITHIN)
    assert desk.see("teams", "dnd", 2000) is Kind.ECHO


def test_what_nothing_outranks_is_known_to_the_other_door_too() -> None:
    word = VOCABULARIES["skype"].top
    assert word
    assert VOCABULARIES["bems"].beside(VOCABULARIES["skype"]).top == word


def test_a_write_that_was_noted_before_a_crash_may_have_come_however_late_it_is_seen() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="away", symphony="away")
    desk.see("symphony", "busy", 10)
    desk.begin("skype", 10)
    desk.restart(500)
    assert desk.see("skype", "busy", 510) is Kind.ECHO


def test_a_refused_write_hides_no_word_for_ever() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.begin("skype", 10)
    desk.fail("skype")
    desk.see("skype", "available+idle", 11)
    assert desk.see("skype", "available", 12) is Kind.STALE
    assert desk.see("skype", "available", 70) is not Kind.STALE  # 60 seconds after the try nothing can come any more


def test_a_word_said_before_our_write_was_seen_ends_its_claim_once_it_cannot_come_any_more() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    assert desk.see("skype", "dnd", 20) is Kind.OWN  # our busy was never seen
    desk.write("teams", 20)
    assert desk.see("skype", "busy", 200) is Kind.OWN
    assert desk.status(201) == "busy"


def test_a_write_done_after_the_word_it_overtook_is_an_echo_and_the_word_is_written_back() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.begin("skype", 10)
    assert desk.see("skype", "dnd", 11) is Kind.OWN
    desk.accept("skype", 12)
    assert desk.see("skype", "busy", 13) is Kind.ECHO
    assert desk.status(14) == "dnd"
    assert desk.publication("skype").confirmed_at == 13
    assert not desk.publication("skype").overridden
    assert desk.write("skype", 14).word == "DoNotDisturb"
    assert desk.see("skype", "dnd", 15) is Kind.ECHO
    assert desk.why("skype", 16) is Reason.IN_SYNC


def test_a_word_taken_for_our_echo_in_between_is_one_again_after_the_window() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("skype", "busy", 20)
    assert desk.see("skype", "dnd", 30) is Kind.OWN
    assert desk.see("skype", "busy", 40) is Kind.OWN  # it had been seen, so this is by hand


def test_a_client_that_comes_back_shows_what_we_wrote_and_not_a_word() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("skype", "busy", 12)
    assert desk.see("skype", "offline", 100) is Kind.DECAY
    desk.see("teams", "away", 5000)
    desk.write("skype", 5000)
    assert desk.see("skype", "busy", 9000) is Kind.ECHO
    assert desk.entry("skype").mine
    assert desk.status(9001) == "away"
    assert desk.write("skype", 9001).word == "Away"


@pytest.mark.parametrize("back", ["available", "available+idle", "away"])
def test_a_client_that_comes_back_idle_shows_what_we_wrote_too(back: str) -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="brb", skype="brb")
    desk.see("teams", "available", 10)
    desk.write("skype", 10)
    desk.see("skype", "available", 12)
    desk.see("skype", "offline", 100)
    desk.see("skype", "offline", 200)
    desk.see("teams", "busy", 5000)
    desk.write("skype", 5000)
    assert desk.see("skype", back, 9000) is Kind.ECHO
    assert desk.entry("skype").mine
    assert desk.status(9100) == "busy"


def test_a_client_that_comes_back_with_the_persons_own_word_says_it_anew() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="brb")
    desk.see("skype", "offline", 100)
    desk.see("teams", "dnd", 200)
    assert desk.see("skype", "busy", 9000) is Kind.OWN
    assert desk.composed(9001).domain == "skype"


def test_what_signing_in_at_one_door_shows_at_the_other_is_nobodys_word() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "dnd", 10)
    desk.foretell("skype", "busy", until=40)
    assert desk.see("skype", "busy", 20) is Kind.ECHO
    assert (str(desk.word("skype").status), desk.entry("skype").mine) == ("dnd", True)
    assert desk.writing(21)["skype"] == desk.begin("skype", 21).word, "what signing in overwrote is written again"


@pytest.mark.parametrize(("said", "at"), [("away", 20), ("busy", 41)])
def test_what_signing_in_does_not_explain_is_a_word(said: str, at: float) -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="dnd", teams="dnd")
    desk.foretell("skype", "busy", until=40)
    desk.see("skype", said, at)
    assert str(desk.word("skype").effective(at + 999, 30)) == said


def test_a_client_that_was_away_for_a_moment_says_nothing_anew() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="busy", teams="brb")
    desk.see("teams", "dnd", 90)
    desk.see("skype", "offline", 100)
    assert desk.see("skype", "busy", 129) is Kind.DECAY
    assert desk.composed(200).domain == "teams"


@pytest.mark.parametrize(("away_at", "kind"), [(130, Kind.OWN), (129.9, Kind.DECAY)])
def test_a_client_that_comes_back_resting_says_it_anew_when_it_wakes(away_at: float, kind: Kind) -> None:
    """Symphony shows who rests as who chose away; that nobody was there before is not forgotten over it."""
    desk = Desk("symphony", "skype")
    desk.start(symphony="available", skype="available")
    desk.see("skype", "dnd", 60)
    desk.see("skype", "offline", 90)
    desk.see("symphony", "offline", 100)
    assert desk.see("symphony", "away", away_at) is Kind.DECAY
    assert desk.see("symphony", "available", 2000) is kind
    assert (desk.composed(2001).domain == "symphony") is (kind is Kind.OWN)
    assert not desk.word("symphony").gone
    desk.see("symphony", "away", 3000)
    assert desk.see("symphony", "available", 4000) is Kind.DECAY


def test_who_wakes_to_say_something_as_we_write_is_not_taken_for_what_we_wrote() -> None:
    """BlackBerry tells at once that they are awake, what they said, and our write: the first is not that write."""
    desk = Desk("bems", "symphony")
    desk.start(bems="available", symphony="available")
    desk.see("symphony", "busy", 10)
    desk.write("bems", 10)
    desk.see("bems", "busy", 11)
    desk.see("bems", "busy+idle", 400)
    desk.see("symphony", "dnd", 900)
    desk.begin("bems", 900)
    assert [desk.see("bems", status, 901) for status in ("busy", "available", "busy")] == [
        Kind.ECHO,
        Kind.OWN,
        Kind.ECHO,
    ]
    assert (desk.composed(902).domain, desk.status(902)) == ("bems", "available")
    desk.accept("bems", 902)
    assert desk.writing(903)["bems"] == "available", "what ours overruled is put back"


def test_who_is_awake_once_our_write_is_done_shows_that_write() -> None:
    desk = Desk("bems", "symphony")
    desk.start(bems="available", symphony="available")
    desk.see("symphony", "busy", 10)
    desk.write("bems", 10)
    desk.see("bems", "busy", 11)
    desk.see("bems", "busy+idle", 400)
    desk.see("symphony", "dnd", 900)
    desk.write("bems", 900)
    ours = desk.entry("bems").publication
    assert ours is not None
    assert desk.see("bems", "busy", 901, from_=ours.accepted_at) is Kind.ECHO
    ours = desk.entry("bems").publication
    assert ours is not None
    assert ours.confirmed_at == 901


def test_a_client_that_rests_after_it_came_back_is_still_known_to_have_been_gone() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="available", skype="available")
    desk.see("symphony", "offline", 100)
    desk.see("symphony", "away", 200)
    desk.see("symphony", "offline", 201)
    desk.see("symphony", "away", 202)
    assert desk.see("symphony", "available", 203) is Kind.OWN


def test_a_client_that_comes_back_with_another_word_means_it() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("skype", "busy", 12)
    desk.see("skype", "offline", 100)
    assert desk.see("skype", "dnd", 9000) is Kind.OWN
    assert desk.entry("skype").left is None


@pytest.mark.parametrize(("back_at", "kind"), [(2600, Kind.ECHO), (3000, Kind.OWN)])
def test_a_farewell_reveals_what_lay_beneath_for_minutes_however_long_the_lease_was(back_at: float, kind: Kind) -> None:
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="available", symphony="available")
    desk.see("symphony", "busy/call", 10)
    desk.write("session", 10, refresh_in=2900, expires_in=3600)
    desk.see("session", "busy/call", 15)
    desk.view = leave(desk.view, "session", 2500)
    desk.see("session", "busy/call", back_at - 5)
    assert desk.see("session", "available", back_at) is kind


def test_what_our_own_session_lets_be_seen_again_is_neither_a_word_nor_a_proof() -> None:
    """What somebody chose in Teams lasts for days, and is shown while any session is there, be it ours."""
    desk = Desk("session", "symphony", "skype")
    desk.sink("session", leased=True)
    desk.start(session="busy", symphony="available", skype="available")
    desk.see("session", "available", 10)
    desk.see("session", "offline", 20)
    desk.see("symphony", "busy/call", 1000)
    desk.write("session", 1000, refresh_in=200, expires_in=300)
    assert desk.see("session", "available", 1010) is Kind.ECHO
    assert desk.entry("session").mine
    assert desk.status(1011) == "busy/call"
    desk.see("session", "offline", 1400)
    assert desk.see("session", "dnd", 1500) is Kind.OWN


@pytest.mark.parametrize(("answered", "kind"), [("offline", Kind.OWN), (None, Kind.ECHO)])
def test_what_waits_for_the_person_replaces_what_we_showed_before_they_left(answered: str | None, kind: Kind) -> None:
    """Symphony answers a soft write with offline, and keeps it: what was there before comes back by hand only."""
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "brb", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "brb", 12)
    desk.see("symphony", "offline", 100)
    desk.see("teams", "busy", 200)
    desk.write("symphony", 200, answered)
    desk.see("symphony", "offline", 210)
    assert desk.see("symphony", "brb", 9000) is kind


def test_what_we_wrote_while_nobody_was_there_and_has_faded_when_they_come_is_ours() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="brb", skype="offline")
    desk.see("teams", "available", 10)
    desk.write("skype", 10)
    assert desk.see("skype", "away", 20) is Kind.DECAY
    assert desk.entry("skype").mine
    assert desk.word("skype").faded is None


def test_a_chosen_out_of_office_is_no_fade_of_available() -> None:
    desk = Desk("symphony", "teams")
    desk.start(symphony="available", teams="available")
    assert desk.see("symphony", "away+ooo", 10) is Kind.OWN
    assert desk.status(11) == "away+ooo"
    assert desk.writing(11) == {"teams": "Away/Away"}


def test_what_the_person_chose_just_before_we_would_have_written_it_is_theirs_but_no_news() -> None:
    desk = Desk("skype", "symphony", rules=Rules())
    desk.start(skype="available", symphony="away")
    desk.see("skype", "dnd", 10)
    assert desk.see("symphony", "busy", 11) is Kind.ECHO
    assert (desk.word("symphony").status, desk.word("symphony").initial) == (BUSY, False)
    assert desk.composed(12).domain == "skype"
    assert desk.status(12) == "dnd"
    assert desk.writing(12) == {}


def test_what_the_person_chose_under_a_pin_holds_when_the_pin_ends() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.pin("busy", until=100)
    assert desk.see("symphony", "busy", 50) is Kind.ECHO
    assert desk.status(150) == "busy"
    assert desk.composed(150).domain == "symphony"


def test_agreeing_with_a_word_of_unknown_age_does_not_outrank_it() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="dnd", symphony="away")
    assert desk.see("symphony", "busy", 3) is Kind.ECHO
    assert desk.word("symphony").initial
    assert desk.status(4) == "dnd"


def test_who_agrees_by_hand_over_ours_has_replaced_it() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy/call", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "busy/call", 11)
    desk.see("teams", "busy", 100)
    assert desk.see("symphony", "busy", 105) is Kind.ECHO, "what was to be written there, before it was"
    desk.see("teams", "dnd", 1000)
    assert desk.see("symphony", "away", 2000) is Kind.DECAY, "busy fades there; a call that we had written would not"
    assert desk.status(3000) == "dnd"


@pytest.mark.parametrize("there", ["available", "available+idle"])
def test_who_chooses_to_be_there_while_they_rest_elsewhere_has_said_so(there: str) -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="brb", teams="away")
    desk.see("teams", there, 10)
    desk.see("teams", "available+idle", 20)
    assert desk.see("skype", "available", 2000) is Kind.OWN
    assert (desk.status(2001), desk.composed(2001).at) == ("available", 2000)


def test_who_is_away_where_their_rest_elsewhere_was_to_be_shown_so_agrees() -> None:
    desk = Desk("skype", "teams", rules=Rules(idle_away=True))
    desk.start(skype="brb", teams="brb")
    desk.see("teams", "available+idle", 10)
    assert desk.see("skype", "away", 2000) is Kind.ECHO
    assert desk.composed(2001).domain == "teams"


def test_ours_fades_though_a_later_write_of_ours_was_refused() -> None:
    """Symphony shows our busy, a pin that it refuses is over, and then it says by itself that they idle."""
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "busy", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "busy", 11)
    desk.pin("away", until=30)
    desk.begin("symphony", 20)
    desk.fail("symphony", 21, settled=True)
    assert desk.see("symphony", "away", 2000) is Kind.DECAY
    assert desk.status(3000) == "busy"


def test_nobody_agrees_by_going_offline() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "busy", 10)
    assert desk.see("teams", "offline", 11) is Kind.ECHO
    assert desk.word("teams").status == AVAILABLE


def test_a_planned_word_explains_no_fade_before_it_is_written() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.pause(paused=True)
    desk.see("skype", "available", 10)
    assert desk.see("symphony", "away", 11) is Kind.OWN


def test_a_write_only_link_says_nothing_and_is_set_right() -> None:
    desk = Desk("skype", "symphony", symphony=Direction.WRITE)
    desk.start(skype="busy", symphony="available")
    assert desk.entry("symphony").word is None
    desk.write("symphony", 2)
    desk.see("symphony", "busy", 3)
    assert desk.see("symphony", "brb", 20) is Kind.OWN
    assert desk.entry("symphony").word is None
    assert desk.writing(21) == {"symphony": "BUSY"}


def test_a_write_only_link_does_not_agree_either() -> None:
    desk = Desk("skype", "symphony", symphony=Direction.WRITE)
    desk.start(skype="busy", symphony="available")
    assert desk.see("symphony", "busy", 3) is Kind.ECHO
    assert desk.entry("symphony").word is None


def test_a_write_only_link_that_idles_says_nothing() -> None:
    desk = Desk("skype", "symphony", symphony=Direction.WRITE)
    desk.start(skype="busy", symphony="available")
    assert desk.see("symphony", "offline", 3) is Kind.DECAY
    assert desk.entry("symphony").word is None


def test_a_read_only_link_is_compared_with_nothing_we_would_write() -> None:
    desk = Desk("skype", "symphony", symphony=Direction.READ)
    desk.start(skype="available", symphony="away")
    desk.see("skype", "dnd", 10)
    assert desk.see("symphony", "busy", 11) is Kind.OWN
    assert desk.status(12) == "busy"
    assert desk.why("symphony", 12) is Reason.READ_ONLY


def test_a_failed_try_done_after_two_later_writes_is_still_ours() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.begin("symphony", 10)
    desk.fail("symphony")
    desk.write("symphony", 11, shown="busy")
    desk.see("teams", "brb", 20)
    desk.write("symphony", 20, shown="brb")
    assert desk.see("symphony", "brb", 25) is Kind.SAME
    assert desk.see("symphony", "busy", 30) is Kind.ECHO
    assert desk.entry("symphony").mine
    assert desk.status(31) == "brb"
    assert desk.why("symphony", 31) is Reason.REWRITE


def test_a_failed_try_is_not_expected_for_ever() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.begin("symphony", 10)
    desk.fail("symphony")
    desk.write("symphony", 11, shown="busy")
    desk.see("teams", "brb", 20)
    desk.write("symphony", 20, shown="brb")
    assert desk.see("symphony", "busy", 71) is Kind.OWN


def test_an_accepted_try_that_was_seen_to_be_replaced_does_not_come_again() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("teams", "brb", 13)
    desk.write("skype", 13)
    assert desk.see("skype", "busy", 14) is Kind.ECHO  # the first, not seen until now
    assert desk.see("skype", "brb", 15) is Kind.ECHO
    assert desk.entry("skype").earlier == ()
    assert desk.see("skype", "busy", 16) is Kind.OWN


@pytest.mark.parametrize("comes_late", [False, True])
def test_a_value_that_was_there_before_confirms_nothing_while_it_may_be_old(*, comes_late: bool) -> None:
    """It is not old where our earlier write was seen in between: that one has ended by our last."""
    desk = Desk("teams", "skype")
    desk.start(teams="brb", skype="brb")
    desk.see("teams", "available", 10)
    desk.write("skype", 10)
    desk.see("teams", "brb", 13)
    desk.write("skype", 13)
    assert desk.see("skype", "brb", 15) is Kind.SAME
    assert desk.publication("skype").confirmed_at is None
    if comes_late:
        assert desk.see("skype", "available", 16) is Kind.ECHO  # it came late, and is not the person's
        assert desk.status(17) == "brb"
        assert desk.see("skype", "brb", 18) is Kind.ECHO
    assert desk.see("skype", "brb", 80) is Kind.SAME
    assert desk.publication("skype").confirmed_at == (18 if comes_late else 80)


def test_what_lies_under_a_lease_is_no_word_when_the_lease_is_over() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.sink("teams", leased=True)
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 12)
    assert desk.see("teams", "away", 400) is Kind.ECHO  # available underneath, idle by now
    assert not desk.entry("teams").mine
    assert desk.status(401) == "busy"


def test_what_lies_under_a_lease_is_a_word_while_it_holds() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 12)
    assert desk.see("teams", "available", 100) is Kind.OWN


def test_after_a_word_what_lay_under_a_lease_is_a_word_too() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 12)
    assert desk.see("teams", "dnd", 400) is Kind.OWN
    assert desk.see("teams", "available", 410) is Kind.OWN
    assert desk.composed(411).domain == "teams"


def test_a_retracted_lease_that_the_person_had_replaced_reveals_nothing_later() -> None:
    desk = Desk("symphony", "teams")
    desk.start(symphony="available", teams="available")
    desk.sink("teams", leased=True)
    desk.see("symphony", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 11)
    assert desk.see("teams", "available", 13) is Kind.OWN
    desk.take_back("teams", 13)
    desk.see("symphony", "brb", 14)
    desk.write("teams", 14, refresh_in=200, expires_in=300)
    assert desk.see("teams", "brb", 15) is Kind.ECHO
    assert desk.see("teams", "available", 17) is Kind.OWN
    assert desk.composed(18).domain == "teams"


def test_what_a_retracted_lease_reveals_is_no_word() -> None:
    desk = Desk("skype", "session")
    desk.start(skype="available", session="available")
    desk.sink("session", leased=True)
    desk.see("skype", "away", 10)
    desk.see("skype", "away", 60)
    desk.write("session", 60, refresh_in=200, expires_in=300)
    desk.see("session", "away", 70)
    desk.take_back("session", 100)
    assert desk.entry("session").publication is None
    assert desk.see("session", "available", 110) is Kind.ECHO
    assert desk.composed(120).domain == "skype"


def test_a_retracted_write_that_was_never_seen_may_still_appear() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="brb")
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.take_back("teams", 12)
    assert desk.see("teams", "busy", 20) is Kind.ECHO
    assert desk.see("teams", "brb", 25) is Kind.ECHO


def test_a_retracted_write_that_was_seen_does_not_come_again() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="brb")
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 11)
    desk.take_back("teams", 12)
    desk.see("teams", "brb", 20)
    desk.see("skype", "dnd", 21)
    assert desk.see("teams", "busy", 25) is Kind.OWN


@pytest.mark.parametrize(
    ("link", "gone", "order", "kind"),
    [
        ("session", "offline", "2", Kind.OWN),
        ("session", "offline", "1", Kind.ECHO),  # no news since the write, which may not be in sight yet
        ("session", "offline/off-work", "2", Kind.ECHO),  # chosen over a session that may still be there
        ("session", "away", "2", Kind.ECHO),
        ("teams", "offline", "2", Kind.ECHO),  # a chosen word waits beneath for a client
    ],
)
def test_a_session_that_ended_does_not_explain_what_shows_after_nobody_was_shown(
    link: str, gone: str, order: str, kind: Kind
) -> None:
    desk = Desk("skype", link)
    desk.start(skype="away")
    desk.see(link, "brb", 1, order="1")
    desk.see("skype", "busy" if link == "teams" else "busy/call", 10)
    desk.write(link, 10, refresh_in=200, expires_in=300)
    desk.see("skype", "dnd", 29)
    desk.take_back(link, 30)
    desk.see(link, gone, 40, order=order)
    said = "busy" if link == "teams" else "busy/call"
    assert desk.see(link, said, 50, order="3") is kind


def test_a_session_that_was_seen_is_over_when_nobody_is_shown_after_its_end() -> None:
    desk = Desk("skype", "session")
    desk.start(skype="away", session="offline")
    desk.see("skype", "busy/call", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("session", "busy/call", 11)
    desk.see("skype", "dnd", 29)
    desk.take_back("session", 30)
    desk.see("session", "offline", 40)
    assert desk.see("session", "busy/call", 50) is Kind.OWN


def test_after_a_word_what_a_retracted_lease_hid_is_a_word_too() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="brb")
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 11)
    desk.take_back("teams", 12)
    assert desk.see("teams", "dnd", 13) is Kind.OWN
    assert desk.see("teams", "brb", 20) is Kind.OWN


def test_a_version_newer_than_the_answers_is_no_old_value() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.begin("symphony", 10)
    desk.see("symphony", "offline", 11)
    desk.accept("symphony", 14, order=500)
    assert desk.see("symphony", "available", 15, from_=13) is Kind.STALE
    assert desk.see("symphony", "available", 15, from_=13, order=500) is Kind.STALE
    assert desk.see("symphony", "available", 15, from_=13, order=600) is not Kind.STALE


def test_idle_of_the_same_word_is_a_fade_and_typing_again_ends_it() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "available", 10)
    assert desk.see("skype", "available+idle", 20) is Kind.DECAY
    assert desk.word("skype").faded_at == 20
    assert desk.see("skype", "away", 30) is Kind.DECAY
    assert (str(desk.word("skype").faded), desk.word("skype").faded_at) == ("away", 30)
    assert desk.see("skype", "available", 40) is Kind.DECAY
    assert desk.word("skype").faded is None
    assert desk.word("skype").at == 10


def test_the_same_fade_twice_keeps_its_first_time() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "available", 10)
    desk.see("skype", "away", 20)
    desk.see("skype", "unknown", 21)
    desk.see("skype", "offline", 25)
    desk.see("skype", "offline", 30)
    assert desk.word("skype").faded_at == 25


def test_away_where_nothing_fades_to_it_is_a_word() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="dnd", symphony="dnd")
    assert desk.see("skype", "away", 10) is Kind.OWN


def test_a_fade_of_what_we_wrote_leaves_the_persons_older_word_alone() -> None:
    desk = Desk("teams", "skype", rules=Rules(compose=Compose.BUSIEST))
    desk.start(teams="available", skype="brb")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("skype", "busy", 11)
    assert desk.see("skype", "busy+idle", 50) is Kind.DECAY
    assert desk.word("skype").faded is None


def test_a_persons_word_over_ours_is_one_although_it_would_be_a_fade_of_an_older_one() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="brb", skype="available")
    desk.see("teams", "dnd", 10)
    desk.write("skype", 10)
    desk.see("skype", "dnd", 11)
    assert desk.see("skype", "away", 50) is Kind.OWN


def test_versions_are_compared_with_their_like_only() -> None:
    assert is_older(1, 2)
    assert not is_older(2, 2)
    assert is_older("A1", "A2")
    assert not is_older("A2", "A1")
    assert not is_older(1, "A2")
    assert not is_older(None, 2)


def test_notes_are_words_of_their_own_and_ours_are_not() -> None:
    desk = Desk("teams", "session", rules=Rules(notes=True))
    desk.sink("session", notes=True)
    desk.see("teams", "busy/call", 1, note="")
    desk.see("session", "busy/call", 1, note="at lunch")
    assert desk.composed(2).note == "at lunch"
    assert desk.entry("teams").note_word is None
    desk.see("teams", "busy/call", 10, note="in Rome")
    assert desk.composed(11).note == "in Rome"
    decision = desk.write("session", 11)
    assert (decision.reason, decision.word, decision.note) == (Reason.CHANGE, "Busy/InACall", "in Rome")
    desk.see("session", "busy/call", 12, note="in Rome")
    assert desk.entry("session").note_word == "at lunch"
    assert desk.why("session", 13) is Reason.IN_SYNC
    desk.see("session", "busy/call", 20, note="")
    assert desk.composed(21).note == ""
    desk.see("session", "busy/call", 22)
    assert desk.entry("session").note == ""


def test_a_note_on_a_write_only_link_counts_for_nothing() -> None:
    desk = Desk("teams", "session", rules=Rules(notes=True), session=Direction.WRITE)
    desk.see("teams", "busy/call", 1)
    desk.see("session", "busy/call", 1, note="at lunch")
    assert desk.entry("session").note == "at lunch"
    assert desk.composed(2).note is None


def test_the_first_note_is_as_old_as_the_start() -> None:
    desk = Desk("teams", "session", rules=Rules(notes=True))
    desk.restart(100)
    desk.see("teams", "busy", 150, note="old")
    assert desk.entry("teams").note_at == 100


def test_a_substitute_is_recognised_and_does_not_make_the_write_wrong() -> None:
    desk = Desk("skype", "symphony")
    desk.sink("symphony", wire.vocabulary(dnd_as="DO_NOT_DISTURB"))
    desk.start(skype="available", symphony="available")
    desk.see("skype", "dnd", 10)
    assert desk.begin("symphony", 10).word == "DO_NOT_DISTURB"
    desk.accept("symphony", 11, word="BUSY")
    assert desk.publication("symphony").written == "BUSY"
    assert desk.see("symphony", "busy", 12) is Kind.ECHO
    assert desk.writing(400) == {}
    assert desk.status(400) == "dnd"


def test_a_fade_of_what_we_wrote_and_never_saw_leaves_the_persons_word_alone() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "available", 10)
    desk.write("symphony", 10)
    assert desk.see("symphony", "away", 20) is Kind.DECAY
    assert desk.word("symphony").faded is None


def test_a_fade_of_ours_is_not_laid_over_an_older_word_that_fades_alike() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="busy")
    desk.see("skype", "available", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "available", 11)
    assert desk.see("symphony", "away", 20) is Kind.DECAY
    assert desk.word("symphony").faded is None


def test_what_a_lease_reveals_does_not_change_the_word_beneath() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.sink("teams", leased=True)
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 12)
    desk.see("teams", "busy", 300)
    assert desk.see("teams", "away", 311) is Kind.ECHO
    assert desk.word("teams").status == AVAILABLE


def test_typing_after_an_idle_first_reading_is_no_word() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="brb", skype="available+idle")
    assert desk.see("symphony", "dnd", 5) is Kind.OWN
    assert desk.see("skype", "available", 10) is Kind.DECAY
    assert desk.status(100) == "dnd"


def test_a_write_only_link_is_seen_to_be_changed_before_we_wrote() -> None:
    desk = Desk("skype", "symphony", symphony=Direction.WRITE)
    desk.start(skype="busy", symphony="available")
    assert desk.see("symphony", "brb", 10) is Kind.OWN


def test_another_word_after_a_short_absence_is_a_word() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="brb")
    desk.see("skype", "offline", 10)
    assert desk.see("skype", "dnd", 15) is Kind.OWN


def test_a_repeated_reading_makes_nothing_ours() -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="available", bems="available")
    desk.see("skype", "busy", 10)
    desk.write("bems", 10)
    desk.see("skype", "available", 13)
    desk.write("bems", 13)
    assert desk.see("bems", "available", 14) is Kind.SAME
    assert not desk.entry("bems").mine


def test_what_was_shown_all_along_is_ours_once_our_write_of_the_same_must_be_in_effect() -> None:
    """Else two places would prove each other for ever: what we hold up here, and what we keep awake there for it."""
    desk = Desk("skype", "bems")
    desk.start(skype="available", bems="available")
    desk.see("skype", "busy", 10)
    desk.write("bems", 10)
    desk.see("skype", "available", 13)
    desk.write("bems", 13)
    desk.see("bems", "available", 40)
    assert not desk.entry("bems").mine, "it may be what was there before"
    assert is_proven(desk.view, desk.composed(40), "skype", desk.rules, 40)
    late = 13 + VISIBLE_WITHIN + 30
    desk.see("bems", "available", late)
    assert desk.publication("bems").confirmed_at == late
    assert desk.entry("bems").mine
    assert not is_proven(desk.view, desk.composed(late), "skype", desk.rules, late)


def test_offline_confirms_nothing() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "dnd", 10)
    desk.write("teams", 10)
    assert desk.see("teams", "offline", 20) is Kind.ECHO
    assert desk.publication("teams").confirmed_at is None


def test_a_reading_begun_before_the_write_confirms_nothing() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.see("skype", "busy", 10)
    desk.begin("symphony", 10)
    assert desk.see("symphony", "busy", 11, from_=9) is Kind.ECHO
    assert desk.publication("symphony").confirmed_at is None


def test_a_write_the_person_replaced_is_not_revived_by_what_they_choose_later() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("skype", "busy", 11)
    desk.see("skype", "dnd", 20)
    desk.see("teams", "busy/meeting", 30)
    assert desk.see("skype", "busy", 31) is Kind.ECHO  # just what we would write
    assert desk.publication("skype").overridden
    assert not desk.entry("skype").mine


def test_a_first_reading_of_what_we_wrote_blindly_is_no_word() -> None:
    desk = Desk("skype", "symphony")
    desk.see("skype", "busy", 1)
    desk.write("symphony", BLIND)
    assert desk.see("symphony", "busy", BLIND + 1) is Kind.ECHO
    assert desk.entry("symphony").word is None
    assert desk.see("symphony", "offline", BLIND + 10) is Kind.DECAY
    assert desk.entry("symphony").word is None


def test_a_repeated_note_is_not_newer() -> None:
    desk = Desk("teams", "skype", rules=Rules(notes=True))
    desk.see("teams", "busy", 1, note="")
    desk.see("teams", "busy", 10, note="in Rome")
    desk.see("teams", "busy", 50, note="in Rome")
    assert desk.entry("teams").note_at == 10


def test_a_returned_status_that_comes_again_is_ours() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 10, shown="brb")
    assert desk.see("symphony", "busy", 20) is Kind.ECHO
    assert desk.see("symphony", "brb", 30) is Kind.ECHO
    assert desk.entry("symphony").mine


def test_a_returned_status_is_no_longer_ours_once_the_word_itself_has_shown_for_long() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 10, shown="brb")
    assert desk.see("symphony", "brb", 80) is Kind.SAME
    assert desk.see("symphony", "busy", 90) is Kind.ECHO
    assert desk.see("symphony", "brb", 2000) is Kind.OWN


def test_a_returned_status_is_no_longer_ours_once_something_else_has_shown_for_long() -> None:
    """The word itself showed too early to tell, and faded: what was answered does not come back by itself."""
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 10, shown="brb")
    assert desk.see("symphony", "busy", 20) is Kind.ECHO
    assert desk.see("symphony", "away", 30) is Kind.DECAY
    assert desk.see("symphony", "away", 90) is Kind.SAME
    assert desk.see("symphony", "brb", 2000) is Kind.OWN


def test_a_returned_status_that_only_fades_stays_ours() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="brb", symphony="available")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 10, shown="available")
    assert desk.see("symphony", "away", 90) is Kind.DECAY
    assert desk.see("symphony", "available", 100) is Kind.ECHO


def test_a_returned_status_is_no_longer_ours_once_the_word_shows_that_it_could_fade_to() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="brb", symphony="available")
    desk.see("teams", "away", 10)
    desk.write("symphony", 10, shown="available")
    assert desk.see("symphony", "away", 90) is Kind.ECHO
    assert desk.see("symphony", "available", 2000) is Kind.OWN


def test_a_retracted_lease_that_still_shows_reveals_later() -> None:
    desk = Desk("skype", "session")
    desk.start(skype="available", session="available")
    desk.see("skype", "away", 10)
    desk.see("skype", "away", 60)
    desk.write("session", 60, refresh_in=200, expires_in=300)
    desk.see("session", "away", 70)
    desk.take_back("session", 100)
    assert desk.see("session", "away", 105) is Kind.SAME
    assert desk.see("session", "available", 110) is Kind.ECHO


def test_what_is_beneath_is_the_last_thing_that_was_not_ours() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("skype", "busy", 11)
    assert desk.entry("skype").beneath == AVAILABLE
    desk.see("skype", "offline", 20)
    assert desk.entry("skype").beneath == AVAILABLE
    desk.see("skype", "dnd", 30)
    assert str(desk.entry("skype").beneath) == "dnd"


def test_a_word_that_already_showed_does_not_grow_younger() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="busy")
    desk.see("skype", "dnd", 10)
    assert desk.see("symphony", "busy", 11) is Kind.SAME
    assert (desk.word("symphony").at, desk.word("symphony").initial) == (0, True)


def test_what_was_said_before_our_write_and_shows_again_long_after_is_a_word() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "available", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "away", 20)
    assert desk.see("symphony", "brb", 100) is Kind.OWN


def test_what_fades_after_a_lease_revealed_it_is_the_persons_word_that_fades() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available")
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 12)
    desk.see("teams", "busy", 309)
    assert desk.see("teams", "available", 311) is Kind.ECHO
    assert desk.see("teams", "away", 320) is Kind.DECAY
    assert str(desk.word("teams").faded) == "away"


def test_what_was_idle_beneath_a_lease_may_be_awake_when_it_ends() -> None:
    desk = Desk("skype", "teams")
    desk.start(skype="available", teams="available+idle")
    desk.see("skype", "busy", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "busy", 12)
    desk.see("teams", "busy", 309)
    assert desk.see("teams", "available", 311) is Kind.ECHO


def test_a_write_is_confirmed_once() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="brb", symphony="brb")
    desk.see("skype", "available", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "available", 11)
    desk.see("symphony", "away", 20)
    desk.see("symphony", "available", 30)
    assert desk.publication("symphony").confirmed_at == 11


def test_an_idle_first_reading_that_wakes_is_awake() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="available+idle", symphony="brb")
    desk.see("skype", "available", 10)
    assert str(desk.word("skype").effective(100, 30)) == "available"


def test_a_failed_try_done_after_the_persons_next_word_is_still_ours() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.begin("skype", 10)
    desk.fail("skype")
    desk.write("skype", 11)
    desk.see("skype", "busy", 12)
    assert desk.see("skype", "dnd", 20) is Kind.OWN
    assert desk.see("skype", "busy", 30) is Kind.ECHO
    assert desk.status(31) == "dnd"


def test_a_retracted_write_may_still_appear_after_a_later_one_was_seen_but_not_for_ever() -> None:
    for at, kind in ((40, Kind.ECHO), (80, Kind.OWN)):
        desk = Desk("skype", "teams")
        desk.start(skype="available", teams="brb")
        desk.see("skype", "busy", 10)
        desk.write("teams", 10, refresh_in=200, expires_in=300)
        desk.take_back("teams", 12)
        desk.see("skype", "dnd", 20)
        desk.write("teams", 20)
        assert desk.see("teams", "dnd", 30) is Kind.ECHO
        assert desk.see("teams", "busy", at) is kind


def test_after_a_word_nothing_comes_back_by_itself_that_was_there_before() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("teams", "busy", 10)
    desk.write("skype", 10)
    desk.see("teams", "brb", 13)
    desk.write("skype", 13)
    assert desk.see("skype", "dnd", 14) is Kind.OWN
    assert desk.see("skype", "available", 15) is Kind.OWN


def test_what_is_the_persons_and_fades_does_not_become_ours() -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="available", bems="available")
    desk.see("skype", "busy", 10)
    desk.write("bems", 10)
    desk.see("skype", "available", 13)
    desk.write("bems", 13)
    assert desk.see("bems", "available+idle", 14) is Kind.DECAY
    assert not desk.entry("bems").mine
    assert str(desk.word("bems").faded) == "available+idle"


@pytest.mark.parametrize("said", ["dnd", "available"])
def test_a_write_is_in_effect_once_it_ended_ours_though_what_lay_beneath_says_the_same(said: str) -> None:
    """What was shown before, and a client that rests beneath, cannot come to light any more: the person chose it."""
    desk = Desk("teams", "skype", rules=Rules(compose=Compose.BUSIEST))
    desk.start(teams="busy", skype="available")
    desk.see("skype", "dnd", 10)
    desk.write("teams", 11, expires_in=300.0)
    assert desk.see("teams", "dnd", 12) is Kind.ECHO
    desk.see("skype", "available", 20)
    desk.write("teams", 21, expires_in=300.0)
    assert desk.see("teams", "dnd", 22) is Kind.SAME
    assert desk.see("teams", "busy", 23) is Kind.ECHO
    assert desk.see("teams", said, 30) is Kind.OWN
    assert desk.word("teams").at == 30


def test_a_write_that_comes_to_sight_where_they_rest_is_ours_and_what_they_choose_then_their_word() -> None:
    """Else to choose what they had said before they rested would pass for typing again, and be overruled."""
    desk = Desk("skype", "symphony")
    desk.start(skype="available", symphony="available")
    desk.see("skype", "available+idle", 10)
    desk.see("symphony", "busy/call", 20)
    desk.write("skype", 20)
    assert desk.see("skype", "busy+idle", 25) is Kind.DECAY
    assert desk.entry("skype").mine
    assert desk.see("skype", "available", 1000) is Kind.OWN
    assert desk.composed(1001).domain == "skype"


def test_what_may_have_faded_from_theirs_has() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="available", skype="available")
    desk.see("skype", "busy", 10)
    desk.write("symphony", 10)
    assert desk.see("symphony", "away", 12) is Kind.DECAY
    assert not desk.entry("symphony").mine
    assert desk.word("symphony").faded == AWAY


@pytest.mark.parametrize(("is_written", "kind"), [(True, Kind.OWN), (False, Kind.DECAY)])
def test_a_word_that_had_faded_is_chosen_anew_after_we_wrote_that_the_person_is_off_work(
    *, is_written: bool, kind: Kind
) -> None:
    """In Symphony only offline says so, which stays until somebody chooses; idle people come back by themselves."""
    desk = Desk("teams", "symphony")
    desk.start(teams="busy", symphony="busy")
    desk.see("symphony", "available", 10)
    desk.see("symphony", "away", 20)
    desk.see("teams", "offline/off-work", 100)
    if is_written:
        desk.write("symphony", 101, shown="offline")
    assert desk.see("symphony", "available", 800) is kind
    assert desk.composed(801).domain == ("symphony" if is_written else "teams")


def written_over(*, accepted: bool = True) -> Desk:
    """They rest in Symphony where we showed them gone, and then busy, which nobody is there to show."""
    desk = Desk("teams", "symphony")
    desk.start(teams="busy", symphony="busy")
    desk.see("symphony", "available", 10)
    desk.see("symphony", "away", 20)
    desk.see("teams", "offline/off-work", 100)
    desk.write("symphony", 101, shown="offline")
    desk.see("teams", "busy", 200)
    assert desk.begin("symphony", 200).word == "BUSY"
    if accepted:
        desk.accept("symphony", 201)
    else:
        desk.fail("symphony", 201, settled=True)
    desk.see("symphony", "offline", 205)
    return desk


@pytest.mark.parametrize(("at", "kind"), [(260.9, Kind.DECAY), (261, Kind.OWN)])
def test_what_was_written_over_does_not_come_back_with_a_client(at: float, kind: Kind) -> None:
    """Else who comes and chooses what they had said before they rested would be overruled."""
    assert written_over().see("symphony", "available", at) is kind


def test_what_a_write_that_failed_would_have_replaced_comes_back() -> None:
    assert written_over(accepted=False).see("symphony", "available", 1000) is Kind.DECAY


def test_what_a_write_that_was_never_done_would_have_replaced_comes_back() -> None:
    desk = Desk("symphony", "teams")
    desk.start(symphony="available", teams="available")
    desk.see("symphony", "away", 20)
    desk.see("teams", "brb", 100)
    desk.write("symphony", 100)
    desk.see("symphony", "away", 300)
    assert desk.see("symphony", "available", 1000) is Kind.DECAY


def test_what_they_said_over_a_write_of_ours_comes_back_when_they_type() -> None:
    desk = Desk("symphony", "teams")
    desk.start(symphony="available", teams="available")
    desk.see("teams", "busy", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "busy", 15)
    assert desk.see("symphony", "available", 100) is Kind.OWN
    desk.see("symphony", "away", 400)
    assert desk.see("symphony", "available", 500) is Kind.DECAY

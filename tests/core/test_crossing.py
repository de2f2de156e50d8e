"""Words and writes that cross on the way: which of them is left is seen, not guessed."""

from __future__ import annotations

import pytest

from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import Kind
from tests.core.desk import Desk


def leased(*names: str) -> Desk:
    """A desk whose first service keeps leases."""
    desk = Desk(*names)
    desk.sink(names[0], leased=True)
    return desk


def test_a_word_put_back_after_our_write_hid_it_is_not_the_persons_choice_anew() -> None:
    """They would be taken to hold it themselves, and the lease that holds it would be taken back."""
    desk = leased("teams", "skype")
    desk.see("teams", "available", 1, order="1")
    desk.see("skype", "available", 1)
    desk.see("skype", "dnd", 10)
    desk.begin("teams", 10)
    assert desk.see("teams", "offline/off-work", 10.5, order="2") is Kind.OWN
    desk.accept("teams", 11, refresh_in=200, expires_in=300)
    assert desk.see("teams", "dnd", 20, order="3") is Kind.ECHO
    assert desk.write("teams", 21, refresh_in=200, expires_in=300).word == "Offline/OffWork"
    for at in (30.0, 45.0, 60.0, 75.0, 90.0):
        assert desk.see("teams", "offline/off-work", at, order="4") in (Kind.ECHO, Kind.SAME)
        assert desk.why("teams", at) is Reason.IN_SYNC


def test_a_word_that_still_shows_just_after_our_write_may_be_what_the_write_replaced() -> None:
    desk = leased("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("symphony", "busy/meeting", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    assert desk.see("teams", "brb", 11) is Kind.OWN
    assert desk.why("teams", 11) is Reason.CONFIRMING
    assert desk.see("teams", "busy/conference", 25) is Kind.ECHO
    assert desk.decide("teams", 25).word == "BeRightBack/BeRightBack"


def test_a_renewal_follows_a_reading_so_that_it_hides_nothing_that_was_said_since() -> None:
    desk = leased("teams", "skype")
    desk.start(teams="available", skype="available")
    desk.see("skype", "brb", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "brb", 180)
    assert desk.why("teams", 180) is Reason.IN_SYNC
    desk.see("teams", "brb", 195)
    assert desk.why("teams", 196) is Reason.REFRESH
    assert desk.why("teams", 198) is Reason.IN_SYNC
    assert desk.why("teams", 210) is Reason.REFRESH


def test_no_renewal_comes_early_without_proof() -> None:
    desk = leased("teams", "skype")
    desk.start(teams="busy", skype="brb")
    desk.see("skype", "available", 20)
    desk.write("teams", 20, refresh_in=200, expires_in=300)
    desk.see("skype", "available+idle", 100)
    desk.see("teams", "available", 205)
    assert desk.why("teams", 205) is Reason.IN_SYNC
    assert desk.why("teams", 220) is Reason.FADED


@pytest.mark.parametrize("word", ["dnd", "busy"])
def test_what_was_said_long_ago_and_does_not_fade_everywhere_proves_nobody_present(word: str) -> None:
    """Nobody shows it as idle: who went home with it would be kept available elsewhere for ever."""
    desk = leased("teams", "symphony", "skype")
    desk.start(teams="away", symphony="available", skype="away")
    desk.see("symphony", word, 10)
    desk.see("skype", "available", 20)
    desk.write("teams", 20, refresh_in=200, expires_in=300)
    desk.see("skype", "available+idle", 30)
    for at in (220.0, 920.0):
        desk.see("symphony", word, at)
    assert desk.why("teams", 221) is Reason.REFRESH
    assert desk.why("teams", 921) is Reason.FADED


def test_a_client_that_rests_under_our_session_is_not_the_persons_word() -> None:
    """A call that ended unseen: our next session ranks lower, and what lies beneath comes to light."""
    desk = leased("session", "symphony")
    desk.start(session="available", symphony="available")
    desk.see("session", "busy/call", 5)
    desk.see("symphony", "busy/meeting", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("session", "busy/conference", 15)
    desk.see("symphony", "brb", 100)
    desk.write("session", 100, refresh_in=200, expires_in=300)
    assert desk.see("session", "available", 110) is Kind.ECHO
    assert desk.status(111) == "brb"


def test_a_word_said_since_the_person_left_is_written_though_it_is_the_word_written_before() -> None:
    desk = Desk("bems", "symphony")
    desk.start(bems="available", symphony="available")
    desk.see("symphony", "busy", 10)
    desk.write("bems", 10)
    desk.see("bems", "busy", 20)
    desk.see("bems", "offline", 100)
    assert desk.why("bems", 101) is Reason.ABSENT
    desk.see("symphony", "busy/meeting", 200)
    assert desk.write("bems", 200).word == "busy"
    assert desk.why("bems", 300) is Reason.ABSENT


def test_a_word_said_since_ours_faded_is_written_once_more() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="available", skype="available")
    desk.see("skype", "busy", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "busy", 20)
    assert desk.see("symphony", "away", 100) is Kind.DECAY
    assert desk.why("symphony", 101) is Reason.IN_SYNC
    desk.see("skype", "dnd", 200)
    assert desk.write("symphony", 200).word == "BUSY"
    assert desk.why("symphony", 203) is Reason.IN_SYNC

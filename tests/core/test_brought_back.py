"""What the person chose in Teams before they left, and a session of ours lets be seen again, is no news."""

from __future__ import annotations

import pytest

from presence_syncd.core.entry import Kind
from presence_syncd.core.presence import parse_status
from tests.core.desk import Desk


def in_a_meeting_elsewhere(*, at: float) -> Desk:
    """Nobody was ever seen in Teams; at `at` we show there what is said in Symphony."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="offline", symphony="available")
    desk.see("symphony", "busy/meeting", at)
    desk.write("session", at, refresh_in=200, expires_in=300)
    return desk


@pytest.mark.parametrize("chosen", ["busy", "dnd", "brb", "away"])
def test_what_they_chose_before_we_looked_first_is_not_known_but_no_news_either(chosen: str) -> None:
    desk = in_a_meeting_elsewhere(at=10)
    assert desk.see("session", chosen, 15) is Kind.ECHO
    assert desk.composed(16).domain == "symphony"
    assert desk.entry("session").beneath == parse_status(chosen)


def test_once_it_is_known_only_the_same_comes_back_by_itself() -> None:
    desk = in_a_meeting_elsewhere(at=10)
    desk.see("session", "busy", 15)
    desk.take_back("session", 20)
    desk.see("session", "offline", 25)
    desk.see("symphony", "brb", 500)
    desk.write("session", 500, refresh_in=200, expires_in=300)
    assert desk.see("session", "busy", 505) is Kind.ECHO
    assert desk.see("session", "dnd", 510) is Kind.OWN


@pytest.mark.parametrize("status", ["available", "busy/call", "available+idle"])
def test_who_comes_in_a_call_or_available_was_not_brought_back(status: str) -> None:
    desk = in_a_meeting_elsewhere(at=10)
    assert desk.see("session", status, 15) is Kind.OWN


def test_what_our_session_says_itself_is_not_taken_for_their_choice() -> None:
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="offline", symphony="available")
    desk.see("symphony", "brb", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    assert desk.see("session", "away", 15) is Kind.ECHO
    assert desk.entry("session").beneath is None


def test_nothing_is_brought_back_when_our_session_was_in_sight_for_long() -> None:
    desk = in_a_meeting_elsewhere(at=10)
    assert desk.see("session", "busy", 75) is Kind.OWN


def chosen_over_ours(at: float) -> Desk:
    """Busy in Teams hides our Available there, from 10 on; at `at` they choose available in Teams, too."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="busy", symphony="busy")
    desk.see("symphony", "available", 10)
    desk.write("session", 10, refresh_in=200, expires_in=1e4)
    assert desk.see("session", "available", at) is Kind.ECHO
    return desk


@pytest.mark.parametrize(("at", "kind"), [(500, Kind.ECHO), (15, Kind.OWN)], ids=["long after", "just after"])
def test_what_they_may_have_chosen_over_ours_comes_back_as_theirs(at: float, kind: Kind) -> None:
    """Just after our write it was that which showed: busy may be their choice to this day."""
    desk = chosen_over_ours(at)
    desk.take_back("session", 600)
    desk.see("session", "offline", 605)
    desk.see("symphony", "busy/meeting", 1000)
    desk.write("session", 1000, refresh_in=200, expires_in=300)
    assert desk.see("session", "available", 1005) is kind

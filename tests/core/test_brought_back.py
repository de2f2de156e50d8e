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


@pytest.mark.parametrize("chosen", ["available", "busy", "dnd", "brb", "away", "offline/off-work"])
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


@pytest.mark.parametrize("chosen", ["busy", "dnd", "brb", "offline/off-work"])
def test_what_they_chose_just_before_they_left_is_no_news_when_it_shows(chosen: str) -> None:
    """Be right back was seen in Teams, then that nobody is there; what was chosen between the two readings was not."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="brb", symphony="offline")
    desk.see("session", "offline", 10)
    desk.see("symphony", "available", 2000)
    desk.write("session", 2000, refresh_in=200, expires_in=300)
    assert desk.see("session", chosen, 2005) is Kind.ECHO
    assert desk.composed(2006).domain == "symphony"
    assert desk.entry("session").beneath == parse_status(chosen)
    assert desk.see("session", "busy" if chosen == "dnd" else "dnd", 2015) is Kind.OWN


@pytest.mark.parametrize("status", ["busy/call", "available+idle"])
def test_who_comes_in_a_call_or_to_rest_was_not_brought_back(status: str) -> None:
    desk = in_a_meeting_elsewhere(at=10)
    assert desk.see("session", status, 15) is Kind.OWN


@pytest.mark.parametrize(
    ("elsewhere", "kind"), [("dnd/presenting", Kind.ECHO), ("busy/call", Kind.ECHO), ("brb", Kind.OWN)]
)
def test_who_comes_available_shows_below_a_call_of_ours(elsewhere: str, kind: Kind) -> None:
    """So available over a call was chosen long ago; over be right back, which is written as away, they have come."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="offline", symphony="available")
    desk.see("symphony", elsewhere, 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("session", "offline", 30)
    assert desk.see("session", "available", 35) is kind


@pytest.mark.parametrize(("shows", "kind"), [("available", Kind.ECHO), ("available+idle", Kind.OWN)])
@pytest.mark.parametrize(("seen_at", "is_at_once"), [(29.9, True), (30, False)])
def test_available_at_once_over_ours_was_chosen_before(
    shows: str, kind: Kind, seen_at: float, is_at_once: bool
) -> None:
    """Who comes just then has said the other thing some seconds ago; an old choice would overrule it for hours."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="offline", symphony="available")
    desk.see("symphony", "away+ooo", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("session", "offline", seen_at)
    assert desk.see("session", shows, 41) is (kind if is_at_once else Kind.OWN)


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
    desk.see("symphony", "brb", 1000)
    desk.write("session", 1000, refresh_in=200, expires_in=300)
    desk.see("session", "offline", 1020)
    assert desk.see("session", "available", 1025) is kind


def shown_until_it_lapsed() -> Desk:
    """Do not disturb of ours in Teams is over at 310; nobody renews it."""
    desk = Desk("teams", "symphony")
    desk.sink("teams", leased=True)
    desk.start(teams="available", symphony="available")
    desk.see("symphony", "dnd", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "dnd", 20)
    return desk


@pytest.mark.parametrize("at", [310, 320])
def test_what_a_lease_said_that_was_seen_to_be_over_the_person_says(at: float) -> None:
    desk = shown_until_it_lapsed()
    desk.see("teams", "available+idle", at)
    desk.see("symphony", "brb", 500)
    assert desk.see("teams", "dnd", 900) is Kind.OWN
    assert desk.composed(901).domain == "teams"


def test_a_lease_that_was_renewed_unknown_to_us_still_shows_what_is_ours() -> None:
    desk = shown_until_it_lapsed()
    desk.see("symphony", "brb", 350)
    assert desk.see("teams", "dnd", 400) is Kind.SAME
    assert desk.see("teams", "dnd+idle", 410) is Kind.DECAY
    assert desk.entry("teams").mine
    assert desk.composed(411).domain == "symphony"


@pytest.mark.parametrize(
    ("gone_at", "back_at", "kind"), [(200, 309, Kind.ECHO), (310, 310, Kind.OWN), (320, 900, Kind.OWN)]
)
def test_whose_client_comes_back_finds_what_a_lease_said_only_while_it_lasts(
    gone_at: float, back_at: float, kind: Kind
) -> None:
    desk = shown_until_it_lapsed()
    desk.see("teams", "offline", 150)
    desk.see("symphony", "brb", 200)
    desk.see("teams", "offline", gone_at)
    assert desk.see("teams", "dnd", back_at) is kind


def away_over_available(*, refreshed_at: float | None) -> Desk:
    """Away was ours in Teams; they choose it too, unseen, and our Available of 100 does not show over that."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="busy", symphony="available")
    desk.see("symphony", "brb", 10)
    desk.write("session", 10, refresh_in=500, expires_in=1000)
    desk.see("session", "away", 15)
    desk.see("symphony", "available", 100)
    assert desk.write("session", 100, refresh_in=200, expires_in=300).word == "Available/Available"
    if refreshed_at is not None:
        desk.accept("session", refreshed_at, refresh_in=200, expires_in=300)
    return desk


def test_what_stays_though_ours_says_something_else_is_theirs() -> None:
    desk = away_over_available(refreshed_at=290)
    desk.see("session", "away", 159)
    assert desk.entry("session").mine
    assert desk.see("session", "away", 161) is Kind.SAME
    assert not desk.entry("session").mine
    assert desk.entry("session").beneath == parse_status("away")
    desk.see("symphony", "brb", 300)
    desk.write("session", 300, refresh_in=500, expires_in=1000)
    assert desk.see("session", "available", 310) is Kind.OWN


def test_what_ours_may_have_faded_to_is_not_theirs() -> None:
    desk = away_over_available(refreshed_at=None)
    desk.see("session", "away", 300)
    assert desk.entry("session").mine


def test_what_our_session_brought_back_stays_so_however_long_it_shows() -> None:
    desk = in_a_meeting_elsewhere(at=10)
    desk.see("session", "busy", 15)
    desk.see("session", "busy", 80)
    assert desk.entry("session").mine


def meeting_that_is_over() -> Desk:
    """Teams, where somebody rests, shows as a call of ours what was a meeting in Symphony until now, 100."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="available+idle", symphony="available")
    desk.see("symphony", "busy/meeting", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    assert desk.see("session", "busy/conference", 15) is Kind.ECHO
    desk.see("symphony", "brb", 100)
    return desk


@pytest.mark.parametrize(("seen_at", "kind"), [(119, Kind.ECHO), (120, Kind.OWN), (139, Kind.OWN)])
def test_what_of_ours_was_replaced_is_the_persons_word_once_something_else_showed(seen_at: float, kind: Kind) -> None:
    """A meeting in Symphony shows as a call in Teams; it is over, and soon they are in a call of their own there."""
    desk = meeting_that_is_over()
    assert desk.write("session", 100, refresh_in=200, expires_in=300).word == "Away/Away"
    assert desk.see("session", "available+idle", 105) is Kind.ECHO
    assert desk.see("session", "available+idle", seen_at) is Kind.SAME
    assert desk.see("session", "busy/conference", 140) is kind


def test_that_nobody_is_there_shows_as_well_that_ours_is_gone() -> None:
    desk = meeting_that_is_over()
    desk.write("session", 100, refresh_in=200, expires_in=300)
    desk.see("session", "available+idle", 105)
    desk.see("session", "offline", 125)
    assert desk.see("session", "busy/conference", 140) is Kind.OWN


def test_a_write_of_unknown_outcome_may_still_be_what_shows_what_it_replaced() -> None:
    desk = meeting_that_is_over()
    desk.begin("session", 100)
    desk.fail("session", 105)
    desk.see("session", "available+idle", 125)
    assert desk.see("session", "busy/conference", 130) is not Kind.OWN


def test_nothing_lies_beneath_what_a_write_without_a_lease_replaced() -> None:
    desk = Desk("skype", "symphony")
    desk.start(skype="busy", symphony="busy")
    desk.see("symphony", "available", 10)
    desk.write("skype", 10)
    desk.see("skype", "available", 500)
    assert desk.entry("skype").beneath == parse_status("busy")


def available_where_nobody_is() -> Desk:
    """Available of ours in Teams since 10, and no client of theirs there."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="offline", symphony="busy")
    desk.see("symphony", "available", 10)
    desk.write("session", 10, refresh_in=200, expires_in=1e4)
    return desk


def test_ours_that_comes_to_sight_late_where_nobody_is_is_not_theirs() -> None:
    desk = available_where_nobody_is()
    desk.see("session", "available", 500)
    assert desk.entry("session").beneath is None


def test_ours_that_follows_ours_late_is_not_theirs() -> None:
    desk = available_where_nobody_is()
    desk.see("session", "available", 15)
    desk.see("symphony", "busy/call", 100)
    desk.write("session", 100, refresh_in=2000, expires_in=1e4)
    desk.see("session", "busy/call", 500)
    assert desk.entry("session").beneath is None


def replaced_in_symphony() -> Desk:
    """Busy of ours shows in Symphony; available of ours, of 100, does not yet."""
    desk = Desk("symphony", "skype")
    desk.start(symphony="away", skype="away")
    desk.see("skype", "busy", 10)
    desk.write("symphony", 10)
    desk.see("symphony", "busy", 15)
    desk.see("skype", "available", 100)
    desk.write("symphony", 100)
    return desk


def test_what_has_no_lease_stays_ours_however_long_the_next_is_not_seen() -> None:
    desk = replaced_in_symphony()
    assert desk.see("symphony", "busy", 200) is Kind.SAME
    assert desk.entry("symphony").mine


def test_what_has_no_lease_may_still_show_what_it_replaced() -> None:
    desk = replaced_in_symphony()
    desk.see("symphony", "away", 125)
    assert desk.see("symphony", "busy", 130) is Kind.ECHO


def test_what_stays_is_theirs_though_one_of_ours_came_in_between() -> None:
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="busy", symphony="available")
    desk.see("symphony", "brb", 10)
    desk.write("session", 10, refresh_in=500, expires_in=1000)
    desk.see("session", "away", 15)
    desk.see("symphony", "busy/call", 50)
    desk.write("session", 50, refresh_in=500, expires_in=1000)
    desk.see("symphony", "available", 100)
    desk.write("session", 100, refresh_in=500, expires_in=1000)
    assert desk.entry("session").earlier
    assert desk.see("session", "away", 161) is Kind.SAME
    assert not desk.entry("session").mine


@pytest.mark.parametrize("said", ["busy/conference", "busy/call", "dnd/presenting", "brb", "dnd", "offline/off-work"])
def test_the_end_of_an_available_session_brings_nothing_to_light_that_would_have_shown_over_it(said: str) -> None:
    """In Teams a call, and a choice, shows over a session of ours that is available: once that showed, it was over."""
    desk = Desk("teams", "skype")
    desk.sink("teams", leased=True)
    desk.start(teams=said, skype="available")
    desk.see("skype", "dnd", 10)
    desk.see("skype", "available", 20)
    desk.write("teams", 20, refresh_in=200, expires_in=300)
    desk.see("teams", "available", 70)
    assert desk.entry("teams").mine
    assert desk.see("teams", said, 322, from_=321) is Kind.OWN


def test_a_call_that_ended_unseen_beneath_ours_lies_there_no_more() -> None:
    """Else a client that rests there by now, and that a later call of ours has hidden, would pass for their word."""
    desk = Desk("session", "symphony", "skype")
    desk.sink("session", leased=True)
    desk.start(session="available", symphony="available", skype="available")
    desk.see("session", "busy/conference", 10)
    desk.see("symphony", "brb", 60)
    desk.see("symphony", "available", 70)
    desk.write("session", 70, refresh_in=200, expires_in=300)
    assert desk.see("session", "available", 75) is Kind.ECHO
    assert desk.entry("session").beneath is None
    desk.see("symphony", "busy/meeting", 100)
    desk.write("session", 100, refresh_in=200, expires_in=300)
    assert desk.see("session", "busy/conference", 105) is Kind.ECHO
    desk.see("skype", "brb", 200)
    desk.write("session", 200, refresh_in=200, expires_in=300)
    assert desk.see("session", "available+idle", 205) is Kind.ECHO
    assert desk.status(206) == "brb"


def test_a_call_may_end_unseen_beneath_one_of_ours_that_looks_the_same() -> None:
    """Else the client that rests there by now would overrule what they said elsewhere, at the very moment they did."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="available", symphony="available")
    desk.see("symphony", "busy/call", 8)
    desk.write("session", 8, refresh_in=200, expires_in=300)
    assert desk.see("session", "busy/conference", 10) is Kind.OWN
    desk.see("symphony", "brb", 19)
    desk.see("symphony", "busy/meeting", 20)
    assert desk.write("session", 20, refresh_in=200, expires_in=300).word == "Busy/InAConferenceCall"
    desk.see("session", "busy/conference", 85)
    assert desk.entry("session").mine
    desk.see("symphony", "brb", 150)
    desk.take_back("session", 150)
    assert desk.see("session", "available", 155) is Kind.ECHO
    assert desk.status(156) == "brb"


def test_what_does_not_outrank_ours_still_lies_beneath_it() -> None:
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="brb", symphony="brb")
    desk.see("symphony", "available", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("session", "available", 15)
    assert desk.entry("session").beneath == parse_status("brb")


@pytest.mark.parametrize(("is_seen", "kind"), [(True, Kind.OWN), (False, Kind.ECHO)])
def test_what_lay_under_one_that_we_took_back_is_not_revealed_once_a_later_one_was_seen(
    is_seen: bool, kind: Kind
) -> None:
    desk = Desk("teams", "symphony")
    desk.sink("teams", leased=True)
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy/call", 10)
    desk.see("symphony", "dnd", 20)
    desk.write("teams", 20, refresh_in=3000, expires_in=3600)
    desk.see("teams", "dnd", 30)
    desk.take_back("teams", 40)
    desk.see("symphony", "brb", 45)
    desk.write("teams", 45, refresh_in=3000, expires_in=3600)
    if is_seen:
        desk.see("teams", "available", 50)
        desk.see("teams", "brb", 60)
    assert desk.see("teams", "busy/call", 70) is kind

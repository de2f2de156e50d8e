"""Available that was chosen in Teams shows as long as any session lasts: ours must not keep it up for who is gone."""

from __future__ import annotations

import pytest

from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import Entry, Publication, Word
from presence_syncd.core.presence import AVAILABLE, BUSY
from presence_syncd.core.reconcile import PROOF_AGAIN
from presence_syncd.core.revealed import SOON
from presence_syncd.core.setback import not_ahead
from presence_syncd.core.values import replace
from presence_syncd.core.view import View
from tests.core.desk import VISIBLE_WITHIN, Desk


def hidden_in_teams(word: str = "brb", **others: str) -> Desk:
    """Available shows in Teams, and stays when they say a word in Symphony at 10 that we write, twice, as a session."""
    desk = Desk("session", "symphony", *others)
    desk.sink("session", leased=True)
    desk.start(session="available", symphony="away", **others)
    desk.see("symphony", word, 10)
    for at in (10, 10 + VISIBLE_WITHIN):
        assert desk.write("session", at, refresh_in=1e5, expires_in=2e5).reason in (Reason.CHANGE, Reason.REWRITE)
        desk.see("session", "available", at + VISIBLE_WITHIN - 1)
    return desk


BY = 10 + 2 * VISIBLE_WITHIN
"""When both writes must have been in sight."""


def taken_back() -> Desk:
    """Ours was taken back, and nobody is shown there any more."""
    desk = hidden_in_teams()
    assert desk.decide("session", BY).hidden
    desk.take_back("session", BY, hidden=True)
    desk.see("session", "offline", BY + 10)
    return desk


def test_a_session_that_does_not_show_is_taken_back_where_nobody_is_seen() -> None:
    decision = hidden_in_teams().decide("session", BY)
    assert (decision.reason, decision.hidden) == (Reason.RETRACT, True)
    assert decision.overridden, "what they chose is theirs, and is not cleared"


def test_not_before_it_must_have_been_in_sight() -> None:
    assert hidden_in_teams().why("session", BY - 1) is Reason.CONFIRMING


def test_it_stays_while_they_are_seen_elsewhere_however_old_the_word() -> None:
    desk = hidden_in_teams(skype="available")
    for at in (BY, 5000):
        desk.see("skype", "available", at)
        assert desk.why("session", at + 1) is Reason.SHADOWED


def test_busy_which_may_not_fade_proves_them_while_it_is_fresh() -> None:
    desk = hidden_in_teams(skype="busy")
    for at, reason in ((BY, Reason.SHADOWED), (900, Reason.SHADOWED), (902, Reason.RETRACT)):
        desk.see("skype", "busy", at)
        assert desk.why("session", at) is reason


@pytest.mark.parametrize("rest", ["busy+idle", "offline"])
def test_and_is_taken_back_once_they_are_not(rest: str) -> None:
    desk = hidden_in_teams(skype="busy")
    desk.see("skype", rest, BY + 100)
    assert desk.why("session", BY + 101) is Reason.RETRACT


def test_what_is_seen_on_a_dead_feed_is_not_seen() -> None:
    assert hidden_in_teams(skype="busy").why("session", 1 + 901) is Reason.RETRACT


def test_what_shows_there_because_of_us_is_not_seen() -> None:
    desk = hidden_in_teams("busy/call", skype="offline")
    desk.write("skype", 20)
    desk.see("skype", "busy", BY)
    desk.see("symphony", "offline", BY)
    desk.view = desk.view.put("symphony", replace(desk.entry("symphony"), word=Word(BUSY, 10)))
    assert desk.why("session", BY + 1) is Reason.RETRACT


def test_what_hides_it_otherwise_is_left_alone() -> None:
    desk = hidden_in_teams()
    desk.see("session", "available+idle", BY)
    assert desk.why("session", BY + 1) is Reason.SHADOWED


def test_what_is_no_lease_is_left_alone() -> None:
    desk = hidden_in_teams()
    desk.sink("session", leased=False)
    assert desk.why("session", BY) is Reason.SHADOWED


def test_it_is_not_said_again_though_it_would_be_wanted() -> None:
    assert taken_back().why("session", BY + 500) is Reason.FADED


def test_nor_while_available_stays() -> None:
    desk = hidden_in_teams()
    desk.take_back("session", BY, hidden=True)
    desk.see("session", "available", BY + 500)
    assert desk.why("session", BY + 501) is Reason.FADED


def test_it_is_said_again_for_news() -> None:
    desk = taken_back()
    desk.see("symphony", "away", BY + 500)
    assert desk.why("session", BY + 501) is Reason.CHANGE


def test_what_was_said_in_that_moment_is_no_news() -> None:
    desk = taken_back()
    desk.see("symphony", "away", BY)
    assert desk.why("session", BY + 501) is Reason.FADED


def test_it_is_said_again_once_they_are_seen() -> None:
    desk = hidden_in_teams(skype="offline")
    desk.take_back("session", BY, hidden=True)
    desk.see("session", "offline", BY + 10)
    assert desk.why("session", BY + 11) is Reason.FADED
    desk.view = desk.view.put("skype", Entry(shown=AVAILABLE, live_at=BY + 12))
    assert desk.why("session", BY + 12) is Reason.CHANGE


def test_it_is_said_again_once_something_else_shows() -> None:
    desk = taken_back()
    desk.view = desk.view.put("session", replace(desk.entry("session"), shown=BUSY))
    assert desk.why("session", BY + 500) is Reason.CHANGE


def test_what_was_taken_back_for_another_reason_may_be_said_again() -> None:
    desk = hidden_in_teams()
    desk.take_back("session", BY)
    desk.see("session", "offline", BY + 10)
    assert desk.why("session", BY + 11) is Reason.CHANGE


def test_taking_back_once_more_forgets_nothing() -> None:
    desk = taken_back()
    hidden_at = desk.entry("session").hidden_at
    desk.view = desk.view.put("session", replace(desk.entry("session"), publication=Publication("x", BUSY, 1, 2)))
    desk.take_back("session", BY + 100)
    assert desk.entry("session").hidden_at == hidden_at == BY


def faded_in_teams() -> Desk:
    """They say available in Symphony and leave; our session says it in Teams until 310, where they chose it before."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="offline", symphony="away")
    desk.see("symphony", "available", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("session", "available", 20)
    desk.see("symphony", "offline", 100)
    return desk


def test_what_shows_long_after_a_session_of_ours_has_faded_may_be_held_up_by_it() -> None:
    desk = faded_in_teams()
    desk.see("session", "available", 310 + SOON - 1)
    decision = desk.decide("session", 310 + SOON)
    assert (decision.reason, decision.requeue_at) == (Reason.HELD, 310 + SOON + PROOF_AGAIN)
    desk.see("session", "available", 310 + SOON)
    assert desk.decide("session", 310 + SOON).hidden


def test_what_has_faded_with_it_is_left_alone() -> None:
    desk = faded_in_teams()
    desk.see("session", "away", 310 + SOON)
    decision = desk.decide("session", 310 + SOON)
    assert (decision.reason, decision.requeue_at) == (Reason.HELD, None)


def test_nor_is_what_shows_without_us() -> None:
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="available", symphony="offline")
    desk.view = desk.view.put("session", replace(desk.entry("session"), word=None))
    decision = desk.decide("session", 5000)
    assert (decision.reason, decision.requeue_at) == (Reason.HELD, None)


def test_where_they_rest_elsewhere_it_is_the_same() -> None:
    desk = Desk("session", "skype")
    desk.sink("session", leased=True)
    desk.start(session="offline", skype="away")
    desk.see("skype", "available", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    desk.see("skype", "available+idle", 100)
    desk.see("session", "available", 310 + SOON - 1)
    assert desk.why("session", 310 + SOON) is Reason.FADED
    desk.see("session", "available", 310 + SOON)
    assert desk.decide("session", 310 + SOON).hidden


def test_the_moment_is_moved_with_the_clock() -> None:
    view = not_ahead(View({"session": Entry(hidden_at=500.0)}), 100.0)
    assert view.entries["session"].hidden_at == 100.0

"""A session that was let go, for nobody was there, is begun anew; only one that was needed all the time has lapsed."""

from __future__ import annotations

import pytest

from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import Kind, Word
from presence_syncd.core.presence import AVAILABLE
from presence_syncd.core.values import replace
from presence_syncd.core.view import Compose, Rules
from tests.core.desk import Desk


def shown_in_teams(word: str = "available") -> Desk:
    """Somebody says a word in Skype at 10; our session shows it in Teams, where nobody is, until 310."""
    desk = Desk("teams", "skype")
    desk.sink("teams", leased=True)
    desk.start(teams="offline", skype="away")
    desk.see("skype", word, 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", word, 20)
    return desk


def test_what_they_show_in_teams_itself_does_not_renew_a_session_for_a_word_said_elsewhere() -> None:
    desk = Desk("skype", "teams", rules=Rules(compose=Compose.PRIORITY, priority=("skype", "teams")))
    desk.start(skype="busy", teams="busy")
    desk.sink("teams", leased=True)
    desk.see("skype", "available", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("skype", "available+idle", 150)
    own = Word(AVAILABLE, 100.0)
    desk.view = desk.view.put("teams", replace(desk.entry("teams"), shown=AVAILABLE, live_at=205, word=own))
    assert desk.why("teams", 210) is Reason.FADED
    desk.see("skype", "available", 220)
    assert desk.why("teams", 221) is Reason.REFRESH


def test_what_is_said_once_it_has_ended_is_a_change() -> None:
    desk = shown_in_teams()
    desk.see("skype", "offline", 100)
    assert desk.why("teams", 250) is Reason.HELD
    desk.see("teams", "offline", 320)
    desk.see("skype", "available", 3000)
    assert desk.why("teams", 3001) is Reason.CHANGE


@pytest.mark.parametrize(("back_at", "reason"), [(309, Reason.REFRESH), (310, Reason.REFRESH), (311, Reason.REWRITE)])
def test_who_is_awake_again_once_it_has_ended_is_shown_anew(back_at: float, reason: Reason) -> None:
    desk = shown_in_teams()
    desk.see("skype", "available+idle", 100)
    assert desk.why("teams", 250) is Reason.FADED
    desk.see("skype", "available", back_at)
    assert desk.why("teams", 320) is reason


@pytest.mark.parametrize("at", [309, 310, 900])
def test_one_that_was_needed_all_the_time_is_renewed_however_late(at: float) -> None:
    desk = shown_in_teams()
    desk.see("skype", "available", at)
    assert desk.why("teams", at) is Reason.REFRESH


def test_of_several_proofs_one_that_lasted_is_enough() -> None:
    desk = Desk("teams", "symphony", "skype")
    desk.sink("teams", leased=True)
    desk.start(teams="offline", symphony="away", skype="available")
    desk.see("symphony", "available", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("symphony", "away", 100)
    desk.see("symphony", "available", 400)
    desk.see("skype", "available", 400)
    assert desk.why("teams", 401) is Reason.REFRESH


def test_busy_needs_nobody_awake_to_have_been_true() -> None:
    desk = shown_in_teams("busy")
    desk.see("skype", "busy+idle", 320)
    desk.see("skype", "busy", 330)
    assert desk.why("teams", 331) is Reason.REFRESH


@pytest.mark.parametrize(("at", "reason"), [(309, Reason.REFRESH), (310, Reason.REWRITE)])
def test_a_pin_renews_what_has_not_ended(at: float, reason: Reason) -> None:
    desk = shown_in_teams()
    desk.see("skype", "available+idle", 100)
    desk.pin("available", 1000)
    assert desk.why("teams", at) is reason


def test_what_is_said_in_the_moment_it_ends_is_not_said_since() -> None:
    desk = shown_in_teams()
    desk.see("skype", "offline", 100)
    desk.see("skype", "available", 310)
    assert desk.why("teams", 311) is Reason.REFRESH


def test_who_is_shown_away_for_being_idle_needs_no_proof() -> None:
    desk = Desk("teams", "skype", rules=Rules(idle_away=True))
    desk.sink("teams", leased=True)
    desk.start(teams="offline", skype="available")
    desk.see("skype", "available+idle", 10)
    desk.write("teams", 100, refresh_in=200, expires_in=300)
    assert desk.why("teams", 500) is Reason.REFRESH


@pytest.mark.parametrize(("seen", "kind"), [("available+idle", Kind.ECHO), ("available", Kind.OWN)])
def test_who_rests_where_a_word_of_ours_has_lapsed_that_nothing_outranks_says_nothing(seen: str, kind: Kind) -> None:
    desk = Desk("teams", "symphony")
    desk.sink("teams", leased=True)
    desk.start(teams="offline/off-work", symphony="offline")
    desk.see("symphony", "brb", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "brb", 20)
    assert desk.see("teams", seen, 315) is kind

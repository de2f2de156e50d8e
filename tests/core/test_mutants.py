"""What no test noticed when a mutation tool changed it: edges of the rules that are told elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.core.change import of_status, of_word
from presence_syncd.core.entry import Entry, Kind
from presence_syncd.core.presence import BUSY
from presence_syncd.core.publication import freeze, leave
from presence_syncd.core.reconcile import Reason
from presence_syncd.core.setback import not_ahead
from presence_syncd.core.view import Rules, View
from presence_syncd.core.vocabulary import Vocabulary
from tests.core.desk import Desk


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

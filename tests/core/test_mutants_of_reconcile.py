"""What no test noticed when a mutation tool changed `reconcile` and `compose`: edges that are told elsewhere."""

from __future__ import annotations

from presence_syncd.core.compose import next_fade
from presence_syncd.core.decision import Reason
from tests.core.desk import Desk


def test_a_fade_is_waited_for_behind_a_word_that_has_not_faded() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="busy", skype="available")
    desk.see("skype", "away", 10)
    assert next_fade(desk.view, desk.rules, 11) == 10 + desk.rules.settle_fade


def test_what_was_answered_as_asked_is_not_written_again_for_a_newer_word_that_says_the_same() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="available", skype="available")
    desk.see("symphony", "busy", 10)
    desk.write("skype", 10, "busy")
    desk.see("symphony", "brb", 15)
    desk.see("symphony", "busy", 20)
    assert desk.why("skype", 21) is Reason.IN_SYNC


def test_what_faded_from_a_write_that_is_no_lease_is_not_in_the_way_of_the_same() -> None:
    desk = Desk("symphony", "skype")
    desk.start(symphony="busy", skype="busy")
    desk.see("symphony", "available", 10)
    desk.write("skype", 10)
    desk.see("skype", "available", 12)
    desk.see("skype", "away", 400)
    desk.see("symphony", "brb", 490)
    desk.see("symphony", "away", 500)
    assert desk.entry("skype").mine
    assert (desk.status(501), desk.why("skype", 501)) == ("away", Reason.IN_SYNC)


def test_a_lease_answered_with_something_else_is_not_written_again_without_proof() -> None:
    desk = Desk("symphony", "skype")
    desk.sink("skype", leased=True)
    desk.start(symphony="busy", skype="busy")
    desk.see("symphony", "available", 10)
    desk.write("skype", 10, "busy", refresh_in=3000, expires_in=3600)
    desk.see("symphony", "brb", 15)
    desk.see("symphony", "available", 20)
    assert desk.why("skype", 21) is Reason.CHANGE
    assert desk.why("skype", 20 + desk.rules.evidence + 1) is Reason.FADED

"""What becomes of one write: noted, accepted, failed, taken back."""

from __future__ import annotations

import pytest

from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import Entry, Kind, Publication
from presence_syncd.core.presence import AVAILABLE, AWAY, BRB, BUSY
from presence_syncd.core.publication import KEPT, Accepted, accept, begin, fail, interrupted, leave, take_back
from presence_syncd.core.view import View
from tests.core.desk import VISIBLE_WITHIN, Desk


def busy_in_symphony() -> Desk:
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "busy", 10)
    return desk


def test_nothing_happens_to_what_was_never_published() -> None:
    view = View({"teams": Entry()})
    assert accept(view, "teams", Accepted(), 1) == view
    assert fail(view, "teams", 5.0, settled=False) == view
    assert take_back(view, "teams", 60, 1) == view
    assert leave(view, "teams", 1) == view


def test_only_what_was_hidden_is_noted_to_have_been_hidden() -> None:
    view = View({"teams": Entry(publication=Publication("busy", BUSY, at=1.0, visible_by=61.0))})
    assert take_back(view, "teams", 60, 5).entries["teams"].hidden_at is None
    assert take_back(view, "teams", 60, 5, hidden=True).entries["teams"].hidden_at == 5


def test_a_refresh_that_fails_leaves_the_lease_as_it_was() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10, refresh_in=200, expires_in=300)
    before = desk.view
    desk.fail("symphony")
    assert desk.view == before


def test_the_note_is_there_before_the_request_and_in_a_domain_never_seen() -> None:
    view = begin(View(), "teams", "Busy/Busy", BUSY, 60, 5)
    published = view.entries["teams"].publication
    assert published is not None
    assert (published.word, published.at, published.visible_by, published.before) == ("Busy/Busy", 5, 65, frozenset())
    assert published.accepted_at is None


def test_a_slow_answer_moves_the_time_until_it_must_be_seen() -> None:
    desk = busy_in_symphony()
    desk.begin("symphony", 10)
    desk.accept("symphony", 50)
    assert desk.publication("symphony").visible_by == 110
    desk.accept("symphony", 90)
    assert desk.publication("symphony").visible_by == 110


def test_an_answer_that_tells_what_shows_confirms_it() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 12, shown="busy", order=7)
    entry = desk.entry("symphony")
    assert (entry.shown, entry.raw, entry.mine, entry.order) == (BUSY, "BUSY", True, 7)
    assert (entry.shown_at, entry.shown_from, entry.live_at) == (12, 12, 12)
    assert desk.publication("symphony").confirmed_at == 12


def test_an_answer_without_a_version_keeps_the_one_that_is_known() -> None:
    desk = busy_in_symphony()
    desk.see("symphony", "available", 11, order=5)
    desk.write("symphony", 12, shown="busy")
    assert desk.entry("symphony").order == 5


def test_what_is_answered_while_nobody_is_there_is_not_ours_to_show() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 12, shown="offline")
    assert not desk.entry("symphony").mine


def test_an_answer_that_shows_our_write_over_a_later_word_makes_it_ours_again() -> None:
    desk = busy_in_symphony()
    desk.begin("symphony", 10)
    assert desk.see("symphony", "brb", 11) is Kind.OWN
    desk.accept("symphony", 12, shown="busy")
    assert not desk.publication("symphony").overridden
    assert desk.entry("symphony").mine
    assert desk.decide("symphony", 13).word == "BE_RIGHT_BACK"


def test_a_returned_status_is_an_echo_whatever_it_is() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 12, shown="brb")
    desk.see("symphony", "offline", 20)
    assert desk.see("symphony", "brb", 100) is Kind.ECHO
    assert desk.entry("symphony").mine
    assert desk.why("symphony", 101) is Reason.IN_SYNC
    assert desk.publication("symphony").returned == BRB


def test_a_repeated_try_keeps_what_it_knew() -> None:
    desk = busy_in_symphony()
    desk.begin("symphony", 10)
    desk.fail("symphony")
    assert desk.publication("symphony").failed
    desk.see("symphony", "offline", 11)
    desk.begin("symphony", 12)
    again = desk.publication("symphony")
    assert again.before >= {AVAILABLE}
    assert (again.attempt, again.failed, again.late_until) == (1, False, 70)
    assert desk.entry("symphony").earlier == ()
    desk.accept("symphony", 13)
    assert desk.publication("symphony").attempt == 0


def test_a_try_that_waited_too_long_is_forgotten_with_what_was_before_it() -> None:
    desk = busy_in_symphony()
    desk.begin("symphony", 10)
    desk.fail("symphony")
    desk.see("symphony", "offline", 100)
    desk.begin("symphony", 100)
    assert AVAILABLE not in desk.publication("symphony").before


def test_only_a_few_earlier_writes_are_kept() -> None:
    desk = busy_in_symphony()
    for turn in range(10):
        at = 12.0 + 3 * turn
        desk.see("teams", "busy" if turn % 2 else "brb", at)
        desk.write("symphony", at)
    assert len(desk.entry("symphony").earlier) == KEPT
    desk.take_back("symphony", 45)
    assert len(desk.entry("symphony").earlier) == KEPT


def test_a_confirmed_write_is_not_kept_when_it_is_replaced() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10, shown="busy")
    desk.see("teams", "brb", 20)
    desk.begin("symphony", 20)
    assert desk.entry("symphony").earlier == ()


def test_a_lease_goes_on_while_another_word_is_on_its_way() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "brb", 20)
    desk.begin("symphony", 20)
    published = desk.publication("symphony")
    assert (published.expires_at, published.refresh_at) == (310, None)


def test_what_was_beneath_counts_as_before_only_where_a_lease_hides_it() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10, shown="busy")
    desk.see("teams", "brb", 20)
    desk.begin("symphony", 20)
    assert desk.publication("symphony").before == {BUSY}
    desk.accept("symphony", 20, shown="brb", expires_in=300)
    desk.see("teams", "away", 30)
    desk.begin("symphony", 30)
    assert desk.publication("symphony").before == {BRB, AVAILABLE}


def test_a_farewell_ends_the_lease_and_its_word_is_written_anew() -> None:
    desk = Desk("skype", "teams")
    desk.sink("teams", leased=True)
    desk.start(skype="available", teams="available")
    desk.see("skype", "away", 10)
    desk.see("skype", "away", 60)
    desk.write("teams", 60, refresh_in=200, expires_in=300)
    desk.see("teams", "away", 61)
    desk.view = leave(desk.view, "teams", 100)
    desk.restart(5000)
    desk.see("skype", "away", 5001)
    assert desk.see("teams", "available", 5001) is Kind.ECHO
    assert desk.status(5002) == "away"
    assert desk.why("teams", 5002) is Reason.RETRY
    assert desk.publication("teams").status == AWAY


def test_what_we_wrote_is_the_persons_word_again_once_a_farewell_that_nobody_heard_must_be_over() -> None:
    """Nobody was there to show it when the daemon came back, and what it was written for was over by then."""
    for back_at, kind in ((369, Kind.ECHO), (370, Kind.OWN)):
        desk = Desk("teams", "symphony")
        desk.sink("teams", leased=True)
        desk.start(teams="offline", symphony="available")
        desk.see("symphony", "busy", 10)
        desk.write("teams", 10, refresh_in=200, expires_in=300)
        desk.view = leave(desk.view, "teams", 20)
        desk.view = leave(desk.view, "teams", 200)
        desk.restart(210)
        desk.see("symphony", "available", 211)
        desk.see("teams", "offline", 211)
        assert desk.see("teams", "busy", back_at) is kind
        assert desk.entry("teams").mine is (kind is Kind.ECHO)


def test_what_our_session_fades_to_after_a_farewell_that_nobody_heard_is_no_word() -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="busy", symphony="busy")
    desk.see("symphony", "available", 10)
    desk.write("teams", 10, refresh_in=200, expires_in=300)
    desk.see("teams", "available", 15)
    desk.view = leave(desk.view, "teams", 20)
    desk.see("teams", "available+idle", 312)
    assert desk.see("teams", "away", 900) is Kind.DECAY


def test_a_farewell_leaves_alone_what_does_not_expire() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10)
    before = desk.view
    assert leave(before, "symphony", 20) == before


def test_the_same_word_with_another_note_or_after_the_persons_own_is_no_rewrite() -> None:
    view = begin(View(), "teams", "Busy/Busy", BUSY, 60, 5, note="in Rome")
    view = accept(view, "teams", Accepted(), 6)
    view = begin(view, "teams", "Busy/Busy", BUSY, 60, 10, note="in Oslo")
    published = view.entries["teams"].publication
    assert published is not None
    assert published.rewrites == 0
    desk = busy_in_symphony()
    desk.write("symphony", 10, shown="busy")
    desk.see("symphony", "dnd", 20)
    desk.see("teams", "busy/conference", 30)
    desk.see("teams", "dnd", 31)
    desk.begin("symphony", 31)
    assert desk.publication("symphony").rewrites == 0


def test_a_retry_is_no_rewrite_and_a_rewrite_no_retry() -> None:
    desk = busy_in_symphony()
    desk.begin("symphony", 10)
    desk.fail("symphony")
    desk.begin("symphony", 12)
    assert (desk.publication("symphony").attempt, desk.publication("symphony").rewrites) == (1, 0)
    desk.accept("symphony", 13)
    desk.begin("symphony", 80)
    assert (desk.publication("symphony").attempt, desk.publication("symphony").rewrites) == (0, 1)


def test_an_accepted_retry_has_not_failed() -> None:
    desk = busy_in_symphony()
    desk.begin("symphony", 10)
    desk.fail("symphony")
    desk.accept("symphony", 12)
    assert not desk.publication("symphony").failed


def test_a_repeated_write_keeps_its_lease_and_its_substitute() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10, word="AWAY", refresh_in=200, expires_in=300)
    assert desk.begin("symphony", 75).reason is Reason.REWRITE
    published = desk.publication("symphony")
    assert (published.refresh_at, published.expires_at, published.written) == (210, 310, "AWAY")


def test_a_renewal_keeps_what_was_returned_and_its_version() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10, shown="brb", order=7)
    desk.accept("symphony", 100)
    assert (desk.publication("symphony").returned, desk.publication("symphony").order) == (BRB, 7)


def test_an_answer_that_shows_ours_ends_what_was_expected_of_accepted_ones() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10)
    desk.see("teams", "brb", 13)
    desk.write("symphony", 13, shown="brb")
    assert desk.entry("symphony").earlier == ()


def test_a_retracted_write_may_show_for_a_while_from_then() -> None:
    desk = busy_in_symphony()
    desk.write("symphony", 10)
    desk.take_back("symphony", 200)
    assert desk.entry("symphony").earlier[0].visible_by == 260


@pytest.mark.parametrize(("settled", "kind"), [(True, Kind.OWN), (False, Kind.ECHO)])
def test_a_try_that_was_refused_for_good_explains_nothing_from_then_on(*, settled: bool, kind: Kind) -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="away", symphony="away")
    desk.see("symphony", "busy", 10)
    desk.begin("teams", 10)
    desk.fail("teams", 12, settled=settled)
    desk.see("symphony", "brb", 20)
    assert desk.see("teams", "busy", 21) is kind


@pytest.mark.parametrize(("settled", "kind"), [(True, Kind.OWN), (False, Kind.ECHO)])
def test_a_try_that_the_service_itself_refused_explains_no_word_later(*, settled: bool, kind: Kind) -> None:
    """A gateway that gave up waiting may still let it through; a service that said no does not."""
    desk = Desk("teams", "symphony")
    desk.start(teams="away", symphony="away")
    desk.see("symphony", "busy", 10)
    desk.begin("teams", 10)
    desk.fail("teams", settled=settled)
    desk.write("teams", 12)
    desk.see("teams", "busy", 15)
    desk.see("symphony", "brb", 20)
    desk.write("teams", 20)
    desk.see("teams", "brb", 25)
    assert desk.see("teams", "busy", 40) is kind


@pytest.mark.parametrize(("is_over", "kind"), [(True, Kind.OWN), (False, Kind.ECHO)])
def test_a_try_that_was_interrupted_explains_nothing_once_it_must_be_over(*, is_over: bool, kind: Kind) -> None:
    desk = Desk("teams", "symphony")
    desk.start(teams="away", symphony="away")
    desk.see("symphony", "busy", 10)
    desk.begin("teams", 10)
    desk.view = interrupted(desk.view, 20)
    desk.see("symphony", "away", 25)
    desk.see("teams", "away", 10 + VISIBLE_WITHIN if is_over else 11 + VISIBLE_WITHIN / 2)
    assert desk.see("teams", "busy", 1000 if is_over else 60) is kind


def test_nothing_else_is_interrupted() -> None:
    done = Publication("busy", BUSY, 1.0, 61.0, accepted_at=2.0)
    tries = [Publication("busy", BUSY, 1.0, 61.0, failed=True), Publication("busy", BUSY, 1.0, 1.0, settled=True)]
    view = View({str(n): Entry(publication=p) for n, p in enumerate([None, done, *tries])})
    assert interrupted(view, 5.0) == view
    out = View({"teams": Entry(publication=Publication("busy", BUSY, 1.0, 61.0))})
    published = interrupted(out, 5.0).entries["teams"].publication
    assert published is not None
    assert (published.failed, published.settled, published.visible_by) == (True, False, 61.0)

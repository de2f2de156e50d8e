"""After a pin the person's own word is written back to where they said it; what shows then is theirs again."""

from __future__ import annotations

from presence_syncd.connectors.symphony.wire import vocabulary
from presence_syncd.core.compose import compose
from presence_syncd.core.decision import Decision, Reason, Sink
from presence_syncd.core.entry import Entry, Kind, Observation
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, OFFLINE, Status, parse_status
from presence_syncd.core.proof import is_proven
from presence_syncd.core.publication import Accepted, accept, begin
from presence_syncd.core.reconcile import reconcile
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View
from tests.core.desk import Desk

RULES = Rules(settle=0.0, settle_fade=0.0)
WORDS = vocabulary("BUSY", "OFFLINE")
START = 1000.0


def seen(view: View, status: Status, at: float) -> View:
    return observe(view, "symphony", Observation(status, str(status), at, at), WORDS, RULES)[0]


def after_a_pin(faded: Status | None = None) -> View:
    """Available, said in Symphony, and perhaps faded; pinned busy there by us; unpinned, and written back."""
    view = seen(View({"symphony": Entry(), "teams": Entry()}, START), AVAILABLE, START + 1)
    view = seen(view, faded, START + 2) if faded else view
    view = accept(begin(view, "symphony", "BUSY", BUSY, 45.0, START + 5), "symphony", Accepted(shown=BUSY), START + 6)
    view = begin(view, "symphony", "AVAILABLE", AVAILABLE, 45.0, START + 9, restores=True)
    return accept(view, "symphony", Accepted(shown=AVAILABLE, expires_in=300.0, refresh_in=200.0), START + 10)


def test_what_is_written_back_is_the_persons_and_proves_them_elsewhere() -> None:
    for view in (after_a_pin(), seen(after_a_pin(), AVAILABLE, START + 12)):
        assert not view.entries["symphony"].mine
        composed = compose(view, RULES, START + 13)
        assert composed is not None
        assert composed.domain == "symphony"
        assert is_proven(view, composed, "teams", RULES, START + 13)


def test_written_back_before_anybody_saw_the_pin_it_stays_theirs() -> None:
    view = seen(View({"symphony": Entry()}, START), AVAILABLE, START + 1)
    for word, status, restores in (("BUSY", BUSY, False), ("AVAILABLE", AVAILABLE, True)):
        view = begin(view, "symphony", word, status, 45.0, START + 5, restores=restores)
        view = accept(view, "symphony", Accepted(), START + 6)
    entry = seen(view, AVAILABLE, START + 200).entries["symphony"]
    assert entry.publication is not None
    assert entry.publication.confirmed_at == START + 200
    assert not entry.mine


def test_what_had_faded_before_a_pin_and_is_written_back_awake_proves_nobody_there() -> None:
    view = seen(after_a_pin(faded=replace(AVAILABLE, idle=True)), AVAILABLE, START + 12)
    composed = compose(view, RULES, START + 13)
    assert composed is not None
    assert not is_proven(view, composed, "teams", RULES, START + 13)


def is_proof(view: View, at: float) -> bool:
    """Whether Symphony, whose feed is alive, proves the person there."""
    return seen(view, AVAILABLE, at).entries["symphony"].is_proof("teams", at, RULES.evidence)


def test_what_is_written_back_proves_them_only_as_long_as_their_word_is_fresh() -> None:
    """What lay over it may have hidden that they went to rest, and what we write may keep hiding it."""
    fresh_until = START + RULES.evidence
    assert is_proof(after_a_pin(), fresh_until)
    assert not is_proof(after_a_pin(), fresh_until + 1)


def test_written_back_and_not_seen_yet_it_proves_no_more() -> None:
    view = seen(View({"symphony": Entry()}, START), AVAILABLE, START + 1)
    view = begin(view, "symphony", "AVAILABLE", AVAILABLE, 45.0, START + 5, restores=True)
    assert not is_proof(view, START + 1 + RULES.evidence)


def test_where_what_we_write_fades_when_the_person_rests_it_proves_them_as_their_own_does() -> None:
    """A soft write in Symphony: it would show as away if they rested."""
    view = seen(View({"symphony": Entry()}, START), AVAILABLE, START + 1)
    view = begin(view, "symphony", "AVAILABLE", AVAILABLE, 45.0, START + 9, restores=True, hides_rest=False)
    view = accept(view, "symphony", Accepted(shown=AVAILABLE), START + 10)
    assert is_proof(view, START + 1 + 2 * RULES.evidence)


def test_who_rests_and_comes_back_after_it_was_written_back_is_proven_again() -> None:
    view = seen(seen(after_a_pin(), AWAY, START + 400), AVAILABLE, START + 2000)
    word = view.entries["symphony"].word
    assert word is not None
    assert word.faded is None
    assert is_proof(view, START + 2060)


def test_who_rested_before_it_was_written_back_has_not_come_back_with_it() -> None:
    view = seen(after_a_pin(faded=AWAY), AVAILABLE, START + 12)
    word = view.entries["symphony"].word
    assert word is not None
    assert word.faded == AWAY


def test_the_word_they_say_after_it_was_written_back_proves_them_as_any_word() -> None:
    view = seen(seen(after_a_pin(), BUSY, START + 400), AVAILABLE, START + 450)
    assert is_proof(view, START + 450 + 2 * RULES.evidence)


def test_read_back_after_something_else_was_shown_it_is_theirs_too() -> None:
    view = seen(seen(after_a_pin(), AWAY, START + 11), AVAILABLE, START + 12)
    assert not view.entries["symphony"].mine


def test_a_lease_that_holds_it_up_is_not_taken_back() -> None:
    view = seen(after_a_pin(), AVAILABLE, START + 12)
    sink = Sink("symphony", WORDS, leased=True)
    decision = reconcile(view.put("teams", Entry(live_at=START)), sink, RULES, START + 13)
    assert decision.reason is Reason.IN_SYNC


def test_off_work_of_ours_that_crossed_with_the_persons_own_word_is_taken_back() -> None:
    """In Symphony it shows as gone, which is nobody's doing but ours: the word they said meanwhile is put back."""
    desk = Desk("teams", "symphony")
    desk.start(teams="available", symphony="available")
    desk.see("teams", "offline/off-work", 10)
    desk.begin("symphony", 10)
    assert desk.see("symphony", "busy", 10.5, from_=9.9) is Kind.OWN
    desk.accept("symphony", 11, shown="offline")
    desk.see("symphony", "offline", 15)
    assert desk.writing(16)["symphony"] == "BUSY"
    desk.write("symphony", 16, shown="busy")
    assert desk.why("symphony", 20) is Reason.IN_SYNC


def covered(own: str) -> Desk:
    """They say something in Teams; what they said in Skype just before comes into sight above it."""
    desk = Desk("session", "skype")
    desk.sink("session", leased=True)
    desk.start(session="available", skype="available")
    desk.see("skype", "busy/call", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    assert desk.see("session", own, 12) is Kind.OWN
    assert desk.see("session", "busy/call", 15) is Kind.ECHO
    return desk


def test_a_call_of_theirs_beneath_ours_is_uncovered_instead_of_being_put_back() -> None:
    """What we said again would hide that they hang up, for as long as we renew it."""
    desk = covered("busy/conference")
    assert desk.decide("session", 16) == Decision(Reason.RETRACT)
    desk.take_back("session", 16)
    desk.see("session", "busy/conference", 20)
    assert desk.why("session", 21) is Reason.OWN_WORD
    desk.see("session", "available", 500)
    assert desk.status(501) == "available"


def test_who_has_hung_up_unseen_beneath_a_call_of_ours_is_in_no_call_any_more() -> None:
    """Since when nobody knows: what was said elsewhere since they began it is newer."""
    desk = covered("busy/conference")
    desk.take_back("session", 16)
    assert desk.see("session", "available", 20) is Kind.ECHO
    assert (desk.status(21), desk.composed(21).domain, desk.word("session").at) == ("available", "session", 12)
    assert desk.writing(21) == {"skype": "Online"}
    desk.see("skype", "brb", 30)
    assert desk.status(31) == "brb"


def test_who_has_hung_up_unseen_and_rests_is_taken_for_awake_until_that_has_lasted() -> None:
    desk = covered("busy/conference")
    desk.take_back("session", 16)
    assert desk.see("session", "available+idle", 20) is Kind.ECHO
    assert (desk.status(49), desk.status(50)) == ("available", "available+idle")


def test_what_our_session_brings_back_ends_no_call() -> None:
    desk = Desk("session", "skype")
    desk.sink("session", leased=True)
    desk.start(skype="available", session="busy/call")
    desk.see("session", "offline", 10)
    desk.see("skype", "busy", 20)
    desk.see("skype", "busy/conference", 30)
    desk.write("session", 30, refresh_in=200, expires_in=300)
    assert desk.see("session", "brb", 35) is Kind.ECHO
    assert desk.entry("session").mine
    assert desk.word("session").status == parse_status("busy/call")


def test_that_nobody_is_there_again_ends_no_call_but_lets_it_fade() -> None:
    desk = Desk("session", "skype")
    desk.sink("session", leased=True)
    desk.start(skype="available", session="busy/call")
    desk.see("session", "offline", 10)
    desk.see("skype", "busy/conference", 30)
    desk.write("session", 30, refresh_in=200, expires_in=300)
    desk.see("session", "busy/conference", 35)
    desk.take_back("session", 50)
    assert desk.see("session", "offline", 55) is Kind.ECHO
    assert (desk.word("session").status, desk.word("session").faded) == (parse_status("busy/call"), OFFLINE)


def test_who_was_gone_before_a_call_was_over_was_gone_all_the_same() -> None:
    desk = Desk("session", "skype")
    desk.sink("session", leased=True)
    desk.start(skype="available", session="busy/call")
    desk.see("session", "offline", 10)
    desk.see("skype", "busy/conference", 30)
    desk.write("session", 30, refresh_in=200, expires_in=300)
    desk.see("session", "busy/conference", 35)
    desk.take_back("session", 50)
    assert desk.see("session", "available+idle", 55) is Kind.ECHO
    assert desk.word("session").gone


def test_a_lease_that_is_over_is_not_taken_back() -> None:
    desk = covered("busy/conference")
    assert desk.why("session", 309.9) is Reason.RETRACT
    assert desk.why("session", 310.0) is not Reason.RETRACT


def test_a_word_put_back_late_does_not_end_the_call_they_began_since() -> None:
    desk = Desk("teams", "skype")
    desk.start(teams="brb", skype="available")
    desk.pin("busy", until=20)
    desk.write("teams", 10)
    desk.see("teams", "busy", 15)
    decision = desk.decide("teams", 21)
    assert (decision.word, decision.status) == ("BeRightBack/BeRightBack", parse_status("brb"))
    desk.view = begin(desk.view, "teams", "BeRightBack/BeRightBack", parse_status("brb"), 60, 21, restores=True)
    assert desk.see("teams", "busy/call", 22) is Kind.OWN
    assert desk.see("teams", "brb", 25) is Kind.ECHO
    assert desk.status(26) == "busy/call"


def test_what_they_chose_beneath_ours_is_put_back() -> None:
    assert covered("brb").writing(16)["session"] == "Away/Away"


def hung_up() -> Desk:
    """In a call, Available from elsewhere hidden beneath it; in another call, so it was taken back; Available shows."""
    desk = Desk("session", "skype")
    desk.sink("session", leased=True)
    desk.start(skype="away", session="busy/call")
    desk.see("skype", "available", 10)
    desk.write("session", 10, refresh_in=200, expires_in=300)
    assert desk.see("session", "busy/conference", 20) is Kind.OWN
    desk.take_back("session", 25)
    assert desk.see("session", "available", 30) is Kind.ECHO
    return desk


def test_a_call_is_not_put_back_over_what_may_be_the_persons_own_doing() -> None:
    """Nobody could tell any more that they have hung up, and they would be in a call for ever."""
    desk = hung_up()
    for at in (31.0, 84.0, 86.0):  # before and after the write that was taken back can be in sight
        assert desk.why("session", at) is Reason.CONFIRMING


def test_what_stays_when_no_write_of_ours_can_show_any_more_the_person_said_when_it_came() -> None:
    desk = hung_up()
    assert desk.see("session", "available", 84) is Kind.SAME
    assert desk.see("session", "available", 86) is Kind.OWN
    assert desk.word("session").at == 30
    assert desk.why("session", 87) is Reason.OWN_WORD


def test_what_passes_as_a_write_of_ours_would_was_nobodys_word() -> None:
    desk = hung_up()
    assert desk.see("session", "busy/conference", 40) is not Kind.STALE
    assert desk.composed(41).status.activity == "conference"
    assert desk.why("session", 41) is Reason.OWN_WORD


def test_what_is_said_when_no_write_of_ours_can_show_any_more_is_said_now() -> None:
    """And not when that came which showed before: it would lose against what was said elsewhere meanwhile."""
    desk = hung_up()
    desk.see("skype", "brb", 60)
    assert desk.see("session", "busy/call", 90) is Kind.OWN
    assert desk.word("session").at == 90
    assert desk.composed(91).domain == "session"


def test_what_shows_again_by_our_session_alone_hides_no_client_that_rests() -> None:
    """So available, chosen there, is the person's word and not what lay beneath: it would be lost for ever."""
    desk = Desk("session", "skype")
    desk.sink("session", leased=True)
    desk.start(skype="available", session="brb")
    desk.see("session", "offline", 10)
    desk.see("skype", "busy/call", 20)
    desk.write("session", 20, refresh_in=200, expires_in=300)
    assert desk.see("session", "brb", 25) is Kind.ECHO
    desk.see("skype", "busy/conference", 1000)
    assert desk.write("session", 1000, refresh_in=200, expires_in=300).word == "Busy/InAConferenceCall"
    desk.see("session", "brb", 1005)
    assert desk.see("session", "available", 1010) is Kind.OWN
    assert desk.composed(1011).domain == "session"

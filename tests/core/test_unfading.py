"""Where nothing fades by itself, available is let go once nothing proves the person any more."""

from __future__ import annotations

from typing import Any

import pytest

from presence_syncd.core.compose import Composed
from presence_syncd.core.decision import Decision, Reason
from presence_syncd.core.entry import Entry, Kind, Observation, Publication, Word
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, OFFLINE, Status, parse_status
from presence_syncd.core.proof import to_sign_in_as
from presence_syncd.core.reconcile import PROOF_AGAIN
from presence_syncd.core.revealed import with_rest
from presence_syncd.core.unfading import JUST_SAID, is_still_theirs, kept_until, may_hide_rest
from presence_syncd.core.values import replace
from presence_syncd.core.view import Compose, Direction, Pin, Rules, View
from tests.core.desk import Desk

EVIDENCE = 900.0
LEFT_AT = 100.0


def shown_in_bems(word: str = "available", rules: Rules | None = None, **others: str) -> Desk:
    """Somebody says a word in Skype at 10; we write it to BlackBerry."""
    desk = Desk("skype", "bems", *others, rules=rules)
    desk.start(skype="away", bems="offline", **others)
    desk.see("skype", word, 10)
    desk.write("bems", 10)
    desk.see("bems", word, 11)
    return desk


@pytest.mark.parametrize("rest", ["available+idle", "offline"])
def test_it_is_let_go_so_long_after_the_last_sign(rest: str) -> None:
    desk = shown_in_bems()
    desk.see("skype", rest, LEFT_AT)
    assert desk.why("bems", LEFT_AT + EVIDENCE - 1) in (Reason.IN_SYNC, Reason.HELD)
    decision = desk.decide("bems", LEFT_AT + EVIDENCE)
    assert (decision.reason, decision.word, decision.requeue_at) == (Reason.LET_GO, "away", None)


@pytest.mark.parametrize("rest", ["available+idle", "offline"])
def test_it_is_looked_at_again_when_it_is_to_be_let_go(rest: str) -> None:
    desk = shown_in_bems()
    desk.see("skype", rest, LEFT_AT)
    assert desk.decide("bems", LEFT_AT + 50).requeue_at == LEFT_AT + EVIDENCE


def test_who_is_seen_there_is_kept_available_however_old_the_word() -> None:
    desk = shown_in_bems()
    for at in range(600, 7200, 600):
        desk.see("skype", "available", at)
        decision = desk.decide("bems", at + 60)
        assert (decision.reason, decision.requeue_at) == (Reason.IN_SYNC, at + EVIDENCE)


def test_a_feed_that_tells_nothing_any_more_proves_no_longer_than_anything_else() -> None:
    desk = shown_in_bems()
    desk.see("skype", "available", 600)
    assert desk.why("bems", 600 + EVIDENCE - 1) is Reason.IN_SYNC
    assert desk.why("bems", 600 + EVIDENCE + 1) is Reason.LET_GO


def test_another_service_that_shows_them_is_proof_enough() -> None:
    desk = shown_in_bems(symphony="available")
    desk.see("skype", "offline", LEFT_AT)
    desk.see("symphony", "available", LEFT_AT + EVIDENCE)
    assert desk.why("bems", LEFT_AT + EVIDENCE) is Reason.HELD


def test_what_we_have_written_elsewhere_proves_nothing() -> None:
    desk = shown_in_bems(teams="offline")
    desk.write("teams", 12)
    desk.see("teams", "available", 600)
    desk.see("skype", "offline", LEFT_AT)
    desk.see("teams", "available", LEFT_AT + EVIDENCE)
    assert desk.why("bems", LEFT_AT + EVIDENCE) is Reason.LET_GO


def test_once_let_go_nothing_is_claimed_until_they_are_seen_again() -> None:
    desk = shown_in_bems()
    desk.see("skype", "available+idle", LEFT_AT)
    desk.write("bems", 1000)
    assert desk.why("bems", 1001) is Reason.CONFIRMING
    assert desk.see("bems", "away", 1002) is Kind.ECHO
    decision = desk.decide("bems", 1100)
    assert (decision.reason, decision.requeue_at) == (Reason.FADED, 1100 + PROOF_AGAIN)
    desk.see("skype", "offline", 1200)  # the machine slept: no sign of a person
    assert desk.why("bems", 1300) is Reason.HELD
    desk.see("skype", "available", 5000)
    decision = desk.decide("bems", 5001)
    assert (decision.reason, decision.word) == (Reason.CHANGE, "available")


def test_one_that_failed_is_tried_again() -> None:
    desk = shown_in_bems()
    desk.see("skype", "available+idle", LEFT_AT)
    desk.begin("bems", 1000)
    desk.fail("bems", 1001)
    decision = desk.decide("bems", 1010)
    assert (decision.reason, decision.word) == (Reason.RETRY, "away")


@pytest.mark.parametrize("shown", ["available+idle", "away", "offline"])
def test_what_looks_like_rest_already_is_left_alone(shown: str) -> None:
    desk = shown_in_bems()
    desk.see("skype", "available+idle", LEFT_AT)
    desk.see("bems", shown, LEFT_AT)
    assert desk.writing(LEFT_AT + EVIDENCE).get("bems") is None


def test_their_own_word_there_is_theirs_however_long_it_stands() -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="away", bems="offline")
    desk.see("bems", "available", 10)
    assert desk.why("bems", 9000) is Reason.OWN_WORD
    desk.see("skype", "busy", 9100)
    desk.see("skype", "available", 9100.5)
    desk.see("skype", "offline", 9200)
    assert desk.writing(9200 + 2 * EVIDENCE).get("bems") is None


def put_back(word: str = "available") -> Desk:
    """They say a word in BlackBerry at 10; after a pin that ends at 1000 we say it again there."""
    desk = Desk("skype", "bems")
    desk.start(skype="offline", bems="offline")
    desk.see("bems", word, 10)
    desk.view = replace(desk.view, pin=Pin(parse_status("away"), 1000))
    desk.write("bems", 100)
    desk.see("bems", "away", 101)
    desk.write("bems", 1000)
    said_again = replace(desk.publication("bems"), restores=True)
    desk.view = desk.view.put("bems", replace(desk.entry("bems"), publication=said_again))
    desk.see("bems", word, 1001)
    return desk


def test_their_own_word_that_we_put_back_hides_that_they_rest() -> None:
    desk = put_back()
    assert desk.why("bems", 1000 + EVIDENCE - 1) is Reason.IN_SYNC
    decision = desk.decide("bems", 1000 + EVIDENCE)
    assert (decision.reason, decision.word, decision.says(desk.sinks["bems"].vocabulary)) == (
        Reason.LET_GO,
        "away",
        False,
    )


@pytest.mark.parametrize("rest", ["available+idle", "offline"])
def test_who_rested_there_is_let_go_though_our_signing_in_shows_them_awake(rest: str) -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="offline", bems="offline")
    desk.see("bems", "available", 10)
    desk.see("bems", rest, LEFT_AT)
    desk.foretell("bems", "available", 150)
    assert desk.see("bems", "available", 140) is Kind.ECHO
    assert desk.writing(LEFT_AT + EVIDENCE - 1).get("bems") is None
    assert desk.why("bems", LEFT_AT + EVIDENCE) is Reason.LET_GO
    desk.write("bems", 1100)
    desk.see("bems", "away", 1101)
    assert desk.writing(1200).get("bems") is None


def woken_by_signing_in() -> Desk:
    """Their available lies under busy of ours, beneath which they rest; our session is begun anew, as busy."""
    desk = Desk("skype", "bems", rules=Rules(compose=Compose.BUSIEST))
    desk.start(skype="offline", bems="offline")
    desk.see("bems", "available", 10)
    desk.see("skype", "busy", 20)
    desk.write("bems", 20)
    desk.see("bems", "busy", 21)
    desk.see("bems", "busy+idle", LEFT_AT)
    desk.see("skype", "offline", 200)
    desk.foretell("bems", "busy", 2010)
    assert desk.see("bems", "busy", 2000) is Kind.ECHO
    return desk


def test_who_rested_beneath_ours_still_does_after_we_sign_in() -> None:
    desk = woken_by_signing_in()
    assert desk.word("bems").faded == parse_status("available+idle")
    assert desk.word("bems").faded_at == LEFT_AT
    assert desk.writing(2100).get("bems") == "away"


def test_until_they_are_seen() -> None:
    desk = woken_by_signing_in()
    desk.view = desk.view.put("skype", replace(desk.entry("skype"), shown=AVAILABLE, word=None, live_at=2100))
    assert desk.writing(2100).get("bems") == "available"


@pytest.mark.parametrize(
    ("before", "after", "is_by_us"),
    [("busy", "available", True), ("busy+idle", "busy+idle", True), ("busy+idle", "busy", False)],
)
def test_nobody_else_rests(before: str, after: str, is_by_us: bool) -> None:
    word = Word(AVAILABLE, 10)
    entry = Entry(shown=parse_status(before), shown_at=50, mine=True, word=word)
    seen = Observation(parse_status(after), after, 60, 60, by_signing_in=is_by_us)
    assert with_rest(entry, seen) == entry


@pytest.mark.parametrize(
    "changes", [{"mine": False}, {"word": None}, {"word": Word(BUSY, 10)}, {"word": Word(AVAILABLE, 10, faded=AWAY)}]
)
def test_only_available_of_theirs_goes_on_resting_beneath_ours(changes: dict[str, object]) -> None:
    rests = Entry(shown=parse_status("busy+idle"), shown_at=50, mine=True, word=Word(AVAILABLE, 10))
    seen = Observation(BUSY, "busy", 60, 60, by_signing_in=True)
    assert with_rest(rests, seen) != rests
    entry = replace(rests, **changes)
    assert with_rest(entry, seen) == entry


@pytest.mark.parametrize(
    ("shown", "direction", "word"),
    [
        ("busy", "both", "busy"),
        ("busy", "read", "busy"),
        ("available+idle", "both", "available+idle"),
        ("available+idle", "write", "available+idle"),
        ("available+idle", "read", "away"),
        ("away", "read", "away"),
    ],
)
def test_signing_in_says_what_shows(shown: str, direction: str, word: str) -> None:
    view = View({"bems": Entry(shown=parse_status(shown))})
    assert to_sign_in_as(view, "bems", Direction(direction), Rules(), 0.0) == parse_status(word)


@pytest.mark.parametrize("shown", [None, OFFLINE])
def test_or_what_is_to_show_if_that_is_proven(shown: Status | None) -> None:
    desk = Desk("skype", "bems")
    desk.see("skype", "available", 1)
    desk.view = desk.view.put("bems", Entry(shown=shown))
    assert to_sign_in_as(desk.view, "bems", Direction.BOTH, Rules(), 2.0) == AVAILABLE
    desk.see("skype", "available+idle", 3)
    assert to_sign_in_as(desk.view, "bems", Direction.BOTH, Rules(), 4.0) == AWAY


def test_and_nothing_where_nothing_is_known() -> None:
    assert to_sign_in_as(View({"bems": Entry()}), "bems", Direction.BOTH, Rules(), 0.0) is None


@pytest.mark.parametrize(("is_by_us", "rests"), [(True, True), (False, False)])
def test_a_word_put_back_that_faded_rests_on_when_it_is_our_signing_in_that_shows_it(
    is_by_us: bool, rests: bool
) -> None:
    desk = put_back()
    desk.see("bems", "available+idle", 1100)
    desk.foretell("bems", "available", 1300 if is_by_us else 0)
    desk.see("bems", "available", 1200)
    assert (desk.word("bems").faded is not None) is rests


def test_busy_that_we_put_back_stands() -> None:
    assert put_back("busy").why("bems", 1000 + 10 * EVIDENCE) is Reason.IN_SYNC


def test_what_moved_since_we_put_it_back_is_theirs() -> None:
    desk = put_back()
    desk.see("bems", "available+idle", 1100)
    desk.see("bems", "available", 1200)
    assert "bems" not in desk.writing(1200 + 2 * EVIDENCE)


def test_it_is_put_back_once() -> None:
    desk = put_back()
    desk.write("bems", 2000)
    desk.see("bems", "away", 2001)
    assert desk.why("bems", 2100) is Reason.FADED
    desk.see("bems", "available", 3000)
    assert desk.why("bems", 3001) is Reason.OWN_WORD


def test_and_again_once_they_are_seen() -> None:
    desk = put_back()
    desk.write("bems", 2000)
    desk.see("bems", "away", 2001)
    desk.view = desk.view.put("skype", Entry(shown=AVAILABLE, live_at=2100))
    assert desk.why("bems", 2100) is Reason.CHANGE


@pytest.mark.parametrize(("shown", "is_written"), [("away", True), ("busy", True), ("busy+idle", False)])
def test_it_is_not_put_back_over_rest(shown: str, is_written: bool) -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="offline", bems="offline")
    desk.see("bems", "available", 10)
    desk.view = replace(desk.view, pin=Pin(parse_status(shown).awake, 1000))
    desk.write("bems", 100)
    desk.see("bems", parse_status(shown).availability, 101)
    desk.see("bems", shown, 102)
    assert desk.writing(1000).get("bems") == ("available" if is_written else None)


OURS = Publication("busy", BUSY, at=100.0, visible_by=130.0)
AWAKE = Entry(shown=BUSY, mine=True, publication=OURS)
SAID = Word(AVAILABLE, 200.0)


@pytest.mark.parametrize(
    ("entry", "hides"),
    [
        (Entry(), True),
        (Entry(shown=AWAY, mine=True), True),
        (Entry(shown=BUSY), False),
        (Entry(shown=BUSY, publication=OURS), False),
        (Entry(shown=BUSY, mine=True), True),
        (AWAKE, True),
        (replace(AWAKE, mine=False, publication=replace(OURS, restores=True)), True),
        (replace(AWAKE, publication=replace(OURS, hides_rest=False)), False),
        (replace(AWAKE, word=SAID), False),
        (replace(AWAKE, word=SAID, shown=AWAY), False),
        (replace(AWAKE, word=replace(SAID, at=199.9), shown=AWAY), True),
        (replace(AWAKE, word=SAID, shown=parse_status("busy+idle")), True),
        (replace(AWAKE, word=replace(SAID, faded=AWAY), shown=AWAY), True),
    ],
)
def test_what_is_put_back_hides_rest_unless_they_were_seen_awake_all_the_time(entry: Entry, hides: bool) -> None:
    now = SAID.at + JUST_SAID - 0.1
    assert may_hide_rest(entry, now, fades=False) is hides
    assert may_hide_rest(entry, now, fades=True)


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({}, 500 + EVIDENCE),
        ({"mine": False}, None),
        ({"shown": BUSY}, None),
        ({"publication": None}, None),
        ({"publication": Publication("available", AVAILABLE, 500.0, 530.0, hides_rest=False)}, None),
        ({"publication": Publication("available", AVAILABLE, 500.0, 530.0, overridden=True)}, None),
    ],
)
def test_their_word_that_we_said_for_another_service_may_hide_rest_as_well(
    changes: dict[str, object], until: float | None
) -> None:
    ours = Publication("available", AVAILABLE, 500.0, 530.0)
    entry = Entry(shown=AVAILABLE, mine=True, word=Word(AVAILABLE, 10.0), publication=ours)
    view, sink = View({"bems": replace(entry, **changes)}), Desk("bems").sinks["bems"]
    assert kept_until(view, Composed(AVAILABLE, "bems", 10.0, "latest"), sink, Rules(), 600.0) == until


def test_busy_is_held_as_policy_has_it() -> None:
    desk = shown_in_bems("busy")
    desk.see("skype", "offline", LEFT_AT)
    assert desk.why("bems", LEFT_AT + 10 * EVIDENCE) is Reason.HELD


def test_a_pin_proves_itself() -> None:
    desk = shown_in_bems()
    desk.see("skype", "available+idle", LEFT_AT)
    desk.view = desk.view.__class__(desk.view.entries, pin=Pin(parse_status("available"), 1e6))
    assert desk.why("bems", 10 * EVIDENCE) is Reason.IN_SYNC


def test_what_a_pin_leaves_behind_is_let_go_where_they_are_not_seen() -> None:
    desk = shown_in_bems()
    desk.see("skype", "available+idle", LEFT_AT)
    desk.view = desk.view.__class__(desk.view.entries, pin=Pin(parse_status("busy"), 3000))
    desk.write("bems", 2000)
    desk.see("bems", "busy", 2001)
    assert desk.why("bems", 2999) is Reason.IN_SYNC
    decision = desk.decide("bems", 3000)
    assert (decision.reason, decision.word) == (Reason.LET_GO, "away")


def test_a_word_just_said_needs_no_proof() -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="busy", bems="offline")
    desk.see("skype", "available", 1000)
    desk.see("skype", "available+idle", 1001)
    assert desk.why("bems", 1002) is Reason.CHANGE


def test_what_was_said_long_ago_is_not_claimed_for_who_rests() -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="busy", bems="offline")
    desk.see("skype", "available", 1000)
    desk.see("skype", "available+idle", 1001)
    assert desk.why("bems", 1000 + EVIDENCE) is Reason.CHANGE
    assert desk.why("bems", 1001 + EVIDENCE) is Reason.FADED


def test_evidence_is_the_policys() -> None:
    desk = shown_in_bems(rules=Rules(evidence=60))
    desk.see("skype", "available+idle", LEFT_AT)
    assert desk.why("bems", LEFT_AT + 60) is Reason.LET_GO


def test_the_end_of_a_session_of_ours_is_no_sign() -> None:
    desk = shown_in_bems(session="offline")
    desk.sink("session", leased=True)
    desk.write("session", 12, refresh_in=200, expires_in=300)
    desk.see("session", "available", 20)
    desk.see("skype", "offline", LEFT_AT)
    desk.see("session", "offline", 320)
    assert desk.why("bems", LEFT_AT + EVIDENCE) is Reason.LET_GO


def test_where_nothing_else_is_theirs_the_word_is_the_last_sign() -> None:
    desk = shown_in_bems()
    desk.view = desk.view.put("skype", replace(desk.entry("skype"), mine=True))
    assert desk.why("bems", 10 + EVIDENCE - 1) is Reason.IN_SYNC
    assert desk.why("bems", 10 + EVIDENCE) is Reason.LET_GO


def test_what_we_put_back_over_rest_proves_nothing_either_while_we_let_it_go() -> None:
    desk = put_back()
    desk.view = desk.view.put("skype", replace(desk.entry("skype"), shown=AVAILABLE, word=None))
    assert desk.view.proving("skype", 1000 + EVIDENCE, EVIDENCE) == ()
    desk.begin("bems", 1000 + EVIDENCE)
    assert desk.view.proving("skype", 1000 + EVIDENCE, EVIDENCE) == ()


@pytest.mark.parametrize(
    ("changes", "is_proof"),
    [({}, False), ({"hides_rest": False}, True), ({"overridden": True}, True), ({"at": 499.0}, True)],
)
def test_what_is_written_over_proves_as_long_as_it_cannot_hide_rest(changes: dict[str, Any], is_proof: bool) -> None:
    ours = replace(Publication("away", AVAILABLE, at=500.0, visible_by=530.0), **changes)
    entry = Entry(shown=AVAILABLE, shown_at=500.0, live_at=2000.0, word=Word(AVAILABLE, 10.0), publication=ours)
    assert entry.is_proof("teams", 2000.0, EVIDENCE) is is_proof
    assert entry.is_proof("teams", 10.0 + EVIDENCE, EVIDENCE)


def test_only_a_decision_that_writes_its_own_status_says_it() -> None:
    vocabulary = Desk("bems").sinks["bems"].vocabulary
    assert Decision(Reason.CHANGE, "busy", BUSY).says(vocabulary)
    assert not Decision(Reason.LET_GO, "away", AVAILABLE).says(vocabulary)
    assert not Decision(Reason.HELD).says(vocabulary)


def test_what_they_show_in_blackberry_itself_is_no_proof_there_of_a_word_said_elsewhere() -> None:
    desk = Desk("skype", "bems", rules=Rules(compose=Compose.PRIORITY, priority=("skype", "bems")))
    desk.start(skype="busy", bems="offline")
    desk.see("skype", "available", 10)
    desk.see("skype", "available+idle", 500)
    desk.see("bems", "busy", 1000)
    assert desk.status(1010) == "available+idle"
    assert desk.why("bems", 1010) is Reason.FADED


@pytest.mark.parametrize(("offline_away", "word"), [(True, AWAY), (False, OFFLINE)])
def test_signing_in_says_what_policy_makes_of_gone(offline_away: bool, word: Status) -> None:
    view = View({"skype": Entry(shown=OFFLINE, word=Word(OFFLINE, 1.0)), "bems": Entry()})
    rules = Rules(offline_away=offline_away)
    assert to_sign_in_as(view, "bems", Direction.BOTH, rules, 2.0) == word


def test_a_rest_that_goes_on_is_no_later_sign() -> None:
    desk = shown_in_bems()
    desk.see("skype", "available+idle", LEFT_AT)
    desk.see("skype", "available+idle", LEFT_AT + 300)
    assert desk.why("bems", LEFT_AT + EVIDENCE) is Reason.LET_GO


def test_who_seems_awake_for_blackberry_itself_proved_them_is_no_later_sign() -> None:
    desk = shown_in_bems(rules=Rules(evidence=60))
    woken = replace(desk.entry("skype"), shown_at=LEFT_AT, live_at=600.0)
    vouched = replace(woken, vouched_by=frozenset({"bems"}), vouched_until=700.0)
    composed, sink = desk.composed(650), desk.sinks["bems"]
    for entry, last in ((woken, 600.0), (vouched, LEFT_AT)):
        view = desk.view.put("skype", entry)
        assert kept_until(view, composed, sink, desk.rules, 650.0) == last + 60


def test_when_ours_was_written_matters_only_over_their_own_word() -> None:
    desk = shown_in_bems()
    desk.see("skype", "available+idle", LEFT_AT)
    again = replace(desk.entry("bems"), publication=replace(desk.publication("bems"), at=600.0))
    desk.view = desk.view.put("bems", again)
    assert desk.why("bems", LEFT_AT + EVIDENCE) is Reason.LET_GO


RESTS = Word(AVAILABLE, 10.0, faded=parse_status("available+idle"), faded_at=LEFT_AT)
"""Said in BlackBerry, and rested since."""


def test_ours_that_hides_no_rest_is_no_sign_of_who_rests_beneath() -> None:
    ours = Publication("available", AVAILABLE, 500.0, 530.0, hides_rest=False)
    view = View({"bems": Entry(shown=AVAILABLE, mine=True, word=RESTS, publication=ours)})
    said = Composed(AVAILABLE, "bems", 10.0, "latest")
    assert kept_until(view, said, Desk("bems").sinks["bems"], Rules(), 600.0) == LEFT_AT + EVIDENCE


@pytest.mark.parametrize(("word", "is_theirs"), [(RESTS, False), (Word(AVAILABLE, 10.0), True)])
def test_who_rests_beneath_what_we_put_back_shows_nothing_of_theirs(word: Word, is_theirs: bool) -> None:
    ours = Publication("available", AVAILABLE, 500.0, 530.0, restores=True)
    view = View({"bems": Entry(shown=AVAILABLE, mine=True, word=word, publication=ours)})
    said = Composed(AVAILABLE, "bems", 10.0, "latest")
    assert is_still_theirs(view, said, Desk("bems").sinks["bems"]) is is_theirs


@pytest.mark.parametrize(("said", "reason"), [("available+idle", Reason.FADED), ("available", Reason.CHANGE)])
def test_a_word_that_was_idle_when_it_was_read_first_is_no_sign_of_the_person(said: str, reason: Reason) -> None:
    desk = Desk("skype", "bems")
    desk.start(skype="brb", bems="offline")
    desk.see("skype", said, 100)
    assert desk.status(101) == said
    assert desk.why("bems", 101) is reason


@pytest.mark.parametrize(("restores", "until"), [(True, 10.0 + EVIDENCE), (False, None)])
def test_their_own_word_that_we_put_back_is_ours_to_let_go_when_another_counts(
    restores: bool, until: float | None
) -> None:
    ours = Publication("available", AVAILABLE, 500.0, 530.0, restores=restores)
    view = View({"bems": Entry(shown=AVAILABLE, word=RESTS, publication=ours)})
    said = Composed(AVAILABLE, "symphony", 10.0, "busiest")
    assert kept_until(view, said, Desk("bems").sinks["bems"], Rules(), 600.0) == until

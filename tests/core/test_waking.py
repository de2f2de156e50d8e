"""Who is not awake in Skype seems so for minutes when we write available: that is not done for who may be gone."""

from __future__ import annotations

import pytest

from presence_syncd.core.decision import Reason
from presence_syncd.core.reconcile import PROOF_AGAIN
from presence_syncd.core.view import Compose, Rules
from tests.core.desk import Desk

EVIDENCE = 900.0
SAID_AT = 10.0
OLD = SAID_AT + EVIDENCE + 1
"""When their last word proves them no more."""


def said_in_bems(*others: str, word: str = "available", skype: str = "offline") -> Desk:
    """Somebody says a word in BlackBerry, where it stays and proves nothing, at 10; Skype shows `skype`."""
    desk = Desk("bems", "skype", *others)
    desk.start(bems="brb", skype=skype, **dict.fromkeys(others, "offline"))
    desk.see("bems", word, SAID_AT)
    return desk


@pytest.mark.parametrize("shown", ["offline", "away"])
def test_available_that_nothing_proves_any_more_wakes_nobody(shown: str) -> None:
    desk = said_in_bems(skype=shown)
    decision = desk.decide("skype", OLD)
    assert (decision.reason, decision.requeue_at) == (Reason.FADED, OLD + PROOF_AGAIN)


def test_news_is_written_whoever_rests_there() -> None:
    desk = said_in_bems()
    assert desk.decide("skype", OLD - 1).word == "Online"


def test_who_is_awake_there_is_not_woken_by_it() -> None:
    desk = said_in_bems(skype="busy")
    assert desk.decide("skype", OLD).word == "Online"


def test_who_is_seen_elsewhere_is_woken() -> None:
    desk = said_in_bems("symphony")
    desk.see("symphony", "available", OLD)
    assert desk.decide("skype", OLD).word == "Online"


def test_what_claims_nothing_is_written_however_old() -> None:
    assert said_in_bems(word="busy").decide("skype", OLD).word == "Busy"


def test_a_pin_wakes() -> None:
    desk = said_in_bems()
    desk.pin("available", until=2 * OLD)
    assert desk.decide("skype", OLD).word == "Online"


def test_a_service_that_wakes_nobody_is_written_however_old_the_word() -> None:
    desk = said_in_bems("symphony")
    assert desk.decide("symphony", OLD).word == "AVAILABLE"


def test_a_write_that_failed_is_not_tried_again_when_it_is_old() -> None:
    desk = said_in_bems()
    desk.begin("skype", SAID_AT)
    desk.fail("skype", SAID_AT + 1)
    assert desk.why("skype", OLD - 1) is Reason.RETRY
    assert desk.why("skype", OLD) is Reason.FADED


def test_who_is_gone_where_their_word_counted_first_is_not_woken_by_an_older_one() -> None:
    rules = Rules(compose=Compose.PRIORITY, priority=("skype", "teams"))
    desk = Desk("skype", "teams", rules=rules)
    desk.start(skype="brb", teams="brb")
    desk.see("teams", "available", 10)
    desk.see("skype", "available", 20)
    desk.see("skype", "away", 170)
    desk.write("teams", 200)
    desk.see("teams", "away", 201)
    desk.see("skype", "offline", 2000)
    assert desk.status(2100) == "available", "what they said in Teams counts, who is no more in Skype"
    assert desk.why("skype", 2100) is Reason.FADED

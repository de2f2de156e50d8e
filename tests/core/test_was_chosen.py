"""Away, chosen in Teams, looks like rest; but rest would not hide a session of ours: its end is the person's doing."""

from __future__ import annotations

import pytest

from presence_syncd.connectors.graph.wire import PREFERRED, SESSION
from presence_syncd.core.decision import Reason
from presence_syncd.core.entry import Entry, Kind, Publication
from presence_syncd.core.presence import AWAY, BUSY
from presence_syncd.core.revealed import was_chosen
from presence_syncd.core.values import replace
from tests.core.desk import VISIBLE_WITHIN, Desk

BY = 200 + VISIBLE_WITHIN
"""When a call of ours must be in sight in Teams."""
AGAIN_BY = BY + VISIBLE_WITHIN
"""When that must be, which was written once more."""


def away_in_teams() -> Desk:
    """Who was available in Teams is away there, and says at 200 in Symphony that they are in a call: we write that."""
    desk = Desk("session", "symphony")
    desk.sink("session", leased=True)
    desk.start(session="available", symphony="available")
    desk.see("session", "away", 100)
    desk.see("symphony", "busy/call", 200)
    assert desk.write("session", 200, refresh_in=2000, expires_in=3000).reason is Reason.CHANGE
    return desk


def write_again(desk: Desk) -> None:
    desk.see("session", "away", BY)
    assert desk.write("session", BY, refresh_in=2000, expires_in=3000).reason is Reason.REWRITE


def test_available_after_away_that_hid_a_call_of_ours_is_news() -> None:
    desk = away_in_teams()
    write_again(desk)
    desk.see("session", "away", AGAIN_BY)
    assert desk.see("session", "available", 900) is Kind.OWN
    assert desk.composed(901).domain == "session"


def test_available_after_rest_is_no_news_as_long_as_ours_may_come_into_sight() -> None:
    desk = away_in_teams()
    assert desk.see("session", "available", 900) is Kind.DECAY
    desk = away_in_teams()
    write_again(desk)
    desk.see("session", "away", AGAIN_BY - 1)
    assert desk.see("session", "available", 900) is Kind.DECAY
    assert desk.status(901) == "busy/call"


HIDDEN = Publication("Busy/InACall", BUSY, 200, BY, accepted_at=201, expires_at=3000, rewrites=1)
"""A session of ours that did not come into sight, nor did the one before it."""


@pytest.mark.parametrize("shown_from", [BY, 2999])
def test_what_hides_a_session_of_ours_was_chosen(shown_from: float) -> None:
    assert was_chosen(Entry(shown=AWAY, shown_from=shown_from, publication=HIDDEN), SESSION)


@pytest.mark.parametrize(
    "ours",
    [
        None,
        replace(HIDDEN, status=AWAY),
        replace(HIDDEN, word="Busy/Busy"),
        replace(HIDDEN, accepted_at=None),
        replace(HIDDEN, overridden=True),
        replace(HIDDEN, taken_back=True),
        replace(HIDDEN, confirmed_at=210),
        replace(HIDDEN, rewrites=0),
        replace(HIDDEN, expires_at=BY),
        replace(HIDDEN, expires_at=None),
        replace(HIDDEN, visible_by=BY + 1),
    ],
)
def test_what_hides_nothing_that_must_show_may_be_rest(ours: Publication | None) -> None:
    assert not was_chosen(Entry(shown=AWAY, shown_from=BY, publication=ours), PREFERRED)

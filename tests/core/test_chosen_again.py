"""The person goes back to what was shown before our write, faster than the write could be seen."""

from __future__ import annotations

import pytest

from presence_syncd.connectors.graph.wire import PREFERRED, SESSION
from presence_syncd.core.compose import compose
from presence_syncd.core.entry import IN_SIGHT, Entry, Kind, Observation
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import AVAILABLE, BUSY, Status
from presence_syncd.core.publication import Accepted, accept, begin
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View
from presence_syncd.core.vocabulary import Vocabulary

RULES = Rules(settle=0.0)
START = 1000.0


def teams(at: float, version: str | None, note: str | None = None, status: Status = AVAILABLE) -> Observation:
    return Observation(status, str(status), at, at, note=note, order=version)


def written(vocabulary: Vocabulary = PREFERRED, word: str = "Busy/Busy") -> View:
    """Available in Teams, then busy in Symphony, and that written to Teams and accepted."""
    view, _ = observe(
        View({"teams": Entry(), "symphony": Entry()}, START), "teams", teams(START + 1, "5"), vocabulary, RULES
    )
    view, _ = observe(view, "symphony", Observation(BUSY, "BUSY", START + 10, START + 10), vocabulary, RULES)
    view = begin(view, "teams", word, BUSY, 300.0, START + 11)
    return accept(view, "teams", Accepted(refresh_in=2000.0, expires_in=3600.0), START + 11)


def later(view: View, seen: Observation, vocabulary: Vocabulary = PREFERRED) -> tuple[View, Kind]:
    return observe(view, "teams", seen, vocabulary, RULES)


def test_a_newer_version_that_looks_as_before_is_the_persons_word() -> None:
    view, kind = later(written(), teams(START + 11 + IN_SIGHT, "7"))
    assert kind is Kind.OWN
    composed = compose(view, RULES, START + 40)
    assert composed is not None
    assert (composed.status, composed.domain) == (AVAILABLE, "teams")
    view, kind = later(view, teams(START + 50, "8", status=BUSY))
    assert kind is Kind.OWN, "our write is over: busy in Teams is theirs now"


@pytest.mark.parametrize(
    ("seen", "vocabulary", "word"),
    [
        pytest.param(teams(START + 12, "7"), PREFERRED, "Busy/Busy", id="too soon"),
        pytest.param(teams(START + 60, "5"), PREFERRED, "Busy/Busy", id="the same version"),
        pytest.param(teams(START + 60, None), PREFERRED, "Busy/Busy", id="no versions"),
        pytest.param(teams(START + 60, "7", note="lunch"), PREFERRED, "Busy/Busy", id="another note"),
        pytest.param(teams(START + 60, "7"), PREFERRED, "Busy/InACall", id="a session, which Teams may outrank"),
        pytest.param(teams(START + 60, "7"), SESSION, "Away/Away", id="sessions only"),
    ],
)
def test_without_that_evidence_it_is_the_old_value(seen: Observation, vocabulary: Vocabulary, word: str) -> None:
    _, kind = later(written(vocabulary, word), seen, vocabulary)
    assert kind is Kind.SAME


def test_a_write_that_is_still_out_or_was_seen_or_is_not_there_proves_nothing() -> None:
    view = written()
    entry = view.entries["teams"]
    assert entry.publication is not None
    for publication in (
        replace(entry.publication, accepted_at=None),
        replace(entry.publication, confirmed_at=START + 12),
        replace(entry.publication, overridden=True),
        None,
    ):
        changed = view.put("teams", replace(entry, publication=publication))
        assert later(changed, teams(START + 60, "7"))[1] is Kind.SAME

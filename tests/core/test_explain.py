"""The explanation names every fact a decision was made from, with a sentence for every reason and every rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from presence_syncd.connectors.graph import wire as graph
from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.core.decision import Decision, Reason, Sink
from presence_syncd.core.entry import Entry, Publication, Word
from presence_syncd.core.explain import RULES, SENTENCES, Told, explain
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, DND, OFFLINE, Status, parse_status
from presence_syncd.core.values import replace
from presence_syncd.core.view import Compose, Direction, Pin, Rules, View

NOW = 10_000.0
TEAMS = Sink("teams", graph.PREFERRED, leased=True)
SYMPHONY = Sink("symphony", symphony.vocabulary())


def said(status: Status, at: float = NOW - 100, **facts: Any) -> Entry:
    """An entry that shows what the person said there."""
    return Entry(shown=status, raw=f"raw {status}", shown_at=at, live_at=NOW - 1, word=Word(status, at, **facts))


def told(view: View, *links: Told, rules: Rules | None = None) -> dict[str, Any]:
    """The explanation, which must be JSON."""
    found = explain(view, links or (link(TEAMS), link(SYMPHONY)), rules or Rules(), NOW)
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def link(sink: Sink, reason: Reason = Reason.IN_SYNC, **facts: Any) -> Told:
    return Told(sink.domain, sink, Decision(reason, requeue_at=facts.pop("requeue_at", None)), **facts)


def of(view: View, domain: str, **facts: Any) -> dict[str, Any]:
    """The link of a domain as it is told."""
    sink = {"teams": TEAMS, "symphony": SYMPHONY}[domain]
    return next(one for one in told(view, link(sink), **facts)["links"] if one["domain"] == domain)


def test_every_reason_and_every_rule_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(Reason)
    assert RULES.keys() == {*Compose, "pin"}


def test_says_whose_word_counts_and_why() -> None:
    chain = told(View({"teams": said(BUSY, NOW - 60), "symphony": said(AVAILABLE)}))
    assert chain["status"] == {
        "shown_as": "busy",
        "said": "busy",
        "in": "teams",
        "ago": 60,
        "rule": "latest",
        "because": "the newest word wins",
        "other_words": ["symphony"],
    }
    first, second = chain["words"]
    assert (first["counts"], first["because"], second["counts"], second["because"]) == (
        True,
        None,
        False,
        "it is older",
    )
    assert (chain["pin"], chain["paused"], chain["frozen_for"]) == (None, False, None)


def test_tells_all_of_a_word() -> None:
    assert told(View({"teams": said(BUSY)}))["words"] == [
        {
            "domain": "teams",
            "said": "busy",
            "ago": 100,
            "faded_to": None,
            "faded_ago": None,
            "fade_counts_in": None,
            "counts": True,
            "because": None,
        }
    ]


def test_tells_all_of_a_link() -> None:
    view = View({"teams": replace(said(BUSY), shown_at=NOW - 70, live_at=NOW - 1.26, beneath=AWAY)})
    assert of(view, "teams") == {
        "service": "teams",
        "domain": "teams",
        "direction": "both",
        "shows": "busy",
        "raw": "raw busy",
        "shown_ago": 70,
        "heard_ago": 1.3,
        "whose": "the person's",
        "beneath": None,
        "wants": "Busy/Busy",
        "is_nearest": False,
        "shows_it": True,
        "reason": "in-sync",
        "because": SENTENCES[Reason.IN_SYNC],
        "written": None,
        "proven": True,
        "proof": "teams, where it was said, is heard",
        "next": None,
        "trouble": None,
        "trouble_for": None,
        "trouble_again_in": None,
        "state": None,
    }


def test_says_nothing_of_a_status_nobody_told() -> None:
    chain = told(View({"teams": Entry()}), link(TEAMS, Reason.NOTHING_SAID))
    (shown,) = chain["links"]
    assert (chain["status"], chain["words"]) == (None, [])
    empty = ("shows", "shown_ago", "heard_ago", "beneath", "wants", "written", "proven", "proof", "next", "trouble")
    assert [shown[key] for key in empty] == [None] * len(empty)
    assert (shown["whose"], shown["shows_it"], shown["is_nearest"]) == ("nobody's", False, False)


def test_a_pin_is_above_all_words() -> None:
    view = View({"teams": said(BUSY), "symphony": Entry()}, pin=Pin(DND, NOW + 90, "board meeting", "ops"), paused=True)
    chain = told(replace(view, frozen_until=NOW + 30))
    assert chain["pin"] == {"status": "dnd", "for": 90, "reason": "board meeting", "by": "ops"}
    assert (chain["status"]["in"], chain["status"]["ago"], chain["status"]["because"]) == ("pin", None, RULES["pin"])
    assert [word["because"] for word in chain["words"]] == [RULES["pin"]]
    assert (chain["paused"], chain["frozen_for"]) == (True, 30)
    assert chain["links"][0]["proof"] == "not needed: a pin proves itself"


def test_a_freeze_that_ends_now_is_over() -> None:
    assert told(View({"teams": said(BUSY)}, frozen_until=NOW))["frozen_for"] is None


@pytest.mark.parametrize(
    ("loser", "winner", "because"),
    [
        (said(AWAY, NOW - 90), said(BUSY, NOW - 5), "it is older"),
        (said(AWAY, NOW - 90, initial=True), said(BUSY, NOW - 95), "it was there before the first reading"),
        (said(OFFLINE, initial=True), said(BUSY, initial=True), "it says only that nobody is there"),
        (said(parse_status("busy+idle"), initial=True), said(BUSY, initial=True), "it says only that nobody is there"),
        (said(AWAY, NOW - 300, initial=True), said(BUSY, initial=True), "both were there before the first reading"),
    ],
)
def test_says_why_an_older_word_does_not_count(loser: Entry, winner: Entry, because: str) -> None:
    chain = told(View({"teams": winner, "symphony": loser}))
    assert chain["status"]["in"] == "teams"
    assert chain["words"][1]["because"].startswith(because)


def test_a_word_from_before_the_first_reading_has_no_age() -> None:
    chain = told(View({"teams": said(BUSY, initial=True)}))
    assert (chain["status"]["ago"], chain["words"][0]["ago"]) == (None, None)


@pytest.mark.parametrize(
    ("loser", "because"),
    [(AVAILABLE, "it is less busy"), (BUSY, "it is as busy, but not newer"), (OFFLINE, "it is less busy")],
)
def test_says_why_a_less_busy_word_does_not_count(loser: Status, because: str) -> None:
    view = View({"teams": said(BUSY, NOW - 50), "symphony": said(loser)})
    chain = told(view, rules=Rules(compose=Compose.BUSIEST))
    assert (chain["status"]["in"], chain["words"][1]["because"]) == ("teams", because)


@pytest.mark.parametrize(("ago", "because"), [(30, "it is less busy"), (29, "it is as busy, but not newer")])
def test_a_word_is_as_busy_as_what_it_faded_to_once_that_counts(ago: float, because: str) -> None:
    view = View({"teams": said(BUSY, NOW - 50), "symphony": said(BUSY, faded=AWAY, faded_at=NOW - ago)})
    chain = told(view, rules=Rules(compose=Compose.BUSIEST, settle_fade=30.0))
    assert (chain["status"]["in"], chain["words"][1]["because"]) == ("teams", because)


def test_a_client_that_went_is_missing_in_the_list_of_priority() -> None:
    view = View({"teams": said(BUSY, NOW - 50), "symphony": said(BUSY, faded=OFFLINE, faded_at=NOW - 30)})
    rules = Rules(compose=Compose.PRIORITY, priority=("symphony", "teams"), settle_fade=30.0)
    chain = told(view, rules=rules)
    assert (chain["status"]["in"], chain["words"][1]["because"]) == ("teams", "no client of the person is there")


@pytest.mark.parametrize(
    ("priority", "loser", "because"),
    [
        (("teams",), AVAILABLE, "it is not in the list of priority"),
        (("teams", "symphony"), AVAILABLE, "it stands later in the list of priority"),
        (("symphony", "teams"), OFFLINE, "no client of the person is there"),
        (("elsewhere",), AVAILABLE, "it is older"),
    ],
)
def test_says_why_a_word_of_lower_priority_does_not_count(
    priority: tuple[str, ...], loser: Status, because: str
) -> None:
    view = View({"teams": said(BUSY, NOW - 50), "symphony": said(loser)})
    chain = told(view, rules=Rules(compose=Compose.PRIORITY, priority=priority))
    assert (chain["status"]["in"], chain["words"][1]["because"]) == ("teams", because)


def test_tells_a_fade_and_when_it_counts() -> None:
    word = said(AVAILABLE, faded=AWAY, faded_at=NOW - 10)
    chain = told(View({"teams": word}), rules=Rules(settle_fade=30.0))
    told_of = {key: chain["words"][0][key] for key in ("faded_to", "faded_ago", "fade_counts_in")}
    assert told_of == {"faded_to": "away", "faded_ago": 10, "fade_counts_in": 20.0}
    chain = told(View({"teams": word}), rules=Rules(settle_fade=5.0))
    assert (chain["words"][0]["fade_counts_in"], chain["status"]["said"]) == (None, "away")


@pytest.mark.parametrize(("settle", "counts_in"), [(10.76, 0.8), (30.26, 20.3), (10.0, None)])
def test_a_fade_counts_in_tenths_of_a_second(settle: float, counts_in: float | None) -> None:
    word = said(AVAILABLE, faded=AWAY, faded_at=NOW - 10)
    chain = told(View({"teams": word}), rules=Rules(settle_fade=settle))
    assert chain["words"][0]["fade_counts_in"] == counts_in


def test_tells_what_policy_makes_of_it() -> None:
    chain = told(View({"teams": said(parse_status("available+idle"))}), rules=Rules(idle_away=True))
    assert (chain["status"]["said"], chain["status"]["shown_as"]) == ("available+idle", "away")


def test_tells_what_was_written_and_what_became_of_it() -> None:
    written = Publication("ON_THE_PHONE", BUSY, NOW - 20, NOW + 10, substitute="BUSY", accepted_at=NOW - 19)
    entry = replace(said(AVAILABLE), shown=BUSY, mine=True, beneath=AVAILABLE, publication=written)
    view = View({"symphony": entry, "teams": said(BUSY, NOW - 30)})
    found = of(view, "symphony")
    assert (found["whose"], found["beneath"], found["wants"], found["shows_it"]) == ("ours", "available", "BUSY", True)
    assert found["written"] == {
        "word": "BUSY",
        "instead_of": "ON_THE_PHONE",
        "ago": 20,
        "accepted": True,
        "failed": False,
        "seen": False,
        "ends_in": None,
        "renewed_in": None,
        "taken_back": False,
        "replaced_by_person": False,
        "change": None,
    }
    lease = replace(written, substitute=None, expires_at=NOW + 300, refresh_at=NOW + 200, confirmed_at=NOW - 5)
    found = of(View({"symphony": replace(entry, publication=lease)}), "symphony")["written"]
    assert (found["instead_of"], found["ends_in"], found["renewed_in"], found["seen"]) == (None, 300, 200.0, True)


def test_says_that_a_service_has_only_a_near_word() -> None:
    found = of(View({"teams": said(DND), "symphony": Entry(shown=AVAILABLE)}), "symphony")
    assert (found["wants"], found["is_nearest"], found["shows_it"]) == ("BUSY", True, False)


def test_a_word_that_cannot_be_read_is_not_called_near() -> None:
    vocabulary = replace(graph.PREFERRED, words={BUSY: "Busy/Elsewhere"})
    (found,) = told(View({"teams": said(BUSY)}), link(replace(TEAMS, vocabulary=vocabulary)))["links"]
    assert (found["wants"], found["is_nearest"]) == ("Busy/Elsewhere", False)


def test_nothing_is_near_where_nothing_can_be_said() -> None:
    vocabulary = replace(graph.PREFERRED, words={})
    (found,) = told(View({"teams": said(BUSY)}), link(replace(TEAMS, vocabulary=vocabulary)))["links"]
    assert (found["wants"], found["is_nearest"], found["shows_it"]) == (None, False, False)


def test_nothing_may_lie_beneath_what_is_ours() -> None:
    assert of(View({"teams": replace(said(BUSY), mine=True)}), "teams")["beneath"] is None


def test_nobody_is_there_where_offline_is_shown() -> None:
    assert of(View({"teams": said(OFFLINE)}), "teams")["whose"] == "nobody's"


def test_tells_deadline_trouble_and_state() -> None:
    late = link(
        TEAMS, Reason.BACKOFF, requeue_at=NOW + 5.26, trouble="Unavailable: no", trouble_at=NOW - 60, retry_at=NOW + 5
    )
    (found,) = told(View({"teams": said(BUSY)}), replace(late, state="out"))["links"]
    assert (found["next"], found["state"], found["reason"]) == (5.3, "out", "backoff")
    assert (found["trouble"], found["trouble_for"], found["trouble_again_in"]) == ("Unavailable: no", 60, 5.0)
    (found,) = told(View({"teams": said(BUSY)}), link(TEAMS, requeue_at=NOW, retry_at=NOW + 5))["links"]
    assert (found["next"], found["trouble_for"], found["trouble_again_in"]) == (None, None, None)


def test_tells_the_direction() -> None:
    (found,) = told(View({"teams": said(BUSY)}), link(replace(TEAMS, direction=Direction.READ)))["links"]
    assert found["direction"] == "read"


@pytest.mark.parametrize(
    ("words", "proof"),
    [
        ({"symphony": said(AVAILABLE)}, "symphony shows the person there"),
        ({"symphony": said(AVAILABLE), "sfb": said(AVAILABLE)}, "symphony and sfb show the person there"),
        (
            {"symphony": said(parse_status("available+idle"))},
            "missing: no other service has shown the person there, and awake, in the last 15 min",
        ),
        (
            {"teams": said(AVAILABLE, NOW - 200), "symphony": said(parse_status("available+idle"))},
            "missing: no other service",
        ),
        ({"symphony": said(BUSY)}, "symphony, where it was said, is heard"),
        (
            {"symphony": replace(said(BUSY), live_at=NOW - 2000)},
            "missing: symphony, where it was said, has not been heard in the last 15 min",
        ),
        ({"symphony": said(AWAY)}, "not needed: away claims nothing"),
    ],
)
def test_says_what_proves_the_status_or_what_is_missing(words: dict[str, Entry], proof: str) -> None:
    found = of(View({"teams": Entry(), **words}), "teams")
    assert found["proof"].startswith(proof)
    assert found["proven"] is (not proof.startswith("missing"))


def test_needs_proof_where_available_wakes_and_where_it_does_not_fade() -> None:
    view = View({"teams": said(AVAILABLE), "symphony": Entry()})
    for facts in ({"wakes": True}, {"fades": False}):
        (found,) = told(view, link(replace(SYMPHONY, **facts)))["links"]
        assert found["proof"].startswith("teams shows the person there")
        (busy,) = told(View({"teams": said(BUSY)}), link(replace(SYMPHONY, **facts)))["links"]
        assert busy["proof"].startswith("not needed")


def test_needs_no_proof_where_a_word_holds_by_itself() -> None:
    assert of(View({"teams": said(AVAILABLE)}), "symphony")["proof"].startswith(
        "not needed: what is written here holds"
    )

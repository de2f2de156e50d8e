"""The numbered cases of the fact sheet: what the server does, and what a correct client makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from presence_syncd.connectors.bems.channel import SLOWEST, Cookies, channel
from presence_syncd.connectors.bems.jsonrpc import read_answer
from presence_syncd.connectors.bems.lookup import ALARM_AFTER
from presence_syncd.connectors.bems.session import TokenRefused
from presence_syncd.connectors.bems.wire import status_of
from presence_syncd.connectors.flow import Reply
from presence_syncd.core.compose import compose
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import BUSY, DND, UNKNOWN
from presence_syncd.core.publication import Accepted, accept, begin
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View
from presence_syncd.errors import AuthRejected, Overtaken, Rejected, SessionExpired, Unavailable
from tests.connectors.bems.bench import ALICE, Bench

TRANSPORTS: dict[str, dict[str, Any]] = {
    "websocket": {},
    "long-poll": {"transport": "long-poll", "url": "http://127.0.0.1/connect/long-poll"},
    "poll": {"transport": "poll", "url": "http://127.0.0.1/connect/poll"},
}
LOOKUP = {"lookup_url": "http://127.0.0.1"}
OVER = '{"id": null, "error": {"code": 1017}}'
"""What a poll is answered without a session."""


@pytest.fixture(params=list(TRANSPORTS))
def bench(request: pytest.FixtureRequest) -> Bench:
    """A link that follows Alice, over each transport."""
    bench = Bench(TRANSPORTS[request.param])
    bench.server.client(ALICE, "available")
    return bench.start()


def test_b01_a_write_is_confirmed_by_complete_only(bench: Bench) -> None:
    bench.connect.switches.complete_after = 3.0
    started = bench.now
    task = bench.publish("busy")
    assert task.failed is None
    assert bench.now - started >= 3.0
    assert bench.words() == ["busy"]


def test_b01_an_acceptance_alone_confirms_nothing(bench: Bench) -> None:
    bench.connect.switches.complete_after = 20.0
    assert not bench.publish("busy", seconds=15.0).is_done


def test_b02_complete_before_processing_is_confirmed_once(bench: Bench) -> None:
    bench.connect.switches.how["SetPresence"] = ["first"]
    assert bench.publish("busy").failed is None
    bench.run(60)
    assert bench.words() == ["busy"]
    assert not bench.errors


def test_b03_without_complete_it_is_read_again_and_sent_once_more_at_most(bench: Bench) -> None:
    bench.connect.switches.how["SetPresence"] = ["never"]
    started = bench.now
    task = bench.publish("busy")
    assert task.failed is None
    assert bench.now - started >= 30.0
    assert bench.words() == ["busy"], "it was applied: reading shows that, and nothing is applied twice"


def test_b03_what_was_not_applied_is_sent_again_once(bench: Bench) -> None:
    bench.connect.switches.is_nowhere.add(ALICE)
    bench.connect.switches.how["SetPresence"] = ["lost", "lost"]
    task = bench.publish("busy")
    assert isinstance(task.failed, Unavailable)
    assert bench.words() == ["busy", "busy"]


def test_b04_states_are_read_in_any_case(bench: Bench) -> None:
    bench.connect.switches.style = "mixed"
    assert bench.publish("busy").failed is None
    assert bench.words() == ["busy"]


@pytest.mark.parametrize("state", ["COMPLETE", "Complete", " complete"])
def test_b04_a_one_step_answer_is_done_in_any_case(state: str) -> None:
    assert read_answer({"id": "c1", "result": {"data": {"state": state}}}).is_completion
    assert not read_answer({"id": "c1", "result": {"data": {"state": "Processing"}}}).is_completion


def test_b05_documented_malformations_are_repaired_and_counted(bench: Bench) -> None:
    bench.connect.switches.style = "broken"
    assert bench.publish("busy").failed is None
    bench.run(20)
    assert bench.raws[-1] == "busy"
    assert bench.service.counters["repaired"] > 0
    assert len(bench.connect.begun) == 1


@pytest.mark.parametrize(
    "garbage", ["not json at all", "{" * 100_000, '"' + "x" * (2 * 1024 * 1024) + '"', "[1, 2]", '{"']
)
def test_b06_garbage_is_dropped_and_the_session_kept(bench: Bench, garbage: str) -> None:
    bench.connect.raw(bench.connect.peers[-1], garbage)
    bench.run(15)
    assert bench.service.counters["dropped"] > 0
    assert bench.publish("busy").failed is None
    assert len(bench.connect.begun) == 1


@pytest.mark.parametrize("framing", ["array", "joined"])
def test_b07_several_answers_in_one_frame_are_all_heard(bench: Bench, framing: str) -> None:
    bench.connect.switches.framing = framing
    assert bench.publish("busy").failed is None
    bench.run(15)
    assert bench.raws[-1] == "busy"


def test_b08_a_session_that_timed_out_is_begun_anew_and_the_presence_sent_once(bench: Bench) -> None:
    bench.connect.switches.errors["SetPresence"] = [1017]
    task = bench.publish("busy")
    bench.run(15)
    assert task.failed is None
    assert [presence for _, presence in bench.connect.begun] == [None, "available"]
    assert bench.words() == ["busy"]
    assert bench.asked("RegisterTempRemotePresence") == 2
    assert bench.asked("GetContactsState") == 2
    bench.server.client(ALICE, "away")
    bench.run(15)
    assert bench.raws[-1] == "away", "followed in the new session, too"


def test_b09_a_token_refused_for_ever_is_renewed_once_and_then_parked() -> None:
    bench = Bench()
    bench.connect.switches.always["BeginSession"] = 1008
    bench.start(600)
    assert bench.asked("BeginSession") == 2
    assert bench.revealed == 2
    [error] = bench.errors
    assert isinstance(error, AuthRejected)
    assert error.retry_after == 900.0
    bench.run(900)
    assert bench.asked("BeginSession") == 3, "a probe tries a fresh token once"


def test_b09_a_token_that_expires_is_read_anew(bench: Bench) -> None:
    bench.connect.tokens = {"fresh": ALICE}
    bench.secrets["env TOKEN"] = "fresh"
    bench.connect.switches.errors["SetPresence"] = [1008]
    assert bench.publish("busy").failed is None
    bench.run(15)
    assert bench.words() == ["busy"]
    assert bench.revealed == 2
    assert bench.link.is_heard


def test_b10_an_unavailable_proxy_costs_no_session(bench: Bench) -> None:
    bench.connect.switches.always.update({"SetPresence": 1006, "Ping": 1009})
    task = bench.publish("busy", seconds=60)
    assert isinstance(task.failed, Unavailable)
    bench.run(300)
    assert ("degraded", "error 1009 GPS_HTTP_ERROR") in bench.states
    assert len(bench.connect.begun) == 1
    bench.connect.switches.always.clear()
    assert bench.publish("busy").failed is None


def test_b10_signing_in_backs_off_while_the_proxy_is_down() -> None:
    bench = Bench()
    bench.connect.switches.always["BeginSession"] = 1009
    bench.start(300)
    assert all(type(error) is Unavailable for error in bench.errors)
    assert 3 <= bench.asked("BeginSession") <= 12
    bench.connect.switches.always.clear()
    bench.run(120)
    assert bench.link.is_heard


def tell(
    bench: Bench, presence: object, sequence: int | None = None, *, contact: str = ALICE, number: str = "S1"
) -> None:
    """Have the server say what somebody shows."""
    data = {"method": "ContactsStateChanged", "contacts": [{"contactId": contact, "presence": presence}]}
    bench.connect.event(bench.connect.peers[-1], data, sequence=sequence, number=number)


def test_b11_an_older_presence_overwrites_no_newer_one(bench: Bench) -> None:
    bench.observed.clear()
    base = 2 * 10**15
    for sequence, word, number in ((50, "busy", "S1"), (52, "away", "S2"), (51, "available", "S3"), (52, "away", "S2")):
        tell(bench, word, base + sequence, number=number)
    bench.run(15)
    assert bench.raws == ["busy", "away"]
    tell(bench, "busy", base + 900, number="S9")
    bench.run(15)
    assert bench.raws[-1] == "busy", "a gap is harmless"


def test_b12_marks_are_those_of_one_session(bench: Bench) -> None:
    tell(bench, "busy", 9 * 10**17)
    bench.run(15)
    bench.connect.first_sequence = 1
    bench.connect.restart()
    bench.run(120)
    bench.server.client(ALICE, "away")
    bench.run(15)
    assert bench.raws[-1] == "away"


def test_b13_a_completion_with_another_id_is_nobodys(bench: Bench) -> None:
    bench.connect.switches.is_nowhere.add(ALICE)
    bench.connect.switches.how["SetPresence"] = ["other-id"]
    started = bench.now
    assert bench.publish("busy").failed is None
    assert bench.now - started >= 30.0
    assert bench.words() == ["busy", "busy"], "it is not taken for the one that is near: late, read, sent once more"


def test_b14_the_other_name_of_a_method_is_tried_once_and_remembered(bench: Bench) -> None:
    bench.do(bench.link.sign_out())
    assert bench.asked("UnRegisterTempRemotePresence") == 1
    assert bench.asked("UnRegisterTempRemotePresenceSubscription") == 1
    assert not bench.connect.sessions
    bench.begin_again()
    bench.do(bench.link.sign_out())
    assert bench.asked("UnRegisterTempRemotePresence") == 1
    assert bench.asked("UnRegisterTempRemotePresenceSubscription") == 2


@pytest.mark.parametrize("code", [-32602, 1012])
def test_b15_a_refused_guess_is_replaced_and_remembered(code: int) -> None:
    bench = Bench({"words": {"dnd": "doNotDisturb"}})
    bench.connect.switches.word_error = code
    bench.start()
    task = bench.publish("doNotDisturb")
    assert task.result.word == "busy"
    assert bench.publish("doNotDisturb").result.word == "busy"
    sent = [r["params"]["presence"] for r in bench.connect.heard if r["method"] == "SetPresence"]
    assert sent == ["doNotDisturb", "busy", "busy"]


def test_b15_a_guess_that_is_taken_is_read_back() -> None:
    bench = Bench({"words": {"dnd": "doNotDisturb"}})
    bench.connect.switches.words.add("doNotDisturb")
    bench.start()
    assert bench.publish("doNotDisturb").result.word is None
    bench.run(5)
    assert bench.raws[-1] == "dnd"


def test_b15_a_documented_word_that_is_refused_is_rejected(bench: Bench) -> None:
    bench.connect.switches.words.clear()
    assert isinstance(bench.publish("busy").failed, Rejected)


def test_b16_strangers_are_ignored_and_spellings_do_not_matter(bench: Bench) -> None:
    bench.observed.clear()
    tell(bench, "busy", contact="sip:mallory@example.com")
    bench.run(15)
    assert bench.raws == []
    assert bench.service.counters["foreign"] == 1
    tell(bench, "busy", contact="Alice@EXAMPLE.com", number="S2")
    bench.run(15)
    assert bench.raws == ["busy"]


def test_b17_our_own_word_comes_back_as_an_echo(bench: Bench) -> None:
    view, rules = View(started_at=bench.now), Rules()
    for seen in bench.observed:
        view, _ = observe(view, "sfb", seen, bench.service.vocabulary, rules)
    bench.run(1)
    view = begin(view, "sfb", "busy", BUSY, 30.0, bench.now)
    bench.observed.clear()
    bench.publish("busy")
    bench.run(15)
    kinds = [observe(view, "sfb", seen, bench.service.vocabulary, rules)[1].value for seen in bench.observed]
    assert kinds
    assert set(kinds) <= {"echo", "same"}


def test_b18_numbers_and_words_are_the_same_and_the_unknown_says_nothing(bench: Bench) -> None:
    bench.observed.clear()
    for position, presence in enumerate((6500, "6500", "Busy", "focus")):
        tell(bench, presence, number=f"S{position + 1}")
    bench.run(15)
    assert [seen.status for seen in bench.observed] == [BUSY, BUSY, BUSY, UNKNOWN]


@pytest.mark.parametrize("transport", list(TRANSPORTS))
def test_b19_a_session_of_a_minute_is_pinged_three_times_in_it(transport: str) -> None:
    bench = Bench(TRANSPORTS[transport], session_timeout=60.0)
    bench.start(5)
    before = bench.asked("Ping")
    bench.run(600)
    assert 28 <= bench.asked("Ping") - before <= 31
    assert len(bench.connect.begun) == 1


def test_b20_a_cut_websocket_is_resumed_and_the_write_not_repeated() -> None:
    bench = Bench()
    bench.start()
    bench.cut_after_send = ["SetPresence"]
    task = bench.publish("busy")
    assert task.failed is None
    assert bench.words() == ["busy"], "applied before the cut, and found so by reading"
    assert len(bench.connect.begun) == 1
    assert next(r for r in bench.connect.heard if r["params"].get("reconnect") == "true")["method"] == "Ping"
    assert isinstance(bench.errors[0], Unavailable)


def test_b20_the_fallback_carries_on_where_websockets_are_refused() -> None:
    bench = Bench({"fallback": "long-poll", "fallback_url": "http://127.0.0.1/connect/long-poll"})
    bench.start()
    bench.cut_after_send = ["SetPresence"]
    bench.connect.switches.websockets = False
    assert bench.publish("busy").failed is None
    assert bench.words() == ["busy"]
    assert ("opening", "long-poll") in bench.states
    bench.server.client(ALICE, "away")
    bench.run(15)
    assert bench.raws[-1] == "away"


def test_b20_without_a_fallback_it_is_tried_again_with_back_off() -> None:
    bench = Bench()
    bench.connect.switches.websockets = False
    bench.start(200)
    assert all(isinstance(error, Unavailable) for error in bench.errors)
    assert 4 <= len(bench.opened) <= 9
    bench.connect.switches.websockets = True
    bench.run(120)
    assert bench.link.is_heard


def test_b21_a_new_device_cookie_is_replayed(bench: Bench) -> None:
    bench.run(25)  # the first ping is over: one that is out with the old cookie ends the session
    bench.connect.rotate(bench.connect.peers[-1])
    if bench.settings.transport == "websocket":
        bench.connect.drop()
        bench.connect.sessions.clear()
    bench.run(120)
    assert bench.publish("busy").failed is None
    cookies = [step.headers.get("cookie") for step in bench.opened + bench.posted]
    assert cookies[-1] == f"deviceToken={cookies_of(bench)}"


def cookies_of(bench: Bench) -> str:
    """The cookie that was good last."""
    return bench.connect.peers[-1].cookie if bench.settings.transport != "websocket" else "device-1"


def test_b22_a_person_signed_in_nowhere_makes_no_storm_of_writes(bench: Bench) -> None:
    bench.server.client(ALICE, None)
    bench.connect.switches.is_nowhere.add(ALICE)
    assert bench.publish("busy").failed is None
    bench.run(600)
    assert bench.words() == ["busy"]
    assert bench.raws[-1] == "offline"
    assert bench.observed[-1].status.is_absent


def test_b23_an_action_that_is_pending_is_waited_for(bench: Bench) -> None:
    bench.connect.switches.errors["SetPresence"] = [1025]
    started = bench.now
    assert bench.publish("busy").failed is None
    assert bench.now - started >= 1.0
    assert bench.words() == ["busy"]


def test_b23_the_newer_value_goes_after_the_first_is_done() -> None:
    bench = Bench()
    bench.start()
    bench.connect.switches.complete_after = 10.0
    first = bench.publish("away", seconds=1.0)
    bench.connect.switches.errors["SetPresence"] = [1025]
    second = bench.publish("busy")
    assert (first.failed, second.failed) == (None, None)
    assert bench.words() == ["away", "busy"]


def sweeping(**emulator: Any) -> Bench:
    """A link that is only read, by the lookup service."""
    bench = Bench(LOOKUP, {"direction": "read"}, **emulator)
    bench.server.client(ALICE, "busy")
    return bench.start()


def swept(bench: Bench, after: float = 20.0) -> dict[str, str]:
    """Sweep once, some seconds later."""
    bench.run(after)
    task = bench.do(bench.service.sweep([bench.link]))
    assert task.failed is None
    return {key: seen.raw for key, seen in task.result.items()}


def test_b24_a_forgotten_subscription_is_made_again_and_read_in_full() -> None:
    bench = sweeping()
    assert swept(bench) == {"alice@example.com": "busy"}
    assert swept(bench) == {}
    assert swept(bench, after=200.0) == {"alice@example.com": "busy"}
    assert bench.service.counters["resubscribed"] == 1


def test_b25_an_empty_delta_changes_nothing_and_an_old_sequence_brings_all() -> None:
    bench = sweeping()
    swept(bench)
    assert swept(bench) == {}
    bench.server.client(ALICE, "away")
    assert swept(bench) == {"alice@example.com": "away"}
    bench.server.lookups._version = 0
    assert swept(bench) == {"alice@example.com": "away"}


def test_b25_every_tenth_reading_is_in_full() -> None:
    bench = sweeping()
    results = [bool(swept(bench)) for _ in range(21)]
    assert [number for number, full in enumerate(results) if full] == [0, 10, 20]


@pytest.mark.parametrize(("kind", "deltas"), [("number", True), ("text", True), ("missing", False)])
def test_b26_a_sequence_is_opaque_and_may_be_missing(kind: str, deltas: bool) -> None:
    bench = sweeping()
    bench.server.lookups.oddities.sequence_as = kind
    swept(bench)
    swept(bench)
    assert bench.server.lookups.asked == [("POST", False), ("GET", deltas)]


def test_b27_a_person_the_service_does_not_know_is_unknown_and_counted() -> None:
    bench = sweeping()
    bench.server.lookups.oddities.unknown.add("alice@example.com")
    bench.server.lookups.oddities.sequence_as = "missing"
    for _ in range(ALARM_AFTER + 3):
        assert swept(bench) == {"alice@example.com": "unknown"}
    assert bench.service.counters["unknown-contact"] == 1
    bench.server.lookups.oddities.unknown.clear()
    assert swept(bench) == {"alice@example.com": "busy"}


@pytest.mark.parametrize(
    "url", ["ws://bems.example.com/connect", "http://bems.example.com/", "https://user:pw@x/", "wss://"]
)
def test_b28_no_setting_allows_an_unverified_connection(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Bench({"url": url})
    with pytest.raises(ValueError, match=r"verify|[Ee]xtra"):
        Bench({"verify": False})


# a followed contact survives, and nothing is applied twice


@pytest.mark.parametrize("trouble", ["session time-out", "close 1006", "server restart", "token expiry"])
def test_following_survives_and_nothing_is_applied_twice(bench: Bench, trouble: str) -> None:
    bench.publish("busy", "in a meeting")
    if trouble == "session time-out":
        bench.connect.expire()
    elif trouble == "close 1006":
        bench.connect.drop(1006)
    elif trouble == "server restart":
        bench.connect.restart()
    else:
        bench.connect.tokens = {"fresh": ALICE}
        bench.secrets["env TOKEN"] = "fresh"
        bench.connect.expire()
    bench.run(400)
    assert bench.link.is_heard
    assert bench.server.shown(ALICE) == 6500, "signing in again overwrites nothing"
    bench.server.client(ALICE, "away")
    bench.run(15)
    assert bench.raws[-1] == "away"
    assert bench.words() == ["busy"]
    assert bench.publish("available").failed is None
    assert bench.words() == ["busy", "available"]


def test_a_restart_begins_with_what_was_shown_last(bench: Bench) -> None:
    bench.publish("busy")
    bench.begin_again()
    assert bench.connect.begun[-1] == (ALICE, "busy")
    assert bench.server.shown(ALICE) == 6500
    assert bench.words() == ["busy"]


def test_signing_in_for_the_first_time_asks_the_lookup_service_what_is_shown() -> None:
    bench = Bench(LOOKUP)
    bench.server.client(ALICE, "busy")
    bench.start()
    assert bench.connect.begun == [(ALICE, "busy")]
    assert bench.server.lookups.subscriptions == {}


@pytest.mark.parametrize(
    ("settings", "start_with", "memory", "word"),
    [
        ({"start_presence": "away"}, None, {}, "away"),
        ({"start_presence": "away"}, "busy", {}, "busy"),
        ({"start_presence": "away"}, None, {"shown": "dnd"}, "busy"),
        ({}, None, {"shown": "offline"}, None),
        ({}, None, {}, None),
    ],
)
def test_what_a_session_begins_with(
    settings: dict[str, Any], start_with: str | None, memory: dict[str, str], word: str | None
) -> None:
    bench = Bench(settings, memory=memory)
    bench.link.start_with = start_with
    bench.start()
    assert bench.connect.begun == [(ALICE, word)]
    assert bench.foretold == ([status_of(word)] if word else []), "the other door must know whose word it is not"


@pytest.mark.parametrize(("direction", "word"), [("both", "available"), ("write", "available"), ("read", "away")])
def test_who_rests_is_woken_by_signing_in_only_where_a_write_can_correct_it(direction: str, word: str) -> None:
    bench = Bench(link={"direction": direction}, memory={"shown": "available-idle"})
    bench.start()
    assert bench.connect.begun == [(ALICE, word)]


def judged(bench: Bench, view: View) -> tuple[View, list[str]]:
    """What the core makes of everything observed since the last time, and forget it here."""
    kinds = []
    for seen in bench.observed:
        view, kind = observe(view, "sfb", seen, bench.service.vocabulary, Rules())
        kinds.append(kind.value)
    bench.observed.clear()
    return view, kinds


@pytest.mark.parametrize("transport", list(TRANSPORTS))
@pytest.mark.parametrize("start", [{}, {"start_presence": "away"}])
def test_what_a_first_sign_in_shows_is_nobodys_word(transport: str, start: dict[str, str]) -> None:
    bench = Bench(TRANSPORTS[transport] | start)
    view, kinds = judged(bench.start(15), View(started_at=bench.now))
    assert set(kinds) == {"echo"}
    assert (view.entries["sfb"].word, view.entries["sfb"].mine) == (None, True), "no word, and no proof of anybody"
    assert compose(view, Rules(), bench.now) is None, "nothing is written elsewhere"
    bench.server.client(ALICE, "busy")
    bench.run(15)
    view, kinds = judged(bench, view)
    assert kinds == ["own"]
    assert view.entries["sfb"].word.status == BUSY  # type: ignore[union-attr]  # or the line before fails


def test_what_somebody_else_shows_at_a_first_sign_in_is_theirs() -> None:
    bench = Bench({"start_presence": "away"})
    bench.connect.switches.is_nowhere.add(ALICE)
    bench.server.client(ALICE, "busy")
    view, kinds = judged(bench.start(), View(started_at=bench.now))
    assert kinds == ["own"]
    assert view.entries["sfb"].word.status == BUSY  # type: ignore[union-attr]  # or the line before fails


def test_what_the_lookup_service_told_before_signing_in_is_the_persons() -> None:
    bench = Bench(LOOKUP)
    bench.server.client(ALICE, "busy")
    assert judged(bench.start(), View(started_at=bench.now))[1] == ["own"]


def test_signing_in_again_with_a_word_for_less_makes_no_word() -> None:
    bench = Bench()
    bench.start()
    bench.server.client(ALICE, "doNotDisturb")
    bench.run(5)
    view, _ = judged(bench, View(started_at=bench.now))
    bench.connect.restart()
    bench.run(60)
    assert bench.connect.begun[-1] == (ALICE, "busy"), "the only documented word for it"
    view, kinds = judged(bench, view)
    assert kinds == ["echo"]
    assert view.entries["sfb"].word.status == DND  # type: ignore[union-attr]  # said before


def test_a_first_sign_in_waits_for_what_other_links_read() -> None:
    bench = Bench()
    bench.start(0.5)
    assert bench.connect.begun == []
    bench.link.start_with = "away"
    bench.run(3)
    assert bench.connect.begun == [(ALICE, "away")]


def test_what_we_published_before_a_restart_is_no_new_word(bench: Bench) -> None:
    view, _ = judged(bench, View(started_at=bench.now))
    bench.run(1)
    view = begin(view, "sfb", "busy", BUSY, 30.0, bench.now)
    bench.publish("busy")
    view, _ = judged(bench, accept(view, "sfb", Accepted(), bench.now))
    before = view.entries["sfb"].word
    bench.begin_again()
    bench.run(30)
    view = replace(view, started_at=bench.now, entries={"sfb": replace(view.entries["sfb"], live_at=None)})
    view, kinds = judged(bench, view)
    assert set(kinds) <= {"echo", "same"}
    assert (view.entries["sfb"].word, view.entries["sfb"].mine) == (before, True)


def test_a_write_that_was_not_read_back_before_a_restart_is_no_new_word(bench: Bench) -> None:
    view, _ = judged(bench, View(started_at=bench.now))
    bench.run(1)
    view = begin(view, "sfb", "busy", BUSY, 30.0, bench.now)
    bench.publish("busy")
    before = view.entries["sfb"].word
    bench.observed.clear()
    bench.begin_again()
    bench.run(30)
    view, kinds = judged(bench, replace(view, started_at=bench.now))
    assert "echo" in kinds
    assert set(kinds) <= {"echo", "same"}
    assert view.entries["sfb"].word == before


def test_a_swept_reading_counts_only_while_connect_does_not_follow() -> None:
    bench = Bench(LOOKUP)
    bench.server.client(ALICE, "busy")
    bench.start()
    assert swept(bench) == {}
    bench.connect.switches.always["BeginSession"] = 1005
    bench.connect.restart()
    bench.server.client(ALICE, "away")
    assert swept(bench) == {"alice@example.com": "away"}


def test_a_session_renewed_beside_a_hanging_long_poll_is_heard_by_it() -> None:
    bench = Bench(TRANSPORTS["long-poll"], hold=80.0)
    bench.start()
    bench.connect.first_sequence = 1
    bench.connect.expire()
    assert bench.publish("busy", seconds=10.0).failed is None
    bench.server.client(ALICE, "away")
    bench.run(2)
    assert bench.raws[-1] == "away"
    assert not bench.errors
    assert len(bench.connect.begun) == 2


def test_a_server_that_holds_no_poll_back_is_not_asked_at_full_speed_and_is_heard_all_the_same() -> None:
    bench = Bench(TRANSPORTS["long-poll"], hold=0.05).start()
    before = len(bench.posted)
    bench.run(600)
    assert 50 < len(bench.posted) - before < 100
    assert bench.publish("busy", seconds=2.0).failed is None  # who waits for an answer is not kept waiting
    bench.server.client(ALICE, "away")
    bench.run(SLOWEST)
    assert bench.raws[-1] == "away"


def test_an_answer_that_never_comes_is_not_asked_for_at_full_speed() -> None:
    bench = Bench(TRANSPORTS["long-poll"], hold=80.0)
    bench.connect.hear = lambda peer, text: bench.connect.raw(peer, OVER) if text == "[]" else None  # type: ignore[method-assign]
    bench.start(60)
    assert len(bench.posted) < 40
    assert isinstance(bench.errors[0], Unavailable)


def test_a_renewal_reads_a_token_anew_that_is_refused() -> None:
    bench = Bench(TRANSPORTS["long-poll"], hold=80.0)
    bench.start()
    bench.connect.tokens = {"fresh": ALICE}
    bench.secrets["env TOKEN"] = "fresh"
    bench.connect.expire()
    assert bench.publish("busy", seconds=10.0).failed is None
    assert not bench.errors


def test_a_token_that_a_renewal_cannot_use_is_refused_for_everybody() -> None:
    bench = Bench(TRANSPORTS["long-poll"], hold=80.0)
    bench.start()
    bench.connect.expire()
    bench.connect.tokens.clear()
    assert isinstance(bench.publish("busy", seconds=60.0).failed, AuthRejected)
    bench.run(100)
    assert any(isinstance(error, AuthRejected) for error in bench.errors)


def test_a_contact_that_cannot_be_watched_is_asked_for_and_tried_again_after_ten_minutes(bench: Bench) -> None:
    bench.connect.switches.errors["RegisterTempRemotePresence"] = [1020]
    bench.connect.restart()
    bench.run(300)
    assert ("unwatchable", "error 1020 PUBLISH_SUBSCRIBE_EXCPT") in bench.states
    assert not bench.link.is_heard
    bench.observed.clear()
    bench.server.client(ALICE, "away")
    bench.run(260)
    assert "away" in bench.raws, "read now and then, while it is not pushed"
    bench.run(600)
    assert bench.link.is_heard


@pytest.mark.parametrize("method", ["RegisterTempRemotePresence", "GetContactsState", "GetAuthenticationInfo"])
def test_what_the_server_does_not_have_is_not_asked_for_again(method: str) -> None:
    bench = Bench({"authentication_info": True})
    bench.connect.switches.always[method] = 1026
    bench.start()
    bench.connect.restart()
    bench.run(400)
    assert bench.asked(method) == 1
    assert bench.link.session.is_ready


@pytest.mark.parametrize(
    ("method", "code", "error"),
    [
        ("GetAuthenticationInfo", 1005, Unavailable), ("RegisterTempRemotePresence", 1006, Unavailable),
        ("GetContactsState", 1025, Unavailable), ("BeginSession", -32600, Rejected),
        ("GetContactsState", 1017, SessionExpired),
    ],
)  # fmt: skip
def test_trouble_while_signing_in_is_named(method: str, code: int, error: type[Exception]) -> None:
    bench = Bench({"authentication_info": True})
    bench.connect.switches.errors[method] = [code]
    bench.start(100)
    assert type(bench.errors[0]) is error
    assert bench.link.session.is_ready


def test_trouble_on_resuming_keeps_the_session() -> None:
    bench = Bench()
    bench.start()
    bench.connect.switches.errors["Ping"] = [1006]
    bench.connect.drop()
    bench.run(60)
    assert bench.link.is_heard
    assert len(bench.connect.begun) == 1


def test_a_server_that_ends_every_session_at_once_is_not_hammered() -> None:
    bench = Bench()
    bench.connect.switches.always["GetContactsState"] = 1017
    bench.start(600)
    assert all(isinstance(error, SessionExpired) for error in bench.errors)
    assert len(bench.errors) < 25


def test_a_ping_that_is_not_answered_ends_the_connection() -> None:
    bench = Bench()
    bench.start()
    bench.connect.switches.how["Ping"] = ["never"]
    bench.run(300)
    assert [str(error) for error in bench.errors] == ["a ping was not answered"]
    assert bench.link.session.is_ready


@pytest.mark.parametrize(
    ("timeout", "pause"), [("60", 20.0), ("soon", 240.0), (None, 240.0), (0, 1.0), (10**400, 240.0)]
)
def test_the_session_timeout_is_read_in_any_form(timeout: object, pause: float) -> None:
    bench = Bench()
    bench.connect.session_timeout = 1e9
    bench.start()
    bench.link.talk._note_timeout(timeout)
    assert bench.link.session.ping_after == pause


@pytest.mark.parametrize("transport", ["websocket", "long-poll"])
@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_write_that_waited_for_its_session_asks_whether_it_is_wanted_still(transport: str, is_wanted: bool) -> None:
    bench = Bench(
        {"transport": transport, "url": {"websocket": "ws", "long-poll": "http"}[transport] + "://127.0.0.1/c"}
    )
    writing = bench.publish("busy", seconds=5)
    assert not writing.is_done
    bench.is_wanted = is_wanted
    bench.start()
    assert bench.words() == (["busy"] if is_wanted else [])
    assert isinstance(writing.failed, Overtaken) is not is_wanted


def test_without_a_session_a_write_is_unavailable_in_time() -> None:
    bench = Bench()
    assert isinstance(bench.publish("busy").failed, Unavailable)
    assert bench.now - 1_800_000_000.0 == 30.0


def test_without_a_token_nothing_is_sent() -> None:
    bench = Bench({"token": None}).start()
    assert isinstance(bench.errors[0], Rejected)
    assert not bench.opened


def test_an_older_api_names_the_user() -> None:
    bench = Bench({"api": "2.2", "web_ticket": {"env": "TICKET"}}, {"user_id": "alice"})
    bench.secrets["env TICKET"] = "cwt=1"
    bench.start()
    [request] = [r for r in bench.connect.heard if r["method"] == "BeginSession"]
    assert request["params"] == {"gdToken": "gd-alice@example.com", "userId": "alice", "oAuth2Token": "cwt=1"}


def test_requests_ride_together_where_that_is_set() -> None:
    bench = Bench({"batch": True})
    bench.start()
    calls = [bench.link.session.calls.make("Ping", {}, bench.now, 30.0) for _ in range(2)]
    bench.link.session.outbox = calls
    bench.run(60)
    bench.start(0)
    assert all(call.is_done for call in calls)


def test_an_attempt_with_an_unknown_outcome_looks_first(bench: Bench) -> None:
    bench.publish("busy", "note")
    assert bench.publish("busy", "note", attempt=1).failed is None
    assert bench.publish("busy", "another", attempt=1).failed is None
    assert bench.words() == ["busy", "busy"]


def test_only_the_named_event_counts_where_one_is_configured() -> None:
    bench = Bench({"event": "PresenceChanged"})
    bench.start()
    bench.observed.clear()
    tell(bench, "busy")
    bench.run(5)
    assert bench.raws == []
    assert bench.service.counters["unread"] == 1
    bench.connect.switches.event = "presencechanged"
    bench.server.client(ALICE, "away")
    bench.run(5)
    assert bench.raws == ["away"]


def test_unreadable_events_leave_their_keys_and_no_values(bench: Bench) -> None:
    for number in range(20):
        bench.connect.event(bench.connect.peers[-1], {"method": f"pc.Thing{number}", "roomId": "secret"})
    bench.run(15)
    assert bench.service.counters["unread"] == 20
    assert len(bench.link.session.unread) == 16
    assert "secret" not in str(bench.link.session.unread)


def test_reading_without_anybody_to_ask_is_unavailable() -> None:
    bench = Bench()
    assert isinstance(bench.do(bench.link.read()).failed, Unavailable)
    assert bench.do(bench.service.sweep([bench.link])).result == {}
    with pytest.raises(Rejected):
        next(bench.service.token("other", None, 0.0))


def test_a_link_that_is_only_read_by_the_lookup_service_needs_no_session() -> None:
    bench = sweeping()
    bench.run(10_000)
    assert not bench.connect.heard
    assert bench.do(bench.link.sign_out()).failed is None
    assert not bench.connect.heard


def test_signing_out_of_no_session_says_nothing() -> None:
    bench = Bench()
    assert bench.do(bench.link.sign_out()).failed is None
    bench.start()
    bench.connect.restart()
    bench.stop()
    bench.connect.heard.clear()
    assert bench.do(bench.link.sign_out()).failed is None
    assert [r["method"] for r in bench.connect.heard] == ["Ping"]


def test_signing_out_where_nothing_is_followed_takes_nothing_back() -> None:
    bench = Bench()
    bench.connect.switches.always["RegisterTempRemotePresence"] = 1026
    bench.start()
    bench.do(bench.link.sign_out())
    assert bench.asked("UnRegisterTempRemotePresence") == 0
    assert bench.asked("TerminateSession") == 1


def test_a_server_that_knows_neither_name_is_asked_by_each_once() -> None:
    bench = Bench()
    bench.connect.switches.unregister = "Other"
    bench.start()
    for _ in range(2):
        bench.do(bench.link.sign_out())
        bench.begin_again()
    assert bench.asked("UnRegisterTempRemotePresence") == 1
    assert bench.asked("UnRegisterTempRemotePresenceSubscription") == 1
    assert bench.asked("TerminateSession") == 2


def test_no_token_is_shown() -> None:
    bench = Bench().start()
    seen = repr((bench.link.session.calls.__dict__, bench.states, bench.opened, bench.posted, bench.errors))
    assert "gd-alice" not in seen


@pytest.mark.parametrize("status", [401, 403])
def test_an_http_refusal_is_a_refused_token(status: int) -> None:
    for settings in TRANSPORTS.values():
        made = channel(Bench(settings).settings, Cookies(), fallback=False)
        flow = made.open(None) if not made.is_shared else made.send([])
        next(flow)
        with pytest.raises(TokenRefused, match=str(status)):
            flow.send(Reply(status))


def test_cookies_are_kept_by_host_and_forgotten_when_told() -> None:
    cookies, url = Cookies(), "https://bems.example.com/connect"
    cookies.learn(
        url, Reply(200, (("Set-Cookie", "deviceToken=1; Path=/"), ("set-cookie", "other=2"), ("set-cookie", "=x")))
    )
    assert cookies.header(url) == {"cookie": "deviceToken=1; other=2"}
    assert cookies.header("https://elsewhere.example.com/") == {}
    cookies.learn(url, Reply(200, (("set-cookie", "deviceToken=3"), ("set-cookie", "other=2; Max-Age = 0"))))
    assert cookies.header(url) == {"cookie": "deviceToken=3"}
    cookies.learn(url, Reply(200, tuple(("set-cookie", f"c{n}=1") for n in range(50))))
    assert cookies.header(url)["cookie"].count("=") == 20


def test_a_refused_guess_is_not_begun_with() -> None:
    bench = Bench({"words": {"dnd": "doNotDisturb"}})
    bench.service.refused.add("doNotDisturb")
    bench.link.start_with = "doNotDisturb"
    bench.start()
    assert bench.connect.begun == [(ALICE, "busy")]


def test_a_lookup_service_in_trouble_does_not_keep_from_signing_in() -> None:
    bench = Bench(LOOKUP)
    bench.server.lookups.subscribe = lambda body: (500, {})  # type: ignore[method-assign]  # a service in trouble
    bench.start()
    assert bench.connect.begun == [(ALICE, None)]
    assert isinstance(bench.do(bench.service.sweep([bench.link])).failed, Unavailable)


def test_a_subscription_follows_the_people_it_is_for() -> None:
    bench = sweeping()
    bob = bench.service.link("bob", bench.link_settings.model_copy(update={"contact": "sip:bob@example.com"}), {})
    bench.server.add_user("sip:bob@example.com")
    swept(bench)
    assert bench.do(bench.service.sweep([bench.link, bob])).result.keys() == {"alice@example.com", "bob@example.com"}
    assert len(bench.server.lookups.subscriptions) == 1


def test_what_an_answer_holds_beside_contacts_is_passed_over() -> None:
    bench = sweeping()
    answer = {"contacts": [5, {"id": 7}, {"id": "mallory@x", "availability": 3500}], "sequence": True}
    bench.server.lookups.subscribe = lambda body: (200, answer)  # type: ignore[method-assign]  # an odd answer
    assert swept(bench) == {}
    bench.server.lookups.read = lambda key, sequence: (200, {"contacts": None})  # type: ignore[method-assign]  # odder
    assert swept(bench) == {}


def test_a_dependency_that_failed_is_not_sent_again(bench: Bench) -> None:
    bench.connect.switches.errors["SetPresence"] = [1021]
    assert isinstance(bench.publish("busy").failed, Rejected)
    assert bench.words() == []


def test_a_session_is_kept_once_it_is_there_and_looked_for_until_then() -> None:
    bench = Bench(TRANSPORTS["long-poll"])
    assert bench.link.rests(present=True) == 20.0
    bench.start(30)
    assert bench.link.rests(present=False) is None
    bench.link.session.is_ready = False
    assert bench.link.rests(present=True) == 1.0


def test_what_was_shown_is_remembered_also_when_its_session_is_over() -> None:
    bench = Bench(TRANSPORTS["long-poll"]).start(30)
    bench.link.session.is_ready = False
    bench.link.session.shown = "in a call"
    assert bench.link.rests(present=True) is None
    bench.link.memory["shown"] = "in a call"
    assert bench.link.rests(present=True) == 1.0


def test_what_an_old_poll_says_of_an_old_session_ends_no_new_one() -> None:
    bench = Bench(TRANSPORTS["long-poll"]).start()
    session = bench.link.session
    session.take(OVER, bench.now, session.number - 1)
    assert session.is_ready
    session.take(OVER, bench.now, session.number)
    assert not session.is_ready
    assert isinstance(session.fault, SessionExpired)


def test_a_reading_that_is_not_answered_is_no_reading(bench: Bench) -> None:
    bench.connect.switches.errors["GetContactsState"] = [1005] * 10
    assert isinstance(bench.do(bench.link.read()).failed, Unavailable)


def test_a_person_the_lookup_service_leaves_out_is_not_read() -> None:
    bench = Bench(LOOKUP | {"token": {"env": "TOKEN"}})
    bench.link.key = bench.link.session.contact = "sip:stranger@example.com"
    task = bench.do(bench.link.read())
    assert isinstance(task.failed, Unavailable) or task.result.status.availability == "unknown"

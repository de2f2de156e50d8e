"""The flows of one person, driven by hand: which requests, in which order, and what their answers mean."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from presence_syncd.connectors.connector import Link, Publish, Published
from presence_syncd.connectors.flow import Remember, Reply
from presence_syncd.connectors.graph import CONNECTOR
from presence_syncd.connectors.graph.emulator import CLIENT_ID
from presence_syncd.core.presence import parse_status
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, RemoteProtocolError, Unavailable
from tests.connectors.graph.bench import API, OTHER, USER, answer, hand, link_of, service_of, settings

SET, CLEAR = "setPresence", "clearPresence"
PREFER, UNPREFER, NOTE = "setUserPreferredPresence", "clearUserPreferredPresence", "setStatusMessage"


def presence(availability: str, activity: str, **more: Any) -> dict[str, Any]:
    return {"id": USER.upper(), "availability": availability, "activity": activity, **more}


def test_a_session_is_set_with_our_client_id_and_a_duration() -> None:
    driven = hand(link_of().publish(Publish("Busy/InACall")))
    request = driven.requests[0]
    assert (request.method, request.url) == ("POST", f"{API}/users/{USER}/presence/setPresence")
    assert driven.body(0) == {
        "sessionId": CLIENT_ID,
        "availability": "Busy",
        "activity": "InACall",
        "expirationDuration": "PT1H",
    }
    assert (request.realm, request.batch, request.operation) == ("graph", True, "setPresence")
    assert driven.value == Published(expires_in=3600.0, refresh_in=2520.0)


def test_a_page_of_something_between_is_no_yes() -> None:
    """It would be taken for a session that lasts for an hour."""
    driven = hand(link_of().publish(Publish("Busy/InACall")), answer(200, "<html>"))
    assert isinstance(driven.error, RemoteProtocolError)


def test_every_request_has_an_id_of_its_own() -> None:
    link = link_of(preferred=True)
    requests = hand(link.publish(Publish("Busy/Busy", note="x"))).requests
    ids = [request.headers["client-request-id"] for request in requests]
    assert len(set(ids)) == len(ids) == 3
    assert ids == [str(UUID(each)) for each in ids]


@pytest.mark.parametrize(
    ("changes", "word", "expires", "refresh"),
    [
        ({}, "Available/Available", 300.0, 220.0),
        ({}, "Away/Away", 3600.0, 2520.0),
        ({"expiration": "4h"}, "Available/Available", 300.0, 220.0),
        ({"expiration": "4h"}, "DoNotDisturb/Presenting", 14400.0, 10080.0),
        ({"fade": "30s", "refresh": "20s"}, "Available/Available", 30.0, 20.0),
        ({"api": "beta"}, "Busy/InACall", 300.0, 220.0),
        ({"preferred": True}, "Busy/Busy", 3600.0, 2520.0),
        ({"preferred": True}, "Available/Available", 300.0, 220.0),
        ({"preferred": True, "hold_available": False}, "Available/Available", None, None),
        ({"preferred": True, "hold_available": False}, "Busy/Busy", 3600.0, 2520.0),
    ],
)
def test_a_word_holds_as_long_as_its_clock_runs(
    changes: dict[str, Any], word: str, expires: float | None, refresh: float | None
) -> None:
    assert hand(link_of(**changes).publish(Publish(word))).value == Published(expires_in=expires, refresh_in=refresh)


@pytest.mark.parametrize(
    ("hold", "word", "refresh", "actions"),
    [
        (True, "Busy/Busy", False, [PREFER, SET]),
        (True, "Busy/Busy", True, [PREFER, SET]),
        (True, "Available/Available", False, [SET, UNPREFER]),
        (True, "Available/Available", True, [SET]),
        (True, "Busy/InACall", False, [SET, UNPREFER]),
        (True, "Busy/InACall", True, [SET]),
        (False, "Busy/Busy", False, [PREFER]),
        (False, "Available/Available", False, [CLEAR, UNPREFER]),
        (False, "Available/Available", True, []),
        (False, "DoNotDisturb/Presenting", False, [SET, UNPREFER]),
    ],
)
def test_the_preferred_state_and_the_session_are_written_together(
    hold: bool, word: str, refresh: bool, actions: list[str]
) -> None:
    link = link_of(preferred=True, hold_available=hold)
    assert hand(link.publish(Publish(word, refresh=refresh))).actions == actions


def test_a_preferred_state_lies_over_a_session_of_the_lowest_rank() -> None:
    driven = hand(link_of(preferred=True).publish(Publish("DoNotDisturb/DoNotDisturb")))
    assert driven.body(0) == {
        "availability": "DoNotDisturb",
        "activity": "DoNotDisturb",
        "expirationDuration": "PT1H",
    }
    assert (driven.body(1)["availability"], driven.body(1)["activity"]) == ("Away", "Away")


def test_that_we_set_the_preferred_state_is_remembered_before_it_is_sent_and_forgotten_after() -> None:
    link = link_of(preferred=True)
    steps = hand(link.publish(Publish("Busy/Busy"))).steps
    assert steps[0] == Remember("preferred", "Busy/Busy")
    assert hand(link.publish(Publish("Busy/Busy"))).steps[0] != Remember("preferred", "Busy/Busy")
    assert hand(link.publish(Publish("Available/Available"))).steps[-1] == Remember("preferred", "")


def test_sessions_alone_never_touch_the_preferred_state() -> None:
    link = link_of()
    hand(link.publish(Publish("Available/Available")))
    assert hand(link.retract(overridden=False)).actions == [CLEAR]


@pytest.mark.parametrize(("overridden", "actions"), [(False, [CLEAR, UNPREFER]), (True, [CLEAR])])
def test_takes_back_a_preferred_state_of_before_the_restart_unless_the_person_chose_another(
    overridden: bool, actions: list[str]
) -> None:
    link = link_of({"preferred": "Busy/Busy"}, preferred=True)
    driven = hand(link.retract(overridden=overridden), answer(404))
    assert driven.actions == actions
    assert driven.error is None
    assert link.memory["preferred"] == ""


@pytest.mark.parametrize(
    ("shown", "actions"),
    [
        (None, [CLEAR, UNPREFER]),
        (("Busy", "Busy"), [CLEAR, UNPREFER]),
        (("BusyIdle", "Inactive"), [CLEAR, UNPREFER]),
        (("Offline", "Offline"), [CLEAR, UNPREFER]),
        (("PresenceUnknown", "PresenceUnknown"), [CLEAR, UNPREFER]),
        (("DoNotDisturb", "DoNotDisturb"), [CLEAR]),
    ],
)
def test_signs_out_without_clearing_what_the_person_chose_since(
    shown: tuple[str, str] | None, actions: list[str]
) -> None:
    link = link_of({"preferred": "Busy/Busy"}, preferred=True)
    if shown is not None:
        hand(link.read(), answer(200, presence(*shown)))
    assert hand(link.sign_out()).actions == actions


def test_what_was_asked_for_before_our_write_ended_says_nothing_about_it() -> None:
    link = link_of(preferred=True)
    hand(link.publish(Publish("Busy/Busy")), answer(at=50.0), answer(at=51.0))
    hand(link.read(), answer(200, presence("Available", "Available"), at=51.5))
    assert hand(link.sign_out()).actions == [CLEAR, UNPREFER]


def test_leaves_the_session_where_that_is_wanted() -> None:
    assert hand(link_of(clear_on_stop=False).sign_out()).actions == []


def test_a_note_is_written_when_given_and_cut_at_280_characters() -> None:
    link = link_of()
    driven = hand(link.publish(Publish("Away/Away", note="\ud800" + "x" * 400)))
    assert driven.actions == [SET, NOTE]
    message = driven.body(1)["statusMessage"]["message"]
    assert message == {"content": "?" + "x" * 279, "contentType": "text"}
    assert all("xxx" not in str(value) for value in link.memory.values())


def test_a_refresh_writes_only_a_note_that_changed() -> None:
    link = link_of()
    hand(link.publish(Publish("Away/Away", note="lunch")))
    assert hand(link.publish(Publish("Away/Away", note="lunch", refresh=True))).actions == [SET]
    assert hand(link.publish(Publish("Away/Away", note="", refresh=True))).actions == [SET, NOTE]
    assert hand(link.publish(Publish("Away/Away", note=""))).body(1)["statusMessage"]["message"]["content"] == ""
    assert hand(link.publish(Publish("Away/Away"))).actions == [SET]


@pytest.mark.parametrize(("seen", "actions"), [("lunch", [CLEAR, NOTE]), ("my own", [CLEAR]), (None, [CLEAR, NOTE])])
def test_takes_back_our_note_and_no_other(seen: str | None, actions: list[str]) -> None:
    link = link_of()
    hand(link.publish(Publish("Away/Away", note="lunch")))
    message = {} if seen is None else {"statusMessage": {"message": {"content": seen}}}
    hand(link.read(), answer(200, presence("Away", "Away", **message), at=20.0))
    assert hand(link.retract(overridden=False)).actions == actions


def test_reads_one_person() -> None:
    body = presence("Busy", "InACall", sequenceNumber="A1", statusMessage={"message": {"content": "hello"}})
    driven = hand(link_of().read(), answer(200, body, at=33.0))
    seen = driven.value
    assert (driven.requests[0].method, driven.requests[0].url) == ("GET", f"{API}/users/{USER}/presence")
    assert (str(seen.status), seen.raw, seen.note, seen.order) == ("busy/call", "Busy/InACall", "hello", "A1")
    assert (seen.started_at, seen.at) == (32.0, 33.0)


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({}, None),
        ({"statusMessage": None}, ""),
        ({"statusMessage": {"message": None}}, ""),
        ({"statusMessage": {"message": {"content": None}}}, ""),
        ({"statusMessage": {"message": {"content": "x"}}}, "x"),
    ],
)
def test_no_note_is_another_thing_than_no_word_about_it(more: dict[str, Any], note: str | None) -> None:
    assert hand(link_of().read(), answer(200, presence("Busy", "Busy", **more))).value.note == note


def test_accepts_both_shapes_and_an_empty_one() -> None:
    wrapped = hand(link_of().read(), answer(200, {"value": [presence("Away", "Away")]})).value
    assert str(wrapped.status) == "away"
    assert hand(link_of().read(), answer(200, {"value": []})).value.raw == "null"
    assert hand(link_of().read(), answer(200, {"value": 7})).error is not None
    assert hand(link_of().read(), answer(200, "7")).error is not None


def test_out_of_office_settings_are_read() -> None:
    body = presence("Away", "Away", outOfOfficeSettings={"isOutOfOffice": True})
    assert hand(link_of().read(), answer(200, body)).value.status == parse_status("away+ooo")


def test_sweeps_people_by_folded_id_and_leaves_out_who_is_not_known() -> None:
    link, other = link_of(), link_of(user=OTHER)
    values = [presence("Busy", "Busy"), {"id": "stranger", "availability": "Away"}, "nonsense", {"id": None}]
    driven = hand(service_of(link).sweep([link, other]), answer(200, {"value": values}))
    assert driven.body(0) == {"ids": [USER, OTHER]}
    assert list(driven.value) == [USER]
    assert link.seen is driven.value[USER]
    assert hand(service_of(link).sweep([link]), answer(200, [presence("Away", "Away")])).value[USER].raw == "Away/Away"


def test_sweeps_nobody_without_a_request() -> None:
    link = link_of()
    assert hand(service_of(link).sweep([Link(link.service, "x", link.settings_table, {})])).requests == []


@pytest.mark.parametrize(
    ("reply", "kind", "text", "probe"),
    [
        (answer(400, {"error": {"code": "BadRequest", "message": "pay 100"}}), Rejected, "HTTP 400, BadRequest", None),
        (answer(402), Rejected, "pay", 900.0),
        (answer(403, {"error": {"code": "Forbidden", "message": ""}}), Rejected, "Presence.ReadWrite.All", 900.0),
        (answer(404), Rejected, "no such user", 900.0),
        (answer(405, {"error": {"code": "<script>"}}), Rejected, "refuses the request (HTTP 405)", None),
        (answer(424, {"error": "x"}), Rejected, "HTTP 424)", None),
        (answer(401), AuthRejected, "HTTP 401", 900.0),
        (answer(429, "", ("retry-after", "12")), RateLimited, "HTTP 429", 12.0),
        (answer(504), Unavailable, "HTTP 504", None),
        (answer(302), RemoteProtocolError, "HTTP 302", None),
    ],
)
def test_names_the_likely_cause_and_quotes_no_body(
    reply: Reply, kind: type[Exception], text: str, probe: float | None
) -> None:
    error = hand(link_of().publish(Publish("Away/Away")), reply).error
    assert type(error) is kind
    assert text in str(error)
    assert "100" not in str(error)
    assert error.retry_after == probe


def test_the_service_tells_what_the_engine_needs() -> None:
    service = service_of(link_of(rate=10.0, sweep="2s", mapping={"dnd": "Busy/InACall"}))
    traits = service.traits
    assert (traits.rate, traits.burst, traits.poll_every) == (10.0, 20.0, 2.0)
    assert (traits.sweep_size, traits.batch_size, traits.notes, traits.leased) == (650, 20, True, True)
    assert service.vocabulary.word_for(parse_status("dnd")) == "Busy/InACall"
    assert service_of(link_of()).traits.rate == 37.5
    assert "DoNotDisturb/Presenting" not in service_of(link_of(api="beta")).vocabulary.echoes


def test_the_connector_offers_its_parts() -> None:
    service = CONNECTOR.service("teams", settings())
    assert (CONNECTOR.kind, CONNECTOR.domain) == ("graph", None)
    assert service.link("alice", CONNECTOR.link_settings.model_validate({"user": USER}), {}).key == USER

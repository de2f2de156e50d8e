"""Batches by hand: what goes into an envelope, and how its parts are found again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from presence_syncd.connectors.connector import Publish
from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.connectors.graph.protocol import GraphService
from presence_syncd.errors import RateLimited, Rejected, RemoteProtocolError, Unavailable
from tests.connectors.graph.bench import API, answer, hand, link_of, service_of

LINK = link_of()
SERVICE: GraphService = service_of(LINK)


def writes(count: int) -> list[Request]:
    return [hand(LINK.publish(Publish("Available/Available"))).requests[0] for _ in range(count)]


def parts(*found: Any) -> Reply:
    return answer(200, {"responses": list(found)}, at=20.0)


def test_a_part_has_a_relative_address_its_headers_and_its_body() -> None:
    read = Request("GET", f"{API}/users/x/presence", "read")
    driven = hand(SERVICE.batch([*writes(1), read]), parts())
    envelope = driven.requests[0]
    assert (envelope.method, envelope.url, envelope.realm) == ("POST", f"{API}/$batch", "graph")
    write, read_part = driven.body(0)["requests"]
    assert write["url"] == f"/users/{LINK.key}/presence/setPresence"
    assert write["headers"]["content-type"] == "application/json"
    assert write["body"]["availability"] == "Available"
    assert read_part == {"id": "r1", "method": "GET", "url": "/users/x/presence", "headers": {}}
    assert "dependsOn" not in write
    assert driven.value == [None, None]


def test_parts_become_answers_of_their_own() -> None:
    found = parts(
        "nonsense",
        {"id": "R1", "status": "404", "headers": {"RETRY-AFTER": 7}, "body": {"error": {"code": ""}}},
        {"id": "r0", "status": 502, "body": "<html>"},
        {"id": "r2", "status": "soon"},
        {"id": "r3", "headers": "x", "status": 200},
        {"id": "r3", "status": 500},
        {"id": "other", "status": 200},
    )
    replies = hand(SERVICE.batch(writes(5)), found).value
    assert [reply and reply.status for reply in replies] == [502, 404, None, 200, None]
    assert replies[0].body == b"<html>"
    assert replies[1].json() == {"error": {"code": ""}}
    assert replies[1].header("Retry-After") == "7"
    assert (replies[3].body, replies[3].at, replies[3].started_at) == (b"", 20.0, 19.0)
    assert replies[3].url.startswith(API)


def test_more_than_20_go_out_in_several_envelopes() -> None:
    driven = hand(SERVICE.batch(writes(41)), parts(), parts(), parts())
    assert [len(json.loads(request.body or b"")["requests"]) for request in driven.requests] == [20, 20, 1]
    assert len(driven.value) == 41


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(400), Rejected),
        (answer(429), RateLimited),
        (answer(503), Unavailable),
        (answer(200, {"responses": None}), RemoteProtocolError),
        (answer(200, "{"), RemoteProtocolError),
    ],
)
def test_a_refused_envelope_raises_what_it_means(reply: Reply, kind: type[Exception]) -> None:
    assert type(hand(SERVICE.batch(writes(1)), reply).error) is kind

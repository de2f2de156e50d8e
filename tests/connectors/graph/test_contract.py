"""Every request we make is one that the official description of v1.0 has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from presence_syncd.connectors.connector import Publish
from presence_syncd.connectors.flow import Request
from tests.connectors.graph.bench import API, Bench, hand, link_of, service_of

SPEC = "graph-presence-v1.0.openapi.yaml"


def description() -> dict[str, Any]:
    for folder in Path(__file__).resolve().parents:
        found = folder / "shared" / "specs" / SPEC
        if found.is_file():
            loaded: dict[str, Any] = nullable(yaml.safe_load(found.read_text()))
            return loaded
    pytest.skip(f"the official description ({SPEC}) is not beside this project")


def nullable(node: Any) -> Any:
    """Say in JSON Schema what OpenAPI 3.0 says by `nullable`."""
    if isinstance(node, list):
        return [nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: nullable(value) for key, value in node.items()}
    return {**found, "type": [found["type"], "null"]} if found.get("nullable") is True else found


def requests() -> list[Request]:
    """One of everything."""
    link, plain = link_of(preferred=True), link_of(expiration="4h")
    flows = [
        *(link.publish(Publish(word, note="hello")) for word in link.vocabulary.echoes),
        *(plain.publish(Publish(word)) for word in plain.vocabulary.echoes),
        link.publish(Publish("Busy/Busy")),
        link.retract(overridden=False),
        link.read(),
        service_of(link).sweep([link]),
    ]
    return [request for flow in flows for request in hand(flow).requests]


def schema_of(request: Request, spec: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of the request's body; None where the description has none. Fails for an unknown call."""
    path = request.url.removeprefix(API)
    for template, calls in spec["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            call = calls[request.method.lower()]
            body: dict[str, Any] = call.get("requestBody", {}).get("content", {}).get("application/json", {})
            return body.get("schema")
    raise KeyError(path)


def valid(instance: object, schema: dict[str, Any], spec: dict[str, Any]) -> None:
    jsonschema.Draft4Validator({**schema, "components": spec["components"]}).validate(instance)


def test_every_request_is_in_the_official_description() -> None:
    spec, checked = description(), set()
    for request in requests():
        schema = schema_of(request, spec)
        if schema is not None:
            valid(json.loads(request.body or b""), schema, spec)
            assert request.headers["content-type"] == "application/json"
        checked.add(request.operation)
    assert checked == {
        "setPresence",
        "clearPresence",
        "setUserPreferredPresence",
        "clearUserPreferredPresence",
        "setStatusMessage",
        "read",
        "sweep",
    }


def test_the_check_would_notice_a_wrong_request() -> None:
    spec = description()
    schema = schema_of(requests()[0], spec)
    assert schema is not None
    with pytest.raises(jsonschema.ValidationError):
        valid({"sessionId": "x", "availability": "Available"}, schema, spec)
    with pytest.raises(KeyError):
        schema_of(Request("POST", f"{API}/users/x/presence/setMood", "x"), spec)


async def test_what_the_emulator_shows_is_in_the_official_description() -> None:
    spec, bench = description(), Bench()
    bench.emulator.teams(bench.link.key, "Available")
    told = bench.emulator.calls.presence(bench.emulator.calls.person(bench.link.key))
    valid(told, {"$ref": "#/components/schemas/microsoft.graph.presence"}, spec)

"""Holds requests and answers against the official API descriptions (Swagger 2.0), which are not part of the project."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest
import yaml

from presence_syncd.connectors.flow import Request

NAMES = {"/pod": "symphony-pod-presence", "/login": "symphony-login"}
"""The description of what is served below a prefix."""


@cache
def description(prefix: str) -> dict[str, Any]:
    """Load the description; skips the test where it is not there."""
    name = f"{NAMES[prefix]}.swagger2.yaml"
    found = [path for up in Path(__file__).parents if (path := up / "shared" / "specs" / name).is_file()]
    if not found:
        pytest.skip(f"the official API description {name} is not there (a folder shared/specs beside the project)")
    loaded: dict[str, Any] = yaml.safe_load(found[0].read_text(encoding="utf-8"))
    return loaded


def check_request(request: Request, headers: set[str]) -> None:
    """Fail unless the description allows the request. `headers` are those its token adds, in lower case."""
    spec, operation, found = operation_of(request)
    query = dict(parse_qsl(urlsplit(request.url).query))
    parameters = {(p["in"], p["name"].lower()): p for p in operation.get("parameters", ())}
    known = {name for where, name in parameters if where == "query"}
    assert {name.lower() for name in query} <= known, f"unknown query parameters in {request.url}"
    values = {
        "query": {name.lower(): value for name, value in query.items()},
        "path": {name.lower(): value for name, value in found.items()},
        "header": dict.fromkeys(headers, "token"),
    }
    for (where, name), parameter in parameters.items():
        if where != "body":
            check_parameter(parameter, values[where].get(name))
    check_body(spec, operation, request)


def operation_of(request: Request) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The description, the operation in it, and the values in the path."""
    prefix, path = re.fullmatch(r"(/pod|/login)(/.*)", urlsplit(request.url).path).groups()  # type: ignore[union-attr]  # else it fails
    spec = description(prefix)
    for template, operations in spec["paths"].items():
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        if (match := re.fullmatch(pattern, path)) and request.method.lower() in operations:
            return spec, operations[request.method.lower()], {k: unquote(v) for k, v in match.groupdict().items()}
    raise AssertionError(f"{request.method} {path} is not described")


def check_parameter(parameter: dict[str, Any], value: str | None) -> None:
    """Fail unless a path, query or header value has the type that is described, and is there if it must be."""
    name = parameter["name"]
    if value is None:
        assert not parameter.get("required"), f"{name} is missing"
        return
    legal = {"boolean": r"true|false", "integer": r"-?\d+"}.get(parameter["type"], r"(?s).+")
    assert re.fullmatch(legal, value), f"{name}={value} is no {parameter['type']}"


def check_body(spec: dict[str, Any], operation: dict[str, Any], request: Request) -> None:
    """Fail unless the body is what is described, or absent where none is."""
    wanted = next((p for p in operation.get("parameters", ()) if p["in"] == "body"), None)
    if wanted is None:
        assert request.body is None, "this call has no body"
        return
    consumed = operation.get("consumes", ["application/json"])  # one call leaves it out, and its body is JSON, too
    assert request.headers["content-type"] in consumed
    validate(spec, wanted["schema"], json.loads(request.body or b""))


def check_answer(request: Request, status: int, body: bytes) -> None:
    """Fail unless the description has an answer of this status and shape for the request."""
    spec, operation, _ = operation_of(request)
    assert str(status) in operation["responses"], f"HTTP {status} is not described for {request.url}"
    validate(spec, operation["responses"][str(status)]["schema"], json.loads(body))


def validate(spec: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Validate JSON by a schema of the description, whose references begin at its root."""
    jsonschema.validate(value, {**schema, "definitions": spec["definitions"]}, cls=jsonschema.Draft4Validator)

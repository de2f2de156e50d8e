"""JSON batching: up to 20 requests in one envelope, each judged alone.

The one rule: a part is found by its folded id, never by its place; a part that is missing is None, and repeating it
is safe, because every presence write says the whole truth. Source: graph sheet §6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from presence_syncd.connectors.flow import Flow, Reply, Request, chunks, expect, json_body
from presence_syncd.errors import RemoteProtocolError

SIZE = 20
"""Requests one envelope may carry."""
MAX_ENVELOPE = 4 * 1024 * 1024
"""Largest envelope of answers, in bytes."""


def batch(root: str, realm: str, headers: Mapping[str, str], requests: Sequence[Request]) -> Flow[list[Reply | None]]:
    """Send `requests`, all below `root`, in envelopes of at most 20. An envelope that is refused raises."""
    replies: list[Reply | None] = []
    for chunk in chunks(requests, SIZE):
        envelope = Request(
            "POST",
            f"{root}/$batch",
            "batch",
            headers=headers,
            body=json_body({"requests": [_part(root, number, request) for number, request in enumerate(chunk)]}),
            realm=realm,
            timeout=30.0,
            max_body=MAX_ENVELOPE,
        )
        replies += _matched(chunk, expect((yield envelope), 200))
    return replies


def _part_id(number: int) -> str:
    return f"r{number}"


def _part(root: str, number: int, request: Request) -> dict[str, Any]:
    part: dict[str, Any] = {
        "id": _part_id(number),
        "method": request.method,
        "url": request.url.removeprefix(root),
        "headers": dict(request.headers),
    }
    if request.body is not None:
        part["body"] = msgspec.Raw(request.body)
    return part


def _matched(requests: Sequence[Request], envelope: Reply) -> list[Reply | None]:
    parts = envelope.json_object().get("responses")
    if not isinstance(parts, list):
        raise RemoteProtocolError("the batch has no answers")
    by_id = {str(part.get("id")).lower(): part for part in reversed(parts) if isinstance(part, dict)}
    return [_reply(request, envelope, by_id.get(_part_id(number))) for number, request in enumerate(requests)]


def _reply(request: Request, envelope: Reply, part: Mapping[str, Any] | None) -> Reply | None:
    """Make a part an answer of its own; None if there is none, or it has no status."""
    status = str(part.get("status")) if part else ""
    if part is None or not (status.isascii() and status.isdigit() and len(status) == 3):
        return None
    body, started = _body(part.get("body")), envelope.started_at
    return Reply(int(status), _headers(part.get("headers")), body, envelope.at, started, request.url)


def _headers(headers: object) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), str(value)) for name, value in headers.items()) if isinstance(headers, dict) else ()


def _body(body: object) -> bytes:
    if body is None:
        return b""
    return body.encode(errors="replace") if isinstance(body, str) else json_body(body)

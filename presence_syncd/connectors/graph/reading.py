"""What an answer about presences shows: observations by folded user id.

The one rule: order, completeness and uniqueness are not promised, and fields may be missing; what cannot be read is
UNKNOWN, and only an answer without any presence in it is an error. Source: graph sheet §3.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from presence_syncd.connectors.flow import Reply
from presence_syncd.connectors.graph import wire
from presence_syncd.core.entry import Observation
from presence_syncd.errors import RemoteProtocolError


def newest(reply: Reply) -> dict[str, Observation]:
    """The presences of an answer by folded id; of duplicates the one with the highest version, then the last."""
    found: dict[str, Observation] = {}
    for item in _items(reply.json()):
        key, new = str(item.get("id", "")).lower(), _observation(item, reply)
        if key not in found or str(new.order or "") >= str(found[key].order or ""):
            found[key] = new
    return found


def _items(data: Any) -> Generator[dict[str, Any], None, None]:
    """The presence objects, wrapped in `value` or not (§3.1)."""
    value = data.get("value", data) if isinstance(data, dict) else data
    if not isinstance(value, (dict, list)):
        raise RemoteProtocolError("the answer holds no presence")
    yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict))


def _observation(item: Mapping[str, Any], reply: Reply) -> Observation:
    office, order = item.get("outOfOfficeSettings"), item.get("sequenceNumber")
    away = isinstance(office, dict) and office.get("isOutOfOffice") is True
    status, raw = wire.read_status(item.get("availability"), item.get("activity"), away)
    return Observation(
        status=status,
        raw=raw,
        started_at=reply.started_at,
        at=reply.at,
        note=_note(item),
        order=order if isinstance(order, str) and order else None,
    )


def _note(item: Mapping[str, Any]) -> str | None:
    """The note; empty where the service says that there is none, None where it does not speak of it."""
    if "statusMessage" not in item:
        return None
    message = item["statusMessage"].get("message") if isinstance(item["statusMessage"], dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""

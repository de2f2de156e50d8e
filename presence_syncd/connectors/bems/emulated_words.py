"""How an emulated Connect says things: the shapes of its messages, and the oddities that can be switched on.

The one rule: the shapes are those of the documents' samples (bems.md §3, §6).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Data = dict[str, Any]
NAMES = {
    -32700: "PARSE_ERROR", -32600: "INVALID_REQUEST", -32601: "METHOD_NOT_FOUND", -32602: "INVALID_PARAMS",
    1004: "PARSE_ERROR", 1005: "GENERAL_FAILURE", 1006: "GPS_NOT_RESPONDING", 1007: "INVALID_GD_TOKEN",
    1008: "INVALID_GD_AUTHTOKEN", 1009: "GPS_HTTP_ERROR", 1011: "NULL_ARGUMENT", 1012: "INVALID_ARGUMENT",
    1013: "INVALID_OPERATION", 1017: "CLIENT_SESSION_TIMEOUT", 1018: "OPERATION_FAILURE", 1019: "RT_EXCEPTION",
    1020: "PUBLISH_SUBSCRIBE_EXCPT", 1021: "DEPENDENT_REQUEST_FAILED", 1023: "SELF_REFERENCE",
    1024: "UNKNOWN_BATCH_DEPENDENCY", 1025: "ACTION_PENDING", 1026: "NOT_SUPPORTED_BY_SERVER",
}  # fmt: skip


@dataclass(slots=True)
class Switches:
    """How the server behaves. `how` and `errors` list, by method, what happens to its next requests.

    `how`: `late` (COMPLETE after `complete_after`; the default), `first` (COMPLETE, then PROCESSING), `never`,
    `other-id`, `lost` (done, but nothing is said). `style`: `plain`, `mixed` case, `broken` JSON as in the samples.
    `framing`: one `object` per frame, an `array`, or `joined`. `tell`: presence as `word`, `number` or `text`.
    """

    complete_after: float = 0.0
    how: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, list[int]] = field(default_factory=dict)
    always: dict[str, int] = field(default_factory=dict)
    style: str = "plain"
    framing: str = "object"
    tell: str = "word"
    words: set[str] = field(default_factory=lambda: {"available", "busy", "away"})
    word_error: int = 1012
    unregister: str = "UnRegisterTempRemotePresenceSubscription"
    event: str = "ContactsStateChanged"
    websockets: bool = True
    is_nowhere: set[str] = field(default_factory=set)


def message_of(number: str | None, data: Data, sequence: int | None, *, background: bool | None = None) -> Data:
    """A message with data: with a `sequence` a completion or event, with `background` an acceptance."""
    message: Data = {"id": number, "error": None, "result": {"data": data}, "jsonrpc": "2.0"}
    if sequence is not None:
        message = {"id": number, "sequence": sequence, "result": {"data": data}, "jsonrpc": "2.0"}
    return message if background is None else {**message, "background": background}


def error_of(number: str | None, code: int) -> Data:
    """The answer to a request that failed."""
    return {"id": number, "error": {"code": code, "message": NAMES.get(code, "")}, "jsonrpc": "2.0"}


def styled(message: Data, style: str) -> str:
    """Write a message as text, with the oddities of a style."""
    text = json.dumps(message)
    if style == "mixed":
        text = text.replace('"PROCESSING"', '"Processing"').replace('"COMPLETE"', '"complete"')
    if style == "broken":
        text = text.replace('"background": false', '"background";false').replace('"}}', '",}}')
        text = text.replace(', "jsonrpc"', ' "jsonrpc"')
    return text


def framed(texts: list[str], framing: str) -> list[str]:
    """Put messages into frames: each in one, all in an array, or joined."""
    if framing == "array" and texts:
        return ["[" + ",".join(texts) + "]"]
    return ["\n".join(texts)] if framing == "joined" and texts else texts

"""The JSON-RPC of BEMS, apart from what carries it: calls, their two answers, and errors by number.

The one rule: accepted is not done. A call is confirmed by `COMPLETE` alone (or an answer with a `sequence`), once, in
whatever order the answers come; an id that is not ours is never taken for one that is near. Sources: bems.md §3, §5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from presence_syncd.connectors.bems.frames import Message, strict

METHODS = frozenset(
    {
        "getauthenticationinfo", "beginsession", "setoauth2token", "setgdtoken", "ping", "setpresence",
        "setpersonalmessage", "registertempremotepresence", "unregistertempremotepresence",
        "unregistertempremotepresencesubscription", "getcontactsstate", "getcontactlist", "notifybackground",
        "terminatesession",
    }
)  # fmt: skip
"""Methods, in lower case, by whose name an answer can be told to belong to another call."""
ALIASES = {
    "getcontactstate": "getcontactsstate",
    "unregistertempremotepresencesubscription": "unregistertempremotepresence",
}
"""Names the documents use for the same method (§6.4)."""


class Cause(StrEnum):
    """What an error number means for what is done next."""

    BUG = "bug"  # our message was broken: not again
    METHOD = "method"  # the server has no such method: another name, then never again
    VALUE = "value"  # the value is refused: documented words only
    SERVER = "server"  # trouble behind the server: a few times more, slower
    PROXY = "proxy"  # nobody can check tokens now: slower, the session stays
    CREDENTIAL = "credential"  # the token is not good: another one, once
    STATE = "state"  # not now: a new session, once
    SESSION = "session"  # the session is gone: a new one, everything again
    DEPENDENCY = "dependency"  # a call this one depended on
    PENDING = "pending"  # the same is being done: wait for that
    UNSUPPORTED = "unsupported"  # never
    LOST = "lost"  # no answer in time: nobody knows whether it was applied


ERRORS: dict[int, tuple[str, Cause]] = {
    -32700: ("PARSE_ERROR", Cause.BUG),
    -32600: ("INVALID_REQUEST", Cause.BUG),
    -32601: ("METHOD_NOT_FOUND", Cause.METHOD),
    -32602: ("INVALID_PARAMS", Cause.VALUE),
    1004: ("PARSE_ERROR", Cause.SERVER),
    1005: ("GENERAL_FAILURE", Cause.SERVER),
    1006: ("GPS_NOT_RESPONDING", Cause.PROXY),
    1007: ("INVALID_GD_TOKEN", Cause.CREDENTIAL),
    1008: ("INVALID_GD_AUTHTOKEN", Cause.CREDENTIAL),
    1009: ("GPS_HTTP_ERROR", Cause.PROXY),
    1011: ("NULL_ARGUMENT", Cause.VALUE),
    1012: ("INVALID_ARGUMENT", Cause.VALUE),
    1013: ("INVALID_OPERATION", Cause.STATE),
    1017: ("CLIENT_SESSION_TIMEOUT", Cause.SESSION),
    1018: ("OPERATION_FAILURE", Cause.SERVER),
    1019: ("RT_EXCEPTION", Cause.SERVER),
    1020: ("PUBLISH_SUBSCRIBE_EXCPT", Cause.SERVER),
    1021: ("DEPENDENT_REQUEST_FAILED", Cause.DEPENDENCY),
    1023: ("SELF_REFERENCE", Cause.DEPENDENCY),
    1024: ("UNKNOWN_BATCH_DEPENDENCY", Cause.DEPENDENCY),
    1025: ("ACTION_PENDING", Cause.PENDING),
    1026: ("NOT_SUPPORTED_BY_SERVER", Cause.UNSUPPORTED),
}
"""Errors by number; the names repeat, so they are for people only. A number not listed is trouble of the server."""
PUBLISH_SUBSCRIBE = 1020
"""The presence server refused: on a registration, this contact cannot be watched now."""


_ID = re.compile(r"c([1-9][0-9]{0,15})")
_INTEGER = re.compile(r"\s*-?[0-9]{1,38}\s*")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed. `code` is 0 where the server gave no number."""

    code: int
    cause: Cause

    def __str__(self) -> str:
        return f"error {self.code} {ERRORS.get(self.code, ('', Cause.SERVER))[0]}".rstrip() if self.code else self.cause


LOST = Failure(0, Cause.LOST)
"""The failure of a call whose answer did not come."""


def failure(code: int) -> Failure:
    """Find what an error number means."""
    return Failure(code, ERRORS.get(code, ("", Cause.SERVER))[1])


@dataclass(slots=True, eq=False)
class Call:
    """One request on its way. Times are the daemon's seconds; `data` is what the completion carried."""

    id: str
    method: str
    params: Mapping[str, Any] = field(repr=False)
    started_at: float
    deadline: float
    is_accepted: bool = False
    is_done: bool = False
    failure: Failure | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def message(self) -> Message:
        """The request as an object."""
        return {"method": self.method, "params": dict(self.params), "id": self.id, "jsonrpc": "2.0"}

    @property
    def text(self) -> str:
        """The request as strict JSON."""
        return strict(self.message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A message from the server, whatever its shape: acceptance, completion, flat answer, event or error."""

    id: str | None
    method: str
    state: str
    sequence: int | None
    failure: Failure | None
    data: Mapping[str, Any] = field(repr=False)

    @property
    def is_completion(self) -> bool:
        """Whether this says that the call is done."""
        return self.state == "complete" or self.sequence is not None


def read_answer(message: Message) -> Answer:
    """Read a message by its structure; nothing in it is required."""
    result = message.get("result")
    data = result.get("data") if isinstance(result, dict) else None
    inside = next((part for part in (data, message.get("params"), result) if isinstance(part, dict)), {})
    method, state = inside.get("method", message.get("method")), inside.get("state", message.get("state"))
    return Answer(
        id=message["id"] if isinstance(message.get("id"), str) else None,
        method=method.lower() if isinstance(method, str) else "",
        state=state.strip().lower() if isinstance(state, str) else "",
        sequence=_number(message.get("sequence")),
        failure=_failure_in(message.get("error")),
        data=inside,
    )


def _failure_in(error: object) -> Failure | None:
    if error is None:
        return None
    code = _number(error.get("code")) if isinstance(error, dict) else None
    return failure(code or 0)


def _number(value: object) -> int | None:
    """An integer, also one in quotes (§6.7)."""
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Calls:
    """The requests of one link: makes their ids, and settles them by the answers."""

    def __init__(self) -> None:
        self.open: dict[str, Call] = {}
        self._count = 0

    def make(
        self,
        method: str,
        params: Mapping[str, Any],
        now: float,
        limit: float,
        *,
        dependencies: tuple[Call, ...] = (),
        reconnect: str | None = None,
    ) -> Call:
        """Make a call that may take `limit` seconds.

        `reconnect` asks to continue the session; `dependencies` are calls that must succeed first.
        """
        self._count += 1
        extra = {"reconnect": reconnect} if reconnect is not None else {}
        if dependencies:
            extra["dependencies"] = ",".join(call.id for call in dependencies)
        call = Call(f"c{self._count}", method, {**params, **extra}, now, now + limit)
        self.open[call.id] = call
        return call

    def settle(self, answer: Answer) -> Call | None:
        """Apply an answer to the call it belongs to, and return that call if it is done now for the first time."""
        call = self.open.get(answer.id or "")
        if call is None or not _is_about(call, answer):
            return None
        if answer.failure is None and not answer.is_completion:
            call.is_accepted = True
            return None
        call.failure, call.data = answer.failure, answer.data
        return self._close(call)

    def is_ours(self, answer: Answer) -> bool:
        """Whether the answer has the id of a call made here, however long ago: then it is no event."""
        number = _ID.fullmatch(answer.id or "")
        return number is not None and int(number[1]) <= self._count

    def expire(self, now: float) -> list[Call]:
        """Give up the calls whose deadline has passed."""
        return [self.lose(call) for call in list(self.open.values()) if now >= call.deadline]

    def lose_all(self) -> list[Call]:
        """Give up every call: what carried them is gone."""
        return [self.lose(call) for call in list(self.open.values())]

    def lose(self, call: Call) -> Call:
        """Give up one call; whether it was applied is not known. One that is done stays as it is."""
        if not call.is_done:
            call.failure = LOST
            self._close(call)
        return call

    def pending(self, method: str) -> Call | None:
        """The oldest call of a method that is not done."""
        return next((call for call in self.open.values() if call.method == method), None)

    def _close(self, call: Call) -> Call:
        call.is_done = True
        del self.open[call.id]
        return call


def _is_about(call: Call, answer: Answer) -> bool:
    """Whether the answer is to this call: same id, and not plainly of another method (§6.6)."""
    said, asked = answer.method, call.method.lower()
    return said not in METHODS | ALIASES.keys() or ALIASES.get(said, said) == ALIASES.get(asked, asked)

"""The presence calls of an emulated tenant, as a function from one call to one answer, alone or in a batch.

The one rule: it accepts what the documents allow and refuses the rest with 400. Source: graph sheet §1-§3.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.graph.emulated_people import (
    PREFERRED_LIFE,
    SEVEN_DAYS,
    TEAMS,
    Pair,
    Person,
    Session,
    Standing,
)

SESSION_PAIRS = {
    "beta": {("Available", "Available"), ("Busy", "InACall"), ("Busy", "InAConferenceCall"), ("Away", "Away")},
}
SESSION_PAIRS["v1.0"] = SESSION_PAIRS["beta"] | {("DoNotDisturb", "Presenting")}
"""Pairs setPresence takes, by version."""
PREFERRED_PAIRS = {
    ("Available", "Available"),
    ("Busy", "Busy"),
    ("DoNotDisturb", "DoNotDisturb"),
    ("BeRightBack", "BeRightBack"),
    ("Away", "Away"),
    ("Offline", "OffWork"),
}
"""Pairs setUserPreferredPresence takes."""
MOST_IDS = 650
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_SECONDS = (86_400, 3600, 60, 1)
_ONE = re.compile(r"/(?:users/([^/]+)/presence|communications/presences/([^/]+))(?:/(\w+))?")
_ALL = "/communications/getPresencesByUserId"


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: `body` None is an empty one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One call below the version root, of an app that has proven itself."""

    version: str
    method: str
    path: str
    body: Mapping[str, Any]
    app: str


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was accepted."""

    at: float
    user: str
    action: str
    value: str


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


def error(status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> Answered:
    """The error body of the service."""
    inner = {"request-id": str(uuid.uuid4()), "client-request-id": str(uuid.uuid4())}
    return Answered(status, {"error": {"code": code, "message": message, "innerError": inner}}, headers or {})


@dataclass(slots=True)
class EmulatedCalls:
    """The presence part of the API, and the switches of what it may do.

    `fade` and `expiry_scale` shorten its clocks; `visible_after` seconds pass until a write is read back; `no_content`
    answers 204; `sequence_numbers` False is the US Government cloud; `wrapped` is the old form of a single read;
    `permitted` False lacks the permission; `reordered` answers a read of many backwards and with a duplicate.
    """

    clock: EmulatedClock
    fade: float = 300.0
    expiry_scale: float = 1.0
    visible_after: float = 0.0
    no_content: bool = False
    sequence_numbers: bool = True
    wrapped: bool = False
    permitted: bool = True
    reordered: bool = False
    people: dict[str, Person] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)

    def person(self, user_id: str) -> Person:
        """The person of that id. Raises Refused (404)."""
        try:
            return self.people[user_id.lower()]
        except KeyError:
            raise Refused(404, "NotFound") from None

    def answer(self, call: Call) -> Answered:
        """Do one call."""
        try:
            return self._permitted(call)
        except Refused as refused:
            return error(refused.status, refused.code)

    def _permitted(self, call: Call) -> Answered:
        if not self.permitted:
            raise Refused(403, "Forbidden")
        if (call.method, call.path) == ("POST", _ALL):
            return self._many(call)
        found = _ONE.fullmatch(call.path)
        if found is None:
            raise Refused(404, "ResourceNotFound")
        person, action = self.person(found[1] or found[2]), found[3]
        if action is None and call.method == "GET":
            told = self.presence(person)
            return Answered(200, {"value": [told]} if self.wrapped else told)
        if action not in ACTIONS or call.method != "POST":
            raise Refused(405, "Request_BadRequest")
        value = ACTIONS[action](self, person, call)
        self.writes.append(Write(self.clock.now(), person.id, action, value))
        return Answered(204 if self.no_content else 200)

    def _many(self, call: Call) -> Answered:
        ids = call.body.get("ids")
        if not isinstance(ids, list) or not 1 <= len(ids) <= MOST_IDS:
            raise Refused(400, "BadRequest")
        known = [self.people[str(user_id).lower()] for user_id in ids if str(user_id).lower() in self.people]
        value = [self.presence(person) for person in known]
        return Answered(200, {"value": value[::-1] + value[:1] if self.reordered else value})

    def presence(self, person: Person) -> dict[str, Any]:
        """The presence object as it is read now."""
        now = self.clock.now()
        standing = person.visible(now, self.visible_after)
        availability, activity = standing.shown(now)
        told = {
            "@odata.type": "#microsoft.graph.presence",
            "id": person.id,
            "availability": availability,
            "activity": activity,
            "statusMessage": _message(standing),
        }
        if self.sequence_numbers:
            told["outOfOfficeSettings"] = {"message": None, "isOutOfOffice": standing.out_of_office}
            told["sequenceNumber"] = person.told(availability, activity, standing.message, standing.out_of_office)
        return told

    def set_presence(self, person: Person, call: Call) -> str:
        """Set, or renew, the session of the calling app."""
        pair, now = self._session_of(call), self.clock.now()
        if call.version == "beta":
            if "expirationDuration" in call.body:
                raise Refused(400, "BadRequest")
            person.put(call.app, Session(pair, now, fade=self.fade, staged=True), now)
            return "/".join(pair)
        life = _duration(call.body.get("expirationDuration") or "PT5M", 300.0, 14_400.0)
        person.put(call.app, Session(pair, now, now + life * self.expiry_scale, self.fade), now)
        return "/".join(pair)

    def _session_of(self, call: Call) -> Pair:
        if call.body.get("sessionId") != call.app:
            raise Refused(400, "BadRequest")
        return _pair(call, SESSION_PAIRS[call.version])

    def clear_presence(self, person: Person, call: Call) -> str:
        """End the session of the calling app."""
        now = self.clock.now()
        if call.body.get("sessionId") != call.app:
            raise Refused(400, "BadRequest")
        was_alive = person.is_alive(call.app, now)
        person.put(call.app, None, now)
        if not was_alive:
            raise Refused(404, "NotFound")
        return ""

    def set_preferred(self, person: Person, call: Call) -> str:
        """Set what the person is said to have chosen."""
        pair, text = _pair(call, PREFERRED_PAIRS), call.body.get("expirationDuration")
        life = _duration(text, 0.0, float("inf")) * self.expiry_scale if text else None
        self.prefer(person, pair, life)
        return "/".join(pair)

    def clear_preferred(self, person: Person, _: Call) -> str:
        """Forget what was chosen."""
        self.prefer(person, None)
        return ""

    def set_message(self, person: Person, call: Call) -> str:
        """Set the note."""
        message = call.body.get("statusMessage")
        item = message.get("message") if isinstance(message, dict) else None
        if not isinstance(item, dict) or item.get("contentType") != "text" or not isinstance(item.get("content"), str):
            raise Refused(400, "BadRequest")
        person.change(self.clock.now(), message=item["content"])
        return str(item["content"])

    def prefer(self, person: Person, pair: Pair | None, life: float | None = None) -> None:
        """Set or clear the preferred state for `life` seconds; None is the default of 1 or 7 days."""
        now = self.clock.now()
        default = PREFERRED_LIFE.get(pair[0], SEVEN_DAYS) if pair else 0.0
        person.change(now, preferred=pair, preferred_until=now + (default if life is None else life))

    def move_teams(self, person: Person, pair: Pair | None) -> None:
        """Move, or end (None), the session of the person's own Teams client."""
        now = self.clock.now()
        person.put(TEAMS, Session(pair, now) if pair else None, now)


Action: TypeAlias = Callable[[EmulatedCalls, Person, Call], str]
ACTIONS: dict[str, Action] = {
    "setPresence": EmulatedCalls.set_presence,
    "clearPresence": EmulatedCalls.clear_presence,
    "setUserPreferredPresence": EmulatedCalls.set_preferred,
    "clearUserPreferredPresence": EmulatedCalls.clear_preferred,
    "setStatusMessage": EmulatedCalls.set_message,
}
"""The writes, by name in the path."""


def _pair(call: Call, legal: set[Pair]) -> Pair:
    pair = (str(call.body.get("availability")), str(call.body.get("activity")))
    if pair not in legal:
        raise Refused(400, "BadRequest")
    return pair


def _duration(text: object, least: float, most: float) -> float:
    """Read an ISO 8601 duration, in seconds. Raises Refused."""
    found = _DURATION.fullmatch(str(text))
    seconds = sum(float(n or 0) * unit for n, unit in zip(found.groups(), _SECONDS, strict=True)) if found else -1.0
    if not least <= seconds <= most:
        raise Refused(400, "BadRequest")
    return seconds


def _message(standing: Standing) -> dict[str, Any] | None:
    return {"message": {"content": standing.message, "contentType": "text"}} if standing.message else None

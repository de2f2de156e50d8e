"""A BlackBerry Connect, as cheap as possible: one session per person over long polls, the presence that Skype shows.

The one rule: what is asked is done at once, and said so twice in one body, as accepted and as complete.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.crowd import Crowd, person_of, sip
from tests.benchmarks.held import Held
from tests.benchmarks.wire import EMPTY, Asked, json_answer

HOLD = 90.0
"""Seconds a poll is held; as long as the daemon expects."""
NUMBER_OF = {"Online": 3500, "Busy": 6500, "BeRightBack": 12500, "Away": 15500}
"""What is told of a person, by what Skype shows."""
SKYPE_OF = {"available": "Online", "busy": "Busy", "away": "Away"}
"""What Skype shows, by the word that was set."""
COOKIE = b"deviceToken="
NO_SESSION = json_answer(b'{"id":null,"error":{"code":1017,"message":"CLIENT_SESSION_TIMEOUT"},"jsonrpc":"2.0"}')
FIRST_SEQUENCE, STEP = 1_018_691_100_000_000, 100_000_001


@dataclass(slots=True)
class Session(Held):
    """One person's session."""

    sequence: int = FIRST_SEQUENCE

    def next(self) -> int:
        """Count on."""
        self.sequence += STEP
        return self.sequence


class Connect:
    """Sessions by person; a cookie tells which one is meant."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.sessions: dict[int, Session] = {}

    def answer(self, asked: Asked) -> None:
        """Answer one request, or hold it."""
        number = _who(asked)
        session = self.sessions.get(number)
        if asked.body == b"[]":
            self._poll(asked, number, session)
        elif (request := json.loads(asked.body))["method"] == "BeginSession":
            self._begin(asked, request)
        elif session is None:
            asked.reply(NO_SESSION)
        else:
            asked.reply(_done(request, session.next(), self._data(request["method"], number, request["params"])))
            self._end(number, request["method"])

    def _begin(self, asked: Asked, request: dict[str, Any]) -> None:
        params = request["params"]
        number = person_of(params["userId"])
        self._set(number, params)
        session = self.sessions[number] = Session()
        data = f'"sessionid":"session-{number}",'
        asked.reply(_done(request, session.next(), data, f"set-cookie: deviceToken={number}\r\n"))

    def _end(self, number: int, method: str) -> None:
        if method == "TerminateSession":
            self.sessions.pop(number).release(EMPTY)

    def _set(self, number: int, params: dict[str, Any]) -> None:
        if "presence" in params:
            self.crowd.skype[number] = SKYPE_OF[params["presence"]]

    def _data(self, method: str, number: int, params: dict[str, Any]) -> str:
        if method == "GetContactsState":
            return f'"userId":"{sip(number)}","contacts":[{self._state(number)}],'
        if method == "Ping":
            return '"sessionTimeout":86400,'
        if method == "SetPresence":
            self._set(number, params)
        return ""

    def _state(self, number: int) -> str:
        presence = NUMBER_OF[self.crowd.skype[number]]
        return f'{{"contactId":"{sip(number)}","presence":{presence},"personalMessage":null}}'

    def _poll(self, asked: Asked, number: int, session: Session | None) -> None:
        if session is None:
            asked.reply(NO_SESSION)
            return
        session.hold(asked, time.monotonic() + HOLD)
        if session.news:
            self.tell(number)

    def tell(self, number: int) -> None:
        """Tell a person's session that their presence changed; what is told at the poll is kept until it comes."""
        session = self.sessions.get(number)
        if session is None:
            return
        session.news = session.held is None
        if session.held is not None:
            sequence = session.next()
            data = f'{{"method":"ContactsStateChanged","contacts":[{self._state(number)}]}}'
            event = f'{{"id":"S{sequence % STEP}","sequence":{sequence},"result":{{"data":{data}}},"jsonrpc":"2.0"}}'
            session.release(json_answer(event.encode()))

    def look(self, now: float) -> None:
        """Answer the polls that were held long enough."""
        for session in self.sessions.values():
            if session.held is not None and now >= session.held_until:
                session.release(EMPTY)

    @property
    def listening(self) -> int:
        """How many polls are held."""
        return sum(session.held is not None for session in self.sessions.values())


def _who(asked: Asked) -> int:
    """The person whose cookie came; -1 for none."""
    _, _, value = asked.header(b"cookie").partition(COOKIE)
    return int(value.partition(b";")[0] or -1)


def _done(request: dict[str, Any], sequence: int, data: str, more: str = "") -> bytes:
    """Say that a request was accepted, and that it is complete."""
    call, method = request["id"], request["method"]
    accepted = f'{{"id":"{call}","error":null,"result":{{"data":{{"method":"{method}",{data}"state":"PROCESSING"}}}}'
    complete = f'{{"id":"{call}","sequence":{sequence},"result":{{"data":{{"method":"{method}",{data}'
    both = f'{accepted},"jsonrpc":"2.0","background":false}}\n{complete}"state":"COMPLETE"}}}},"jsonrpc":"2.0"}}'
    return json_answer(both.encode(), more=more)

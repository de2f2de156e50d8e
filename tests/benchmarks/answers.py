"""What Graph and a Symphony pod answer, as cheaply as possible. Their emulators know far more, and cost far more.

The one rule: only what the daemon asks for in its daily round is answered, and always with success.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.crowd import FIRST_ID, Crowd, guid, number_of
from tests.benchmarks.wire import EMPTY, NOT_FOUND, Asked, json_answer

TOKEN = json_answer(b'{"access_token":"bench","expires_in":3600,"token_type":"Bearer"}')
LOGIN = json_answer(b'{"name":"sessionToken","token":"bench"}')
PAGE = 5000


class Graph:
    """Presence of Microsoft Graph. `limit` requests in `window` seconds, else 429; None: no limit."""

    def __init__(self, crowd: Crowd, limit: int | None = None, window: float = 30.0) -> None:
        self.crowd, self.limit, self.window = crowd, limit, window
        self.refused = 0
        self._since, self._count = 0.0, 0

    def answer(self, asked: Asked) -> None:
        """Answer one request."""
        if asked.path.endswith("/token"):
            return asked.reply(TOKEN)
        if self._is_over(1):
            return asked.reply(json_answer(b"{}", "429 Too Many Requests", "retry-after: 1\r\n"))
        if asked.path.endswith("/$batch"):
            return asked.reply(json_answer(self._batch(json.loads(asked.body)["requests"])))
        if asked.path.endswith("/getPresencesByUserId"):
            return asked.reply(json_answer(self._presences(json.loads(asked.body)["ids"])))
        self._write(asked.path, json.loads(asked.body or b"{}"))
        return asked.reply(EMPTY)

    def _is_over(self, requests: int) -> bool:
        if self.limit is None:
            return False
        now = time.monotonic()
        if now - self._since > self.window:
            self._since, self._count = now, 0
        self._count += requests
        self.refused += self._count > self.limit
        return self._count > self.limit

    def _batch(self, parts: list[dict[str, Any]]) -> bytes:
        self._is_over(len(parts) - 1)
        for part in parts:
            self._write(part["url"], part.get("body") or {})
        answers = ",".join(f'{{"id":"{part["id"]}","status":200,"headers":{{}}}}' for part in parts)
        return f'{{"responses":[{answers}]}}'.encode()

    def _write(self, path: str, body: dict[str, Any]) -> None:
        _, _, rest = path.partition("/users/")
        person, _, action = rest.partition("/presence/")
        if action == "setPresence":
            self.crowd.to_teams(number_of(person), f"{body['availability']}/{body['activity']}")

    def _presences(self, ids: list[str]) -> bytes:
        shown = (self._presence(number_of(person)) for person in ids)
        return f'{{"value":[{",".join(shown)}]}}'.encode()

    def _presence(self, number: int) -> str:
        availability, _, activity = self.crowd.teams[number].partition("/")
        return (
            f'{{"id":"{guid(number)}","availability":"{availability}","activity":"{activity}","statusMessage":null,'
            '"outOfOfficeSettings":{"message":null,"isOutOfOffice":false},"sequenceNumber":null}'
        )


class Pod:
    """Presence of a Symphony pod."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd

    def answer(self, asked: Asked) -> None:
        """Answer one request."""
        parts = urlsplit(asked.path)
        if parts.path.endswith("/authenticate"):
            return asked.reply(LOGIN)
        if parts.path.endswith("/users/presence"):
            return asked.reply(json_answer(self._list(parse_qs(parts.query))))
        if asked.method == "POST":
            body = json.loads(asked.body)
            number = int(body["userId"]) - FIRST_ID
            self.crowd.to_symphony(number, body["category"])
            return asked.reply(json_answer(self._record(number).encode()))
        try:
            number = int(parts.path.split("/")[4]) - FIRST_ID
        except (ValueError, IndexError):
            return asked.reply(NOT_FOUND)
        return asked.reply(json_answer(self._record(number).encode()))

    def _list(self, query: dict[str, list[str]]) -> bytes:
        first = max(0, int(query["lastUserId"][0]) - FIRST_ID)
        last = min(self.crowd.size, first + int(query.get("limit", [str(PAGE)])[0]))
        return f"[{','.join(self._record(number) for number in range(first, last))}]".encode()

    def _record(self, number: int) -> str:
        return f'{{"category":"{self.crowd.symphony[number]}","userId":{FIRST_ID + number},"timestamp":1700000000000}}'


Answer = Callable[[Asked], None]

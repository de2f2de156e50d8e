"""A Skype for Business pool, as cheap as possible: discovery, tokens, one application per person, and long polls.

The one rule: a request costs the same however many applications there are; the emulator looks at all of them.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tests.benchmarks.crowd import Crowd, person_of
from tests.benchmarks.held import Held
from tests.benchmarks.wire import EMPTY, NO_CONTENT, NOT_FOUND, Asked, json_answer

HOLD = 180.0
"""Seconds a poll is held."""
GRACE = 300.0 / HOLD
"""How long nobody may poll before the server ends the application, as a part of how long it holds a poll."""


@dataclass(slots=True)
class Application(Held):
    """One person's application, and when it was last heard of."""

    ack: int = 1
    released_at: float = 0.0
    active_at: float = 0.0
    inactive: bool = False


class Pool:
    """Applications by person. `hold` is how long a poll waits, `due` how long a report of activity may; None: for ever.

    The server's own timers judge: `late` counts people whose availability it let drop because no report came, `expired`
    applications it ended because nobody polled. The longest gaps there were are in seconds.
    """

    def __init__(self, crowd: Crowd, base: str, hold: float = HOLD, due: float | None = None) -> None:
        self.crowd, self.base, self.hold, self.due = crowd, base, hold, due
        self.applications: dict[int, Application] = {}
        self.reports = self.late = self.expired = self.ended = 0
        self.report_gap = self.poll_gap = 0.0
        self.first_end = self.last_end = 0.0

    def answer(self, asked: Asked) -> None:
        """Answer one request."""
        path = asked.path.partition("?")[0]
        if path == "/skype":
            return asked.reply(_doc({"user": f"{self.base}/skype/user"}))
        if path == "/skype/user":
            return self._user(asked)
        if path == "/skype/token":
            name = dict(parse_qsl(asked.body.decode())).get("username", "u0@")
            return asked.reply(_json({"access_token": f"cwt={person_of(name)}", "expires_in": 28800}))
        if path == "/skype/applications":
            return self._create(asked)
        return self._inside(asked, path)

    def _user(self, asked: Asked) -> None:
        if asked.header(b"authorization"):
            return asked.reply(_doc({"applications": f"{self.base}/skype/applications"}))
        challenge = f'www-authenticate: MsRtcOAuth href="{self.base}/skype/token",grant_type="password"\r\n'
        return asked.reply(json_answer(b"{}", "401 Unauthorized", challenge))

    def _create(self, asked: Asked) -> None:
        number = int(asked.header(b"authorization").rpartition(b"=")[2])
        now = time.monotonic()
        self.applications[number] = Application(released_at=now, active_at=now)
        asked.reply(json_answer(self._shown(number), "201 Created"))

    def _shown(self, number: int) -> bytes:
        own = f"{self.base}/skype/app/{number}"
        me = {"_links": {rel: {"href": f"{own}/me/{rel}"} for rel in ("presence", "reportMyActivity")}, "rel": "me"}
        links = {"self": {"href": own}, "events": {"href": f"{own}/events?ack=1"}}
        return json.dumps({"_links": links, "_embedded": {"me": me}, "rel": "application"}).encode()

    def _inside(self, asked: Asked, path: str) -> None:
        parts = path.split("/")
        application = self.applications.get(int(parts[3])) if len(parts) > 3 and parts[3].isdigit() else None
        if application is None:
            return asked.reply(NOT_FOUND)
        number, what = int(parts[3]), "/".join(parts[4:])
        if what == "events":
            return self._poll(asked, number, application)
        if what == "me/presence":
            return self._presence(asked, number)
        if what == "me/reportMyActivity":
            return self._report(asked, application)
        if asked.method == "DELETE":
            return self._end(asked, number)
        return asked.reply(json_answer(self._shown(number)))

    def _presence(self, asked: Asked, number: int) -> None:
        if asked.method == "GET":
            return asked.reply(_json({"availability": self.crowd.skype[number], "_links": {}, "rel": "presence"}))
        self.crowd.skype[number] = json.loads(asked.body)["availability"]
        return asked.reply(NO_CONTENT)

    def _report(self, asked: Asked, application: Application) -> None:
        now = time.monotonic()
        self.reports += 1
        self.report_gap = max(self.report_gap, now - application.active_at)
        application.active_at, application.inactive = now, False
        asked.reply(EMPTY)

    def _end(self, asked: Asked, number: int) -> None:
        application = self.applications.pop(number)
        self.ended += 1
        self.first_end, self.last_end = self.first_end or time.monotonic(), time.monotonic()
        self._release(application, NOT_FOUND)
        asked.reply(NO_CONTENT)

    def _poll(self, asked: Asked, number: int, application: Application) -> None:
        now = time.monotonic()
        self.poll_gap = max(self.poll_gap, now - application.released_at)
        application.hold(asked, now + self.hold)
        if application.news:
            self.tell(number)

    def tell(self, number: int) -> None:
        """Tell a person's application that their presence changed; what is told at the poll is kept until it comes."""
        application = self.applications.get(number)
        if application is None:
            return
        application.news = application.held is None
        own = f"{self.base}/skype/app/{number}"
        presence = {"rel": "presence", "_links": {}, "availability": self.crowd.skype[number]}
        event: dict[str, object] = {
            "link": {"rel": "presence", "href": f"{own}/me/presence"},
            "type": "updated",
            "_embedded": {"presence": presence},
        }
        self._release(application, self._page(number, application, [event]))

    def _page(self, number: int, application: Application, events: list[dict[str, object]]) -> bytes:
        application.ack += application.held is not None
        href = f"{self.base}/skype/app/{number}/events?ack={application.ack}"
        sender = [{"rel": "me", "href": "", "events": events}] if events else []
        return _json({"_links": {"next": {"href": href}}, "sender": sender})

    @staticmethod
    def _release(application: Application, answer: bytes) -> None:
        if application.release(answer):
            application.released_at = time.monotonic()

    def look(self, now: float) -> None:
        """Let the server's timers go off."""
        for number, application in list(self.applications.items()):
            if application.held is None:
                self._miss(number, application, now)
            elif now >= application.held_until:
                self._release(application, self._page(number, application, []))
            if self.due is not None and not application.inactive and now > application.active_at + self.due:
                application.inactive = True
                self.late += 1

    def _miss(self, number: int, application: Application, now: float) -> None:
        """End an application that nobody polls."""
        if now > application.released_at + GRACE * self.hold:
            del self.applications[number]
            self.expired += 1

    @property
    def listening(self) -> int:
        """How many polls are held."""
        return sum(application.held is not None for application in self.applications.values())


def _doc(links: dict[str, str]) -> bytes:
    return _json({"_links": {rel: {"href": href} for rel, href in links.items()}})


def _json(value: object) -> bytes:
    return json_answer(json.dumps(value).encode())

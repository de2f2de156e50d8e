"""Whole links against services that answer anything: each flow of a link, side by side, while the input lasts.

The one rule: bytes decide everything (which flow goes on, what it is answered), so that an input found anywhere is
found again; what is answered begins as the service's own words, and bytes say what becomes of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from math import isfinite, isnan
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from presence_syncd.connectors.bems.protocol import BemsService
from presence_syncd.connectors.bems.settings import BemsLinkSettings, BemsSettings
from presence_syncd.connectors.connector import Link, Publish, Published, Service, Token
from presence_syncd.connectors.fields import LinkSettings, Secret
from presence_syncd.connectors.flow import (
    Emit,
    Enter,
    Flow,
    Now,
    Open,
    Receive,
    Remember,
    Reply,
    Request,
    Reveal,
    Send,
    Step,
    Wait,
)
from presence_syncd.connectors.graph.protocol import GraphService
from presence_syncd.connectors.graph.settings import GraphLinkSettings, GraphSettings
from presence_syncd.connectors.symphony.protocol import SymphonyService
from presence_syncd.connectors.symphony.settings import SymphonyLinkSettings, SymphonySettings
from presence_syncd.connectors.ucwa.protocol.link import UcwaService
from presence_syncd.connectors.ucwa.settings import Settings as UcwaSettings
from presence_syncd.connectors.ucwa.settings import UcwaLinkSettings
from presence_syncd.connectors.ucwa.wire import Preferred
from presence_syncd.core.entry import Kind, Observation
from presence_syncd.core.view import Direction
from presence_syncd.errors import PresenceSyncError, RateLimited, RemoteProtocolError, ServiceError, Unavailable
from tests.fuzz.documents import BEMS, GRAPH, ME, SYMPHONY, UCWA, UCWA_XML, Document

MOST_STEPS = 400
"""Steps of one input: enough to sign in, follow, write and leave several times."""
ODD: tuple[object, ...] = (
    None, True, 0, -1, 10**400, -(2**63), 1e308, float("nan"), "", "--5", "\ud800", "1" * 2000, "NaN", "a b\r\nc: d",
    "https://elsewhere.example/", "//[", [], {}, [[]], {"a": 1}, ["Busy", None],
)  # fmt: skip
"""What is put in place of a value."""
_CALL = re.compile(rb'"id":"(c\d+)"')
STATUSES = (200, 201, 202, 204, 101, 302, 400, 401, 403, 404, 408, 409, 410, 423, 429, 500, 502, 503, 504, 999)
HEADERS = ("content-type", "www-authenticate", "retry-after", "set-cookie", "location", "x-ms-diagnostics", "date")
ERRORS: tuple[Callable[[], ServiceError], ...] = (
    lambda: Unavailable("cut", lived=30.0),
    lambda: Unavailable("not reached"),
    lambda: RemoteProtocolError("too large"),
    lambda: RateLimited("wait", retry_after=5.0),
)


class Choices:
    """Decisions taken from bytes; the first of each once they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._data)

    def below(self, limit: int) -> int:
        self._at += 1
        return 0 if self._at > len(self._data) else self._data[self._at - 1] % limit

    def one(self, of: Sequence[Any]) -> Any:
        return of[self.below(len(of))]

    def piece(self) -> bytes:
        length = self.below(40)
        self._at += length
        return self._data[self._at - length : self._at]


class Anything:
    """A service that answers in its own words (`documents`, by operation), in damaged ones, or in none."""

    def __init__(self, choices: Choices, documents: Mapping[str, Sequence[Document]]) -> None:
        self.choices, self._documents = choices, documents
        self.now = 1000.0
        self._calls: list[bytes] = [b"c1"]

    def hear(self, message: bytes) -> None:
        """Note which calls are made."""
        self._calls = [*_CALL.findall(message)[:3], *self._calls][:4]

    def answer(self, operation: str, url: str) -> Reply:
        """Answer one request. Raises what a network does."""
        how = self.choices.below(12)
        if how == 11:
            raise self.choices.one(ERRORS)()
        started, self.now = self.now, self.now + self.choices.one((0.01, 0.5, 30.0, 400.0))
        status, headers, body = self._document(operation, known=how != 10)
        if how >= 7:
            status, headers, body = self._damaged(status, headers, body)
        body = self._addressed(body)
        return Reply(status, tuple(headers), body, self.now, started, url)

    def frame(self) -> str:
        """What comes by itself."""
        _, _, body = (
            self._damaged(*self._document("frame", known=True))
            if self.choices.below(3) == 2
            else (self._document("frame", known=True))
        )
        return self._addressed(body).decode("utf-8", "replace")

    def _addressed(self, body: bytes) -> bytes:
        return body.replace(b"CALL", self.choices.one(self._calls)) if b"CALL" in body else body

    def _document(self, operation: str, *, known: bool) -> Document:
        if known and operation in self._documents:
            return self.choices.one(self._documents[operation])  # type: ignore[no-any-return]  # one of the documents
        return self.choices.one([one for several in self._documents.values() for one in several])  # type: ignore[no-any-return]  # as above

    def _damaged(self, status: int, headers: list[tuple[str, str]], body: bytes) -> Document:
        match self.choices.below(4):
            case 0:
                return status, headers, self._value_replaced(body)
            case 1:
                return self.choices.one(STATUSES), headers, body
            case 2:
                added = (self.choices.one(HEADERS), self.choices.piece().decode("latin-1"))
                return self.choices.one(STATUSES), [added, *headers], body
            case _:
                at = self.choices.below(256) * len(body) // 256
                return status, headers, body[:at] + self.choices.piece() + body[at + self.choices.below(8) :]

    def _value_replaced(self, body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            return body.replace(*self.choices.one([(b'"', b""), (b"/>", b">"), (b"=", b"= "), (b"\r\n", b"\n")]))
        place: Any = document
        while isinstance(place, dict | list) and place:
            key = self.choices.one(sorted(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], dict | list) or self.choices.below(2):
                place[key] = self.choices.one(ODD)
                break
            place = place[key]
        return json.dumps(document).encode()


@dataclass(slots=True)
class Task:
    """One flow of a link, run over and over; `answer` or `error` is what its last step led to."""

    make: Callable[[], Flow[Any]]
    flow: Flow[Any] | None = None
    answer: Any = None
    error: ServiceError | None = None


class Host:
    """Runs the flows of one link, a step here and a step there, and checks what they ask for and tell."""

    def __init__(self, link: Link, service: Anything) -> None:
        self.link, self.service, self.choices = link, service, service.choices
        self._tokens: dict[str, Token] = {}
        owner = link.service
        flows: list[Callable[[], Flow[Any]]] = [link.watch, *link.companions(), self._publish, link.read]
        flows += [lambda: link.keep_alive(present=True), lambda: owner.sweep([link])]
        flows += [lambda: link.retract(overridden=False), link.sign_out]
        self._tasks = [Task(make) for make in flows]

    def run(self) -> None:
        """Go on until the input is used up; whatever raises but an error of our tree is a bug."""
        try:
            for _ in range(MOST_STEPS):
                if self.choices.is_over:
                    return
                self._go_on(self.choices.one(self._tasks))
        finally:
            for task in self._tasks:
                if task.flow is not None:
                    task.flow.close()

    def _publish(self) -> Flow[Published]:
        words = sorted(self.link.service.vocabulary.echoes)
        note = self.choices.one([None, "", "at lunch", "\ud800"])
        return self.link.publish(Publish(self.choices.one(words), note, self.choices.below(2)))

    def _go_on(self, task: Task) -> None:
        if task.flow is None:
            task.flow, task.answer, task.error = task.make(), None, None
        try:
            step = task.flow.send(task.answer) if task.error is None else task.flow.throw(task.error)
        except StopIteration as end:
            task.flow = None
            _check_result(end.value)
        except PresenceSyncError as error:
            task.flow = None
            _check_error(error)
        else:
            task.answer, task.error = None, None
            try:
                task.answer = self._perform(step)
            except ServiceError as error:
                _check_error(error)
                task.error = error

    def _perform(self, step: Step) -> Any:
        match step:
            case Request():
                return self._authorized(step)
            case Reveal():
                return Secret(private_key() if isinstance(self.link.service, SymphonyService) else "secret")
            case Wait(seconds):
                assert seconds >= 0, step
                self.service.now += min(seconds, 1e6)
                return bool(self.choices.below(2))
            case Now():
                return self.service.now
            case Open():
                return self.service.answer("open", step.url)
            case Send(message):
                self.service.hear(message.encode())
            case Receive(timeout):
                assert timeout >= 0, step
                return None if self.choices.below(4) == 3 else self.service.frame()
            case Emit(observation):
                _check_observation(observation)
                return self.choices.one(list(Kind))
            case _:
                _check_told(step)
        return None

    def _authorized(self, request: Request) -> Reply:
        """Send with the realm's token; once more with another one if that is refused."""
        assert 0 < request.timeout < 1e6, request
        if request.realm is None:
            return self._sent(request)
        if request.realm not in self._tokens:
            self._renew(request.realm, None)
        reply = self._sent(request)
        if self.link.is_refusal(reply):
            self._renew(request.realm, reply)
            reply = self._sent(request)
        return reply

    def _renew(self, realm: str, refused: Reply | None) -> None:
        token = self._whole(self.link.token(realm, refused, 1.8e9))
        for seconds in (token.expires_in, token.refresh_in):
            assert seconds is None or 0 <= seconds < float("inf"), token
        self._tokens[realm] = token

    def _sent(self, request: Request) -> Reply:
        if request.batch and self.choices.below(2):
            first, *_ = self._whole(self.link.service.batch([request, request]))
            if first is None:
                raise Unavailable("not answered")
            return first  # type: ignore[no-any-return]  # a batch answers with replies
        self.service.hear(request.body or b"")
        return self.service.answer(request.operation, request.url)

    def _whole(self, flow: Flow[Any]) -> Any:
        """Run a flow to its end, at once."""
        answer: Any = None
        error: ServiceError | None = None
        for _ in range(100):
            try:
                step = flow.send(answer) if error is None else flow.throw(error)
            except StopIteration as end:
                return end.value
            try:
                answer, error = self._perform(step), None
            except ServiceError as trouble:
                error = trouble
        raise AssertionError("the flow does not end")


def _check_observation(seen: Observation) -> None:
    assert isfinite(seen.at)
    assert isfinite(seen.started_at)
    assert seen.changed_at is None or isfinite(seen.changed_at), seen
    assert isinstance(seen.note, str | None), seen
    assert isinstance(seen.order, str | None) or abs(seen.order) < 2**64, seen


def _check_told(step: Step) -> None:
    match step:
        case Enter(state, detail):
            assert len(state + detail) < 1000, "a state repeats what a service said"
        case Remember(key, value):
            assert isinstance(key, str)
            assert isinstance(value, str)


def _check_error(error: PresenceSyncError) -> None:
    after = getattr(error, "retry_after", None)
    assert after is None or after >= 0, error
    assert len(str(error)) < 1000, "an error repeats what a service said"


def _check_result(value: object) -> None:
    """Check what a flow returned, if it is one of the values the engine goes on with."""
    match value:
        case float() | int():
            assert not isnan(value)
            assert value >= 0
        case Observation():
            _check_observation(value)
        case Published():
            for seconds in (value.expires_in, value.refresh_in):
                assert seconds is None or 0 <= seconds < float("inf"), value
        case dict():
            for seen in value.values():
                _check_observation(seen)


@cache
def private_key() -> str:
    """A key for signed logins."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


SECRET = {"env": "SECRET"}
BEMS_FACTS: dict[str, Any] = {"type": "bems", "token": SECRET, "authentication_info": True}


Places = Iterator[tuple[Service, LinkSettings]]


def _graph() -> Places:
    for preferred in (True, False):
        facts: dict[str, Any] = {"client_id": "22553876-f5ab-4529-bffb-cfe50aa89f87", "client_secret": SECRET}
        settings = GraphSettings(type="graph", tenant="contoso.com", preferred=preferred, **facts)
        yield GraphService("teams", settings), GraphLinkSettings(user=ME)


def _symphony() -> Places:
    facts: dict[str, Any] = {"type": "symphony", "pod": "https://pod.example.com", "private_key": SECRET}
    alice = SymphonyLinkSettings(user_id=7)
    yield SymphonyService("symphony", SymphonySettings(bot="bot", **facts)), alice
    yield SymphonyService("symphony", SymphonySettings(bot="bot", list_above=0, **facts)), alice
    yield SymphonyService("symphony", SymphonySettings(app="app", **facts)), alice
    external = SymphonyLinkSettings(user_id=7, external=True, direction=Direction.READ)
    yield SymphonyService("symphony", SymphonySettings(bot="bot", **facts)), external


def _bems() -> Places:
    alice = BemsLinkSettings(contact="sip:alice@contoso.com")
    socket = "wss://bems.contoso.com:8082/connect"
    yield BemsService("bems", BemsSettings(url=socket, fallback="poll", batch=True, **BEMS_FACTS)), alice
    yield BemsService("bems", BemsSettings(url=socket, lookup_url="https://bems.contoso.com:8443", **BEMS_FACTS)), alice
    polled: dict[str, Any] = {"transport": "long-poll", "words": {"dnd": "doNotDisturb"}}
    yield BemsService("bems", BemsSettings(url="https://bems.contoso.com:8082/connect", **polled, **BEMS_FACTS)), alice


def _ucwa(**facts: Any) -> Places:
    alice: dict[str, Any] = {"sip": "sip:alice@contoso.com", "password": SECRET}
    yield UcwaService("skype", UcwaSettings(**facts)), UcwaLinkSettings(**alice)
    yield UcwaService("skype", UcwaSettings(**facts)), UcwaLinkSettings(sign_in_as=Preferred.AWAY, **alice)


LINKS: dict[str, Callable[[], Places]] = {
    "graph": _graph,
    "symphony": _symphony,
    "bems": _bems,
    "ucwa-json": partial(_ucwa, grants=("password", "windows")),
    "ucwa-xml": partial(_ucwa, format="xml"),
}
DOCUMENTS = {"graph": GRAPH, "symphony": SYMPHONY, "bems": BEMS, "ucwa-json": UCWA, "ucwa-xml": UCWA_XML}


def play(name: str, data: bytes) -> None:
    """Let the link of one kind of service live through what the bytes say."""
    choices = Choices(data)
    service, settings = choices.one(list(LINKS[name]()))
    with suppress(PresenceSyncError):
        Host(service.link("alice", settings, {}), Anything(choices, DOCUMENTS[name])).run()

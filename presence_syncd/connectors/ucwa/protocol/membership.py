"""The link's one application over time: joined when somebody needs it, and given up when it is lost.

The one rule: only one flow makes the application, and whichever flow meets an error has it judged here.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from typing import TypeVar

from presence_syncd.connectors.flow import Enter, Flow, HangUp, Now, Remember, Reply, Wait, Wake
from presence_syncd.connectors.ucwa.protocol.application import Identity, create
from presence_syncd.connectors.ucwa.protocol.door import MEMORY_KEY, Door
from presence_syncd.connectors.ucwa.protocol.history import CREATE, DISCOVERY, Guard, History, Verdict
from presence_syncd.connectors.ucwa.protocol.problem import ApplicationLost, BadGateway, Gone
from presence_syncd.connectors.ucwa.protocol.session import Session
from presence_syncd.connectors.ucwa.settings import Settings, UcwaLinkSettings
from presence_syncd.errors import AuthRejected, Rejected, ServiceError, Unavailable

T = TypeVar("T")
TRIES = 3
"""How many failures in a row to make an application before the way to it is looked up again."""
ENDPOINT = "endpoint_id"
"""Under which the endpoint id is remembered."""
_SLICE = 5.0


def pause(seconds: float) -> Flow[None]:
    """Let at least `seconds` pass, whoever wakes the link meanwhile."""
    left = seconds
    while left > 0:
        part = min(left, _SLICE)
        woken = yield Wait(part)
        left -= 0.0 if woken else part


class Membership:
    """The application of one link, or none. `at` is the time of the last answer, in the daemon's seconds."""

    def __init__(self, account: str, service: Settings, link: UcwaLinkSettings, memory: Mapping[str, str]) -> None:
        self.service, self.link = service, link
        self.door = Door(account, service, link, memory)
        self.random = random.Random(random.random())
        self._remembered = ENDPOINT in memory
        self.identity = Identity(memory.get(ENDPOINT) or self._new_id(), self._new_id())
        self.session: Session | None = None
        self.at = 0.0
        self.claims = Guard()
        self.history = History()
        self._joining = False
        self._gave_up: ServiceError | None = None
        self._parked_until = 0.0

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def saw(self, reply: Reply) -> Reply:
        """Note the time of an answer."""
        self.at = max(self.at, reply.at)
        return reply

    def unpark(self) -> None:
        """Let the next `join` try again: the park is over, or somebody said so."""
        self._parked_until = 0.0

    def join(self) -> Flow[Session]:
        """Be in: the session there is, or a new one. Raises what making one raises, and Rejected while parked."""
        while self._joining:
            yield Wait(1.0)
        if self.session is not None:
            return self.session
        yield from self._respect_the_park()
        self._joining = True
        try:
            session = self.session = yield from self._enter()
        finally:
            self._joining = False
        yield Wake()
        return session

    def _respect_the_park(self) -> Flow[None]:
        """Whatever somebody wants, no application is made while the server wants none."""
        left = self._parked_until - (yield Now())
        if isinstance(self._gave_up, Rejected) and left > 0:
            raise Rejected(str(self._gave_up), status=self._gave_up.status, retry_after=left)

    def _enter(self) -> Flow[Session]:
        if not self._remembered:
            yield Remember(ENDPOINT, self.identity.endpoint_id)
            self._remembered = True
        try:
            url = yield from self.door.find()
        except Unavailable as error:
            raise self.history.again("discovery", DISCOVERY, error) from error
        try:
            session = yield from create(url, self.door.realm_of(url), self.service, self.identity)
        except Unavailable as error:
            raise (yield from self._not_created(error)) from error
        self.history.over("discovery", "create")
        session.inbox.read_all(self.at)
        return session

    def _not_created(self, error: Unavailable) -> Flow[Unavailable]:
        """Look the way up again where a gateway fails, or after some tries in a row."""
        verdict = self.history.again("create", CREATE, error)
        if isinstance(error, BadGateway) or self.history.count("create") >= TRIES:
            yield from self.lose_the_way()
        return verdict

    def lose_the_way(self, *, tokens: bool = False) -> Flow[None]:
        """Forget the application and how it was found."""
        self.session = None
        self.door.forget(tokens=tokens)
        yield Remember(MEMORY_KEY, "")

    def renew_instance(self) -> None:
        """Become another instance, with an event channel of its own; the session is over."""
        self.identity = Identity(self.identity.endpoint_id, self._new_id())
        self.session = None

    def guarded(self, flow: Flow[T]) -> Flow[T]:
        """Run a flow; an error it meets is judged, and the verdict raised."""
        session = self.session
        try:
            return (yield from flow)
        except ServiceError as error:
            if isinstance(error, (ApplicationLost, Gone)) and session is not None and self.session is not session:
                raise self._gave_up or error from None  # another flow met the same before, and had it judged
            self.at = max(self.at, (yield Now()))
            verdict = self.history.judge(error, self.at)
            yield from self._carry_out(verdict)
            if verdict.error is error:
                raise
            raise verdict.error from error

    def _carry_out(self, verdict: Verdict) -> Flow[None]:
        if verdict.leaves:
            self.session = None
            self._remember(verdict.error)
            yield HangUp(verdict.error)
        if verdict.forgets_way:
            yield from self.lose_the_way(tokens=verdict.forgets_tokens)
        if isinstance(verdict.error, (AuthRejected, Rejected)):
            yield Enter("parked", str(verdict.error))

    def _remember(self, error: ServiceError) -> None:
        """Keep why the application was given up, and until when no other is made."""
        lasts = isinstance(error, Rejected)
        self._gave_up = error
        self._parked_until = self.at + (error.retry_after or float("inf")) if lasts else 0.0

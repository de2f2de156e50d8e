"""The link's one application over time: joined when somebody needs it, and given up when it is lost.

The one rule: only one flow makes the application, and whichever flow meets an error has it judged here.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from copy import copy
from typing import TypeVar

from presence_syncd.connectors.flow import Enter, Flow, HangUp, Now, Remember, Reply, Wait, Wake
from presence_syncd.connectors.ucwa.protocol.application import Identity, create
from presence_syncd.connectors.ucwa.protocol.door import MEMORY_KEY, Door
from presence_syncd.connectors.ucwa.protocol.history import CREATE, DISCOVERY, Guard, History, Verdict
from presence_syncd.connectors.ucwa.protocol.problem import ApplicationLost, BadGateway, Forbidden, Gone
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
        self._seed, self._drawn = random.random(), 0
        self._remembered = ENDPOINT in memory
        self.identity = Identity(memory.get(ENDPOINT) or self._new_id(), self._new_id())
        self.session: Session | None = None
        self.at = 0.0
        self.claims = Guard()
        self.history = History()
        self._joining = False
        self._park: Rejected | None = None
        self._parked_until = 0.0

    @property
    def rng(self) -> random.Random:
        """A source of the link's own, made anew for each draw: one that is kept is 2.5 KB a link, and seldom asked."""
        self._drawn += 1
        return random.Random(f"{self._seed}/{self._drawn}")

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

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
        if self._park is not None and left > 0:
            raise Rejected(str(self._park), status=self._park.status, retry_after=left)

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

    def inside(self, work: Callable[[Session], Flow[T]]) -> Flow[T]:
        """Be in, and work in the session there is then; errors are judged."""
        session = yield from self.guarded(self.join())
        return (yield from self.guarded(work(session), session))

    def guarded(self, flow: Flow[T], session: Session | None = None) -> Flow[T]:
        """Run a flow, of a `session` if there is one; an error it meets is judged, and the verdict raised."""
        try:
            return (yield from flow)
        except ServiceError as error:
            self.at = max(self.at, (yield Now()))
            verdict = self._judge(error, session)
            yield from self._carry_out(verdict)
            if isinstance(verdict.error, (AuthRejected, Rejected)) and (
                self.session is None or self.session is session
            ):
                yield Enter("parked", str(verdict.error))
            if verdict.error is error:
                raise
            raise verdict.error from error

    def _judge(self, error: ServiceError, session: Session | None) -> Verdict:
        """What an error means. Where another flow met the end of the session before, that was judged, and holds."""
        ends = isinstance(error, (ApplicationLost, Gone, Forbidden))
        if ends and session is not None and session is not self.session:
            return Verdict(session.ended())
        return self.history.judge(error, self.at)

    def _carry_out(self, verdict: Verdict) -> Flow[None]:
        if verdict.leaves:
            self._give_up(verdict.error)
            yield HangUp(verdict.error)
        if verdict.forgets_way:
            yield from self.lose_the_way(tokens=verdict.forgets_tokens)

    def _give_up(self, error: ServiceError) -> None:
        """Keep why the application is given up, for its other flows, and until when no other is made."""
        if self.session is not None:
            self.session.over, self.session = copy(error), None
        self._park = error if isinstance(error, Rejected) else None
        self._parked_until = self.at + (error.retry_after or float("inf"))

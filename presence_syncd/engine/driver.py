"""The driver: carries out the steps of flows, one after the other, against the world of one service.

The one rule: all I/O of protocols happens here. A flow gets every failure of a step raised at its `yield`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

import anyio

from presence_syncd.connectors.connector import Service, Token
from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.connectors.flow import (
    Close,
    Flow,
    HangUp,
    Now,
    Open,
    Receive,
    Reply,
    Request,
    Reveal,
    Send,
    SetOut,
    Step,
    Wait,
    retry_after,
)
from presence_syncd.core.values import replace
from presence_syncd.engine.budget import Budget, Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.envelope import Envelopes, Outcome
from presence_syncd.engine.polls import Polls
from presence_syncd.engine.run import ASLEEP, Asleep, Came, Part, Place, Poll, Run, Sleeper, Waiter, at_place, overtaken
from presence_syncd.engine.tokens import Holder, Tokens, Witness
from presence_syncd.engine.transport import Transport
from presence_syncd.engine.turns import Turns
from presence_syncd.errors import AuthRejected, Rejected, ServiceError
from presence_syncd.metrics import Metrics

T = TypeVar("T")
Revealer = Callable[[SecretRef], Awaitable[Secret]]
BEGINNERS = 64
"""Flows that follow a service and may be beginning at once: twice as many as its shared connections."""
POLL = "poll"
"""The operation that asks whether there is news; a long poll is known by its own connection, too."""


class Driver:
    """Carries out flows for one service."""

    def __init__(
        self,
        service: Service,
        transport: Transport,
        budget: Budget,
        clock: Clock,
        reveal: Revealer,
        metrics: Metrics,
    ) -> None:
        self.service, self.transport, self.budget, self.clock = service, transport, budget, clock
        self.tokens = Tokens(self._token, clock, self._let_in)
        self._turned_away: dict[str, WeakSet[Waiter]] = {}
        self._reveal, self._metrics = reveal, metrics
        self.beginners = Turns(BEGINNERS)
        self.polls = Polls(transport)
        self._envelopes = Envelopes(service.traits.batch_size, budget, self._send_envelope)

    def run(
        self,
        flow: Flow[T],
        holder: Holder,
        urgency: Urgency,
        place: Place | None = None,
        *,
        waiter: Waiter | None = None,
        is_wanted: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Carry out a flow to its end and return what it returns. Raises ServiceError.

        `waiter` (of a link its place) is told when tokens can be had again that this flow was refused. `is_wanted` is
        asked when its first request has waited for its turn, and when it sets out: if it is not, Overtaken is raised.
        """
        return self._carry_out(flow, Run(holder, urgency, place, waiter or place, is_wanted=is_wanted))

    async def _token(self, flow: Flow[Token], holder: Holder, witness: Witness) -> Token:
        return await self._carry_out(flow, Run(holder, Urgency.CHANGE, witness=witness))

    async def _carry_out(self, flow: Flow[T], run: Run) -> T:
        return await self.carry_on(flow, run)  # type: ignore[return-value]  # it sleeps only with a sleeper

    async def carry_on(self, flow: Flow[T], run: Run, came: Came | None = None) -> T | Asleep:
        """Take one step after the other, first with what woke the flow, until it ends or its run's sleeper sleeps.

        Returns what it returns, or ASLEEP. Raises ServiceError.
        """
        answer: Any = None
        error: ServiceError | None = None
        taking: Coroutine[Any, Any, Any] | None = None if came is None else self._taken(came, run)
        try:
            while True:
                try:
                    answer, error = None if taking is None else await taking, None
                except ServiceError as trouble:
                    answer, error = None, trouble
                if answer is ASLEEP:
                    return Asleep.ASLEEP
                try:
                    step = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]  # what the flow returns is T
                taking = self._perform(step, run)
        finally:
            if answer is not ASLEEP:
                await self._over(flow, run)

    async def _over(self, flow: Flow[Any], run: Run) -> None:
        flow.close()
        if run.socket is not None:
            with anyio.move_on_after(1, shield=True):
                await run.socket.close()

    async def _taken(self, came: Came, run: Run) -> Any:
        """What a flow is sent for what woke it. Raises ServiceError."""
        poll, run.poll = run.poll, None
        if isinstance(came, bool) or poll is None or run.place is None:
            return came
        self.polls.forget(run.place)
        reply = came if isinstance(came, Reply) else None
        self._note(poll.request, reply, self.clock.now() - poll.started_at)
        if isinstance(came, ServiceError):
            raise came
        self._prove(came, run.place)
        if poll.token is None:
            return came
        if poll.again:
            return self._allowed(came, run)
        return await self._again(poll.request, run, poll.token, came) if run.holder.is_refusal(came) else came

    async def _perform(self, step: Step, run: Run) -> Any:
        match step:
            case Request():
                return await self._request(step, run)
            case Reveal(ref):
                return await self._secret(ref, run)
            case Open() | Send() | Receive() | Close():
                return await self._frame(step, run)
            case Now():
                return self.clock.now()
            case SetOut():
                return run.set_out()
            case Wait(seconds) if run.sleeper is not None:
                return run.sleeper.doze(seconds)
            case _ if run.place is None:
                raise Rejected(f"{type(step).__name__} is for the flows of a link")
            case HangUp(error):
                return self.polls.hang_up(run.place, error)
            case _:
                return await at_place(step, run.place)

    async def _secret(self, ref: SecretRef, run: Run) -> Secret:
        secret = await self._reveal(ref)
        if run.witness is not None:
            run.witness.note(secret)
        return secret

    async def _request(self, request: Request, run: Run) -> Any:
        """Send with the realm's token; once more with another one if that is refused. Returns a Reply, or ASLEEP."""
        if run.witness is not None:
            run.witness.check()
        if request.realm is None:
            return await self._send(request, run)
        token = self.tokens.at_hand(request.realm) or await self._admitted(
            self.tokens.present(run.holder, request.realm), request.realm, run
        )
        reply = await self._send(request, run, token)
        is_refused = reply is not ASLEEP and run.holder.is_refusal(reply)
        return await self._again(request, run, token, reply) if is_refused else reply

    async def _again(self, request: Request, run: Run, token: Token, refusal: Reply) -> Any:
        """Send once more, with another token."""
        realm = request.realm or ""
        token = await self._admitted(self.tokens.replaced(run.holder, realm, token, refusal), realm, run)
        reply = await self._send(request, run, token, again=True)
        return reply if reply is ASLEEP else self._allowed(reply, run)

    def _allowed(self, reply: Reply, run: Run) -> Reply:
        """The answer to a fresh token. Raises AuthRejected if that is refused as well."""
        if run.holder.is_refusal(reply):
            raise AuthRejected(f"a fresh token is refused (HTTP {reply.status})", retry_after=60.0)
        return reply

    async def _admitted(self, asking: Awaitable[Token], realm: str, run: Run) -> Token:
        """The token, once it is there; whoever is refused is remembered, to be let try when it can be had again."""
        try:
            return await asking
        except AuthRejected:
            if run.waiter is not None:
                self._turned_away.setdefault(realm, WeakSet()).add(run.waiter)
            raise

    def _let_in(self, realm: str) -> None:
        """Let all try at once whom the realm refused: their own back-off may be hours by now."""
        for waiter in self._turned_away.pop(realm, ()):
            waiter.try_now()

    async def _send(self, request: Request, run: Run, token: Token | None = None, *, again: bool = False) -> Any:
        if request.batch and self.service.traits.batch_size > 1:
            return await self._envelopes.send((request, token, run), run.urgency, vip=run.holder.vip)
        if not run.paid:
            await self.budget.take(run.urgency, vip=run.holder.vip)
            if not self._sets_out(run):
                raise overtaken()
        if request.own_connection and run.place and run.sleeper and self.transport.has_lines:
            poll = Poll(request, token, again, self.clock.now())
            return await self._sleep_over(poll, run, run.place, run.sleeper)
        return await self._exchange(_bearing(request, token), run)

    def _sets_out(self, run: Run) -> bool:
        """Let a run have its turn; what it was granted is taken back if it is not wanted any more."""
        if not run.sets_out():
            self.budget.give_back(1)
        return run.sent

    async def _send_envelope(self, parts: list[Part], urgency: Urgency) -> list[Outcome]:
        """Send those of some requests that waited together which are still wanted."""
        going = [part for part in parts if self._sets_out(part[2])]
        replies = iter(await self._send_together(going, urgency) if going else ())
        return [next(replies) if run.sent else overtaken() for _, _, run in parts]

    async def _send_together(self, parts: list[Part], urgency: Urgency) -> Sequence[Reply | None]:
        """Send one request alone with its token, several in an envelope that bears one."""
        run = Run(self.service, urgency, paid=True)  # else it would wait again, behind those who came later
        if len(parts) == 1:
            request, token, _ = parts[0]
            return [await self._exchange(_bearing(request, token), run)]
        requests = [request for request, _, _ in parts]
        replies = await self._carry_out(self.service.batch(requests), run)
        for request, reply in zip(requests, replies, strict=True):
            self._note(request, reply, reply.at - reply.started_at if reply else 0.0)
        return replies

    async def _exchange(self, request: Request, run: Run) -> Reply:
        polls = run.place if request.own_connection else None
        started = self.clock.now()
        reply = None
        try:
            reply = await (self.transport.send(request) if polls is None else self.polls.wait(request, polls))
        finally:
            self._note(request, reply, self.clock.now() - started)
        if run.place is not None and (polls is not None or request.operation == POLL):
            self._prove(reply, run.place)
        return reply

    def _prove(self, reply: Reply, place: Place) -> None:
        """A poll that is answered, with news or without, proves that its channel works."""
        if reply.status in (200, 202, 204):
            place.alive(reply.at)

    async def _sleep_over(self, poll: Poll, run: Run, place: Place, sleeper: Sleeper) -> Asleep:
        """Send a long poll, and let the sleeper wait until it is answered or given up."""
        try:
            asleep = await self.polls.sleep(_bearing(poll.request, poll.token), poll, place, sleeper)
        except ServiceError:
            self._note(poll.request, None, self.clock.now() - poll.started_at)
            raise
        run.poll = poll
        return asleep

    def _note(self, request: Request, reply: Reply | None, seconds: float) -> None:
        """Count a request, and rest when the service asks for it."""
        status = str(reply.status) if reply else "none"
        self._metrics.request(self.service.name, request.operation, status, seconds)
        if reply is None or reply.status not in (429, 503, 509):
            return
        wait = retry_after(reply)
        if reply.status == 429 or wait is not None:
            self._metrics.throttled.labels(self.service.name).inc()
            self.budget.pause(wait or 1.0)

    def _heard(self, text: str | None, run: Run) -> str | None:
        """A frame, whatever is in it, proves that its channel works."""
        if text is not None and run.place is not None:
            run.place.alive(self.clock.now())
        return text

    async def _frame(self, step: Open | Send | Receive | Close, run: Run) -> Any:
        from presence_syncd.engine.websocket import WebSockets  # noqa: PLC0415  # only some services need the library

        if run.socket is None:
            run.socket = WebSockets(run.place.own_client() if run.place else self.transport.shared())
        match step:
            case Open():
                await self.budget.take(run.urgency, vip=run.holder.vip)
                opened = await run.socket.open(step)
                if run.sleeper is not None:
                    run.sleeper.has_begun()
                return opened
            case Send(text):
                return await run.socket.send(text)
            case Receive(timeout):
                return self._heard(await run.socket.receive(timeout, run.place.bell() if run.place else None), run)
            case Close():
                return await run.socket.close()


def _bearing(request: Request, token: Token | None) -> Request:
    return request if token is None else replace(request, headers={**request.headers, **dict(token.headers)})

"""A tiny engine for contract tests: runs one flow against an ASGI application, through real HTTP bytes.

It keeps tokens by realm and applies the refusal rule (a new token once, the request again once). Time is the
emulator's: `Wait` pushes its clock. What it does not know (WebSockets, budgets, batching) the engine's tests cover.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import anyio
import httpx

from presence_syncd.connectors.connector import Link, Service, Token
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.connectors.flow import (
    Emit,
    Enter,
    Flow,
    Now,
    Remember,
    Reply,
    Request,
    Reveal,
    SetOut,
    Step,
    Vouch,
    Wait,
    Wake,
)
from presence_syncd.core.entry import Observation
from presence_syncd.errors import AuthRejected, RemoteProtocolError, Unavailable

T = TypeVar("T")


class Driver:
    """Runs the flows of `owner` against `app`.

    `secrets` maps a reference as text (`env NAME`, `credential NAME`, `file /PATH`) to the secret; a file that is not
    in it is read. `memory`, `observed` and `states` collect what the flows remembered, emitted and entered.
    """

    def __init__(
        self,
        app: Any,
        owner: Service | Link,
        *,
        clock: EmulatedClock | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.owner = owner
        self.clock = clock or EmulatedClock()
        self.secrets = dict(secrets or {})
        self.tokens: dict[str, Token] = {}
        self.memory: dict[str, str] = {}
        self.observed: list[Observation] = []
        self.states: list[str] = []
        self.sent: list[Request] = []
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app))

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end; what it raises comes out."""
        answer: Any = None
        fault: Exception | None = None
        while True:
            try:
                step = flow.send(answer) if fault is None else flow.throw(fault)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's value is typed by its flow
            answer, fault = None, None
            try:
                answer = await self._do(step)
            except (Unavailable, RemoteProtocolError, AuthRejected) as error:
                fault = error

    async def _do(self, step: Step) -> Any:
        match step:
            case Request():
                return await self._authorized(step)
            case Reveal(ref):
                return self._reveal(ref)
            case Wait(seconds):
                self.clock.advance(seconds)
                return False
            case Emit(observation):
                self.observed.append(observation)
            case Remember(key, value):
                self.memory[key] = value
            case Enter(state):
                self.states.append(state)
            case Now():
                return self.clock.now()
            case Wake() | Vouch() | SetOut():
                pass
            case _:
                raise AssertionError(f"this driver does not know {type(step).__name__}")
        return None

    def _reveal(self, ref: SecretRef) -> Secret:
        if str(ref) in self.secrets:
            return Secret(self.secrets[str(ref)])
        assert ref.file is not None, f"no secret is given for {ref}"
        return Secret(ref.file.read_text().strip())

    async def _authorized(self, request: Request) -> Reply:
        if request.realm is None:
            return await self._send(request, ())
        if request.realm not in self.tokens:
            await self._renew(request.realm, None)
        reply = await self._send(request, self.tokens[request.realm].headers)
        if not self.owner.is_refusal(reply):
            return reply
        await self._renew(request.realm, reply)
        reply = await self._send(request, self.tokens[request.realm].headers)
        if self.owner.is_refusal(reply):
            raise AuthRejected(f"HTTP {reply.status} again with a new token")
        return reply

    async def _renew(self, realm: str, refused: Reply | None) -> None:
        self.tokens[realm] = await self.run(self.owner.token(realm, refused, self.clock.now()))

    async def _send(self, request: Request, token: tuple[tuple[str, str], ...]) -> Reply:
        self.sent.append(request)
        headers = [*request.headers.items(), *token]
        started = self.clock.now()
        try:
            with anyio.fail_after(request.timeout):
                answer = await self.client.request(
                    request.method, request.url, headers=headers, content=request.body, follow_redirects=False
                )
        except (httpx.TransportError, TimeoutError) as error:
            raise Unavailable(type(error).__name__) from error
        if len(answer.content) > request.max_body:
            raise RemoteProtocolError("the answer is too big")
        pairs = tuple(answer.headers.multi_items())
        return Reply(answer.status_code, pairs, answer.content, self.clock.now(), started, request.url)


async def drive(flow: Flow[T], app: Any, owner: Service | Link, **options: Any) -> T:
    """Run one flow with a fresh driver; the options are the driver's."""
    return await Driver(app, owner, **options).run(flow)

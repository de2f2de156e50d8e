"""A run: one flow while it is carried out, and what of a link its steps touch.

The one rule: a run that is not wanted any more when its turn comes sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

import anyio
import httpx

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.flow import Emit, Enter, Foretell, Remember, Reply, Request, Step, Vouch, Wait, Wake
from presence_syncd.core.entry import Kind, Observation
from presence_syncd.core.presence import Status
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.line import Line
from presence_syncd.engine.messages import Jar
from presence_syncd.engine.tokens import Holder, Witness
from presence_syncd.errors import Overtaken, ServiceError


class Place(Protocol):
    """What of a link the steps of its flows touch: observations, memory, bell, cookies, its own connections."""

    jar: Jar
    line: Line | None

    def emit(self, observation: Observation) -> Kind: ...
    def foretell(self, status: Status) -> None: ...
    def vouch(self, seconds: float) -> None: ...
    async def remember(self, key: str, value: str) -> None: ...
    def alive(self, at: float) -> None: ...
    def enter(self, state: str, detail: str) -> None: ...
    def try_now(self) -> None: ...
    def wake(self) -> None: ...
    async def woken(self, seconds: float) -> bool: ...
    def bell(self) -> anyio.Event: ...
    def own_client(self) -> httpx.AsyncClient: ...


class Asleep(Enum):
    """What a step comes to that a sleeper waits out without a task; the flow goes on when it is woken."""

    ASLEEP = "asleep"


ASLEEP: Final = Asleep.ASLEEP


@dataclass(frozen=True, slots=True)
class Poll:
    """A long poll that is out: its request, the token it bears, whether that is the second one, and when it left."""

    request: Request
    token: Token | None
    again: bool
    started_at: float


Came: TypeAlias = Reply | ServiceError | bool
"""What wakes a sleeper: what came of its poll, or whether a bell rang before the time was up."""


class Sleeper(Protocol):
    """Who sleeps while a flow waits for long."""

    def doze(self, seconds: float) -> Asleep:
        """Sleep until the link's bell rings, or so many seconds."""
        ...

    def await_answer(self, poll: Poll) -> Asleep:
        """Sleep until `answered` is called, or the request's time is up."""
        ...

    def answered(self, outcome: Reply | ServiceError) -> None:
        """Wake to what came of the poll."""
        ...

    def hang_up(self, error: ServiceError) -> None:
        """Give up the poll, and wake to the error."""
        ...

    def has_begun(self) -> None:
        """Take note that the flow has a WebSocket, over which it will wait in a task of its own."""
        ...


class Waiter(Protocol):
    """Who backs off after a refusal, and may be told that it is over."""

    def try_now(self) -> None: ...


@dataclass(slots=True)
class Run:
    """One flow being carried out: for whom, how urgent, and its own WebSocket if it opened one.

    `paid`: what it sends has its share of the budget already. `waiter` backs off if it is refused. `is_wanted` is asked
    before the first request is `sent`, and when the flow sets out after a wait of its own. A `sleeper` waits out long
    waits without a task; `poll` is what it sleeps over.
    """

    holder: Holder
    urgency: Urgency
    place: Place | None = None
    waiter: Waiter | None = None
    witness: Witness | None = None
    is_wanted: Callable[[], bool] | None = None
    sleeper: Sleeper | None = None
    poll: Poll | None = None
    socket: Any = field(default=None)
    paid: bool = False
    sent: bool = False

    def sets_out(self) -> bool:
        """Set out, its turn having come, unless it is not wanted any more."""
        self.sent = self.sent or self.is_wanted is None or self.is_wanted()
        return self.sent

    def set_out(self) -> None:
        """Set out after a wait, whatever was sent for that. Raises Overtaken if it is not wanted any more."""
        self.sent = False
        if not self.sets_out():
            raise overtaken()


def overtaken() -> Overtaken:
    """What a run that is not wanted any more ends with."""
    return Overtaken("something else is to be written by now")


Part: TypeAlias = tuple[Request, Token | None, Run]
"""A request that may ride in an envelope, what it bears if it goes alone, and its run."""


async def at_place(step: Step, place: Place) -> Any:
    """Carry out a step that concerns the link itself."""
    match step:
        case Emit(observation):
            return place.emit(observation)
        case Foretell(status):
            return place.foretell(status)
        case Vouch(seconds):
            return place.vouch(seconds)
        case Remember(key, value):
            return await place.remember(key, value)
        case Enter(state, detail):
            return place.enter(state, detail)
        case Wake():
            return place.wake()
        case Wait(seconds):
            return await place.woken(seconds)

"""`check --online`: sign in to each service and read one person there, as the daemon would.

The one rule: it only looks. Where reading means to be signed in as the person, which others see, it stops before that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from presence_syncd.assembly import Assembly, Carriers, over_network
from presence_syncd.config import AccountSettings, Config
from presence_syncd.connectors.flow import Flow, Request, Send
from presence_syncd.core.values import replace
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.place import Placed
from presence_syncd.errors import (
    AuthRejected,
    Problem,
    RateLimited,
    Rejected,
    RemoteProtocolError,
    ServiceError,
    Unavailable,
)
from presence_syncd.metrics import Metrics
from presence_syncd.secrets import SecretMissing
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.store import Record

PATIENCE = 20.0
"""Seconds one service may take; all are asked at the same time."""
FAREWELL = 3.0
"""Seconds for closing connections."""
SIGNED_IN = "signed in; nobody was read, because that opens a session of the person"
REACHED = "reached; nobody was read, because that opens a session of the person"

HINTS: Mapping[type[ServiceError], str] = {
    SecretMissing: "",
    AuthRejected: "the credentials are refused: look at the secret, the app's or login's name, and what it is granted",
    Rejected: "signed in, but this is refused: look at the permissions, and whether the person is there",
    RateLimited: "the service asks for fewer requests: try again later",
    Unavailable: "look at the address, ca_file, proxy and the way there",
    RemoteProtocolError: "look at the address: something else than the service answers there",
    ServiceError: "",
}
"""What to look at, by the class of the error; the first that fits."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one service said to the account that was tried, and how long it took; or what is wrong."""

    service: str
    account: str = ""
    said: str = ""
    seconds: float = 0.0
    problem: Problem | None = None

    def __str__(self) -> str:
        if self.problem is not None:
            return str(self.problem)
        return f"ok: {self.service}: {self.said} ({self.seconds:.1f} s)"


async def look(config: Config, carriers: Carriers = over_network, patience: float = PATIENCE) -> list[Looked]:
    """Ask every service of the configuration, all at once; at most `patience` seconds, and a moment to close."""
    found: dict[str, Looked] = {}
    assembly = Assembly(
        config, store=MemoryStore(), carriers=carriers, clock=Clock(), rng=random.Random(), metrics=Metrics()
    )
    async with anyio.create_task_group() as tasks:
        for name in config.services:
            tasks.start_soon(_look_at, config, assembly, name, patience, found)
    return [found[name] for name in config.services]


async def _look_at(config: Config, assembly: Assembly, name: str, patience: float, found: dict[str, Looked]) -> None:
    account = next((a for a in config.accounts if name in a.reading), None)
    if account is None:
        problem = _problem(config, name, "cannot be tried: no account is read there", "add [account.links.SERVICE]")
        found[name] = Looked(name, problem=problem)
        return
    began = anyio.current_time()
    try:
        with anyio.fail_after(patience):
            said = await _read(assembly, name, account)
        found[name] = Looked(name, account.name, said, anyio.current_time() - began)
    except ServiceError as error:
        found[name] = Looked(name, account.name, problem=_wrong(config, name, account.name, error))
    except TimeoutError:
        said = f"no answer within {patience:g} s, reading {account.name}"
        found[name] = Looked(name, account.name, problem=_problem(config, name, said, HINTS[Unavailable]))


async def _read(assembly: Assembly, name: str, account: AccountSettings) -> str:
    """Read one person by a link made for this alone; what it showed, or why nothing could be read without a change."""
    alone = replace(account, links={name: account.links[name]})
    driver = assembly.driver(name)
    place = assembly.account(alone, Record(), {name: driver}).links[0]
    try:
        return await _shown(driver, place)
    finally:
        with anyio.move_on_after(FAREWELL, shield=True):
            await place.aclose()
            await driver.transport.aclose()


async def _shown(driver: Driver, place: Placed) -> str:
    try:
        return await _run(driver, place, place.link.read)
    except Unavailable:
        if not driver.service.traits.pushes:
            raise
        return await _run(driver, place, place.link.watch)  # where nobody can be read, only followed


async def _run(driver: Driver, place: Placed, start: Callable[[], Flow[Any]]) -> str:
    """Carry out a flow as far as it only looks; of a request that is not sent, at least the token is got."""
    ended = None
    while ended is None:  # a flow that returns nothing wants to be run again
        ended = await driver.run(_only_looking(start()), place.link, Urgency.CHANGE, place)
    if isinstance(ended, Request) and ended.realm is not None:
        await driver.tokens.present(place.link, ended.realm)
        return SIGNED_IN
    if isinstance(ended, Request | Send):
        return REACHED
    return f"signed in, and {place.link.account} shows {ended.status}"


def _only_looking(flow: Flow[Any]) -> Flow[Any]:
    """Pass on the steps of a flow up to the first that could change something, and return that; else its result."""
    answer: Any = None
    error: ServiceError | None = None
    while True:
        try:
            step = flow.send(answer) if error is None else flow.throw(error)
        except StopIteration as end:
            return end.value
        if isinstance(step, Send) or (isinstance(step, Request) and step.method not in ("GET", "HEAD")):
            flow.close()
            return step
        answer, error = None, None
        try:
            answer = yield step
        except ServiceError as trouble:
            error = trouble


def _wrong(config: Config, name: str, account: str, error: ServiceError) -> Problem:
    """The finding for an error."""
    hint = next(hint for kind, hint in HINTS.items() if isinstance(error, kind))
    if isinstance(error, SecretMissing):
        return _problem(config, name, f"cannot sign in: {error.what}", error.hint)
    said = "cannot sign in" if isinstance(error, AuthRejected) else f"cannot read {account}"
    return _problem(config, name, f"{said}: {error}", hint)


def _problem(config: Config, name: str, message: str, hint: str) -> Problem:
    return config.origin(f"services.{name}").problem((), message, hint)

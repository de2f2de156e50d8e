"""One account in trouble, and its neighbours: what these show, and when, once with that trouble and once without.

The one rule: nothing here is left to chance but the day itself. What all accounts draw jitter and latency from is one
source each, so that a draw more for one would be another draw for everybody.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import anyio
from anyio.abc import TaskGroup
from starlette.types import ASGIApp, Receive, Scope, Send

from presence_syncd import logs
from tests.simulation.desks import BemsDesk, Desk, GraphDesk, SymphonyDesk, UcwaDesk
from tests.simulation.people import Act, acts
from tests.simulation.world import Parameters, World
from tests.virtual.backends import run
from tests.virtual.loop import InTurn
from tests.virtual.network import Host, Network

LINES = 100_000
"""Lines of the trace that are kept: all of them."""
LOOK = 5.0
"""Seconds between two looks at what everybody shows."""
STATUSES = (400, 403, 404, 409, 500, 502)
"""What is answered to the one in trouble; not 429 or 503, which are about the login that all share."""
Told = dict[str, tuple[str, ...]]
"""By person, what was said, written and shown, with its times."""


class Even(Random):
    """Every draw is the middle of what is possible."""

    def random(self) -> float:
        """The middle."""
        return 0.5


class Least(Random):
    """Every draw is nothing at all: the disk is done at once, however many want it."""

    def uniform(self, a: float, b: float) -> float:
        """Nothing."""
        return 0.0


class Prompt(Network):
    """A network in which a connection more for one costs nobody any time."""

    async def reach(self, host: str) -> Host:
        """Connect at once."""
        return self.hosts[host]


class StillWorld(World):
    """A world in which only the day is drawn. No two services are equally far, or the scheduler would choose the first."""

    def __init__(self, tasks: TaskGroup, folder: Path, parameters: Parameters) -> None:
        super().__init__(tasks, folder, parameters, keep=LINES)
        hosts = self.network.hosts
        self.network = Prompt(tasks, {}, Even())
        self.network.hosts = hosts
        for name, seconds in zip(self.desks, (0.0101, 0.0173, 0.0237, 0.0291), strict=False):
            for host in self.desks[name].hosts:
                hosts[host].latency = (seconds, seconds)

    def random(self, purpose: str) -> Random:
        """The source of one purpose."""
        kind = purpose.partition(" ")[0]
        return {"store": Least(), "daemon": Even()}.get(kind) or super().random(purpose)


@dataclass(slots=True)
class Marred:
    """A service that does wrong by one person, in some of the requests that are about nobody else.

    `is_about` says whether a request is, from its path, headers and body; `rng` is None where all goes well.
    """

    app: ASGIApp
    is_about: Callable[[Scope, bytes], bool]
    rng: Random | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        if self.rng is not None and self.is_about(scope, body) and self.rng.random() < 0.5:
            await self._do_wrong(self.rng, scope, receive, send)
        else:
            await self.app(scope, _replayed(body, receive), send)

    async def _do_wrong(self, rng: Random, scope: Scope, receive: Receive, send: Send) -> None:
        is_swept = scope["method"] == "GET" and "/pod/" in scope["path"]  # whoever waits for it, all wait for the sweep
        kind = rng.choice(["status", "status", "gibberish", "half"] + ["hang"] * (not is_swept))
        if kind == "hang":
            await receive()  # until the other end hangs up
            return
        status = rng.choice(STATUSES) if kind == "status" else 200
        body = b"{not json" if kind == "gibberish" else b""
        length = str(len(body) + 9 * (kind == "half")).encode()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
        if kind != "half":
            await send({"type": "http.response.body", "body": body})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What an application receives of a request whose body was read before."""
    rest = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return rest.pop() if rest else await receive()

    return again


def about(desk: Desk, person: str) -> Callable[[Scope, bytes], bool]:
    """Tells the requests to a service that are about one person, and about nobody else."""
    match desk:
        case GraphDesk():
            return lambda scope, _: desk.id(person) in scope["path"]
        case SymphonyDesk():
            user = str(desk.id(person))
            return lambda scope, body: f"/{user}/" in scope["path"] or f'"userId":{user}' in body.decode()
        case BemsDesk():
            token = (desk.folder / f"gd-{person}").read_bytes()
            return lambda scope, _: any(value == token for _, value in scope["headers"])
        case UcwaDesk():
            return lambda scope, body: f"password of {person}" in body.decode() or _is_in_theirs(desk, person, scope)
    raise TypeError(f"nobody knows whom the requests of {desk.name} are about")


def _is_in_theirs(desk: UcwaDesk, person: str, scope: Scope) -> bool:
    """Whether a request is to one of somebody's applications."""
    sip = desk.id(person)
    apps = desk.emulator.applications.values()
    return any(app.person.sip == sip and f"/applications/{app.id}" in scope["path"] for app in apps)


def lived(parameters: Parameters, victim: str | None, *, breaks: bool = False, apart: float = 0.0) -> Told:
    """Live one day, with trouble for `victim` (None: for nobody).

    `breaks`: their task is killed now and then, too; `apart`: the least seconds between two doings of a person.
    """
    told: Told = {}

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            world = StillWorld(tasks, Path(folder), parameters)
            random.seed(f"{parameters.seed}/global")
            mar(world, victim)
            await world.start()
            async with anyio.create_task_group() as day:
                day.start_soon(_watch, world)
                day.start_soon(_be_told, world, victim, breaks)
                for act in doings(world, apart):
                    await anyio.sleep(max(0.0, act.at - world.now()))
                    world.act(act)
                day.cancel_scope.cancel()
            told.update(_told(world))
            await world._end()
            tasks.cancel_scope.cancel()

    logs.configure("error", "json", io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        run(main, parameters.engine, parameters.seed, InTurn)
    return told


def mar(world: World, victim: str | None) -> None:
    """Put the trouble of one person between the network and the services; with no victim, nothing but the way to it."""
    person = victim or world.people[0]
    for name, desk in world.desks.items():
        for host in desk.hosts:
            known = world.network.hosts[host]
            known.app = Marred(known.app, about(desk, person), world.random(f"marred {name}") if victim else None)


def doings(world: World, apart: float) -> Iterator[Act]:
    """What everybody does, in order."""
    rng, until = world.random("doings"), world.parameters.hours * 3600
    everybody = [act for person in world.people for act in acts(rng, person, world.links(person), 60.0, until, 240.0)]
    last: dict[str, float] = {}
    for act in sorted(everybody, key=lambda act: (act.at, act.person, act.desk)):
        if act.at >= last.get(act.person, 0.0) + apart:
            last[act.person] = act.at
            yield act


async def _be_told(world: World, victim: str | None, breaks: bool) -> None:
    """What the administrator does to the victim's account."""
    rng = world.random("orders")
    while victim:
        await anyio.sleep(rng.uniform(60, 300))
        what = rng.choice(["pause", "resume", "pin", "unpin"] + ["break"] * 4 * breaks)
        await world.tell(victim, what, 120.0, "dnd")


async def _watch(world: World) -> None:
    """Note what everybody shows."""
    while True:
        await anyio.sleep(LOOK)
        for person in world.people:
            shown = " ".join(f"{name}={world.desks[name].shown(person)}" for name in world.links(person))
            world.note(f"{person} shows {shown}")


def _told(world: World) -> Told:
    """What the trace says of each person; requests belong to many."""
    lines = [line for line in world.trace.lines if "      |" not in line]
    return {
        person: tuple(line for line in lines if person in line.replace(",", " ").split()) for person in world.people
    }


def without_times(lines: Iterable[str]) -> dict[str, list[str]]:
    """What each service showed of a person, one after the other, whenever it was."""
    shown: dict[str, list[str]] = {}
    for line in lines:
        _, _, word, *rest = line.split(" ")
        for name, _, status in (each.partition("=") for each in rest if word == "shows"):
            if shown.setdefault(name, [""])[-1] != status:
                shown[name].append(status)
    return shown

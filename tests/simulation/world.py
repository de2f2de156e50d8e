"""The world of one seed: people at their desks, services, network, the daemon's lives, and what was seen of it all.

The one rule: everything random comes from the seed, each purpose with a source of its own, and all that happens is a
line of the trace.
"""

from __future__ import annotations

import hashlib
import random
import traceback
from collections import deque
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import anyio
import tomli_w
from anyio.abc import TaskGroup

from presence_syncd import logs
from presence_syncd.config import load
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.core.presence import OFFLINE, Status, parse_status
from presence_syncd.daemon import Daemon
from tests.simulation.accounts import draw_account
from tests.simulation.cables import Cable, Door
from tests.simulation.desks import DESKS, Desk
from tests.simulation.people import Act
from tests.simulation.stores import CrashStore, Disk
from tests.virtual.network import LATENCY, Network

EPOCH = 1_800_000_000.0
KEEPING = 1.0
"""Seconds within which the daemon keeps what it was told: what it heard just before it was killed may be lost."""
NAMES = ("ann", "bob", "cem", "dag", "eva", "fay", "gus", "hal", "ida", "jon")
KEPT = 400
"""Lines of the trace kept for people to read."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one run is made of; the same parameters are the same trace. `without` leaves kinds of faults out, `services` are the only ones."""

    seed: int
    hours: float = 2.0
    accounts: int = 5
    engine: str = "asyncio"
    sabotage: str = ""
    without: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    carrier: str = "aiohttp"

    @property
    def carries(self) -> str:
        """What moves the bytes: aiohttp, as in production, is asyncio's only."""
        return self.carrier if self.engine == "asyncio" else "httpcore"

    def command(self) -> str:
        """The line that replays it."""
        more = [f"--engine {self.engine}"] * (self.engine != "asyncio") + [f"--sabotage {self.sabotage}"] * bool(self.sabotage)  # fmt: skip
        more += [f"--without {','.join(sorted(self.without))}"] * bool(self.without)
        more += [f"--services {','.join(sorted(self.services))}"] * bool(self.services)
        more += [f"--carrier {self.carrier}"] * (self.carrier != "aiohttp" and self.engine == "asyncio")
        line = f"python -m tests.simulation --seeds 1 --from-seed {self.seed} --hours {self.hours:g} --accounts {self.accounts}"
        return " ".join([line, *more])


@dataclass(frozen=True, slots=True)
class Wrote:
    """A write a service accepted, and what showed right after it."""

    at: float
    desk: str
    person: str
    word: str
    life: int
    showed: Status = OFFLINE


@dataclass(frozen=True, slots=True)
class Said:
    """A word of a person that colleagues could see; `by_hand`: they chose it, instead of coming, resting or going."""

    at: float
    desk: str
    person: str
    status: Status
    by_hand: bool = False


@dataclass(slots=True)
class Deed:
    """What somebody did somewhere last, what showed then, and when the daemon was told of it."""

    at: float
    shown: Status
    told_at: float = inf

    def forget(self, since: float) -> None:
        """Lose what was told after that."""
        if self.told_at > since:
            self.told_at = inf


@dataclass(slots=True)
class Facts:
    """What was seen from outside. `awake` are the spans (person, desk, from, to) of typing; `requests` (at, life) by service;
    `began` (at, desk, person) sessions of ours; `unwatched` (at, desk, person) what they did that a new session of ours
    hid before the daemon was told of it; `refusing` when a service was told to refuse the next writes; `reported` (at,
    desk, person, hidden) that we told a service that they are active, and whether a word hid that they rest; `crowded`
    by service the spans in which requests may come together that were sent one after the other.
    """

    said: list[Said] = field(default_factory=list)
    wrote: list[Wrote] = field(default_factory=list)
    awake: list[tuple[str, str, float, float]] = field(default_factory=list)
    requests: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    began: list[tuple[float, str, str]] = field(default_factory=list)
    unwatched: list[tuple[float, str, str]] = field(default_factory=list)
    refusing: dict[str, float] = field(default_factory=dict)
    crowded: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    skews: list[float] = field(default_factory=list)
    """Seconds by which the clock was wrong, by the daemon's life."""
    reported: list[tuple[float, str, str, bool]] = field(default_factory=list)
    broke: list[str] = field(default_factory=list)
    silenced: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By account the spans in which nothing may be written: paused, or not configured."""


class Trace:
    """The log of everything, as a digest, with its last lines for people."""

    def __init__(self, *, keep: int = KEPT) -> None:
        self._hash = hashlib.sha256()
        self.lines: deque[str] = deque(maxlen=keep)
        self.count, self.last = 0, 0.0

    def add(self, at: float, what: str) -> None:
        """Add one line."""
        line, self.last = f"{at:.6f} {what}", at
        self._hash.update(line.encode() + b"\n")
        self.lines.append(line)
        self.count += 1

    def digest(self) -> str:
        """What identifies the whole."""
        return self._hash.hexdigest()


class World:
    """One tenant with its people, and a daemon that is started, killed, and told things."""

    def __init__(self, tasks: TaskGroup, folder: Path, parameters: Parameters, *, keep: int = KEPT) -> None:
        self.parameters, self.folder, self._tasks = parameters, folder, tasks
        self.trace, self.facts, self.disk = Trace(keep=keep), Facts(), Disk()
        self.people = NAMES[: parameters.accounts] + tuple(f"p{n}" for n in range(len(NAMES), parameters.accounts))
        clock = EmulatedClock(epoch=EPOCH, longest_nap=inf)
        rng = self.random("desks")
        drawn = [name for name in DESKS if name in ("teams", "symphony") or rng.random() < 0.5]
        names = [name for name in DESKS if name in parameters.services] or drawn
        self.desks: dict[str, Desk] = {n: DESKS[n](folder, self.people, self.random(n), clock) for n in names}
        self.rates = {} if "rates" in parameters.without else self._draw_rates(names)
        self._noted, self._joined = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        self._deeds: dict[tuple[str, str], Deed] = {}
        doors = {name: Door(name, desk.emulator.app, self._heard, self._look) for name, desk in self.desks.items()}
        hosts = {host: doors[name] for name, desk in self.desks.items() for host in desk.hosts}
        self.network = Network(tasks, hosts, self.random("network"))
        self.accounts = {
            person: draw_account(person, self.desks, self.random, parameters.without) for person in self.people
        }
        self.configured = dict.fromkeys(self.people, True)
        self.wall_offset, self.life, self.started_at = 0.0, 0, 0.0
        self.daemon: Daemon | None = None
        self._sleepy: dict[tuple[str, str], float] = {}
        self._switch = anyio.Lock()

    def _draw_rates(self, names: list[str]) -> dict[str, float]:
        """Requests per second that a service is configured to get, where they are so few that even five people wait."""
        rng = self.random("rates")
        if rng.random() < 0.85:
            return {}
        return {name: rng.choice([1.0, 2.0, 4.0]) for name in names if rng.random() < 0.5}

    def random(self, purpose: str) -> random.Random:
        """The source of one purpose."""
        return random.Random(f"{self.parameters.seed}/{purpose}")

    def now(self) -> float:
        """Virtual seconds since the start."""
        return anyio.current_time()

    def note(self, what: str) -> None:
        """Add to the trace."""
        self.trace.add(self.now(), what)

    # configuration

    def composes(self, person: str) -> str:
        """The rule by which an account's words become one."""
        return str(self.accounts[person]["policy"].get("compose", "latest"))

    def direction(self, person: str, desk: str) -> str:
        """Which way an account's link carries."""
        return str(self.accounts[person]["links"][desk].get("direction", "both"))

    def links(self, person: str) -> list[str]:
        """The services a person's account has."""
        return list(self.accounts[person]["links"])

    def evidence(self, person: str) -> float:
        """How old a proof of the person may be, in seconds."""
        return {"15m": 900.0, "10m": 600.0}[self.accounts[person]["policy"]["evidence"]]

    def write_configuration(self) -> Path:
        """Write the file as it is now."""
        used = {name for person in self.people if self.configured[person] for name in self.links(person)}
        document = {
            "daemon": {"state": str(self.folder / "state.db"), "control": str(self.folder / "control")},
            "services": {name: desk.table() | self._rate(name) for name, desk in self.desks.items() if name in used},
            "account": [self.accounts[person] for person in self.people if self.configured[person]],
        }
        path = self.folder / "presence-syncd.toml"
        path.write_text(tomli_w.dumps(document))
        return path

    def _rate(self, name: str) -> dict[str, float]:
        return {"rate": self.rates[name]} if name in self.rates else {}

    # the daemon's lives

    def wall(self) -> float:
        """What the daemon's machine takes for the time."""
        return EPOCH + anyio.current_time() + self.wall_offset

    async def start(self) -> None:
        """Start the daemon."""
        self.life, self.started_at = self.life + 1, self.now()
        self.facts.skews.append(self.wall_offset)
        self.note(f"start {self.life}")
        listened = frozenset(host for desk in self.desks.values() if desk.signs_in_with_a_word for host in desk.hosts)
        self.cable = Cable(self.network, self.parameters.carries, listened, self._came)
        self.store = CrashStore(self.disk, self.random(f"store {self.life}"))
        config = load(self.write_configuration())
        rng = self.random(f"daemon {self.life}")
        self.daemon = Daemon(config, store=self.store, carriers=self.cable.carriers, rng=rng, wall=self.wall)
        self._scope, self._gone = anyio.CancelScope(), anyio.Event()
        started = anyio.Event()
        self._tasks.start_soon(self._live, self.daemon, self._scope, self._gone, started)
        with anyio.move_on_after(5):
            await started.wait()

    async def _live(self, daemon: Daemon, scope: anyio.CancelScope, gone: anyio.Event, started: anyio.Event) -> None:
        try:
            with logs.tapped(self._tapped), scope:
                await daemon.run(started.set)
        except Exception:
            self.facts.broke.append(traceback.format_exc())
        finally:
            gone.set()

    def _tapped(self, event: dict[str, Any]) -> None:
        """What the daemon says of itself is no proof, but an error that nothing explains is a bug."""
        if event["level"] in ("error", "critical") and event["event"] not in EXPECTED_ERRORS:
            self.facts.broke.append(str({k: v for k, v in event.items() if k != "timestamp"}))
        self.trace.lines.append(f"{self.now():.6f}      | {' '.join(f'{k}={v}' for k, v in event.items())}")

    async def kill(self, down: float) -> None:
        """Kill the process without a farewell, and start it again after `down` seconds."""
        async with self._switch:
            self.note(f"kill {self.life}")
            self.cable.unplug()
            self.store.die()
            for deed in self._deeds.values():
                deed.forget(self.now() - KEEPING)
            await self._end()
            await anyio.sleep(down)
            await self.start()

    async def stop(self, down: float) -> None:
        """Stop the process as systemd does, and start it again."""
        async with self._switch:
            self.note(f"stop {self.life}")
            await self._end()
            self.note("stopped")
            await anyio.sleep(down)
            await self.start()

    async def _end(self) -> None:
        self._scope.cancel()
        self.daemon = None
        await self._gone.wait()

    async def reload(self, change: Any) -> None:
        """Change the configuration by `change()` and have it taken."""
        async with self._switch:
            change()
            self.note("reload")
            config = load(self.write_configuration())
            if self.daemon is not None:
                await self.daemon.reload(config)
            self.note("reloaded")

    async def tell(self, person: str, what: str, seconds: float = 0.0, status: str = "") -> None:
        """Pause, resume, pin, unpin, or break (kill the task of) an account, if it is there."""
        async with self._switch:
            if self.daemon is None or person not in self.daemon.tasks:
                return
            self.note(f"tell {person} {what}")
            if what in ("pause", "resume"):
                await self.daemon.pause(person, paused=what == "pause")
            elif what == "pin":
                await self.daemon.pin(person, parse_status(status), seconds, "simulated")
            elif what == "unpin":
                await self.daemon.unpin(person)
            elif person in self.daemon.supervisor.children:
                self.daemon.kill(person)

    def explain(self, person: str) -> None:
        """Put what the daemon thinks of an account beside the trace, for people to read; no oracle looks at it."""
        if self.daemon is None or person not in self.daemon.tasks:
            return
        account = self.daemon.tasks[person]
        for link in account.links:
            self.trace.lines.append(f"{self.now():.6f}      ? {link.service} {link.decision} {link.trouble.error!r}")
        for domain, entry in account.board.view.entries.items():
            self.trace.lines.append(f"{self.now():.6f}      ? {domain} {entry}")

    # people

    def act(self, act: Act) -> Said | None:
        """Let somebody do something; returns the word if colleagues could see that it was said."""
        desk = self.desks[act.desk]
        before = desk.shown(act.person)
        if act.what == "say":
            word = list(desk.words)[int(act.draw * len(desk.words))]
            desk.choose(act.person, word)
            self.note(f"{act.person} says {word} in {act.desk}")
        else:
            self._sit(desk, act.person, act.what)
        self._note_typing(act.person, act.desk, desk.seats.get(act.person) is True)
        after = desk.shown(act.person)
        self._note_deed((act.desk, act.person), after, is_seen=after != before)
        if after == before or after.is_absent:
            return None
        said = Said(self.now(), act.desk, act.person, after, by_hand=act.what == "say")
        self.facts.said.append(said)
        return said

    def _sit(self, desk: Desk, person: str, what: str) -> None:
        states = {"wake": True, "idle": False, "leave": None}
        if what == "idle" and person not in desk.seats:
            return
        desk.change(person, states[what])
        self.note(f"{person} {what} at {desk.name}")

    def _note_deed(self, key: tuple[str, str], shown: Status, *, is_seen: bool) -> None:
        """What changes nothing that shows is as untold as what was done before it."""
        deed = self._deeds.get(key)
        if is_seen:
            self._deeds[key] = Deed(self.now(), shown)
        elif deed is not None and deed.told_at == inf:
            deed.at = self.now()

    def _note_typing(self, person: str, desk: str, awake: bool) -> None:
        key = (person, desk)
        if awake:
            self._sleepy.setdefault(key, self.now())
        elif key in self._sleepy:
            self.facts.awake.append((person, desk, self._sleepy.pop(key), self.now()))

    def last_awake(self, person: str, at: float, besides: str) -> float:
        """When the person typed last before `at`, in any service but `besides`; -inf if never."""
        spans = [(d, since, at) for (p, d), since in self._sleepy.items() if p == person]
        spans += [(d, since, until) for p, d, since, until in self.facts.awake if p == person]
        return max((min(until, at) for d, since, until in spans if d != besides and since <= at), default=float("-inf"))

    # what is seen

    def _heard(self, name: str, method: str, path: str) -> None:
        self.facts.requests.setdefault(name, []).append((self.now(), self.life))
        if person := self.desks[name].reported(path):
            hidden = any(desk.hides_rest(person) for desk in self.desks.values())
            self.facts.reported.append((self.now(), name, person, hidden))
        if person := self.desks[name].begins(path):
            self.facts.began.append((self.now(), name, person))
        self.note(f"{name} {method} {path}")

    def _look(self, name: str) -> None:
        """Note what was written since the last look."""
        desk = self.desks[name]
        writes = desk.writes()
        for write in writes[self._noted[name] :]:
            person, word = desk.written(write)
            shown = desk.shown(person)
            self.note(f"{name} took {word} of {person}, shows {shown}")
            self.facts.wrote.append(Wrote(self.now(), name, person, word, self.life, shown))
        self._noted[name] = len(writes)
        for person in desk.signed_in(self._joined[name]):
            self._joined[name] += 1
            self.facts.began.append((self.now(), name, person))
            deed = self._deeds.get((name, person))
            if deed is not None and deed.told_at == inf:
                self.facts.unwatched.append((deed.at, name, person))

    def _came(self, host: str, body: bytes) -> None:
        """Note what the daemon was told."""
        for name, desk in self.desks.items():
            for person, status in desk.told_of(body) if host in desk.hosts else ():
                deed = self._deeds.get((name, person))
                if deed is not None and deed.shown == status:
                    deed.told_at = min(deed.told_at, self.now())

    def calm(self) -> None:
        """End every fault at once."""
        self.note("calm")
        self.wall_offset = 0.0
        for host in self.network.hosts.values():
            host.refuses, host.silent, host.cut_after, host.latency = False, False, None, LATENCY
        for desk in self.desks.values():
            desk.emulator.faults.clear()


EXPECTED_ERRORS = frozenset({"frozen: something makes a loop"})
"""Errors that the simulation may cause."""

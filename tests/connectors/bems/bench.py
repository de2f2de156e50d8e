"""A bench for BEMS flows: all flows of one link run together against the emulator's core, in virtual time, no I/O.

It stands in for the engine: watch and keep_alive run again and again as the engine runs them, publications one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from presence_syncd.connectors.bems.emulated_peers import Peer
from presence_syncd.connectors.bems.emulator import BemsEmulator
from presence_syncd.connectors.bems.protocol import BemsLink, BemsService
from presence_syncd.connectors.bems.settings import BemsLinkSettings, BemsSettings
from presence_syncd.connectors.connector import Publish
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import (
    Close,
    Emit,
    Enter,
    Flow,
    Foretell,
    Now,
    Open,
    Receive,
    Remember,
    Reply,
    Request,
    Reveal,
    Send,
    SetOut,
    Wait,
    Wake,
)
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import Status
from presence_syncd.errors import AuthRejected, Overtaken, Rejected, ServiceError, SessionExpired, Unavailable

ALICE = "sip:alice@example.com"


class BenchClock:
    """Seconds that stand still until the bench moves them."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time


@dataclass(eq=False)
class Task:
    """One flow, and what it waits for."""

    flow: Flow[Any]
    name: str
    again: Callable[[], Flow[Any]] | None = None
    answer: Any = None
    error: ServiceError | None = None
    until: float | None = None
    ready: Callable[[], bool] | None = None
    take: Callable[[], Any] = lambda: None
    is_woken: bool = False
    is_wakeable: bool = False
    socket: Peer | None = None
    result: Any = None
    failed: ServiceError | None = None
    is_done: bool = False


class Bench:
    """One link and one server. `settings` and `link` add to the tables; `emulator` are its constructor's arguments."""

    def __init__(
        self,
        settings: dict[str, Any] | None = None,
        link: dict[str, Any] | None = None,
        memory: dict[str, str] | None = None,
        **emulator: Any,
    ) -> None:
        self.clock = BenchClock()
        self.server = BemsEmulator(self.clock, **emulator)  # type: ignore[arg-type]  # all it needs is `now`
        self.connect = self.server.connect
        self.secrets = {"env TOKEN": self.server.add_user(ALICE)}
        table = {"type": "bems", "url": "ws://127.0.0.1/connect", "token": {"env": "TOKEN"}, **(settings or {})}
        self.settings = BemsSettings.model_validate(table)
        self.service = BemsService("blackberry", self.settings)
        self.link_settings = BemsLinkSettings.model_validate({"contact": ALICE, **(link or {})})
        self.link: BemsLink = self.service.link("alice", self.link_settings, memory or {})
        self.observed: list[Observation] = []
        self.foretold: list[Status] = []
        self.states: list[tuple[str, str]] = []
        self.memory: dict[str, str] = {}
        self.errors: list[ServiceError] = []
        self.opened: list[Open] = []
        self.posted: list[Request] = []
        self.revealed = 0
        self.is_wanted = True
        self.tasks: list[Task] = []
        self.cut_after_send: list[str] = []
        self._failures = 0

    @property
    def now(self) -> float:
        return self.clock.now()

    @property
    def raws(self) -> list[str]:
        """What was observed, by name."""
        return [seen.raw for seen in self.observed]

    def words(self) -> list[str]:
        """What SetPresence was done with."""
        return [word for _, _, word, _ in self.server.writes]

    def asked(self, method: str) -> int:
        """How often the server heard a method."""
        return sum(request["method"] == method for request in self.connect.heard)

    # tasks

    def start(self, seconds: float = 3.0) -> Bench:
        """Run watch and keep_alive, as the engine does, and let some time pass."""
        self._add(self.link.watch(), "watch", self.link.watch)
        self._add(self._kept(), "keep", self._kept)
        self.run(seconds)
        return self

    def _kept(self) -> Flow[float]:
        rest = self.link.rests(present=False)
        return (yield from self.link.keep_alive(present=False)) if rest is None else rest

    def _add(self, flow: Flow[Any], name: str, again: Callable[[], Flow[Any]] | None = None) -> Task:
        task = Task(flow, name, again)
        self.tasks.append(task)
        return task

    def publish(self, word: str, note: str | None = None, *, attempt: int = 0, seconds: float = 120.0) -> Task:
        """Publish, and let time pass until it is done, at most `seconds`."""
        return self.do(self.link.publish(Publish(word, note, attempt)), seconds)

    def do(self, flow: Flow[Any], seconds: float = 120.0) -> Task:
        """Run a flow beside the others until it is done, at most `seconds`."""
        task = self._add(flow, "flow")
        self.run(seconds, task)
        return task

    def stop(self) -> None:
        """End every flow, as a stopping account does."""
        for task in self.tasks:
            task.flow.close()
            if task.socket is not None:
                task.socket.is_open = False
        self.tasks.clear()

    def begin_again(self) -> None:
        """Have the account stop and start: a new link of the same service, which remembers what was kept."""
        self.stop()
        self.link = self.service.link("alice", self.link_settings, self.memory)
        self.start()

    # time

    def run(self, seconds: float, until_done: Task | None = None) -> None:
        """Let time pass: everything that can go on does, then the clock jumps to what comes next."""
        limit = self.now + seconds
        for _ in range(200_000):
            while self._round():
                if until_done is not None and until_done.is_done:
                    return
            following = min((at for at in self._times() if at > self.now), default=limit)
            if following >= limit:
                self.clock.time = limit
                while self._round():
                    pass
                return
            self.clock.time = following
        raise AssertionError("the flows run in circles")

    def _round(self) -> bool:
        """Let every flow that can go on take one step; whether any could."""
        went = [self._go_on(task) for task in list(self.tasks)]
        return any(went)

    def _times(self) -> list[float]:
        times = [task.until for task in self.tasks if task.until is not None]
        return times + [at for peer in self.connect.peers for at, _ in peer.queue]

    def _go_on(self, task: Task) -> bool:
        if task.is_done or not self._may_go_on(task):
            return False
        answer, error, task.answer, task.error = task.answer, task.error, None, None
        try:
            step = task.flow.send(answer) if error is None else task.flow.throw(error)
        except StopIteration as end:
            self._ended(task, end.value, None)
        except ServiceError as failure:
            self._ended(task, None, failure)
        else:
            try:
                task.answer = self._do(task, step)
            except ServiceError as failure:
                task.error = failure
        return True

    def _may_go_on(self, task: Task) -> bool:
        if task.ready is not None:
            woken = task.is_woken and task.is_wakeable
            if task.ready() or woken or (task.until is not None and self.now >= task.until):
                task.ready, task.until = None, None
                try:
                    task.answer = task.take()
                except ServiceError as failure:
                    task.error = failure
                return True
            return False
        return True

    def _ended(self, task: Task, result: Any, failure: ServiceError | None) -> None:
        task.result, task.failed = result, failure
        if task.name == "flow":
            task.is_done = True
            return
        if failure is not None and task.name == "watch":
            self.errors.append(failure)
        pause = result if task.name == "keep" and failure is None else self._pause(task, failure)
        if pause == float("inf"):
            task.is_done = True
            return
        if task.socket is not None:
            self._hang_up(task)
        assert task.again is not None
        task.flow, task.answer = task.again(), None
        task.until, task.ready, task.is_wakeable = self.now + (pause or 0.0), lambda: not pause, False
        task.take = lambda: None

    def _pause(self, task: Task, failure: ServiceError | None) -> float:
        if task.name == "keep":
            return (failure.retry_after if failure else None) or 5.0
        if failure is None:
            return 0.0
        if isinstance(failure, SessionExpired):
            return failure.retry_after or 0.0
        if isinstance(failure, AuthRejected | Rejected):
            return max(60.0, failure.retry_after or 0.0)
        self._failures += 1
        return min(2.0 ** min(self._failures, 6), 60.0)

    # steps

    def _do(self, task: Task, step: Any) -> Any:  # noqa: C901  # a table of steps
        match step:
            case Now():
                return self.now
            case Emit(observation):
                self.observed.append(observation)
            case Foretell(status):
                self.foretold.append(status)
            case Enter(state, detail):
                self.states.append((state, detail))
            case Remember(key, value):
                self.memory[key] = value
            case SetOut():
                if not self.is_wanted:
                    raise Overtaken("not wanted any more")
            case Wake():
                for other in self.tasks:
                    other.is_woken = other is not task
            case Reveal(ref):
                self.revealed += 1
                return Secret(self.secrets[str(ref)])
            case Wait(seconds):
                self._block(task, seconds, lambda: False, lambda: task.is_woken, wakeable=True)
            case Open():
                return self._open(task, step)
            case Send(text):
                self._send(task, text)
            case Receive(timeout):
                self._block(task, timeout, lambda: self._has_frame(task), lambda: self._frame(task), wakeable=True)
            case Close():
                self._hang_up(task)
            case Request():
                return self._request(task, step)
        return None

    def _block(
        self, task: Task, seconds: float, ready: Callable[[], bool], take: Callable[[], Any], *, wakeable: bool
    ) -> None:
        task.until, task.ready, task.take = self.now + seconds, ready, take
        task.is_woken, task.is_wakeable = False, wakeable

    def _open(self, task: Task, step: Open) -> Reply:
        self.opened.append(step)
        self._hang_up(task)
        if not self.connect.switches.websockets:
            return Reply(404)
        cookie = str(step.headers.get("cookie", "")).partition("deviceToken=")[2].partition(";")[0]
        task.socket = self.connect.connect(cookie, str(step.headers.get("X-Good-GD-AuthToken", "")))
        return Reply(101, (("Set-Cookie", f"deviceToken={task.socket.cookie}; Path=/"),), at=self.now)

    def _hang_up(self, task: Task) -> None:
        if task.socket in self.connect.peers:
            self.connect.peers.remove(task.socket)
        task.socket = None

    def _send(self, task: Task, text: str) -> None:
        if task.socket is None or not task.socket.is_open:
            raise Unavailable("the WebSocket is closed")
        self.connect.hear(task.socket, text)
        if any(method in text for method in self.cut_after_send):
            self.cut_after_send.clear()
            self.connect.drop()

    def _has_frame(self, task: Task) -> bool:
        peer = task.socket
        return peer is None or not peer.is_open or any(at <= self.now for at, _ in peer.queue)

    def _frame(self, task: Task) -> str | None:
        peer = task.socket
        if peer is None or not peer.is_open:
            raise Unavailable("the WebSocket was closed (code 1006)")
        frames = self.connect.framed(peer.due(self.now))
        peer.queue = [(self.now, rest) for rest in frames[1:]] + peer.queue
        return frames[0] if frames else None

    def _request(self, task: Task, step: Request) -> Any:
        self.posted.append(step)
        path = step.url.partition("127.0.0.1")[2]
        if path.startswith("/presence"):
            return self._look_up(step, path)
        cookie = str(step.headers.get("cookie", "")).partition("deviceToken=")[2].partition(";")[0]
        peer = self.connect.peer_of(cookie, str(step.headers.get("X-Good-GD-AuthToken", "")))
        body = (step.body or b"").decode()
        hold = self.server.hold if body == "[]" and path.endswith("long-poll") else 0.0
        started = self.now
        self.connect.hear(peer, body)

        def take() -> Reply:
            if not peer.is_open:
                raise Unavailable("the connection was cut")
            text = "\n".join(self.connect.framed(peer.due(self.now)))
            cookies = (("set-cookie", f"deviceToken={peer.cookie}"),)
            return Reply(200, cookies, text.encode(), self.now, started, step.url)

        if body != "[]":
            return take()

        def ready() -> bool:
            return not peer.is_open or any(at <= self.now for at, _ in peer.queue)

        self._block(task, hold, ready, take, wakeable=False)
        return None

    def _look_up(self, step: Request, path: str) -> Reply:
        lookups = self.server.lookups
        if step.method == "POST":
            status, answer = lookups.subscribe(json.loads(step.body or b"{}"))
        else:
            key, _, query = path.rpartition("/")[2].partition("?")
            status, answer = lookups.read(key, query.removeprefix("sequence=") or None)
        return Reply(status, (), json.dumps(answer).encode(), self.now, self.now, step.url)

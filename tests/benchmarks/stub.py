"""The services of a benchmark in a process of their own: `python -m tests.benchmarks.stub OPTIONS-AS-JSON`.

The one rule: time from a change to its acceptance is taken here, on one clock; the process measured has no part in it.
It prints one line of JSON with its addresses, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from math import exp, log
from typing import Any

import uvloop

from tests.benchmarks.answers import Graph, Pod
from tests.benchmarks.connect import Connect
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.pool import HOLD, Pool
from tests.benchmarks.wire import EMPTY, Asked, Connection, json_answer

ABATING = 4.0
"""A storm's length by the time in which it abates to 1/e: two thirds change in the first quarter of it."""
LOOK_EVERY = 0.1
"""Seconds between two looks for polls that were held long enough: looked for once a second, they all end at once."""
SHOWN = 10
"""Most people of whom is said what they wait for."""


@dataclass(frozen=True, slots=True)
class Options:
    """How many people, and how strict the services are. `cert`: a PEM file with key and certificate, for TLS."""

    size: int
    fade: float | None = None
    limit: int | None = None
    window: float = 30.0
    hold: float = HOLD
    due: float | None = None
    cert: str | None = None
    core: int | None = None


class Stub:
    """All services behind each of its addresses; below `/-/` it is steered.

    There is one more address for BlackBerry, as it is another server: of the 28,000 ports there are for connections to
    one, the kernel finds a free one at once only while less than half are taken.
    """

    def __init__(self, options: Options, base: str) -> None:
        self.crowd = Crowd(options.size, options.fade)
        self.graph, self.pod = Graph(self.crowd, options.limit, options.window), Pod(self.crowd)
        self.pool = Pool(self.crowd, base, options.hold, options.due)
        self.connect = Connect(self.crowd)
        self._look_every = min(LOOK_EVERY, options.hold / 10)
        self._changing: asyncio.Task[None] | None = None
        self._random = random.Random(1)

    def answer(self, asked: Asked) -> None:
        """Find the service that is asked."""
        path = asked.path
        if path.startswith("/-/"):
            self._steer(asked)
        elif path.startswith("/skype"):
            self.pool.answer(asked)
        elif path == "/connect":
            self.connect.answer(asked)
        elif path.startswith(("/pod", "/login/pubkey")):
            self.pod.answer(asked)
        else:
            self.graph.answer(asked)

    def _steer(self, asked: Asked) -> None:
        if asked.path == "/-/stats":
            return asked.reply(json_answer(json.dumps(self._stats()).encode()))
        self.crowd.times.clear()
        self.crowd.waiting.clear()
        self.crowd.changed = 0
        if self._changing is not None:
            self._changing.cancel()
        self._changing = asyncio.get_running_loop().create_task(self._change(self._moments(json.loads(asked.body))))
        return asked.reply(EMPTY)

    def _moments(self, wanted: dict[str, float]) -> Iterator[float]:
        """Seconds from now at which somebody changes: evenly, so many a second, or in a storm that abates."""
        if "part" not in wanted:
            rate = wanted["changes"]
            return (count / rate for count in range(10**9)) if rate else iter(())
        within, abating = wanted["within"], 1 - exp(-ABATING)
        drawn = (self._random.random() for _ in range(max(1, int(wanted["part"] * self.crowd.size))))
        return iter(sorted(-within / ABATING * log(1 - part * abating) for part in drawn))

    async def _change(self, moments: Iterator[float]) -> None:
        """Let people change, one after the other, nobody twice until everybody had a turn."""
        order = list(range(self.crowd.size))
        self._random.shuffle(order)
        start = time.monotonic()
        for number, moment in zip(cycle(order), moments, strict=False):
            await asyncio.sleep(max(0.0, start + moment - time.monotonic()))
            self.crowd.changes(number)
            self.pool.tell(number)
            self.connect.tell(number)

    async def run(self) -> None:
        """Let the timers of held polls go off."""
        while True:
            await asyncio.sleep(self._look_every)
            now = time.monotonic()
            self.pool.look(now)
            self.connect.look(now)

    def _stats(self) -> dict[str, Any]:
        crowd, pool = self.crowd, self.pool
        return {
            "writes": crowd.writes,
            "times": crowd.times,
            "waiting": len(crowd.waiting),
            "left": [crowd.left(number) for number in list(crowd.waiting)[:SHOWN]],
            "changes": crowd.changed,
            "lapses": crowd.lapses,
            "worst_gap": crowd.worst_gap,
            "refused": self.graph.refused,
            "applications": len(pool.applications),
            "sessions": len(self.connect.sessions),
            "listening": {"skype": pool.listening, "blackberry": self.connect.listening},
            "reports": pool.reports,
            "late": pool.late,
            "expired": pool.expired,
            "report_gap": pool.report_gap,
            "poll_gap": pool.poll_gap,
            "ended": pool.ended,
            "ending": pool.last_end - pool.first_end,
        }


async def serve(options: Options) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    stub: Stub | None = None

    def connected() -> Connection:
        return Connection(lambda asked: stub.answer(asked) if stub else None)

    async def listen(context: ssl.SSLContext | None = None) -> int:
        server = await loop.create_server(connected, "127.0.0.1", 0, ssl=context, backlog=4096)
        return int(server.sockets[0].getsockname()[1])

    addresses = {name: f"http://127.0.0.1:{await listen()}" for name in ("plain", "connect")}
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert)
        addresses |= {name: f"https://localhost:{await listen(context)}" for name in ("tls", "connect-tls")}
    stub = Stub(options, addresses.get("tls", addresses["plain"]))
    polls = loop.create_task(stub.run())
    print(json.dumps(addresses), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    polls.cancel()


def main() -> None:
    """Serve as the one argument says."""
    options = Options(**json.loads(sys.argv[1]))
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    uvloop.run(serve(options))


def as_argument(options: Options) -> str:
    """The options as the one argument."""
    return json.dumps(asdict(options))


if __name__ == "__main__":
    main()

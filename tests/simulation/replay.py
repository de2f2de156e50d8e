"""One seed from its parameters to its outcome: the same bytes in every process.

The one rule: nothing outside the parameters plays a part: no time, no address, no order of sets.
"""

from __future__ import annotations

import gc
import io
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from presence_syncd import logs
from tests.simulation.episodes import live
from tests.simulation.invariants import Broken
from tests.simulation.sabotage import sabotaged
from tests.simulation.world import KEPT, Parameters, World
from tests.virtual.backends import run

COLLECT = (5_000, 10, 2_000)
"""Collector thresholds: more objects than before, and looks at each younger generation, before one is looked at."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run. `digest` identifies its trace, `tail` are the trace's last lines, `seconds` a core's."""

    parameters: Parameters
    broken: tuple[Broken, ...]
    digest: str
    lines: int
    requests: int
    hours: float
    seconds: float
    tail: tuple[str, ...] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """Whether every invariant held."""
        return not self.broken


def replay(parameters: Parameters, *, keep: int = KEPT) -> Outcome:
    """Run one seed."""
    said = io.StringIO()
    logs.configure("error", "json", said)
    begun = time.process_time()
    worlds: list[World] = []
    broken: list[Broken] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            world = World(tasks, Path(folder), parameters, keep=keep)
            worlds.append(world)
            broken.extend(await live(world))
            if world.daemon is not None:
                await world._end()
            tasks.cancel_scope.cancel()

    with (
        tempfile.TemporaryDirectory() as folder,
        sabotaged(parameters.sabotage) if parameters.sabotage else nullcontext(),
        _spared_collector(),
    ):
        try:
            run(main, parameters.engine, parameters.seed)
        except Exception:
            broken.append(Broken("the run ends", traceback.format_exc()))
    if worlds:
        worlds[0].trace.lines.extend(said.getvalue().replace("\\n", "\n").splitlines())
    return _outcome(parameters, worlds, broken, time.process_time() - begun)


@contextmanager
def _spared_collector() -> Iterator[None]:
    """Have the collector look seldom, and never at what is there by now: a tenth of the time."""
    usual = gc.get_threshold()
    gc.collect()  # or the last run's cycles would stay, too
    gc.freeze()
    gc.set_threshold(*COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _outcome(parameters: Parameters, worlds: list[World], broken: list[Broken], seconds: float) -> Outcome:
    if not worlds:
        return Outcome(parameters, tuple(broken), "", 0, 0, 0.0, seconds)
    world = worlds[0]
    requests = sum(map(len, world.facts.requests.values()))
    lived = world.trace.last / 3600
    return Outcome(
        parameters,
        tuple(broken),
        world.trace.digest(),
        world.trace.count,
        requests,
        lived,
        seconds,
        tuple(world.trace.lines),
    )

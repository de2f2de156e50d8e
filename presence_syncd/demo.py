"""The demo: a short day of three people, over real sockets, that ends by itself.

The one rule: it lives through the day as it is written, and judges by what the emulators show.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from presence_syncd import boxes, config, tenant
from presence_syncd.daemon import Daemon
from presence_syncd.demo_day import DAY, FADE, PATIENCE, Day, Say, Step
from presence_syncd.report import Report
from presence_syncd.web.app import pages
from presence_syncd.web.server import listen_tcp, serve

POLICY = {"settle": "0s", "settle_fade": "1s"}
PERSONAL = {"alice": {"note": "mirror", "writer": ["blackberry", "skype"]}}
"""Alice's notes are carried along, and BlackBerry writes for her: by SetPresence, which takes both."""
LOOK = 0.01
"""Seconds between two looks at the emulators."""


async def run(
    say: Say, watch: Callable[[Day], Coroutine[Any, Any, None]] | None = None, steps: Sequence[Step] = DAY
) -> bool:
    """Run the day; `say` gets one JSON-able line per step and a last one; `watch` may draw. Whether all arrived."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="presence-syncd-demo-") as folder:
        async with anyio.create_task_group() as tasks:
            day = await _begin(tasks, Path(folder), say)
            if watch is not None:
                tasks.start_soon(watch, day)
            verdict = await _live(day, steps)
            verdict["seconds"] = round(time.monotonic() - started, 1)
            say(verdict)
            await anyio.sleep(0.2 if watch else 0)
            tasks.cancel_scope.cancel()
    return bool(verdict["converged"])


async def _begin(tasks: anyio.abc.TaskGroup, folder: Path, say: Say) -> Day:
    """Start the tenant and the daemon, and wait until everybody was read everywhere."""
    box = tenant.make(folder, fade=FADE, quick=True)
    for person in boxes.PEOPLE:
        box.boxes["teams"].act(person, "enter")
        box.boxes["skype"].act(person, "Online")
    box.start(tasks)
    daemon = Daemon(config.load(box.configuration(POLICY, "127.0.0.1:0", PERSONAL)), rng=random.Random())
    tasks.start_soon(serve, pages(Report(daemon)), listen_tcp("127.0.0.1", 0))
    tasks.start_soon(daemon.run)
    with anyio.fail_after(PATIENCE):
        await _until(lambda: _everybody_read(daemon))
    return Day(box, daemon, say)


async def _until(holds: Callable[[], bool]) -> None:
    """Look until something holds; the emulators ring no bell for us."""
    while not holds():  # noqa: ASYNC110
        await anyio.sleep(LOOK)


def _everybody_read(daemon: Daemon) -> bool:
    views = [account.board.view for account in daemon.tasks.values()]
    return len(views) == len(boxes.PEOPLE) and all(e.shown for view in views for e in view.entries.values())


async def _live(day: Day, steps: Sequence[Step]) -> dict[str, Any]:
    """Live through the steps; returns the verdict."""
    *most, last = steps
    await anyio.sleep(1.0)
    own_before = day.own_words()
    taken = [await _take(day, step) for step in most]
    lapsed = int(day.tenant.boxes["teams"].emulator.lapsed)  # type: ignore[attr-defined]  # Teams' sessions only
    taken.append(await _take(day, last))
    echoes = day.own_words() - own_before - day.actions
    arrived = all(step["arrived"] for step in taken)
    return {"converged": arrived and echoes == 0 and lapsed == 0, "echoes": echoes, "lapsed_sessions": lapsed}


async def _take(day: Day, step: Step) -> dict[str, Any]:
    """Let one thing happen and wait until it shows everywhere."""
    day.title = step.title
    if step.before is not None:
        await step.before(day)
    began = time.monotonic()
    day.take(step)
    day.actions += step.own_words
    expected = day.expected(step)
    milliseconds: dict[str, int | None] = {}
    async with anyio.create_task_group() as tasks:
        for service, word in expected.items():
            tasks.start_soon(_arrival, day, step, service, word, began, milliseconds)
    held = await _held(day, step, expected)
    result = {
        "step": step.title,
        "changed": {"person": step.person, "service": step.where, "to": step.value},
        "shows": {service: day.result(step, service) for service in expected},
        "milliseconds": milliseconds,
        "arrived": held and None not in milliseconds.values(),
    }
    day.done.append(result)
    day.say(result)
    return result


async def _arrival(
    day: Day, step: Step, service: str, word: str, began: float, milliseconds: dict[str, int | None]
) -> None:
    """Wait until a service shows the word; note how long it took, or None if it never did."""
    milliseconds[service] = None
    with anyio.move_on_after(step.patience):
        await _until(lambda: day.result(step, service) == word)
        milliseconds[service] = round((time.monotonic() - began) * 1000)


async def _held(day: Day, step: Step, expected: Mapping[str, str]) -> bool:
    """Whether what arrived stays for as long as the step asks."""
    until = time.monotonic() + max(step.hold, 0.5)
    while time.monotonic() < until:
        if any(day.result(step, service) != word for service, word in expected.items()):
            return False
        await anyio.sleep(LOOK)
    return True

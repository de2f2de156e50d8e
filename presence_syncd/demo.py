"""The demo: a short day of three people, over real sockets, that ends by itself.

The one rule: what should be shown is written down here by hand, in each service's own words, and read from the
emulators; the daemon is not asked whether it did well.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from presence_syncd import boxes, config, tenant
from presence_syncd.connectors.emulation import Answer
from presence_syncd.daemon import Daemon
from presence_syncd.report import Report
from presence_syncd.tenant import Tenant
from presence_syncd.web.app import pages
from presence_syncd.web.server import listen_tcp, serve

FADE = 2.0
"""Seconds after which the emulated Teams lets an Available session fade; five minutes in reality."""
POLICY = {"settle": "0s", "settle_fade": "1s"}
PERSONAL = {"alice": {"note": "mirror", "writer": ["blackberry", "skype"]}}
"""Alice's notes are carried along, and BlackBerry writes for her: by SetPresence, which takes both."""
PATIENCE = 10.0
"""Seconds a change may take to arrive."""
LOOK = 0.01
"""Seconds between two looks at the emulators."""

Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the day: who does what where, and what everybody else must show because of it.

    `is_note`: `value` and what is expected are notes.
    """

    title: str
    person: str
    where: str
    value: str
    expected: Mapping[str, str]
    before: Callable[[Day], Awaitable[None]] | None = None
    hold: float = 0.0
    own_words: int = 1
    is_note: bool = False
    patience: float = PATIENCE


@dataclass(slots=True)
class Day:
    """The running demo: the tenant, the daemon in it, and what happened so far."""

    tenant: Tenant
    daemon: Daemon
    say: Say
    done: list[dict[str, Any]] = field(default_factory=list)
    actions: int = 0
    title: str = "everybody arrives"

    def shows(self, service: str, person: str) -> str:
        """What a service shows of a person."""
        return self.tenant.boxes[service].shows(person)

    def result(self, step: Step, service: str) -> str:
        """What a service shows of what a step is about: the person's status, or their note."""
        box = self.tenant.boxes[service]
        return box.note(step.person) if step.is_note else box.shows(step.person)

    def act(self, service: str, person: str, value: str) -> None:
        """Let a person do something in their own client."""
        self.tenant.boxes[service].act(person, value)

    def take(self, step: Step) -> None:
        """Let the thing happen that a step is about."""
        if step.is_note:
            self.tenant.boxes[step.where].leave_note(step.person, step.value)
        else:
            self.act(step.where, step.person, step.value)

    def expected(self, step: Step) -> dict[str, str]:
        """What the other services of this tenant must show."""
        return {service: word for service, word in step.expected.items() if service in self.tenant.boxes}

    def own_words(self) -> int:
        """How many readings the daemon took for a person's own word, so far."""
        samples = (sample for metric in self.daemon.metrics.observations.collect() for sample in metric.samples)
        return int(sum(s.value for s in samples if s.name.endswith("_total") and s.labels["kind"] == "own"))


async def throttle(day: Day) -> None:
    """Teams asks for fewer requests for a while."""
    day.tenant.boxes["teams"].emulator.faults.add(Answer(429, headers={"Retry-After": "1"}, times=3))
    await anyio.sleep(0.3)


async def crash(day: Day) -> None:
    """The task of one account dies."""
    day.daemon.kill("alice")


async def change_elsewhere(day: Day) -> None:
    """Carol says something in Symphony, and changes her mind in Teams within a second."""
    day.act("symphony", "carol", "IN_A_MEETING")
    day.actions += 1
    await anyio.sleep(0.7)


async def close_teams(day: Day) -> None:
    """Bob closes Teams: from now on only our session can show him there."""
    day.act("teams", "bob", "leave")
    await anyio.sleep(0.5)


async def close_skype(day: Day) -> None:
    """Bob closes Skype, too."""
    day.act("skype", "bob", "leave")
    await anyio.sleep(0.5)


STEPS = (
    Step(
        "Alice turns busy in Symphony",
        "alice",
        "symphony",
        "BUSY",
        {"teams": "Busy/Busy", "skype": "Busy", "blackberry": "busy"},
    ),
    Step(
        "Alice leaves a note in Teams: SetPresence brings it to her BlackBerry as her personal message",
        "alice",
        "teams",
        "Working on the budget",
        {"blackberry": "Working on the budget", "skype": "Working on the budget"},
        own_words=0,
        is_note=True,
    ),
    Step(
        "Alice changes her personal message on her BlackBerry",
        "alice",
        "blackberry",
        "Back at two",
        {"teams": "Back at two"},
        own_words=0,
        is_note=True,
    ),
    Step(
        "Carol asks in Teams not to be disturbed, which Symphony cannot say",
        "carol",
        "teams",
        "DoNotDisturb/DoNotDisturb",
        {
            "symphony": "BUSY",
            "skype": "DoNotDisturb",
            "blackberry": "do not disturb",
            "teams": "DoNotDisturb/DoNotDisturb",
        },
        hold=1.0,
    ),
    Step(
        "Bob is right back, says his Skype",
        "bob",
        "skype",
        "BeRightBack",
        {"teams": "BeRightBack/BeRightBack", "symphony": "BE_RIGHT_BACK", "blackberry": "be right back"},
    ),
    Step(
        "Alice goes away, says her BlackBerry",
        "alice",
        "blackberry",
        "away",
        {"teams": "Away/Away", "symphony": "AWAY", "skype": "Away"},
    ),
    Step(
        "Carol is in a meeting, then right back: two words within a second",
        "carol",
        "teams",
        "BeRightBack/BeRightBack",
        {"symphony": "BE_RIGHT_BACK", "skype": "BeRightBack", "teams": "BeRightBack/BeRightBack"},
        before=change_elsewhere,
    ),
    Step(
        "Bob takes a call while Teams is throttled",
        "bob",
        "symphony",
        "ON_THE_PHONE",
        {"teams": "Busy/InACall", "skype": "Busy", "blackberry": "busy"},
        before=throttle,
    ),
    Step(
        "Alice is available again, and her task has just crashed",
        "alice",
        "symphony",
        "AVAILABLE",
        {"teams": "Available/Available", "skype": "Online", "blackberry": "available"},
        before=crash,
    ),
    Step(
        "Bob closes Teams and is available in Symphony: his Teams session must not fade",
        "bob",
        "symphony",
        "AVAILABLE",
        {"teams": "Available/Available", "skype": "Online"},
        before=close_teams,
        hold=3 * FADE,
    ),
)
LAST = Step(
    "Bob goes home: nobody proves him present, so Teams lets him fade",
    "bob",
    "symphony",
    "leave",
    {"teams": "Away/Away"},
    before=close_skype,
    own_words=0,
)


DAY = (*STEPS, LAST)
"""What happens. Until the last step, no session of ours may lapse."""


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

"""The day of the demo: what three people do, and what must be shown because of it.

The one rule: what should be shown is written down here by hand, in each service's own words, and read from the
emulators; the daemon is not asked whether it did well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from presence_syncd.connectors.emulation import Answer
from presence_syncd.daemon import Daemon
from presence_syncd.tenant import Tenant

FADE = 2.0
"""Seconds after which the emulated Teams lets an Available session fade; five minutes in reality."""
PATIENCE = 10.0
"""Seconds a change may take to arrive."""

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

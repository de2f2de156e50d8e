"""The demo ends by itself with a true verdict, and with a false one when something is broken."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import anyio
from rich.console import Console

from presence_syncd import demo, screen
from presence_syncd.boxes import PEOPLE
from presence_syncd.connectors.bems.emulator import BemsEmulator
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.core.values import replace
from presence_syncd.demo_day import DAY, Day

LONGEST = 45.0
"""Seconds the demo may take; it takes about 25."""


def test_the_demo_converges_with_nothing_echoed_and_nothing_lapsed() -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "presence_syncd", "demo", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * LONGEST, check=False)
    seconds = time.monotonic() - began
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    verdict = lines[-1]
    assert done.returncode == 0, done.stdout + done.stderr
    assert (verdict["converged"], verdict["echoes"], verdict["lapsed_sessions"]) == (True, 0, 0)
    assert len(lines) == len(DAY) + 1
    assert all(ms is not None for step in lines[:-1] for ms in step["milliseconds"].values())
    assert "Traceback" not in done.stderr
    assert {step["changed"]["service"] for step in lines[:-1]} == {"teams", "skype", "blackberry", "symphony"}
    [by_teams] = [step for step in lines if step.get("changed", {}).get("to") == "Working on the budget"]
    assert by_teams["shows"] == {"blackberry": "Working on the budget", "skype": "Working on the budget"}
    [by_blackberry] = [step for step in lines if step.get("changed", {}).get("to") == "Back at two"]
    assert by_blackberry["shows"] == {"teams": "Back at two"}
    print(f"the demo took {seconds:.1f} s")
    assert seconds < LONGEST


def test_a_note_comes_as_a_personal_message_by_set_presence() -> None:
    writes: list[tuple[float, str, str, str | None]] = []

    async def keep(day: Day) -> None:
        emulator = day.tenant.boxes["blackberry"].emulator
        assert isinstance(emulator, BemsEmulator)
        emulator.connect.writes = writes

    noted = next(step for step in DAY if step.is_note and step.where == "teams")
    assert anyio.run(demo.run, lambda _: None, None, [replace(DAY[0], before=keep), noted]) is True
    said = [(word, note) for _, sip, word, note in writes if sip.startswith("sip:alice@")]
    assert said == [("busy", None), ("busy", "Working on the budget")]


def test_a_note_that_does_not_come_is_a_failure() -> None:
    async def refuse(day: Day) -> None:
        emulator = day.tenant.boxes["blackberry"].emulator
        assert isinstance(emulator, BemsEmulator)
        emulator.connect.switches.always["SetPresence"] = 1005

    noted = next(step for step in DAY if step.is_note and step.where == "teams")
    assert anyio.run(demo.run, lambda _: None, None, [DAY[0], replace(noted, before=refuse, patience=2.0)]) is False


async def break_symphony(day: Day) -> None:
    """Symphony takes no writes any more."""
    emulator = day.tenant.boxes["symphony"].emulator
    assert isinstance(emulator, SymphonyEmulator)
    emulator.may_write = False


def test_a_broken_mirror_is_a_failure() -> None:
    step = next(step for step in DAY if "symphony" in step.expected and step.where != "symphony")
    said: list[dict[str, Any]] = []
    pictures: list[str] = []

    async def draw(day: Day) -> None:
        console = Console(width=150)
        while True:
            with console.capture() as capture:
                console.print(screen.picture(day))
            pictures.append(capture.get())
            await anyio.sleep(0.5)

    assert anyio.run(demo.run, said.append, draw, [replace(step, before=break_symphony, patience=3.0)]) is False
    assert said[-1]["converged"] is False
    assert said[0]["milliseconds"]["symphony"] is None
    assert said[0]["arrived"] is False
    assert all(person in pictures[0] for person in PEOPLE)
    assert "everybody arrives" in pictures[0] or step.title in pictures[0]


def test_the_demo_draws_until_it_ends() -> None:
    step = next(step for step in DAY if step.before is None and step.where == "symphony")
    said: list[dict[str, Any]] = []
    assert anyio.run(demo.run, said.append, screen.watch, [step]) is True
    assert said[0]["arrived"]

"""The demo ends by itself with a true verdict, and with a false one when something is broken."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import anyio
from rich.console import Console

from presence_syncd import demo, screen
from presence_syncd.boxes import PEOPLE
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.demo import DAY, Day

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
    print(f"the demo took {seconds:.1f} s")
    assert seconds < LONGEST


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

"""The demo's picture shows who shows what where, in colours everybody knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from presence_syncd.demo_day import Day
from presence_syncd.screen import picture

SHOWN = {"teams": "Busy/InACall", "symphony": "BE_RIGHT_BACK"}


def draw(done: list[dict[str, Any]]) -> str:
    day = SimpleNamespace(
        tenant=SimpleNamespace(boxes=dict.fromkeys(SHOWN)),
        daemon=SimpleNamespace(tasks={"alice": None}),
        shows=lambda service, _person: SHOWN[service],
        title="Alice takes a call",
        done=done,
    )
    console = Console(width=120, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(picture(cast("Day", day)))
    return capture.get()


def test_words_have_the_colour_of_what_they_mean() -> None:
    drawn = draw([])
    assert "\x1b[31mBusy/InACall" in drawn
    assert "\x1b[33mBE_RIGHT_BACK" in drawn
    assert "… Alice takes a call" in drawn


@pytest.mark.parametrize(("arrived", "sign"), [(True, "✓"), (False, "✗")])
def test_a_step_tells_when_it_arrived_or_that_it_never_did(arrived: bool, sign: str) -> None:
    drawn = draw([{"step": "a change", "arrived": arrived, "milliseconds": {"teams": 12, "symphony": None}}])
    assert f"{sign} a change" in drawn
    assert "teams 12 ms" in drawn
    assert "symphony never" in drawn

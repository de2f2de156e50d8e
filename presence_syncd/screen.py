"""What a person sees of the demo on a terminal: who shows what where, and how fast it got there.

The one rule: drawing is all it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from presence_syncd.demo_day import Day

COLOURS = {
    "avail": "green",
    "onlin": "green",
    "busy": "red",
    "donot": "red",
    "do_no": "red",
    "in_a_": "red",
    "on_th": "red",
    "away": "yellow",
    "berig": "yellow",
    "be_ri": "yellow",
    "offli": "bright_black",
}
"""Colours by the first letters of a word, whatever the service."""


async def watch(day: Day) -> None:
    """Draw the day until cancelled; the last picture stays."""
    with Live(console=Console(), auto_refresh=False) as live:
        try:
            while True:
                live.update(picture(day), refresh=True)
                await anyio.sleep(0.1)
        finally:
            live.update(picture(day), refresh=True)


def picture(day: Day) -> Group:
    """The present state and the steps so far."""
    services = list(day.tenant.boxes)
    now = Table("", *services, title="what colleagues see", title_style="bold")
    for person in day.daemon.tasks:
        now.add_row(person, *(_word(day.shows(service, person)) for service in services))
    steps = Table("what happened", "arrived after", box=None)
    for step in day.done:
        steps.add_row(_mark(step), _times(step["milliseconds"]))
    steps.add_row(Text(f"… {day.title}", style="bright_black"), "")
    return Group(now, steps)


def _word(word: str) -> Text:
    return Text(word, style=next((c for prefix, c in COLOURS.items() if word.lower().startswith(prefix)), ""))


def _mark(step: dict[str, Any]) -> Text:
    return Text(("✓ " if step["arrived"] else "✗ ") + step["step"], style="" if step["arrived"] else "bold red")


def _times(milliseconds: dict[str, int | None]) -> str:
    return "  ".join(f"{service} {'never' if ms is None else f'{ms} ms'}" for service, ms in milliseconds.items())

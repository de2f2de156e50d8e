"""How answers look: tables and paragraphs, with rich on a terminal, plain aligned text elsewhere.

The one rule: what a pipe gets has no colours, no frames and no wrapped lines.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click

from presence_syncd.sentences import Paragraph

NARROWEST, WIDEST = 40, 110
"""Columns that paragraphs are wrapped to on a terminal."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their columns."""
    if sys.stdout.isatty():
        _print_rich(columns, rows)
        return
    lines = [tuple(columns), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell, style=colour(cell)) for cell in row))
    Console(highlight=False).print(table)


COLOURS = {
    "available": "green",
    "busy": "red",
    "dnd": "red",
    "brb": "yellow",
    "away": "yellow",
    "offline": "bright_black",
    "restarting": "bold red",
    "parked": "bold red",
    "not ": "bright_black",
}
"""Colours by the first letters of a cell."""


def colour(cell: str) -> str:
    """The style of a cell; empty for most."""
    return next((style for start, style in COLOURS.items() if cell.startswith(start)), "")


def print_paragraphs(paragraphs: Iterable[Paragraph]) -> None:
    """Print headings with their sentences below; wrapped and coloured on a terminal."""
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST) if sys.stdout.isatty() else 0
    for number, paragraph in enumerate(paragraphs):
        if number:
            click.echo()
        click.secho(paragraph.heading, bold=True, fg="red" if paragraph.bad else None)
        for line in paragraph.lines:
            click.echo(_indented(line, width))


def _indented(line: str, width: int) -> str:
    if not width:
        return f"  {line}"
    return textwrap.fill(line, width, initial_indent="  ", subsequent_indent="    ", replace_whitespace=False)

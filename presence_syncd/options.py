"""What all commands share: exit codes, options, JSON, and how they say that something is wrong.

The one rule: the same option means the same in every command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from presence_syncd.errors import ConfigError, Problem

if TYPE_CHECKING:
    from presence_syncd.config import Config

CONFIGURATION = 78
"""The exit code for a wrong configuration (EX_CONFIG of sysexits.h); systemd does not restart then."""
DEFAULT_CONFIG = "/etc/presence-syncd/presence-syncd.toml"
Command = TypeVar("Command", bound=Callable[..., object])


def config_option(command: Command) -> Command:
    """Give a command `--config FILE`."""
    return click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        default=DEFAULT_CONFIG,
        envvar="PRESENCE_SYNCD_CONFIG",
        show_default=True,
        show_envvar=True,
        metavar="FILE",
        help="The configuration; conf.d/*.toml beside it is read too.",
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def load_or_exit(path: Path) -> Config:
    """Load the configuration; print every problem and exit with 78 if it is wrong."""
    from presence_syncd.config import load

    try:
        return load(path)
    except ConfigError as error:
        exit_with(error.problems)


def exit_with(problems: list[Problem]) -> NoReturn:
    """Print problems of the configuration, one per line, and exit with 78."""
    for problem in problems:
        click.echo(str(problem), err=True)
    sys.exit(CONFIGURATION)


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))

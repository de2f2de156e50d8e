"""The command line. Exit codes: 0 done, 1 failed, 2 usage, 78 configuration.

The one rule: a command is one function, and imports what it needs when it runs, so that `--help` stays quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from presence_syncd import __version__, account_commands, commands
from presence_syncd.errors import ConfigError, Problem
from presence_syncd.options import CONFIGURATION, config_option, json_option, load_or_exit, print_json
from presence_syncd.overview import print_budgets

if TYPE_CHECKING:
    from presence_syncd.config import Config
    from presence_syncd.core.vocabulary import Vocabulary
    from presence_syncd.online import Looked


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="presence-syncd")
def main() -> None:
    """Keep each person's presence the same in several chat services, and alive."""


@main.command()
@config_option
@click.option("--skip-environment", is_flag=True, help="Do not look for secrets and folders of this machine.")
@click.option("--online", is_flag=True, help="Also sign in to each service and read once.")
@json_option
def check(path: Path, *, skip_environment: bool, online: bool, as_json: bool) -> None:
    """Check the configuration: syntax, meaning, and what it needs of this machine."""
    from presence_syncd.config import check_environment, load

    config: Config | None = None
    errors: list[Problem] = []
    looked: Sequence[Looked] = ()
    try:
        config = load(path)
        errors = [] if skip_environment else check_environment(config)
        looked = check_online(config) if online and not errors else []
        errors += [one.problem for one in looked if one.problem is not None]
    except ConfigError as error:
        errors = error.problems
    (_print_check_json if as_json else _print_check)(config, errors, looked)
    sys.exit(CONFIGURATION if errors else 0)


def check_online(config: Config) -> Sequence[Looked]:
    """Get a token and read once at each service, with one finding for what fails."""
    import anyio

    from presence_syncd import logs, online

    logs.configure("error", "console")
    return anyio.run(online.look, config)


def _print_check(config: Config | None, errors: Iterable[Problem], looked: Iterable[Looked]) -> None:
    errors = list(errors)
    for problem in config.warnings if config else ():
        click.echo(f"warning: {problem}")
    for problem in errors:
        click.echo(str(problem))
    for one in looked:
        if one.problem is None:
            click.echo(str(one))
    if config is not None and not errors:
        print_budgets(_plan(config))
        counts = _counts(config)
        click.echo(
            "ok: " + ", ".join(f"{n} {name if n != 1 else name.removesuffix('s')}" for name, n in counts.items())
        )


def _print_check_json(config: Config | None, errors: Iterable[Problem], looked: Iterable[Looked]) -> None:
    found = [asdict(problem) for problem in errors]
    warnings = [asdict(problem) for problem in (config.warnings if config else ())]
    online = {
        one.service: {"account": one.account, "said": one.said, "seconds": round(one.seconds, 3)}
        for one in looked
        if one.problem is None
    }
    facts: dict[str, Any] = {"ok": not found, "errors": found, "warnings": warnings}
    counts = {**_counts(config), "budgets": _plan(config)} if config else {}
    print_json(facts | counts | ({"online": online} if looked else {}))


def _plan(config: Config) -> list[dict[str, Any]]:
    from presence_syncd.config import forecasts
    from presence_syncd.connectors.upkeep import told

    return [{"service": name, **told(plan)} for name, plan in forecasts(config).items()]


def _counts(config: Config) -> dict[str, int]:
    return {"accounts": len(config.accounts), "links": config.links, "services": len(config.services)}


@main.command()
def schema() -> None:
    """Print the JSON Schema of the configuration."""
    from presence_syncd.config import schema as describe

    print_json(describe())


@main.command()
@config_option
@json_option
def mapping(path: Path, *, as_json: bool) -> None:
    """Print what is written to each service for a status, and what may be read back because of it."""
    from presence_syncd.config import vocabularies

    tables = vocabularies(load_or_exit(path))
    if as_json:
        print_json({name: _mapping(vocabulary) for name, vocabulary in tables.items()})
        return
    for number, (name, vocabulary) in enumerate(tables.items()):
        click.echo(f"\n{name}" if number else name)
        _print_mapping(vocabulary)


def _mapping(vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "write": {str(status): word for status, word in vocabulary.words.items()},
        "read_back": {word: sorted(map(str, shown)) for word, shown in vocabulary.echoes.items()},
        "read": {word: str(status) for word, status in vocabulary.reads.items()},
    }


def _print_mapping(vocabulary: Vocabulary) -> None:
    from presence_syncd.tables import print_table

    rows = [(str(status), word, _read_back(vocabulary, word)) for status, word in vocabulary.words.items()]
    print_table(("status", "is written as", "may be read back as"), rows)


def _read_back(vocabulary: Vocabulary, word: str) -> str:
    return ", ".join(sorted(map(str, vocabulary.echoes.get(word, ()))))


@main.command()
@config_option
def run(path: Path) -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    from presence_syncd import process
    from presence_syncd.store.sqlite import StoreError

    try:
        config = process.read(path)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(CONFIGURATION)
    for problem in config.warnings:
        click.echo(f"warning: {problem}", err=True)
    try:
        process.run(config, path)
    except (OSError, StoreError) as error:
        click.echo(_cannot_start(config, error), err=True)
        sys.exit(1)


def _cannot_start(config: Config, error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    host, port = config.daemon.http
    return f"cannot listen on {host}:{port} and {config.daemon.control}: {error.strerror or error}"


@main.command()
@json_option
def demo(*, as_json: bool) -> None:
    """Show a short day of three people in emulated services. Exit code 0 only if every change arrived everywhere."""
    import anyio

    from presence_syncd import demo as day
    from presence_syncd import logs

    logs.configure("error", "console")
    if as_json or not sys.stdout.isatty():
        converged = anyio.run(day.run, _print_line if as_json else _say_step)
    else:
        from presence_syncd import screen

        converged = anyio.run(day.run, _say_verdict, screen.watch)
    sys.exit(0 if converged else 1)


def _print_line(told: dict[str, Any]) -> None:
    click.echo(json.dumps(told, ensure_ascii=False))


def _say_step(told: dict[str, Any]) -> None:
    """One step in words, or the verdict."""
    if "step" not in told:
        _say_verdict(told)
        return
    times = ", ".join(
        f"{name} after {'ever' if ms is None else f'{ms} ms'}" for name, ms in told["milliseconds"].items()
    )
    click.echo(f"{'ok  ' if told['arrived'] else 'LOST'} {told['step']}: {times}")


def _say_verdict(told: dict[str, Any]) -> None:
    if "converged" in told:
        word = "everything arrived everywhere" if told["converged"] else "not everything arrived"
        click.echo(f"{word} in {told['seconds']} s; echoes {told['echoes']}, lapsed sessions {told['lapsed_sessions']}")


@main.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="presence-syncd-tenant",
    show_default=True,
    help="Where the configuration, keys and secrets of the tenant are written.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; must be this machine.")
@click.option(
    "--port",
    "first",
    type=int,
    default=8400,
    show_default=True,
    help="First port; each service takes the next. 0: free ones.",
)
@click.option("--speed", type=float, default=1.0, show_default=True, help="How many emulated seconds pass in one.")
def emulate(folder: Path, host: str, first: int, speed: float) -> None:
    """Run only the emulated services: a tenant in a box, with a configuration that fits it."""
    import anyio

    from presence_syncd import logs, tenant

    logs.configure("error", "console")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        anyio.run(tenant.emulate, folder.resolve(), host, first, speed, click.echo)
    except OSError as error:
        click.echo(f"cannot listen on {host} from port {first}: {error.strerror or error}", err=True)
        sys.exit(1)


for command in (*commands.COMMANDS, *account_commands.COMMANDS):
    main.add_command(command)

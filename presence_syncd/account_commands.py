"""Accounts in `conf.d`, and the installation: commands that change files and need no daemon.

The one rule: whatever was written or left alone is named, and so is the next step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from presence_syncd.errors import ConfigError
from presence_syncd.options import CONFIGURATION, config_option, json_option, load_or_exit, print_json
from presence_syncd.remote import similar
from presence_syncd.tables import print_table

SHELLS = ("bash", "zsh", "fish")


@click.group()
def account() -> None:
    """Add, remove and list accounts; each added one is a file of conf.d beside the configuration."""


def _fail(said: str, *, as_json: bool, problems: Sequence[str] = (), code: int = 1) -> NoReturn:
    """Say why nothing was done, and exit."""
    if as_json:
        print_json({"error": said, "problems": list(problems)})
    else:
        for line in (*problems, said):
            click.echo(line, err=True)
    sys.exit(code)


def _is_name(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    from presence_syncd.config.reading import NAME

    if not NAME.fullmatch(name):
        raise click.BadParameter("legal are letters, digits, . _ @ -, at most 64, the first a letter or digit")
    return name


@account.command("add")
@click.argument("name", callback=_is_name)
@click.option(
    "--link",
    "links",
    multiple=True,
    required=True,
    metavar="SERVICE.KEY=VALUE",
    help="A key of the account's link to a service; repeat it: --link skype.password.credential=alice-skype",
)
@click.option("--vip", is_flag=True, help="Let its requests go first where requests must wait.")
@config_option
@json_option
def add_account(name: str, links: tuple[str, ...], path: Path, *, vip: bool, as_json: bool) -> None:
    """Add account NAME; nothing is changed if the configuration would be wrong then (exit code 78)."""
    from presence_syncd import accounts_file

    def do() -> Path:
        tables = accounts_file.links_from(load_or_exit(path), links)
        return accounts_file.add(path, name, tables, vip=vip)

    try:
        file = _done(do, as_json=as_json)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--link") from error
    _tell(f"added {name} in {file}; `presence-syncd reload` tells the daemon", name, file, as_json=as_json)


def _done(do: Any, *, as_json: bool) -> Path:
    """Change the configuration; exit with what is wrong if it cannot be done."""
    from presence_syncd.accounts_file import NotDone

    try:
        file: Path = do()
    except ConfigError as error:
        problems = [str(problem) for problem in error.problems]
        _fail("nothing was changed", as_json=as_json, problems=problems, code=CONFIGURATION)
    except NotDone as error:
        _fail(str(error), as_json=as_json)
    except OSError as error:
        _fail(f"cannot write {error.filename}: {(error.strerror or 'it failed').lower()}", as_json=as_json)
    return file


def _tell(said: str, name: str, file: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"done": True, "account": name, "file": str(file)})
    else:
        click.echo(said)


@account.command("remove")
@click.argument("name")
@config_option
@json_option
def remove_account(name: str, path: Path, *, as_json: bool) -> None:
    """Remove account NAME, if `account add` wrote it; one in a hand-written file is only shown where it stands."""
    from presence_syncd import accounts_file

    try:
        file = _done(lambda: accounts_file.remove(path, name), as_json=as_json)
    except KeyError:
        names = [known.name for known in load_or_exit(path).accounts]
        _fail(f"there is no account {name!r}; {similar(name, names)}", as_json=as_json)
    _tell(f"removed {name}, {file} is gone; `presence-syncd reload` tells the daemon", name, file, as_json=as_json)


@account.command("list")
@config_option
@json_option
def list_accounts(path: Path, *, as_json: bool) -> None:
    """List the accounts of the configuration, with their links and the places where they stand."""
    from presence_syncd.accounts_file import listed

    found = listed(load_or_exit(path))
    if as_json:
        print_json(found)
    else:
        print_table(("account", "links", "place"), [(a["account"], " ".join(a["links"]), a["place"]) for a in found])


@click.command()
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default="/",
    show_default=True,
    help="Install below this folder, for packages and tests.",
)
@click.option("--force", is_flag=True, help="Replace a configuration that is there; the old one is kept as *.old.")
@json_option
def setup(root: Path, *, force: bool, as_json: bool) -> None:
    """Install the systemd unit and a configuration to begin with; never replaces a configuration without --force."""
    from presence_syncd import installing

    try:
        done = installing.install(root, force=force)
    except OSError as error:
        _fail(f"cannot write {error.filename}: {(error.strerror or 'it failed').lower()}", as_json=as_json)
    if as_json:
        print_json({"done": True, "files": {str(file): what for file, what in done.items()}})
        return
    for file, what in done.items():
        click.echo(f"{what:10} {file}")
    click.echo()
    for step in installing.NEXT:
        click.echo(step)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def completion(shell: str | None) -> None:
    """Print the script that completes commands and accounts in SHELL; by default the one you are in."""
    from click.shell_completion import get_completion_class

    shell = shell or Path(os.environ.get("SHELL", "")).name
    found = get_completion_class(shell)
    if found is None or shell not in SHELLS:
        raise click.UsageError(f"name a shell: {', '.join(SHELLS)}")
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "presence-syncd", "_PRESENCE_SYNCD_COMPLETE").source())


COMMANDS: tuple[click.Command, ...] = (account, setup, completion)
"""What `cli` registers."""

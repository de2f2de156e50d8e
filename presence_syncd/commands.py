"""What an operator does with a running daemon, over its control socket: look, explain, watch, and give orders.

The one rule: whatever cannot be done says why and what to do next, as JSON with `--json`, and the exit code tells: 0
done, 1 not done, 2 usage, 78 configuration.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from presence_syncd.core.presence import BELONGS, Availability, Status, parse_status
from presence_syncd.errors import ConfigError
from presence_syncd.happenings import is_bad, phrase
from presence_syncd.options import (
    CONFIGURATION,
    DEFAULT_CONFIG,
    Command,
    config_option,
    exit_with,
    json_option,
    print_json,
)
from presence_syncd.overview import is_troubled, print_accounts, print_budgets, print_links, summary, unfitting
from presence_syncd.remote import Remote, RemoteError, control_path
from presence_syncd.sentences import story
from presence_syncd.spans import span
from presence_syncd.tables import print_paragraphs

SEVERAL = 8
"""Names printed of a longer list."""


class Ordering(click.Command):
    """A command that talks to the daemon: says in words, or in JSON, why it could not."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with 1, or 78, if it cannot be done."""
        try:
            return super().invoke(ctx)
        except RemoteError as error:
            if ctx.params.get("as_json"):
                print_json({"error": error.message, "hint": error.hint, "problems": list(error.lines)})
            else:
                click.echo(str(error), err=True)
            sys.exit(1)
        except ConfigError as error:
            if not ctx.params.get("as_json"):
                exit_with(error.problems)
            print_json({"error": str(error), "hint": "", "problems": [str(problem) for problem in error.problems]})
            sys.exit(CONFIGURATION)


def _reached(path: Path, control: Path | None) -> Remote:
    return Remote(control or control_path(path, Path(DEFAULT_CONFIG)))


def talking(command: Command) -> Command:
    """Give a command `--config`, `--control` and `--json`."""
    control = click.option(
        "--control",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="The daemon's control socket, in place of the one that the configuration names.",
    )
    return config_option(control(json_option(command)))


def _complete_account(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ask the running daemon; nothing is offered where there is none."""
    try:
        default = Path(ctx.params.get("path") or DEFAULT_CONFIG)
        remote = Remote(ctx.params.get("control") or control_path(default, Path(DEFAULT_CONFIG)), timeout=1.0)
        names = [account["account"] for account in remote.accounts()]
    except (RemoteError, ConfigError):
        return []
    return [CompletionItem(name) for name in names if name.casefold().startswith(incomplete.casefold())]


class StatusType(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """A status as `str(Status)` prints it."""

    name = "status"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Status:
        """Read it, and refuse what says nothing."""
        try:
            status = parse_status(str(value))
        except ValueError as error:
            self.fail(f"{error}. Known activities: {', '.join(_activities())}", param, ctx)
        if not status.is_known:
            self.fail("unknown says nothing, so it cannot be pinned", param, ctx)
        return status

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer every status that has a name."""
        del ctx, param
        names = [*(a for a in Availability if a is not Availability.UNKNOWN), *_activities()]
        return [CompletionItem(str(name)) for name in names if str(name).startswith(incomplete)]


def _activities() -> list[str]:
    return [f"{availability}/{activity}" for activity, availability in BELONGS.items()]


class SpanType(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """A span of time, `90s`, `15m`, `1h`, `1d`, in seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it as the configuration's durations are read."""
        from presence_syncd.connectors.fields import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


account_argument = click.argument("account", shell_complete=_complete_account)
any_account_argument = click.argument("account", required=False, shell_complete=_complete_account)


@click.command(cls=Ordering)
@any_account_argument
@click.option("--trouble", is_flag=True, help="Only accounts that somebody should look at.")
@talking
def status(account: str | None, path: Path, control: Path | None, *, trouble: bool, as_json: bool) -> None:
    """Show what is shown where; of one ACCOUNT also since when, whose word it is, and why."""
    remote = _reached(path, control)
    if account is not None:
        found = remote.account(account)
        (print_json if as_json else print_links)(found)
        return
    ready, accounts, budgets = remote.ready(), remote.accounts(), remote.budgets()
    shown = [found for found in accounts if not trouble or is_troubled(found)]
    if as_json:
        print_json({**ready, "accounts": shown, "budgets": budgets})
        return
    print_accounts(shown)
    if not trouble:
        click.echo()
        print_budgets(budgets)
    for said in unfitting(budgets):
        click.echo(said)
    click.echo(summary(ready, len(accounts), sum(map(is_troubled, accounts))))


@click.command(cls=Ordering)
@account_argument
@talking
def explain(account: str, path: Path, control: Path | None, *, as_json: bool) -> None:
    """Explain why ACCOUNT is shown as it is, and why something is not written."""
    found = _reached(path, control).account(account)
    if as_json:
        print_json(found)
    else:
        print_paragraphs(story(found))


@click.command(cls=Ordering)
@any_account_argument
@talking
def watch(account: str | None, path: Path, control: Path | None, *, as_json: bool) -> None:
    """Show what happens as it happens, of all accounts or one, until Ctrl-C. With --json one object per line."""
    remote = _reached(path, control)
    if account is not None:
        remote.account(account)  # says so if there is none
    show = print_event_json if as_json else print_event
    try:
        for event in remote.events(account):
            show(event)
    except KeyboardInterrupt:
        return


def print_event_json(event: dict[str, Any]) -> None:
    """Print one event as a JSON line."""
    import json

    click.echo(json.dumps(event, ensure_ascii=False))


def print_event(event: dict[str, Any]) -> None:
    """Print one event for people, with the local time."""
    from datetime import datetime

    when = datetime.fromisoformat(event["time"]).astimezone().strftime("%H:%M:%S")
    where = f"{event.get('account', ''):14}  {event.get('service', ''):10}  {event.get('change') or '':8}"
    click.secho(f"{when}  {where}  {phrase(event)}", fg="red" if is_bad(event) else None)


@click.command(cls=Ordering)
@account_argument
@click.argument("status", type=StatusType())
@click.option("--for", "seconds", type=SpanType(), default="1h", show_default=True, help="How long, up to 30d.")
@click.option("--reason", default="", help="Why, for those who ask `explain`.")
@talking
def pin(
    account: str, status: Status, seconds: float, reason: str, path: Path, control: Path | None, *, as_json: bool
) -> None:
    """Show ACCOUNT as STATUS for a while, whatever the services say. Survives a restart."""
    _order(path, control, account, "pin", status=str(status), seconds=seconds, reason=reason)
    said = f"{account} is pinned to {status} for {span(seconds)}; `presence-syncd unpin {account}` ends it"
    _tell(said, {"account": account, "pinned": str(status), "seconds": seconds, "reason": reason}, as_json=as_json)


def _order(path: Path, control: Path | None, account: str, what: str, **facts: object) -> None:
    try:
        _reached(path, control).order(account, what, by=_operator(), **facts)
    except RemoteError as error:
        if error.status == 422:
            raise click.UsageError(error.message) from error
        raise


def _operator() -> str:
    """Who gives the order: the person behind sudo, or else the user of this process."""
    import getpass
    import os

    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return str(os.getuid())


def _tell(said: str, facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"done": True, **facts})
    else:
        click.echo(said)


def _simple(name: str, what: str, said: str) -> click.Command:
    """A command that gives one order for one account."""

    @click.command(name, cls=Ordering, help=what)
    @account_argument
    @talking
    def command(account: str, path: Path, control: Path | None, *, as_json: bool) -> None:
        _order(path, control, account, name)
        _tell(said.format(account=account), {"account": account}, as_json=as_json)

    return command


unpin = _simple("unpin", "Let the services speak for ACCOUNT again.", "{account} is not pinned any more")
pause = _simple(
    "pause",
    "Write nothing more for ACCOUNT; it is still read. Survives a restart.",
    "{account} is paused: nothing is written until `presence-syncd resume {account}`",
)
resume = _simple("resume", "Write again for ACCOUNT.", "{account} is resumed")
restart = _simple(
    "restart",
    "End the task of ACCOUNT as if it had crashed; it starts again in a moment, and nobody else notices.",
    "the task of {account} was ended; it starts again in a moment",
)


@click.command(cls=Ordering)
@talking
def reload(path: Path, control: Path | None, *, as_json: bool) -> None:
    """Let the daemon take the configuration anew. Exit code 1, and what is wrong, if it is refused."""
    done = _reached(path, control).reload()
    if as_json:
        print_json({"done": True, **done})
        return
    for line in changes(done):
        click.echo(line)


def changes(done: dict[str, Any]) -> Iterator[str]:
    """What a reload did, one line for each kind of change."""
    kinds = {"added": "accounts added", "removed": "accounts removed", "changed": "accounts changed"}
    named = [f"{what}: {_several(done[key])}" for key, what in kinds.items() if done[key]]
    if done["services"]:
        named.append(f"services changed: {_several(done['services'])}")
    yield from named or ["reloaded; no account or service changed"]
    if done["ignored"]:
        yield f"takes a restart of the daemon: {', '.join(done['ignored'])}"


def _several(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - SEVERAL} more" if len(names) > SEVERAL else ""
    return f"{len(names)} ({', '.join(names[:SEVERAL])}{more})"


COMMANDS: tuple[click.Command, ...] = (status, explain, watch, pin, unpin, pause, resume, restart, reload)
"""What `cli` registers."""

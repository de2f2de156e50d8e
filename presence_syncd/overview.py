"""The overview of accounts: `status` of the command line.

The one rule: what is well takes one word; what is not says why in brackets.
"""

from __future__ import annotations

from typing import Any

import click

from presence_syncd.connectors.upkeep import MOST
from presence_syncd.spans import ago, span
from presence_syncd.tables import print_table

QUIET = frozenset(
    {"in-sync", "own-word", "read-only", "standby", "confirming", "settling", "change", "refresh", "retract"}
)
"""Reasons that take no word in the overview."""
TROUBLE = frozenset({"unread", "paused", "backoff", "refused", "shadowed", "frozen", "retry"})
"""Reasons that somebody should look at; the others are as it should be, such as a session that fades at night."""


def is_troubled(account: dict[str, Any]) -> bool:
    """Whether somebody should look at an account."""
    return account["state"] != "running" or not TROUBLE.isdisjoint(account["reasons"].values())


def print_accounts(accounts: list[dict[str, Any]]) -> None:
    """Print every account in a line, with a column for each service."""
    services = list(dict.fromkeys(service for account in accounts for service in account["shows"]))
    columns = ("account", "state", "status", "said in", *services)
    if accounts:
        print_table(columns, [(*_account_cells(a), *(_cell(a, service) for service in services)) for a in accounts])


def _account_cells(account: dict[str, Any]) -> tuple[str, str, str, str]:
    return (account["account"], account["state"], account["status"] or "-", account["from"] or "-")


def _cell(account: dict[str, Any], service: str) -> str:
    """What a service shows, and why it is not what it should be; a dash where the account has no link."""
    if service not in account["shows"]:
        return "-"
    shows, reason = account["shows"][service] or "not read", account["reasons"][service]
    return shows if reason in QUIET else f"{shows} ({reason})"


def print_budgets(budgets: list[dict[str, Any]]) -> None:
    """Print what each service's login needs of what it is granted; with what is used now, where that is known."""
    columns = ("service", "needs", "of granted", "headroom", "room for", "time to renew")
    live = bool(budgets) and "used" in budgets[0]
    if budgets:
        print_table((*columns, "least seen", "used now") if live else columns, [_budget_cells(b) for b in budgets])


def _budget_cells(budget: dict[str, Any]) -> tuple[str, ...]:
    cells = (
        budget["service"],
        f"{budget['needed']:.3g}/s",
        f"{budget['granted']:.3g}/s",
        f"{1 - budget['ratio']:.0%}",
        _room(budget["further"]),
        _seconds(budget["slack"]),
    )
    return (*cells, _seconds(budget["slack_seen"]), f"{budget['used']:.0%}") if "used" in budget else cells


def _room(further: int | None) -> str:
    """How many people more would fit, or are too many."""
    if further is None:
        return "-"
    if further < 0:
        return f"{-further:,} too many"
    return f"{further:,} more" if further < MOST else "a million more"


def _seconds(slack: float | None) -> str:
    if slack is None:
        return "-"
    return span(slack) if slack >= 0 else f"{span(-slack)} late"


def unfitting(budgets: list[dict[str, Any]]) -> list[str]:
    """Say which logins cannot serve everybody."""
    return [
        f"{budget['service']} needs {budget['ratio']:.0%} of what it is granted while everybody is there; "
        "`presence-syncd check` says what can be done"
        for budget in budgets
        if budget["ratio"] > 1
    ]


def summary(ready: dict[str, Any], count: int, troubled: int) -> str:
    """Say in a line how the daemon does."""
    text = f"{count} accounts" if count != 1 else "1 account"
    text += f", {troubled} to look at" if troubled else ", all well"
    waiting = [f"{service}: {why}" for service, why in ready["waiting"].items()]
    return "; ".join((text, *waiting))


def print_links(account: dict[str, Any]) -> None:
    """Print one account with a line for each of its links."""
    chain = account["explanation"]
    click.echo(f"{account['account']}: {account['status'] or 'no status'}, {account['state']}")
    columns = ("service", "shows", "since", "whose", "written", "reason", "next")
    print_table(columns, [_link_cells(link) for link in chain["links"]])
    for link in chain["links"]:
        if link["trouble"]:
            click.echo(f"{link['service']}: {link['trouble']}")


def _link_cells(link: dict[str, Any]) -> tuple[str, ...]:
    since = span(link["shown_ago"]) if link["shown_ago"] is not None else "-"
    written = f"{link['written']['word']} {ago(link['written']['ago'])}" if link["written"] else "-"
    following = f"in {span(link['next'])}" if link["next"] is not None else "-"
    return (link["service"], link["shows"] or "not read", since, link["whose"], written, link["reason"], following)

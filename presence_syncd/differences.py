"""Differences between two configurations: what a reload has to do.

The one rule: what is not named here is left alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from presence_syncd.config import AccountSettings, Config


@dataclass(frozen=True, slots=True)
class Difference:
    """What a reload has to do, by names: accounts that are new, gone, or begin anew; services that differ or are gone.

    `ignored` are settings of the daemon that need a restart.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def compare(old: Config, new: Config) -> Difference:
    """What it takes to go from one configuration to another."""
    services = tuple(sorted(name for name, table in old.services.items() if new.services.get(name) != table))
    before, after = by_name(old), by_name(new)
    return Difference(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(n for n in before if n in after and differs(before[n], after[n], services)),
        services=services,
        ignored=needs_restart(old, new),
    )


def by_name(config: Config) -> dict[str, AccountSettings]:
    """The accounts of a configuration."""
    return {account.name: account for account in config.accounts}


def differs(before: AccountSettings, after: AccountSettings, services: Collection[str]) -> bool:
    """Whether an account must start anew: its links, or a service of theirs, differ, or who writes."""
    return (
        before.links != after.links
        or before.policy.writer != after.policy.writer
        or any(name in before.links or name in after.links for name in services)
    )


def staying(before: AccountSettings, after: AccountSettings, services: Collection[str]) -> frozenset[str]:
    """Services an account need not sign out of, because it comes back to the same place at once."""
    same = (name for name, link in after.links.items() if before.links.get(name) == link)
    return frozenset(same).difference(services)


def needs_restart(old: Config, new: Config) -> tuple[str, ...]:
    """The daemon's own settings that differ, which a reload does not take."""
    keys = ("state", "http", "http_exposed", "control", "log")
    return tuple(f"daemon.{key}" for key in keys if getattr(old.daemon, key) != getattr(new.daemon, key))

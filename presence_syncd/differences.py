"""Differences between two configurations: what a reload has to do.

The one rule: what is not named here is left alone.
"""

from __future__ import annotations

from presence_syncd.config import AccountSettings, Config


def differs(before: AccountSettings, after: AccountSettings, services: frozenset[str]) -> bool:
    """Whether an account must start anew: its links, or a service of theirs, differ, or who writes."""
    return (
        before.links != after.links
        or before.policy.writer != after.policy.writer
        or bool(services & (before.links.keys() | after.links.keys()))
    )


def staying(before: AccountSettings, after: AccountSettings, services: frozenset[str]) -> frozenset[str]:
    """Services an account need not sign out of, because it comes back to the same place at once."""
    same = (name for name, link in after.links.items() if before.links.get(name) == link)
    return frozenset(same) - services


def needs_restart(old: Config, new: Config) -> tuple[str, ...]:
    """The daemon's own settings that differ, which a reload does not take."""
    keys = ("state", "http", "http_exposed", "control", "log")
    return tuple(f"daemon.{key}" for key in keys if getattr(old.daemon, key) != getattr(new.daemon, key))

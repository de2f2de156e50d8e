"""What the tables mean together: the second stage of checking.

The one rule: each check is one function that yields findings; none of them looks outside of the configuration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel

from presence_syncd.config.contents import link_origin, make_service, policy_origin, tables_of, values_in
from presence_syncd.config.documents import Origin
from presence_syncd.config.findings import Findings, suggest
from presence_syncd.config.plan import Linked, compared, counted, links_of, too_fast, too_many
from presence_syncd.config.tables import AccountSettings, Config, Policy
from presence_syncd.connectors.connector import Service
from presence_syncd.connectors.fields import SecretRef
from presence_syncd.connectors.upkeep import Needs
from presence_syncd.core.view import Compose
from presence_syncd.errors import Problem


def check(config: Config, known: frozenset[str], findings: Findings) -> None:
    """Add what is wrong, or odd. `known` are the names of all services, also of those that could not be read."""
    services, needs = dict(_make_services(config, findings)), dict[str, Needs]()
    findings.errors.extend(_mapping(config, services))
    findings.errors.extend(_relative_paths(config))
    findings.errors.extend(_misfits(config))
    findings.errors.extend(_same_person_twice(counted(links_of(config, services), needs)))
    findings.errors.extend(_unordered_writers(config))
    findings.errors.extend(_nothing_written(config))
    findings.errors.extend(_names_of_no_service(config, known))
    findings.warnings.extend(_lonely(config))
    findings.warnings.extend(_nothing_read(config))
    findings.warnings.extend(_unreachable(config, known))
    findings.warnings.extend(_unused(config))
    findings.warnings.extend(too_fast(config, services))
    findings.warnings.extend(too_many(config, compared(services, needs)))


def _make_services(config: Config, findings: Findings) -> Iterator[tuple[str, Service]]:
    for name in config.services:
        try:
            yield name, make_service(config, name)
        except ValueError as error:
            findings.errors.append(config.origin(f"services.{name}").problem((), str(error)))


def _mapping(config: Config, services: dict[str, Service]) -> Iterator[Problem]:
    for name, service in services.items():
        for status, word in config.services[name].mapping.items():
            try:
                service.vocabulary.override({status: word})
            except ValueError as error:
                yield config.origin(f"services.{name}").problem(("mapping", status), str(error))


def _relative_paths(config: Config) -> Iterator[Problem]:
    for origin, table in tables_of(config):
        for path, value in values_in(table):
            file = value.file if isinstance(value, SecretRef) else value
            if isinstance(file, Path) and not file.is_absolute():
                yield origin.problem(path, "legal is an absolute path, one that starts with /")


def _misfits(config: Config) -> Iterator[Problem]:
    """A link and its service are each right by themselves and do not fit together."""
    for account in config.accounts:
        for name, link in account.links.items():
            found = link.misfit(config.services[name]) if name in config.services else None
            if found is not None:
                yield link_origin(account, name).problem((found[0],), found[1])


def _same_person_twice(links: Iterable[Linked]) -> Iterator[Problem]:
    """Two accounts with one place in a service would overwrite each other for ever."""
    seen: dict[tuple[str, str], AccountSettings] = {}
    for account, name, link in links:
        first = seen.setdefault((name, link.key.casefold()), account)
        if first is not account:
            where = link_origin(first, name).place(*_key_of(first.links[name], link.key))
            problem = f"is the same person as account {first.name} at {where}"
            key = _key_of(account.links[name], link.key)
            yield link_origin(account, name).problem(key, problem, "one account per person")


def _key_of(settings: BaseModel, value: str) -> tuple[str, ...]:
    """The key of the table that holds `value`, if one does."""
    held = (key for key in type(settings).model_fields if str(getattr(settings, key)).casefold() == value.casefold())
    return tuple(held)[:1]


def _unordered_writers(config: Config) -> Iterator[Problem]:
    """Two doors to one presence must not be written at once."""
    for account in config.accounts:
        doors: dict[str, list[str]] = defaultdict(list)
        for name in account.writing:
            if name in config.services:
                doors[config.domain(name)].append(name)
        for domain, names in doors.items():
            if len(names) > 1 and not set(names) <= set(account.policy.writer):
                message = f'writes to presence domain "{domain}" like links.{names[0]}, and no order is set'
                order = ", ".join(f'"{name}"' for name in names)
                hint = f'set policy.writer = [{order}], or direction = "read" in one of them'
                yield link_origin(account, names[1]).problem((), message, hint)


def _nothing_written(config: Config) -> Iterator[Problem]:
    for account in config.accounts:
        if account.links and not account.writing:
            yield account.origin.problem((), "no link is written", 'set direction = "both" or "write" in one of them')
        elif not account.links:
            yield account.origin.problem((), "has no link", "add [account.links.SERVICE]")


def _names_of_no_service(config: Config, known: frozenset[str]) -> Iterator[Problem]:
    for origin, policy in _policies(config):
        for key, names in _lists(policy):
            for index, name in enumerate(names):
                if name not in known and origin.has(key):
                    hint = suggest(name, known, otherwise=f"services: {', '.join(sorted(known)) or 'none'}")
                    yield origin.problem((key, index), f"there is no [services.{name}]", hint)


def _lonely(config: Config) -> Iterator[Problem]:
    for account in config.accounts:
        if len(account.links) == 1:
            yield account.origin.problem((), "has one link, so that nothing is mirrored", "add [account.links.SERVICE]")


def _nothing_read(config: Config) -> Iterator[Problem]:
    for account in config.accounts:
        if account.links and not account.reading:
            yield account.origin.problem((), "no link is read, so that only pins are shown")


def _unreachable(config: Config, known: frozenset[str]) -> Iterator[Problem]:
    """Rules that can never take part in a decision."""
    everywhere = {name for account in config.accounts for name in account.links}
    used = [(config.origin("policy"), config.policy, everywhere, "no account has")]
    used += [(policy_origin(a), a.policy, set(a.links), "this account does not have") for a in config.accounts]
    composes = {account.policy.compose for account in config.accounts} | {config.policy.compose}
    for origin, policy, links, who in used:
        for key, names in _lists(policy):
            for index, name in enumerate(names):
                if name in known and name not in links and origin.has(key):
                    yield origin.problem((key, index), f"{name} is never used: {who} a link to it")
        if policy.priority and Compose.PRIORITY not in composes and origin.has("priority"):
            yield origin.problem(("priority",), 'has no effect: no compose is "priority"')


def _unused(config: Config) -> Iterator[Problem]:
    linked = {name for account in config.accounts for name in account.links}
    for name in config.services:
        if config.accounts and name not in linked:
            yield config.origin(f"services.{name}").problem((), "is not used: no account has a link to it")


def _policies(config: Config) -> Iterator[tuple[Origin, Policy]]:
    yield config.origin("policy"), config.policy
    for account in config.accounts:
        yield policy_origin(account), account.policy


def _lists(policy: Policy) -> Iterable[tuple[str, tuple[str, ...]]]:
    return (("priority", policy.priority), ("writer", policy.writer))

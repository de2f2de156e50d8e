"""From files to a checked `Config`: syntax first, then each table, then what the tables mean together.

The one rule: every problem of a stage is reported at once; the next stage sees only what the stage before let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field

from presence_syncd.config import meaning
from presence_syncd.config.documents import Document, Origin, read_documents
from presence_syncd.config.findings import Findings, in_order, suggest
from presence_syncd.config.tables import AccountSettings, Config, DaemonSettings, Policy
from presence_syncd.connectors import REGISTRY
from presence_syncd.connectors.connector import Connector
from presence_syncd.connectors.fields import LinkSettings, Name, ServiceSettings, Table
from presence_syncd.errors import ConfigError

MAIN_TABLES = ("daemon", "policy", "services", "account")
"""What may stand in the main file."""
EXTRA_TABLES = ("services", "account")
"""What may stand in a file of `conf.d`."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class AccountTable(Table):
    """`[[account]]` as it is written; its links are read by the types of their services."""

    name: Name = Field(description="the account's name in commands and logs")
    vip: bool = Field(default=False, description="whether its requests go before others' while they must wait")
    policy: dict[str, Any] = Field(default_factory=dict, description="what is different from [policy]")
    links: dict[str, Any] = Field(default_factory=dict, description="the account's place in each service")


@dataclass(slots=True)
class _Draft:
    """What was read so far. A service that is wrong is still known by its name."""

    findings: Findings
    origins: dict[str, Origin] = field(default_factory=dict)
    kinds: dict[str, str | None] = field(default_factory=dict)
    services: dict[str, ServiceSettings] = field(default_factory=dict)
    accounts: list[AccountSettings] = field(default_factory=list)
    names: dict[str, Origin] = field(default_factory=dict)


def load(path: Path) -> Config:
    """Read the file and `conf.d/*.toml` beside it. Raises ConfigError with every problem at once."""
    documents, unreadable = read_documents(path)
    if unreadable:
        raise ConfigError(unreadable)
    draft = _Draft(Findings(others=_tables_by_kind))
    main = documents[0]
    for document in documents:
        _refuse_unknown_tables(draft, document, MAIN_TABLES if document is main else EXTRA_TABLES)
    daemon = _table(draft, main, "daemon", DaemonSettings)
    policy = _table(draft, main, "policy", Policy)
    for document in documents:
        _read_services(draft, document)
    for document in documents:
        _read_accounts(draft, document, main.data.get("policy", {}) if policy else {})
    return _finish(draft, daemon or DaemonSettings(), policy or Policy())


def _tables_by_kind() -> dict[str, tuple[type[Table], type[Table]]]:
    """The tables of every kind that can be imported."""
    tables: dict[str, tuple[type[Table], type[Table]]] = {}
    for kind in REGISTRY:
        with suppress(ImportError):
            tables[kind] = (REGISTRY[kind].settings, REGISTRY[kind].link_settings)
    return tables


def _finish(draft: _Draft, daemon: DaemonSettings, policy: Policy) -> Config:
    origins = MappingProxyType(draft.origins)
    services = MappingProxyType(draft.services)
    config = Config(daemon, policy, services, tuple(draft.accounts), origins=origins)
    meaning.check(config, frozenset(draft.kinds), draft.findings)
    draft.findings.refuse()
    warnings = tuple(in_order(draft.findings.warnings))
    return Config(daemon, policy, services, config.accounts, warnings, origins)


def _refuse_unknown_tables(draft: _Draft, document: Document, legal: tuple[str, ...]) -> None:
    top = Origin(document, (), "")
    for key in document.data:
        if key in legal:
            continue
        if key in MAIN_TABLES:
            problem = top.problem((key,), "stands in the main file only", f"legal here: {', '.join(legal)}")
        else:
            problem = top.problem((key,), "unknown table", suggest(key, legal))
        draft.findings.errors.append(problem)


def _table(draft: _Draft, document: Document, name: str, model: type[Any]) -> Any:
    """Read a table of the main file; its defaults if it is not there."""
    draft.origins[name] = Origin(document, (name,), name)
    return draft.findings.validate(model, draft.origins[name], document.data.get(name, {}))


def _read_services(draft: _Draft, document: Document) -> None:
    tables = document.data.get("services", {})
    top = Origin(document, ("services",), "services")
    if not isinstance(tables, dict):
        draft.findings.errors.append(top.problem((), "must be tables [services.NAME]"))
        return
    for name, table in tables.items():
        origin = Origin(document, ("services", name), f"services.{name}")
        if _is_new_service(draft, name, origin):
            _read_service(draft, name, table, origin)


def _is_new_service(draft: _Draft, name: str, origin: Origin) -> bool:
    if not NAME.fullmatch(name):
        draft.findings.errors.append(origin.problem((), "is no name", "letters, digits, . _ @ -, at most 64"))
        return False
    if name in draft.kinds:
        first = draft.origins[f"services.{name}"].place()
        draft.findings.errors.append(origin.problem((), f"stands twice, first at {first}", "remove one of them"))
        return False
    draft.origins[f"services.{name}"] = origin
    draft.kinds[name] = None
    return True


def _read_service(draft: _Draft, name: str, table: object, origin: Origin) -> None:
    connector = _connector(draft, table, origin)
    if connector is None or not isinstance(table, dict):
        return
    draft.kinds[name] = connector.kind
    settings = _read_settings(draft.findings, connector.settings, origin, table)
    if settings is not None:
        draft.services[name] = settings


def _read_settings(
    findings: Findings, model: type[ServiceSettings], origin: Origin, table: Mapping[str, Any]
) -> ServiceSettings | None:
    """Read the table without its mapping, then each line of the mapping alone, so that the wrong one is known."""
    mapping = table.get("mapping")
    if not isinstance(mapping, dict):
        return findings.validate(model, origin, table)
    if findings.validate(model, origin, {**table, "mapping": {}}) is None:
        return None
    before = len(findings.errors)
    for status, word in mapping.items():
        findings.validate(model, origin, {**table, "mapping": {status: word}}, at=("mapping", status))
    return findings.validate(model, origin, table) if len(findings.errors) == before else None


def _connector(draft: _Draft, table: object, origin: Origin) -> Connector | None:
    """The connector of a service's `type`; None, with a finding, if there is none."""
    legal = f"legal: {', '.join(REGISTRY)}"
    kind = table.get("type") if isinstance(table, dict) else None
    if not isinstance(table, dict):
        problem = origin.problem((), "must be a table")
    elif kind is None:
        problem = origin.problem(("type",), "is missing", legal)
    elif not isinstance(kind, str) or kind not in REGISTRY:
        problem = origin.problem(("type",), "is no type of service", suggest(str(kind), REGISTRY, otherwise=legal))
    else:
        try:
            return REGISTRY[kind]
        except ImportError as error:
            missing = error.name or "a package"
            problem = origin.problem(("type",), f"type {kind} needs {missing}, which is not installed")
    draft.findings.errors.append(problem)
    return None


def _read_accounts(draft: _Draft, document: Document, policy: Mapping[str, Any]) -> None:
    tables = document.data.get("account", [])
    if not isinstance(tables, list):
        top = Origin(document, ("account",), "account")
        draft.findings.errors.append(top.problem((), "must be an array of tables", "write [[account]]"))
        return
    for index, table in enumerate(tables):
        name = table.get("name") if isinstance(table, dict) else None
        label = f"account.{name}" if isinstance(name, str) else f"account[{index}]"
        origin = Origin(document, ("account", index), label)
        found = draft.findings.validate(AccountTable, origin, table)
        if found is not None and _is_new_account(draft, found.name, origin):
            _read_account(draft, found, origin, policy)


def _is_new_account(draft: _Draft, name: str, origin: Origin) -> bool:
    """Whether the name is new; case is ignored, since people are asked for by it."""
    first = draft.names.setdefault(name.casefold(), origin)
    if first is origin:
        return True
    problem = origin.problem(("name",), f"stands twice, first at {first.place('name')}", "an account has one table")
    draft.findings.errors.append(problem)
    return False


def _read_account(draft: _Draft, table: AccountTable, origin: Origin, defaults: Mapping[str, Any]) -> None:
    before = len(draft.findings.errors)
    here = Origin(origin.document, (*origin.path, "policy"), f"{origin.name}.policy")
    policy = draft.findings.validate(Policy, here, {**defaults, **table.policy})
    links = dict(_read_links(draft, table.links, origin))
    if policy is not None and len(draft.findings.errors) == before:
        draft.accounts.append(AccountSettings(table.name, policy, MappingProxyType(links), table.vip, origin))


def _read_links(draft: _Draft, tables: Mapping[str, Any], account: Origin) -> Iterator[tuple[str, LinkSettings]]:
    for name, table in tables.items():
        if name not in draft.kinds:
            hint = suggest(name, draft.kinds, otherwise=f"services: {', '.join(draft.kinds) or 'none'}")
            draft.findings.errors.append(account.problem(("links", name), f"there is no [services.{name}]", hint))
            continue
        kind = draft.kinds[name]
        if kind is None:  # its service is wrong, and was reported
            continue
        origin = Origin(account.document, (*account.path, "links", name), f"{account.name}.links.{name}")
        settings = draft.findings.validate(REGISTRY[kind].link_settings, origin, table)
        if settings is not None:
            yield name, settings

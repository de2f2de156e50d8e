"""Walking over a configuration: its tables, the values in them, the services they describe.

The one rule: nothing here judges; `meaning` and `environment` do.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from presence_syncd.config.documents import Origin
from presence_syncd.config.tables import AccountSettings, Config
from presence_syncd.connectors import REGISTRY
from presence_syncd.connectors.connector import Service
from presence_syncd.connectors.fields import SecretRef
from presence_syncd.core.vocabulary import Vocabulary


def make_service(config: Config, name: str) -> Service:
    """Make a service with the words it has without `mapping`. Raises ValueError for settings that do not fit."""
    settings = config.services[name]
    return REGISTRY[settings.type].service(name, settings.model_copy(update={"mapping": {}}))


def values_in(table: BaseModel, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every value inside a table with its path, tables of tables included; a `SecretRef` is one value."""
    for key in type(table).model_fields:
        yield from _values(getattr(table, key), (*path, key))


def _values(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    yield path, value
    if isinstance(value, BaseModel) and not isinstance(value, SecretRef):
        yield from values_in(value, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, (*path, key))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from _values(item, (*path, index))


def tables_of(config: Config) -> Iterator[tuple[Origin, BaseModel]]:
    """Every table of services and links, and where it stands."""
    for name, settings in config.services.items():
        yield config.origin(f"services.{name}"), settings
    for account in config.accounts:
        for name, link in account.links.items():
            yield link_origin(account, name), link


def link_origin(account: AccountSettings, name: str) -> Origin:
    """Where an account's link stands."""
    origin = account.origin
    return Origin(origin.document, (*origin.path, "links", name), f"{origin.name}.links.{name}")


def policy_origin(account: AccountSettings) -> Origin:
    """Where an account's own policy stands, or would."""
    origin = account.origin
    return Origin(origin.document, (*origin.path, "policy"), f"{origin.name}.policy")


def vocabularies(config: Config) -> dict[str, Vocabulary]:
    """The words of every service as they are used, overrides included."""
    tables = {name: make_service(config, name).vocabulary for name in config.services}
    return {name: table.override(config.services[name].mapping) for name, table in tables.items()}

"""The kinds of services there are.

The one rule: a kind is imported when it is first asked for, so that a package missing for one breaks no other.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from presence_syncd.connectors.connector import Connector

FOLDERS = MappingProxyType(
    {
        "graph": "presence_syncd.connectors.graph",
        "symphony": "presence_syncd.connectors.symphony",
        "ucwa": "presence_syncd.connectors.ucwa",
        "bems": "presence_syncd.connectors.bems",
    }
)
"""Where each kind lives; a new one is one line."""


class Registry(Mapping[str, Connector]):
    """The connector of each kind, as `CONNECTOR` in the kind's package."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = folders

    def __getitem__(self, kind: str) -> Connector:
        """Import the kind. Raises KeyError for an unknown one, ImportError where a package it needs is missing."""
        connector: Connector = importlib.import_module(self._folders[kind]).CONNECTOR
        return connector

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __len__(self) -> int:
        return len(self._folders)

    def __contains__(self, kind: object) -> bool:
        return kind in self._folders


REGISTRY: Mapping[str, Connector] = Registry(FOLDERS)

"""Microsoft Graph: presence in Microsoft Teams, by an application of the tenant."""

from __future__ import annotations

from presence_syncd.connectors.connector import Connector
from presence_syncd.connectors.graph.emulator import GraphEmulator
from presence_syncd.connectors.graph.protocol import GraphService
from presence_syncd.connectors.graph.settings import GraphLinkSettings, GraphSettings

CONNECTOR = Connector(
    kind="graph",
    settings=GraphSettings,
    link_settings=GraphLinkSettings,
    service=GraphService,
    emulator=GraphEmulator,
)

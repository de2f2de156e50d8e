"""Symphony Messaging: presence of a pod's people, read by polling, written by a service account or on their behalf."""

from __future__ import annotations

from presence_syncd.connectors.connector import Connector
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.connectors.symphony.protocol import SymphonyService
from presence_syncd.connectors.symphony.settings import SymphonyLinkSettings, SymphonySettings

CONNECTOR = Connector(
    kind="symphony",
    settings=SymphonySettings,
    link_settings=SymphonyLinkSettings,
    service=SymphonyService,
    emulator=SymphonyEmulator,
)

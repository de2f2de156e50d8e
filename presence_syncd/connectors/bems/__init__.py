"""BlackBerry Enterprise Mobility Server: Connect messaging writes and pushes, the Presence lookup service reads."""

from __future__ import annotations

from presence_syncd.connectors.bems.emulator import BemsEmulator
from presence_syncd.connectors.bems.protocol import BemsService
from presence_syncd.connectors.bems.settings import BemsLinkSettings, BemsSettings
from presence_syncd.connectors.connector import Connector

CONNECTOR = Connector(
    kind="bems",
    settings=BemsSettings,
    link_settings=BemsLinkSettings,
    service=BemsService,
    emulator=BemsEmulator,
    domain="sfb",
)

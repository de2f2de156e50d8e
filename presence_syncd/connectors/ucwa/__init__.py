"""Skype for Business Server through UCWA: presence pushed by the event channel, and set."""

from __future__ import annotations

from presence_syncd.connectors.connector import Connector
from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.connectors.ucwa.protocol.link import UcwaService
from presence_syncd.connectors.ucwa.settings import Settings, UcwaLinkSettings

CONNECTOR = Connector(
    kind="ucwa",
    settings=Settings,
    link_settings=UcwaLinkSettings,
    service=UcwaService,
    emulator=UcwaEmulator,
    domain="sfb",
)
"""Skype for Business, as the registry knows it; shares its presence domain with other doors to the same server."""

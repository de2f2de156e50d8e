"""A Skype for Business deployment in a box, written from its documents; it never looks at our client."""

from __future__ import annotations

from presence_syncd.connectors.ucwa.emulator.server import UcwaEmulator

__all__ = ["UcwaEmulator"]

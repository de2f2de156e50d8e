"""The configuration: TOML files in, a frozen `Config` out, every problem at once with its place.

    load(path)            syntax and meaning; raises ConfigError
    check_environment()   secrets, certificates, folders, as they are on this machine now
    schema()              the whole file as JSON Schema
    vocabularies()        the words of each service as used
    forecasts()           what each service's login needs, and is granted

The one rule: nothing starts half; a configuration with an error is not used at all.
"""

from __future__ import annotations

from presence_syncd.config.contents import vocabularies
from presence_syncd.config.documents import Place
from presence_syncd.config.environment import check_environment
from presence_syncd.config.plan import forecasts
from presence_syncd.config.reading import load
from presence_syncd.config.schema import schema
from presence_syncd.config.tables import (
    AccountSettings,
    Config,
    DaemonSettings,
    Format,
    Idle,
    Level,
    LogSettings,
    Note,
    Offline,
    Policy,
)

__all__ = [
    "AccountSettings",
    "Config",
    "DaemonSettings",
    "Format",
    "Idle",
    "Level",
    "LogSettings",
    "Note",
    "Offline",
    "Place",
    "Policy",
    "check_environment",
    "forecasts",
    "load",
    "schema",
    "vocabularies",
]

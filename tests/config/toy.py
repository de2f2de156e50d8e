"""A kind of service that checks nothing by itself, to test what is checked for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from presence_syncd.connectors.connector import Connector, Link, Service, Traits
from presence_syncd.connectors.fields import LinkSettings, SecretRef, ServiceSettings
from presence_syncd.core.presence import AVAILABLE, BUSY
from presence_syncd.core.vocabulary import Vocabulary


class ToySettings(ServiceSettings):
    type: Literal["toy"]
    keys: tuple[SecretRef, ...] = ()
    by_host: dict[str, SecretRef] = Field(default_factory=dict)
    broken: bool = False


class ToyLinkSettings(LinkSettings):
    user: str = "somebody"


class Toy(Service):
    vocabulary = Vocabulary(
        reads={"on": AVAILABLE, "busy": BUSY},
        words={AVAILABLE: "on", BUSY: "busy"},
        echoes={"on": frozenset({AVAILABLE}), "busy": frozenset({BUSY})},
    )
    traits = Traits(visible_within=1.0, rate=1.0, burst=1.0, poll_every=1.0)

    def __init__(self, name: str, settings: ToySettings) -> None:
        if settings.broken:
            raise ValueError("these settings do not fit together")
        super().__init__(name)

    def link(self, account: str, settings: Any, memory: Mapping[str, str]) -> Link:
        link = super().link(account, settings, memory)
        link.key = f"toy:{settings.user}"
        return link


CONNECTOR = Connector("toy", ToySettings, ToyLinkSettings, Toy, emulator=dict, domain="toys")

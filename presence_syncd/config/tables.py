"""The tables of the configuration that belong to no service, and the whole of it once it is read.

The one rule: these values never change; a reload makes new ones and compares them. Places in files take no part in
comparing, so that an account that only moved to another line is the same account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from presence_syncd.config.documents import NOWHERE, Origin, Place
from presence_syncd.connectors import REGISTRY
from presence_syncd.connectors.fields import Duration, LinkSettings, ServiceSettings, Table, is_loopback
from presence_syncd.core.view import Compose
from presence_syncd.errors import Problem

MAX_SOCKET_PATH = 107
"""Longest path of a Unix socket, in bytes (unix(7))."""

Address = tuple[str, int]
"""Host and port to listen on."""


def parse_address(value: object) -> Address:
    """Turn `"127.0.0.1:9464"` or `"[::1]:9464"` into host and port. Raises ValueError."""
    if isinstance(value, tuple):  # already parsed
        return value
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (colon and bare and port.isascii() and port.isdigit() and int(port) < 65536) or (
        ":" in bare and bare == host
    ):
        raise ValueError('legal is "HOST:PORT", such as "127.0.0.1:9464" or "[::1]:9464", with a port up to 65535')
    return bare, int(port)


def require_absolute(path: Path) -> Path:
    """Return the path if it starts at the root. Raises ValueError."""
    if not path.is_absolute():
        raise ValueError("legal is an absolute path, one that starts with /")
    return path


def _require_socket_path(path: Path) -> Path:
    if len(str(require_absolute(path)).encode()) > MAX_SOCKET_PATH:
        raise ValueError(f"a Unix socket's path has at most {MAX_SOCKET_PATH} bytes")
    return path


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Format(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class LogSettings(Table):
    """`[daemon] log`: what is logged, and how."""

    level: Level = Field(default=Level.INFO, description="the least important level that is logged")
    format: Format = Field(default=Format.JSON, description="json for machines, console for people")


class DaemonSettings(Table):
    """`[daemon]`: the process itself."""

    state: Annotated[Path, AfterValidator(require_absolute)] = Field(
        default=Path("/var/lib/presence-syncd/state.db"), description="file that keeps what must survive a restart"
    )
    http_exposed: bool = Field(default=False, description="allow an http address that other machines can reach")
    http: Annotated[
        Address,
        BeforeValidator(parse_address),
        WithJsonSchema({"type": "string", "examples": ["127.0.0.1:9464", "[::1]:9464"]}),
    ] = Field(
        default=("127.0.0.1", 9464), description="address of metrics, health and status page; read only, without TLS"
    )
    control: Annotated[Path, AfterValidator(_require_socket_path)] = Field(
        default=Path("/run/presence-syncd/control.sock"), description="Unix socket through which the daemon is steered"
    )
    log: LogSettings = Field(default=LogSettings(), description="what is logged, and how")

    @field_validator("http")
    @classmethod
    def keep_http_on_this_machine(cls, http: Address, info: ValidationInfo) -> Address:
        """Refuse an address that others reach, unless that is meant."""
        if not is_loopback(http[0]) and not info.data.get("http_exposed"):
            raise ValueError('others can reach this address; use "127.0.0.1:9464", or set http_exposed = true')
        return http


class Idle(StrEnum):
    """What becomes of "no recent input"."""

    IGNORE = "ignore"
    AWAY = "away"


class Offline(StrEnum):
    """What becomes of "no client here"."""

    HOLD = "hold"
    AWAY = "away"


class Note(StrEnum):
    """What becomes of the note."""

    IGNORE = "ignore"
    MIRROR = "mirror"


class Policy(Table):
    """`[policy]`, and `[account.policy]` over it key by key: how an account's one status is made. Times in seconds."""

    compose: Compose = Field(
        default=Compose.LATEST,
        description="latest: the newest own word wins; busiest: the busiest; priority: the first in `priority`",
    )
    priority: tuple[str, ...] = Field(
        default=(), description='names of services, the most important first; needed by compose = "priority"'
    )
    settle: Duration = Field(
        default=2.0,
        description="least time between two changes written to one place; what comes faster is written as one",
    )
    settle_fade: Duration = Field(
        default=30.0,
        description="how long a change to idle or away that a service makes by itself must last before it is mirrored",
    )
    idle: Idle = Field(default=Idle.IGNORE, description="what to show elsewhere of no recent input: nothing, or away")
    offline: Offline = Field(
        default=Offline.HOLD, description="what to show elsewhere of no client there: the last status, or away"
    )
    note: Note = Field(default=Note.IGNORE, description="whether notes are carried along")
    evidence: Duration = Field(
        default=900.0, description="how old the last sign of the person may be while Available is kept alive"
    )
    writer: tuple[str, ...] = Field(
        default=(), description="names of services that write to one presence domain, in the order they may"
    )

    @field_validator("priority", "writer")
    @classmethod
    def name_each_service_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse repetitions."""
        if len(set(names)) < len(names):
            raise ValueError("names a service twice")
        return names

    @field_validator("priority")
    @classmethod
    def need_an_order(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Refuse `compose = "priority"` without an order."""
        if info.data.get("compose") is Compose.PRIORITY and not names:
            raise ValueError('compose = "priority" needs priority = ["SERVICE", ...], the most important first')
        return names


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """One person: the policy that holds for them, and their links by service name; `vip`s' requests go first."""

    name: str
    policy: Policy
    links: Mapping[str, LinkSettings]
    vip: bool = False
    origin: Origin = field(default=NOWHERE, compare=False, repr=False)

    @property
    def place(self) -> Place:
        """Where the account's table starts."""
        return self.origin.place()

    @property
    def writing(self) -> tuple[str, ...]:
        """The services this account is written to, in the order of the file."""
        return tuple(name for name, link in self.links.items() if link.direction.writes)

    @property
    def reading(self) -> tuple[str, ...]:
        """The services this account's words come from, in the order of the file."""
        return tuple(name for name, link in self.links.items() if link.direction.reads)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, checked. `warnings` are findings one can live with."""

    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    policy: Policy = field(default_factory=Policy)
    services: Mapping[str, ServiceSettings] = field(default_factory=dict)
    accounts: tuple[AccountSettings, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), compare=False, repr=False)
    origins: Mapping[str, Origin] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)
    """Where `daemon`, `policy` and `services.NAME` stand, by these names."""

    def origin(self, name: str) -> Origin:
        """Where a table stands (`daemon`, `policy`, `services.NAME`)."""
        return self.origins.get(name, NOWHERE)

    def domain(self, service: str) -> str:
        """The presence domain of a service: links of one account in the same domain are doors to one presence."""
        settings = self.services[service]
        return settings.presence_domain or REGISTRY[settings.type].domain or service

    @property
    def links(self) -> int:
        """How many links all accounts have."""
        return sum(len(account.links) for account in self.accounts)

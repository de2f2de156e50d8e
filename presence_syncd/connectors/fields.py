"""Field types of the settings tables, and the parts every service and link table has.

The one rule: a value is turned into what the program uses when it is read, and the message for a wrong one names the
legal values.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from presence_syncd.core.view import Direction

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds of each unit a duration may be written in."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
LOOPBACK_NAMES = frozenset({"localhost", "localhost."})


class Secret:
    """A value that must not be seen: `repr` and `str` show `***`; only `reveal()` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give out the value, to be put on the wire at once."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialized")


def parse_duration(value: object) -> float:
    """Turn `"250ms"`, `"5s"`, `"15m"`, `"2h"` or `"1d"` into seconds. Raises ValueError for anything else."""
    if isinstance(value, float):  # already parsed: a default, or a table validated before
        return value
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('a duration is a number and a unit (ms, s, m, h, d) in quotes, such as "5s" or "15m"')
    return float(found[1]) * UNITS[found[2]]


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    if host.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, secure: str = "https", plain: str = "http") -> str:
    """Return the URL without a trailing slash if it is `secure`, or `plain` to this machine. Raises ValueError."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not carry a user or a password; name a secret instead")
    if parts.scheme not in (secure, plain) or not parts.hostname:
        raise ValueError(f"legal is a URL that starts with {secure}:// and names a host")
    if parts.scheme == plain and not is_loopback(parts.hostname):
        raise ValueError(f"{plain}:// is allowed to this machine only; use {secure}://")
    return url.rstrip("/")


def _check_websocket(url: str) -> str:
    return check_url(url, "wss", "ws")


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "examples": ["5s", "15m"]}),
]
"""Seconds, written as `"5s"`, `"250ms"`, `"15m"`, `"2h"` or `"1d"`."""
HttpsUrl = Annotated[str, AfterValidator(check_url), WithJsonSchema({"type": "string", "format": "uri"})]
"""An https URL (http to loopback only), without a trailing slash."""
WssUrl = Annotated[str, AfterValidator(_check_websocket), WithJsonSchema({"type": "string", "format": "uri"})]
"""A wss URL (ws to loopback only), without a trailing slash."""


class Table(BaseModel):
    """A TOML table: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, str_strip_whitespace=True)


WAYS = '{ credential = "NAME" }, { file = "/PATH" } or { env = "NAME" } (or { command = ["PROGRAM"] })'
"""The right ways to name a secret, as messages print them."""


class SecretRef(Table):
    """Where a secret is kept; never the secret. Exactly one of the keys.

    `credential` is a file in `$CREDENTIALS_DIRECTORY` (systemd), `command` a program whose first output line it is.
    """

    credential: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    file: Path | None = None
    env: str | None = None
    command: tuple[str, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def refuse_literals(cls, value: Any) -> Any:
        """Refuse the secret itself, without repeating it."""
        if isinstance(value, (dict, SecretRef)):
            return value
        raise ValueError(f"a secret is not written here; name its place: {WAYS}")

    @model_validator(mode="after")
    def name_one_place(self) -> SecretRef:
        """Allow one key only."""
        if sum(place is not None for place in (self.credential, self.file, self.env, self.command)) != 1:
            raise ValueError(f"name exactly one place: {WAYS}")
        return self

    def __str__(self) -> str:
        key, place = next((k, v) for k, v in self if v is not None)
        return f"{key} {place[0] if isinstance(place, tuple) else place}"


class ServiceSettings(Table):
    """What every `[services.NAME]` table may have."""

    type: str
    ca_file: Path | None = Field(
        default=None, description="PEM file of the certificate authorities to trust instead of the system's"
    )
    proxy: HttpsUrl | None = Field(default=None, description="HTTP proxy for this service")
    rate: float | None = Field(
        default=None,
        gt=0,
        description="requests per second this login may use; default: 80 % of the documented limit, bursts included",
    )
    presence_domain: str | None = Field(
        default=None,
        description="links of one account with the same domain are doors to one presence; default: by type",
    )
    mapping: dict[str, str] = Field(
        default_factory=dict,
        description='what to write for a status, where it differs from the table: { "busy/meeting" = "IN_A_MEETING" }',
    )


class LinkSettings(Table):
    """What every `[account.links.NAME]` table may have."""

    direction: Direction = Direction.BOTH

    def misfit(self, service: ServiceSettings) -> tuple[str, str] | None:
        """Say which key cannot be served by the login of this service, and why; None if all can."""
        del service  # most links fit every login of their kind
        return None


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""A name in configuration, logs and metrics: letters, digits, `.`, `_`, `@`, `-`, at most 64."""
TypeName = Literal["graph", "ucwa", "bems", "symphony"]

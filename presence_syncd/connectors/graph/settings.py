"""The `[services.NAME]` table of Microsoft Graph and the `[account.links.NAME]` table of its people.

The one rule: what the service would refuse, or what would let a session lapse, is refused here, with the reason.
Source: graph sheet §1, §7.1; the clouds are Entra's national deployments.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from presence_syncd.connectors.fields import Duration, HttpsUrl, LinkSettings, SecretRef, ServiceSettings, Table
from presence_syncd.connectors.graph.wire import vocabulary

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
SHORTEST, LONGEST = 300.0, 14_400.0
"""Seconds a session may be granted: PT5M to PT4H (§1.1)."""
KEEP_ALIVE = 220 / 300
"""Part of the time-out after which an Available session is written again: one retry fits before the fade (§1.4)."""
RENEW = 0.7
"""Part of the expiration after which any other session is written again (§1.4)."""
TOO_LATE = 0.9
"""A refresh must come before this part of the time-out, so that jitter cannot carry it beyond."""


class Cloud(StrEnum):
    """The national clouds."""

    GLOBAL = "global"
    US_GOV_L4 = "us-gov-l4"
    US_GOV_L5 = "us-gov-l5"
    CHINA = "china"


class Roots(NamedTuple):
    """Where a cloud signs in, and where its Graph is."""

    login: str
    graph: str


CLOUDS: dict[Cloud, Roots] = {
    Cloud.GLOBAL: Roots("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    Cloud.US_GOV_L4: Roots("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    Cloud.US_GOV_L5: Roots("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
}
"""The clouds that have presence (§1.1, §7.1)."""


def _guid(text: str) -> str:
    if _GUID.fullmatch(text.lower()) is None:
        hint = "; a user principal name is not taken, look its object id up in Entra" if "@" in text else ""
        raise ValueError(f'legal is a GUID such as "fa8bf3dc-eca7-46b7-bad1-db199b62afc3"{hint}')
    return text.lower()


Guid = Annotated[str, AfterValidator(_guid)]
"""A GUID, turned to lower case."""


def _path_or_ref(value: object) -> object:
    """Let a certificate, which is no secret, be named by its plain path."""
    return {"file": value} if isinstance(value, str) else value


class CertificateSettings(Table):
    """A certificate registered with the app: PEM, RSA, the key not encrypted."""

    certificate: Annotated[SecretRef, BeforeValidator(_path_or_ref, json_schema_input_type=str | SecretRef)]
    private_key: SecretRef


class GraphSettings(ServiceSettings):
    """One Entra tenant and app."""

    tenant: str = Field(pattern=r"^[A-Za-z0-9.-]+$", description="tenant id, or a domain of the tenant")
    client_id: Guid = Field(description="the app's (client) id; it is the session id as well")
    client_secret: SecretRef | None = None
    certificate: CertificateSettings | None = None
    federated_token: SecretRef | None = Field(
        default=None, description="a token of another issuer; read anew for each exchange"
    )
    cloud: Cloud = Cloud.GLOBAL
    login_url: HttpsUrl | None = Field(default=None, description="in place of the cloud's sign-in address")
    graph_url: HttpsUrl | None = Field(default=None, description="in place of the cloud's Graph address")
    api: Literal["v1.0", "beta"] = Field(
        default="v1.0", description='"beta": the first contract, without durations; every state is refreshed'
    )
    preferred: bool = Field(default=False, description="also write the state people choose in Teams")
    hold_available: bool = Field(
        default=True,
        description="with preferred: hold a session too, so that what is written shows without a Teams client",
    )
    expiration: Duration = Field(default=3600.0, description="how long a state outlives this daemon: 5m to 4h")
    fade: Duration = Field(default=300.0, description="the service's time-out of an Available session")
    refresh: Duration | None = Field(
        default=None, description="when an Available session is written again; default: 73 % of its time-out"
    )
    sweep: Duration = Field(default=5.0, description="how often all people are read")
    clear_on_stop: bool = Field(default=True, description="take our sessions back when the daemon stops")

    @field_validator("tenant")
    @classmethod
    def refuse_shared_endpoints(cls, tenant: str) -> str:
        """An app signs in to one tenant."""
        if tenant.lower() in ("common", "organizations", "consumers"):
            raise ValueError("legal is the id or a domain of one tenant, not a shared sign-in address")
        return tenant

    @field_validator("cloud")
    @classmethod
    def refuse_clouds_without_presence(cls, cloud: Cloud) -> Cloud:
        """The Chinese cloud has no presence."""
        if cloud not in CLOUDS:
            raise ValueError(f"there is no presence in this cloud; legal: {', '.join(CLOUDS)}")
        return cloud

    @field_validator("expiration")
    @classmethod
    def check_expiration(cls, seconds: float) -> float:
        """The service grants 5 minutes to 4 hours."""
        if not SHORTEST <= seconds <= LONGEST:
            raise ValueError('legal is "5m" to "4h"')
        return seconds

    @field_validator("fade")
    @classmethod
    def check_fade(cls, seconds: float) -> float:
        """A time-out of the service: documented as 5 minutes, shorter only for an emulator."""
        if not 1.0 <= seconds <= SHORTEST:
            raise ValueError('legal is "1s" to "5m"')
        return seconds

    @field_validator("sweep")
    @classmethod
    def check_sweep(cls, seconds: float) -> float:
        """Reads share the budget of writes."""
        if seconds < 0.1:
            raise ValueError('legal is "100ms" or more')
        return seconds

    @model_validator(mode="after")
    def name_one_credential(self) -> GraphSettings:
        """Allow one way to sign in."""
        ways = (self.client_secret, self.certificate, self.federated_token)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("name exactly one of client_secret, certificate, federated_token")
        return self

    @model_validator(mode="after")
    def check_modes(self) -> GraphSettings:
        """Refuse what the chosen contract does not have."""
        if self.api == "beta" and self.preferred:
            raise ValueError('preferred = true needs api = "v1.0"')
        if self.api == "beta" and self.cloud is not Cloud.GLOBAL:
            raise ValueError('api = "beta" is there in cloud = "global" only')
        if not self.hold_available and not self.preferred:
            raise ValueError("hold_available = false needs preferred = true; without sessions nothing could be written")
        return self

    @model_validator(mode="after")
    def check_refresh(self) -> GraphSettings:
        """Refuse a refresh that could come after the fade."""
        if self.refresh is not None and not 0 < self.refresh < TOO_LATE * self.lifetime_available:
            legal = TOO_LATE * self.lifetime_available
            raise ValueError(f"refresh must be under {legal:g}s, 90 % of the time-out of an Available session")
        return self

    @model_validator(mode="after")
    def check_mapping(self) -> GraphSettings:
        """Refuse pairs the service does not take."""
        vocabulary(self.preferred, beta=self.api == "beta").override(self.mapping)
        return self

    @property
    def login_root(self) -> str:
        """Where tokens come from."""
        return self.login_url or CLOUDS[self.cloud].login

    @property
    def graph_root(self) -> str:
        """Where Graph is, with the version."""
        return f"{self.graph_url or CLOUDS[self.cloud].graph}/{self.api}"

    @property
    def scope(self) -> str:
        """What the token is for; the cloud's, whatever address leads there."""
        return f"{CLOUDS[self.cloud].graph}/.default"

    @property
    def lifetime_available(self) -> float:
        """Seconds an Available session stays Available by itself."""
        return min(self.fade, self.expiration)

    @property
    def refresh_available(self) -> float:
        """Seconds after which an Available session is written again."""
        return self.refresh or round(KEEP_ALIVE * self.lifetime_available, 3)


class GraphLinkSettings(LinkSettings):
    """A person in the tenant."""

    user: Guid = Field(description="the user's object id in Entra")

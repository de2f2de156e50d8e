"""The tables `[services.NAME]` and `[account.links.NAME]` of a Skype for Business deployment.

The one rule: nothing here makes the daemon claim that a person is online, or send a credential to a host nobody named.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from presence_syncd.connectors.fields import HttpsUrl, LinkSettings, SecretRef, ServiceSettings
from presence_syncd.connectors.ucwa.wire import Preferred
from presence_syncd.core.view import Direction

Text100 = Annotated[str, Field(min_length=1, max_length=100)]
"""The longest culture, user agent or id the service takes: 100 characters."""
Modality = Literal["Messaging", "PhoneAudio"]
"""The ways to be reached that makeMeAvailable allows an application; any other is refused with 403."""


class Format(StrEnum):
    """How bodies are written."""

    JSON = "json"
    XML = "xml"


class Grant(StrEnum):
    """Ways to get a token without a person at the keyboard; the text is what challenges offer."""

    PASSWORD = "password"  # noqa: S105  # the name of a grant
    WINDOWS = "urn:microsoft.rtc:windows"


class PresenceSource(StrEnum):
    """How a link sees the person.

    `available`: the application is made available, claiming what is shown already (own presence events need it).
    `lurker`: it never is; the person's own address is followed like a contact's. Such a link cannot write.
    """

    AVAILABLE = "available"
    LURKER = "lurker"


def check_sip(address: str) -> str:
    """Return `sip:user@domain`, the scheme added where it is missing. Raises ValueError for anything else."""
    found = re.fullmatch(r"(?:sip:)?([^@\s\"<>;/]+@[^@\s\"<>;/:]+)", address, re.IGNORECASE)
    if found is None:
        raise ValueError('a sign-in address is written "sip:alice@contoso.com"')
    return f"sip:{found[1]}"


Sip = Annotated[str, AfterValidator(check_sip)]
"""A sign-in address, `sip:user@domain`."""


class Settings(ServiceSettings):
    """One Skype for Business deployment, `type = "ucwa"`."""

    type: Literal["ucwa"] = "ucwa"
    domain: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.-]+$",
        description="domain whose discovery service is asked; default: that of the sign-in address",
    )
    discovery: HttpsUrl | None = Field(
        default=None, description="where to ask instead of lyncdiscoverinternal.DOMAIN and lyncdiscover.DOMAIN"
    )
    trusted_hosts: tuple[str, ...] = Field(
        default=(), description="hosts and domains, beside the person's own, that may be sent credentials"
    )
    grants: tuple[Literal["password", "windows"], ...] = Field(
        default=("password", "windows"), min_length=1, description="ways to sign in, the preferred one first"
    )
    format: Format = Format.JSON
    culture: Text100 = "en-US"
    user_agent: Text100 = "presence-syncd/1.0 (Linux)"
    modalities: tuple[Modality, ...] = Field(
        default=(), description="ways to be reached to advertise; none by default, for nobody would answer a message"
    )

    @property
    def wire_grants(self) -> tuple[Grant, ...]:
        """The grants by the names that challenges use."""
        return tuple(Grant[name.upper()] for name in self.grants)


class UcwaLinkSettings(LinkSettings):
    """One person's sign-in to Skype for Business."""

    sip: Sip
    user: str | None = Field(default=None, description="sign-in name where it is not the address; DOMAIN\\user works")
    password: SecretRef
    presence_source: PresenceSource = PresenceSource.AVAILABLE
    reset_on_available: bool = Field(
        default=False, description="say available by taking our last word back, so that calendar and calls show again"
    )
    sign_in_as: Preferred | None = Field(
        default=None, description="what to claim where what is shown cannot be found out; default: wait for a word"
    )

    @model_validator(mode="after")
    def lurk_without_writing(self) -> UcwaLinkSettings:
        """A lurker is invisible: the server takes no presence from it."""
        if self.presence_source is PresenceSource.LURKER and self.direction is not Direction.READ:
            raise ValueError('presence_source = "lurker" cannot write; set direction = "read" beside it')
        return self

    @property
    def sign_in_name(self) -> str:
        """What the token service is told as the user."""
        return self.user or self.sip.removeprefix("sip:")

    @property
    def domain(self) -> str:
        """The domain of the sign-in address."""
        return self.sip.rpartition("@")[2]

"""The Symphony tables of the configuration.

The one rule: the pod needs no more than `pod`, `bot` (or `app`) and `private_key`; everything else has a default.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from presence_syncd.connectors.fields import Duration, HttpsUrl, LinkSettings, SecretRef, ServiceSettings
from presence_syncd.connectors.symphony.wire import vocabulary
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction
from presence_syncd.core.vocabulary import Vocabulary

SOFT_WORDS = frozenset({"AVAILABLE", "BUSY"})
"""Categories that would make an absent person look present, were they written regardless; softly, they fade at rest."""
RATE = 10.0
"""Requests per second where `rate` is not set: no limit is published; a pod serves this without noticing."""

READ_EVERY = 15.0
"""Seconds between two readings where `sweep` is not set."""
LIST_EVERY = 60.0
"""Seconds between two listings of the whole pod, an expensive call, where `sweep` is not set."""
LIST_ABOVE = 50
"""Most users who are read alone where `list_above` is not set."""


class SymphonySettings(ServiceSettings):
    """One pod and the login to it: a service account (`bot`), or an app that acts as each user (`app`)."""

    type: Literal["symphony"]
    pod: HttpsUrl = Field(description="URL of the pod: https://COMPANY.symphony.com")
    pod_url: HttpsUrl | None = Field(default=None, description="where presence is served; default: POD/pod")
    login_url: HttpsUrl | None = Field(default=None, description="where sessions are made; default: POD/login")
    mode: Literal["admin", "obo"] | None = Field(
        default=None,
        description='"admin": one service account reads and writes everybody; "obo": the app acts as each user; '
        "default: by which of `bot` and `app` is there",
    )
    bot: str | None = Field(default=None, min_length=1, description="username of the service account (admin)")
    app: str | None = Field(default=None, min_length=1, description="id of the extension app (obo)")
    private_key: SecretRef = Field(description="RSA private key in PEM, PKCS#1 or PKCS#8, without a passphrase")
    sweep: Annotated[Duration, Field(ge=0.1)] | None = Field(
        default=None,
        description='how often everybody is read; default: "15s", or "60s" while the whole pod is listed',
    )
    list_above: int | None = Field(
        default=None,
        ge=0,
        description="admin: with more links than this the pod's list is read instead of each user alone; "
        "default: 50, or as many as half of the rate can read in one sweep if that is less",
    )
    dnd_as: Literal["BUSY", "DO_NOT_DISTURB"] = Field(
        default="BUSY", description="what says do not disturb; DO_NOT_DISTURB on pods before 20.16 only"
    )
    off_work_as: Literal["OFFLINE", "OFF_WORK"] = Field(
        default="OFFLINE", description="what says off work; OFF_WORK on pods before 20.16 only"
    )
    soft: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="whether a write respects that the user is offline or idle; auto: AVAILABLE and BUSY, as admin",
    )

    @model_validator(mode="after")
    def name_the_login(self) -> Self:
        """Allow one login, the one the mode needs."""
        if (self.bot is None) == (self.app is None):
            raise ValueError("name exactly one login: bot (mode admin) or app (mode obo)")
        needed = {"admin": self.bot, "obo": self.app, None: self.bot or self.app}[self.mode]
        if needed is None:
            raise ValueError('mode = "admin" needs bot, mode = "obo" needs app')
        return self

    @model_validator(mode="after")
    def check_mapping(self) -> Self:
        """Refuse an override that names what cannot be written."""
        self.vocabulary()
        return self

    @property
    def is_obo(self) -> bool:
        """Whether the app acts as each user."""
        return self.app is not None

    def is_soft(self, word: str) -> bool:
        """Whether a write of `word` shall respect that the user is offline or idle."""
        if self.soft == "auto":
            return not self.is_obo and word in SOFT_WORDS
        return self.soft == "always"

    def vocabulary(self) -> Vocabulary:
        """The pod's tables with the overrides of `mapping`. Raises ValueError, naming the legal words."""
        tables = vocabulary(self.dnd_as, self.off_work_as).override(self.mapping)
        return replace(tables, unheld=frozenset(filter(self.is_soft, SOFT_WORDS)))

    @property
    def presence(self) -> str:
        """URL below which presence is served."""
        return self.pod_url or f"{self.pod}/pod"

    @property
    def login(self) -> str:
        """URL below which sessions are made."""
        return self.login_url or f"{self.pod}/login"

    @property
    def fastest(self) -> float:
        """Requests per second this login may use."""
        return self.rate or RATE

    @property
    def read_alone(self) -> int:
        """Most users who are read one by one."""
        if self.list_above is not None:
            return self.list_above
        return min(LIST_ABOVE, int(self.fastest / 2 * self.read_every(listed=False)))

    def read_every(self, *, listed: bool) -> float:
        """Seconds between two sweeps; `listed` if they read the pod's list."""
        return self.sweep or (LIST_EVERY if listed else READ_EVERY)


class SymphonyLinkSettings(LinkSettings):
    """One person of a pod."""

    user_id: int | None = Field(default=None, ge=0, lt=2**63, description="the user's id (64-bit integer)")
    username: str | None = Field(default=None, min_length=1, description="app: the username, in place of the id")
    external: bool = Field(
        default=False,
        description="bot: a user of another company, who can be read only, once in five minutes",
    )

    @model_validator(mode="after")
    def name_the_user(self) -> Self:
        """Allow one way to name the user, and of another company's users only reading."""
        if (self.user_id is None) == (self.username is None):
            raise ValueError("name the user by exactly one of user_id, username")
        if self.external and (self.user_id is None or self.direction is not Direction.READ):
            raise ValueError('an external user needs user_id and direction = "read"')
        return self

    def misfit(self, service: ServiceSettings) -> tuple[str, str] | None:
        """A service account finds users by id only; an app acts as users of its own company only."""
        is_obo = isinstance(service, SymphonySettings) and service.is_obo
        if self.username is not None and not is_obo:
            return "username", "the service account (bot) finds users by user_id only; username is for app"
        if self.external and is_obo:
            return "external", "a user of another company is read by a service account (bot), not by app"
        return None

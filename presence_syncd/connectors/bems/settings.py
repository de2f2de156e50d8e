"""The BEMS tables of the configuration.

The one rule: what the public documents leave open (URL, transport, the value of `reconnect`, words beyond three) is a
setting with a stated default, never a constant in code.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from presence_syncd.connectors.bems.wire import vocabulary
from presence_syncd.connectors.fields import Duration, HttpsUrl, LinkSettings, SecretRef, ServiceSettings, check_url
from presence_syncd.core.vocabulary import Vocabulary

Transport = Literal["websocket", "long-poll", "poll"]
Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z-]{0,31}$")]
Positive = Annotated[Duration, Field(gt=0)]


class BemsSettings(ServiceSettings):
    """One BEMS: Connect messaging for writing and following, and the Presence lookup service where it is reachable."""

    type: Literal["bems"]
    url: str = Field(
        description="where Connect listens: wss://HOST:8082/PATH for websocket, https://HOST:8082/PATH for the others",
        json_schema_extra={"format": "uri"},
    )
    transport: Transport = Field(default="websocket", description="what carries the messages")
    fallback: Literal["long-poll", "poll"] | None = Field(
        default=None, description="what carries them while a WebSocket cannot be opened; default: nothing"
    )
    fallback_url: HttpsUrl | None = Field(default=None, description="URL of the fallback; default: `url` with https")
    token: SecretRef | None = Field(
        default=None, description="the GD auth token; it names its user, so links usually have their own"
    )
    web_ticket: SecretRef | None = Field(
        default=None, description="Skype for Business web ticket (cwt=...), where GetAuthenticationInfo asks for one"
    )
    api: Literal["2.3", "2.2"] = Field(
        default="2.3", description="API level: up to 2.2 BeginSession takes gdToken, userId"
    )
    authentication_info: bool = Field(default=False, description="whether GetAuthenticationInfo is asked first")
    reconnect: str = Field(default="true", min_length=1, description="value of `reconnect` that continues a session")
    event: str | None = Field(
        default=None, description="name of the contact presence event; default: any that tells a contact's presence"
    )
    batch: bool = Field(default=False, description="whether several requests ride in one WebSocket frame, as an array")
    deadline: Positive = Field(default=30.0, description="how long a request may take until it is done")
    hold: Positive = Field(default=90.0, description="long-poll: how long the server may hold an answer back")
    poll_every: Positive = Field(default=10.0, description="poll: how often the server is asked")
    ping_every: Positive = Field(
        default=240.0, description="longest pause between two pings; a third of the session time-out if that is less"
    )
    start_presence: Literal["available", "busy", "away"] | None = Field(
        default=None,
        description="what signing in sets where nothing is known of the person yet; default: the server chooses",
    )
    words: dict[Literal["dnd", "brb", "off_work"], Word] = Field(
        default_factory=dict,
        description='words to try beyond available, busy and away: { dnd = "doNotDisturb" }',
    )
    lookup_url: HttpsUrl | None = Field(
        default=None, description="Presence lookup service, https://HOST:8443; reads many accounts at once"
    )
    lookup_every: Annotated[Duration, Field(gt=0, le=150)] = Field(
        default=20.0, description="how often the lookup service is asked; it forgets subscriptions after 3 minutes"
    )
    device_id: str | None = Field(
        default=None, description="X-Good-DeviceId; default: made of lookup_url, always the same"
    )

    @model_validator(mode="after")
    def check_channels(self) -> Self:
        """Demand a URL that fits the transport, and a token for the lookup service."""
        secure = ("wss", "ws") if self.transport == "websocket" else ("https", "http")
        try:
            check_url(self.url, *secure)
        except ValueError as error:
            raise ValueError(f'url does not fit transport = "{self.transport}": {error}') from None
        if self.fallback is not None and self.transport != "websocket":
            raise ValueError("fallback is for transport websocket only")
        if self.lookup_url is not None and self.token is None:
            raise ValueError("lookup_url needs token")
        return self

    @model_validator(mode="after")
    def check_mapping(self) -> Self:
        """Refuse an override that names what cannot be written."""
        self.vocabulary()
        return self

    def vocabulary(self) -> Vocabulary:
        """The tables with guesses and the overrides of `mapping`. Raises ValueError, naming the legal words."""
        return vocabulary({str(key): word for key, word in self.words.items()}).override(self.mapping)

    @property
    def polled_url(self) -> str:
        """The URL that requests of the fallback go to."""
        return self.fallback_url or self.url.replace("wss://", "https://", 1).replace("ws://", "http://", 1)

    @property
    def device(self) -> str:
        """The stable id this installation calls itself by at the lookup service."""
        return self.device_id or str(uuid.uuid5(uuid.NAMESPACE_URL, self.lookup_url or self.url))


class BemsLinkSettings(LinkSettings):
    """One person of a BEMS."""

    contact: str = Field(pattern=r"^(?i:sip:)?[^@\s/]+@[^@\s/]+$", description="the person's own SIP URI")
    user_id: str | None = Field(
        default=None, min_length=1, description="user id of BeginSession, API 2.2; default: contact"
    )
    token: SecretRef | None = Field(default=None, description="this person's GD auth token; default: the service's")

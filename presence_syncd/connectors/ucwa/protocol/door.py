"""How one person gets in: where their pool is, and the token of every authority on the way.

The one rule: a token is kept and asked for by the authority that challenged for it, and never shown to another; what
discovery found is forgotten only for the reasons the documents give (403, 502, many lost connections, sign-out).
"""

from __future__ import annotations

from collections.abc import Mapping

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Remember, Reply, Request, Reveal
from presence_syncd.connectors.ucwa.protocol.auth import (
    Credentials,
    CredentialsRefused,
    choose_grants,
    request_token,
)
from presence_syncd.connectors.ucwa.protocol.challenge import Challenge, challenge_of
from presence_syncd.connectors.ucwa.protocol.discovery import find_applications, start_urls
from presence_syncd.connectors.ucwa.protocol.trust import Trust, Untrusted, host_of, is_private, origin_of
from presence_syncd.connectors.ucwa.settings import Settings, UcwaLinkSettings
from presence_syncd.errors import RemoteProtocolError

WEB_TICKET_INVALID = "28032;"
"""Diagnostics of a token that another pool issued: told as HTTP 500, and in no document."""
MEMORY_KEY = "applications"
"""Under which the found URL is remembered."""


def is_refusal(reply: Reply) -> bool:
    """Whether the answer refuses its token: 401, or 500 because the token is another pool's."""
    diagnostics = reply.header("x-ms-diagnostics") or ""
    return reply.status == 401 or (reply.status == 500 and diagnostics.strip().startswith(WEB_TICKET_INVALID))


class Door:
    """The way in for one account. `applications` is where applications are made, None until it is found."""

    def __init__(self, account: str, service: Settings, link: UcwaLinkSettings, memory: Mapping[str, str]) -> None:
        self.account, self.service, self.link = account, service, link
        named = tuple(host_of(url) for url in (service.discovery, f"https://{service.domain or link.domain}") if url)
        self.trust = Trust(host_of(f"https://{link.domain}"), (*service.trusted_hosts, *named))
        self.applications: str | None = self._still_trusted(memory.get(MEMORY_KEY, ""))
        self._generation = 0
        self._asked: dict[str, str] = {}
        self._challenges: dict[str, Challenge | None] = {}
        self._refused: Secret | None = None

    def _still_trusted(self, url: str) -> str | None:
        """What was remembered counts only under today's configuration."""
        try:
            return url if is_private(url) and self.trust.is_trusted(host_of(url)) else None
        except Untrusted:
            return None

    def realm_of(self, url: str) -> str:
        """Name the token of a URL's authority, and note where its challenge is to be had."""
        origin = origin_of(url)
        self._asked[origin] = url
        return f"{self.account} {origin}" + (f" {self._generation}" if self._generation else "")

    def find(self) -> Flow[str]:
        """Find the applications URL, from memory or by discovery."""
        if self.applications is None:
            starts = start_urls(self.service, self.link.domain)
            found = self.applications = yield from find_applications(starts, self.trust, self._knock)
            yield Remember(MEMORY_KEY, found)
            return found  # meanwhile another flow may have lost the way
        return self.applications

    def forget(self, *, tokens: bool = False) -> None:
        """Forget the way, and with `tokens` every token too: the next request gets new ones."""
        self.applications = None
        self._generation += tokens

    def _knock(self, url: str, reply: Reply) -> str:
        self._challenges[origin_of(url)] = challenge_of(reply)
        return self.realm_of(url)

    def token(self, realm: str, refused: Reply | None) -> Flow[Token]:
        """Get the token of an authority, by its own challenge (S3). Raises AuthRejected, Untrusted, Unavailable."""
        origin = realm.removeprefix(f"{self.account} ").partition(" ")[0]
        url = self._asked[origin]
        challenge = yield from self._challenge(origin, url, refused)
        grants = choose_grants(challenge, self.service.wire_grants)
        address = self.trust.follow(url, challenge.href if challenge else "", "token endpoint")
        password: Secret = yield Reveal(self.link.password)
        if password == self._refused:
            raise CredentialsRefused("this password was refused before")
        try:
            return (yield from request_token(address, grants, Credentials(self.link.sign_in_name, password)))
        except CredentialsRefused:
            self._refused = password
            raise

    def _challenge(self, origin: str, url: str, refused: Reply | None) -> Flow[Challenge | None]:
        """Take the challenge at hand, or ask for it: a request without a token, to the same authority."""
        if refused is not None and refused.status == 401:
            return challenge_of(refused)
        if origin in self._challenges:
            return self._challenges.pop(origin)
        reply: Reply = yield Request("GET", url, "challenge", headers={"Accept": "application/json"})
        if reply.status != 401:
            raise RemoteProtocolError(f"HTTP {reply.status} where a challenge was due")
        return challenge_of(reply)

"""The emulated deployment's front door: who there is, where they are homed, and the tokens they get.

Written from the UCWA pages Root URL, root, user, redirect and Authentication in UCWA.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.emulation import EmulatedClock, Emulator
from presence_syncd.connectors.ucwa.emulator.people import Person

POOLS = ("pool-a", "pool-b")
APPLICATIONS = "/ucwa/oauth/v1/applications"
ROOT = "/Autodiscover/AutodiscoverService.svc/root"


class Directory(Emulator):
    """Discovery, users and tokens. By host name it is several servers; with `base_url` one origin is all of them.

    `grants` is what challenges offer, `sign_ins` every (user, pool) that asked for a token.
    """

    def __init__(self, domain: str, base_url: str, token_seconds: float, clock: EmulatedClock | None) -> None:
        super().__init__(clock)
        self.domain, self.base_url, self.token_seconds = domain, base_url.rstrip("/"), token_seconds
        self.people: dict[str, Person] = {}
        self.redirects = False
        self.grants = "urn:microsoft.rtc:windows,urn:microsoft.rtc:anonmeeting,password"
        self.sign_ins: list[tuple[str, str]] = []
        self._tokens: dict[str, tuple[Person, str, float]] = {}

    def routes(self) -> list[BaseRoute]:
        """Discovery and the token service."""
        return [
            Route("/", self._root),
            Route(ROOT, self._root),
            Route(f"{ROOT}/oauth/user", self._user),
            Route("/WebTicket/oauthtoken", self._token, methods=["POST"]),
        ]

    def person(self, sip: str) -> Person:
        """Find a person; `sip` with or without its scheme. Raises KeyError."""
        return self.people[address(sip)]

    def expire_tokens(self) -> None:
        """Let every token be old."""
        self._tokens.clear()

    async def _root(self, request: Request) -> Response:
        base = self.base_url or f"https://{request.url.hostname}"
        place = base + ROOT
        director = self.base_url or f"https://{self.pool_of(request)}.{self.domain}"
        user = f"{director}{ROOT}/oauth/user?originalDomain={self.domain}"
        return JSONResponse({"_links": {"self": {"href": place}, "user": {"href": user}}})

    async def _user(self, request: Request) -> Response:
        person = self.who(request)
        if isinstance(person, Response):
            return person
        home = self.origin_of(person)
        if self.redirects and person.pool != self.pool_of(request):
            return JSONResponse({"_links": {"redirect": {"href": home + ROOT}}})
        return JSONResponse(
            {"_links": {"applications": {"href": home + APPLICATIONS}, "self": {"href": str(request.url)}}}
        )

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        grant = form.get("grant_type", "")
        self.sign_ins.append((form.get("username", ""), self.pool_of(request)))
        if grant not in self.grants.split(","):
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        person = self.people.get(address(form.get("username", "")))
        if person is None or person.password != form.get("password"):
            return JSONResponse({"error": "invalid_grant"}, 400, headers={"cache-control": "no-store"})
        token = "cwt=" + secrets.token_urlsafe(24)
        self._tokens[token] = (person, self.pool_of(request), self.clock.now() + self.token_seconds)
        return JSONResponse(
            {
                "access_token": token,
                "expires_in": self.token_seconds,
                "ms_rtc_identityscope": "local",
                "token_type": "Bearer",
            }
        )

    def who(self, request: Request) -> Person | Response:
        """Find who asks, or the answer that says they may not."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        person, pool, until = self._tokens.get(token, (None, "", 0.0))
        if person is None or self.clock.now() >= until:
            return self._challenge(request)
        if pool != self.pool_of(request):
            reason = '28032;source="emulator";reason="The web ticket is invalid."'
            return PlainTextResponse("", 500, headers={"x-ms-diagnostics": reason})
        return person

    def _challenge(self, request: Request) -> Response:
        base = self.base_url or f"https://{self.pool_of(request)}.{self.domain}"
        ours = f'MsRtcOAuth href="{base}/WebTicket/oauthtoken",grant_type="{self.grants}"'
        response = PlainTextResponse("<html>401</html>", 401, media_type="text/html")
        response.headers.append("www-authenticate", f'Bearer trusted_issuers="00000002@{self.domain}", client_id="4"')
        response.headers.append("www-authenticate", ours)
        return response

    def pool_of(self, request: Request) -> str:
        name = (request.url.hostname or "").partition(".")[0]
        return name if name in POOLS else POOLS[0]

    def origin_of(self, person: Person) -> str:
        return self.base_url or f"https://{person.pool}.{self.domain}"


def address(sip: str) -> str:
    """Bring an address to the form people are kept by."""
    return "sip:" + sip.removeprefix("sip:").lower()

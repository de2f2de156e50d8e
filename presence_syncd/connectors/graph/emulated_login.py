"""The sign-in service of an emulated tenant: the token endpoint for apps, and the claims challenge.

The one rule: a token is opaque and belongs to one app; nothing is believed that was not proven. Source: graph sheet §7.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from presence_syncd.connectors.emulation import EmulatedClock

PS256_LONGEST = 600
"""Longest life of an assertion, in seconds."""
BY_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Denied(Exception):
    """A refused token request: the OAuth error and the Entra number."""

    def __init__(self, error: str, number: int, status: int = 401) -> None:
        super().__init__(error)
        self.error, self.number, self.status = error, number, status


@dataclass(frozen=True, slots=True)
class Grant:
    """One token: of which app, from when to when, and the claims it was asked with."""

    client_id: str
    issued_at: float
    expires_at: float
    claims: Mapping[str, Any]

    @property
    def is_capable(self) -> bool:
        """Whether its holder said that it understands challenges."""
        values = self.claims.get("access_token", {}).get("xms_cc", {}).get("values", [])
        return "cp1" in values


@dataclass(slots=True)
class EmulatedLogin:
    """The token endpoint. `certificate` is the PEM text of the registered certificate, `federated` a foreign token.

    `challenge` are the claims a token must have been asked with (under `access_token`); `endless` keeps asking whatever
    is sent; `expired_secret` is what the secret's end date does.
    """

    clock: EmulatedClock
    tenant: str
    client_id: str
    client_secret: str
    certificate: str | None = None
    federated: str | None = None
    lifetime: float = 3599.0
    refresh_in: float | None = None
    expired_secret: bool = False
    challenge: dict[str, Any] | None = None
    endless: bool = False
    revoked_at: float = float("-inf")
    grants: dict[str, Grant] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def revoke(self) -> None:
        """Take every token back; a new one must be asked for with the claims of the challenge."""
        self.revoked_at = self.clock.now()
        self.challenge = {"nbf": {"essential": True, "value": str(int(self.revoked_at))}}
        self.grants = {text: grant for text, grant in self.grants.items() if grant.is_capable}

    async def serve(self, request: Request) -> Response:
        """POST /{tenant}/oauth2/v2.0/token."""
        form = dict(parse_qsl((await request.body()).decode()))
        try:
            self._check(form, request.path_params["tenant"], str(request.url))
            claims = _claims(form.get("claims", "{}"))
        except Denied as denied:
            return JSONResponse(_denial(denied), status_code=denied.status)
        text, now = f"emulated.{uuid.uuid4().hex}", self.clock.now()
        self.grants[text] = Grant(self.client_id, now, now + self.lifetime, claims)
        body = {"token_type": "Bearer", "expires_in": int(self.lifetime), "access_token": text}
        return JSONResponse(body if self.refresh_in is None else {**body, "refresh_in": int(self.refresh_in)})

    def grant_of(self, authorization: str) -> Grant | None:
        """The grant of an `Authorization` header; None if there is none that is good."""
        kind, _, text = authorization.partition(" ")
        grant = self.grants.get(text)
        return grant if kind.lower() == "bearer" and grant and self.clock.now() < grant.expires_at else None

    def is_challenged(self, grant: Grant) -> bool:
        """Whether the grant lacks claims that are asked for by now."""
        if self.endless:
            return True
        asked = grant.claims.get("access_token", {})
        return any(asked.get(name) != value for name, value in (self.challenge or {}).items())

    def refusal(self, grant: Grant | None) -> Response:
        """401; with a challenge, unpadded and among others, if the token is known and its holder understands it."""
        error = {"error": {"code": "InvalidAuthenticationToken", "message": "", "innerError": {}}}
        reply = JSONResponse(error, status_code=401)
        reply.headers.append("WWW-Authenticate", 'Bearer realm="", authorization_uri="https://login.example/authorize"')
        if grant is not None and grant.is_capable:
            claims = json.dumps({"access_token": self.challenge or {}}).encode()
            text = base64.b64encode(claims).decode().rstrip("=")
            reply.headers.append("WWW-Authenticate", f'Bearer claims="{text}", realm="", error="insufficient_claims"')
        return reply

    def _check(self, form: Mapping[str, str], tenant: str, url: str) -> None:
        if tenant != self.tenant:
            raise Denied("invalid_request", 90002, 400)
        if form.get("client_id") != self.client_id:
            raise Denied("unauthorized_client", 700016, 400)
        if form.get("grant_type") != "client_credentials" or not form.get("scope", "").endswith("/.default"):
            raise Denied("invalid_scope", 70011, 400)
        if "client_assertion" in form:
            self._check_assertion(form, url)
        elif form.get("client_secret") != self.client_secret:
            raise Denied("invalid_client", 7000215)
        elif self.expired_secret:
            raise Denied("invalid_client", 7000222)

    def _check_assertion(self, form: Mapping[str, str], url: str) -> None:
        if form.get("client_assertion_type") != BY_ASSERTION:
            raise Denied("invalid_request", 900144, 400)
        text = form["client_assertion"]
        if self.federated is not None and text == self.federated:
            return
        try:
            self._verify(text, url)
        except (jwt.PyJWTError, KeyError, ValueError, AssertionError) as error:
            raise Denied("invalid_client", 700027) from error

    def _verify(self, text: str, url: str) -> None:
        """Check signature, thumbprint, audience, times and freshness of an assertion."""
        certificate = load_pem_x509_certificate((self.certificate or "").encode())
        thumbprint = base64.urlsafe_b64encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())
        header = jwt.get_unverified_header(text)
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "nbf", "jti"]}
        claims = jwt.decode(text, certificate.public_key(), ["PS256"], options, audience=url)  # type: ignore[arg-type]  # RSA
        now, fresh = self.clock.now(), claims["jti"] not in self._seen
        right = header["x5t#S256"] == thumbprint.decode().rstrip("=") and claims["iss"] == claims["sub"]
        timely = claims["nbf"] - 300 <= now < claims["exp"] <= claims["nbf"] + PS256_LONGEST
        if not (fresh and right and timely and claims["sub"] == self.client_id):
            raise ValueError("the assertion does not hold")
        self._seen.add(claims["jti"])


def _claims(text: str) -> dict[str, Any]:
    try:
        claims = json.loads(text)
    except ValueError as error:
        raise Denied("invalid_request", 9002313, 400) from error
    return claims if isinstance(claims, dict) else {}


def _denial(denied: Denied) -> dict[str, Any]:
    return {
        "error": denied.error,
        "error_description": f"AADSTS{denied.number}: refused by the emulator.",
        "error_codes": [denied.number],
        "trace_id": str(uuid.uuid4()),
        "correlation_id": str(uuid.uuid4()),
    }

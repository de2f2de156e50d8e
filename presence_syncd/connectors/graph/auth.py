"""Tokens of Entra for an app by itself: by secret, by certificate, or by another issuer's token.

The one rule: a secret goes from where it is kept into the form that is sent, and nowhere else. Every request says that
we understand claims challenges (`cp1`); a challenge is answered by asking for its claims. Source: graph sheet §7.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Reply, Request, Reveal, expect
from presence_syncd.connectors.graph.settings import CertificateSettings, GraphSettings
from presence_syncd.errors import AuthRejected, RemoteProtocolError, Unavailable

ASSERTION_LIFETIME = 540
"""Seconds an assertion is good for; 5 to 10 minutes are asked for (§7.2)."""
MARGIN = 300.0
"""Seconds before its end at which a token is renewed (§7.4)."""
PROBE = 900.0
"""Seconds until an app that was refused, but may be let in by an administrator, asks again."""
_BY_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CHALLENGE = re.compile(r'error\s*=\s*"?insufficient_claims\b', re.IGNORECASE)
_CLAIMS = re.compile(r'\bclaims\s*=\s*(?:"([^"]*)"|([^\s,"]+))', re.IGNORECASE)
_ERROR = re.compile(r"[a-z_]{1,40}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def token(settings: GraphSettings, refused: Reply | None, wall: float) -> Flow[Token]:
    """Get a token. `refused` is the answer that refused the last one, `wall` Unix seconds.

    Raises AuthRejected with the service's error code, Unavailable, RateLimited or RemoteProtocolError.
    """
    url = f"{settings.login_root}/{settings.tenant}/oauth2/v2.0/token"
    form = {
        "client_id": settings.client_id,
        "scope": settings.scope,
        "grant_type": "client_credentials",
        "claims": json.dumps(merged(challenged(refused)), separators=(",", ":")),
        **(yield from _proof(settings, url, wall)),
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "client-request-id": str(uuid.uuid4())}
    reply = yield Request("POST", url, "token", headers=headers, body=urlencode(form).encode())
    return _granted(_accepted(reply))


def _proof(settings: GraphSettings, url: str, wall: float) -> Flow[dict[str, str]]:
    """The form fields that prove who asks."""
    if settings.client_secret is not None:
        secret: Secret = yield Reveal(settings.client_secret)
        return {"client_secret": secret.reveal()}
    if settings.certificate is not None:
        signed = yield from _signed(settings.certificate, settings.client_id, url, wall)
        return {"client_assertion_type": _BY_ASSERTION, "client_assertion": signed}
    assert settings.federated_token is not None  # noqa: S101  # the settings allow exactly one way
    foreign: Secret = yield Reveal(settings.federated_token)
    return {"client_assertion_type": _BY_ASSERTION, "client_assertion": foreign.reveal().strip()}


def _signed(pair: CertificateSettings, client_id: str, url: str, wall: float) -> Flow[str]:
    certificate: Secret = yield Reveal(pair.certificate)
    private_key: Secret = yield Reveal(pair.private_key)
    return assertion(certificate.reveal(), private_key.reveal(), client_id, url, wall)


def assertion(certificate: str, private_key: str, client_id: str, url: str, wall: float) -> str:
    """Sign a new assertion (PS256, `x5t#S256`). Raises AuthRejected if the PEM texts cannot be used."""
    payload = {
        "aud": url,
        "iss": client_id,
        "sub": client_id,
        "jti": str(uuid.uuid4()),
        "nbf": int(wall),
        "iat": int(wall),
        "exp": int(wall) + ASSERTION_LIFETIME,
    }
    try:
        print_of = hashlib.sha256(load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)).digest()
        thumbprint = base64.urlsafe_b64encode(print_of).rstrip(b"=").decode()
        return jwt.encode(payload, private_key, algorithm="PS256", headers={"x5t#S256": thumbprint})
    except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
        # Without the cause: a parser's message may quote what it was given.
        raise AuthRejected("the certificate or its key cannot be used; legal is PEM, RSA, not encrypted") from None


def is_challenge(reply: Reply) -> bool:
    """Whether the answer asks for a token with other claims."""
    return any(_CHALLENGE.search(header) for header in reply.header_all("www-authenticate"))


def challenged(refused: Reply | None) -> Mapping[str, Any]:
    """The claims a refusal asks for; empty if there is none, or none that can be read."""
    for header in refused.header_all("www-authenticate") if refused else ():
        found = _CLAIMS.search(header)
        if found and _CHALLENGE.search(header):
            return _decoded(found[1] or found[2] or "")
    return {}


def _decoded(text: str) -> Mapping[str, Any]:
    """Read base64 of either alphabet, padded or not."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        claims = json.loads(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def merged(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Add to the claims that we understand challenges."""
    asked = claims.get("access_token")
    capable = {"xms_cc": {"values": ["cp1"]}}
    return {**claims, "access_token": {**(asked if isinstance(asked, dict) else {}), **capable}}


def _accepted(reply: Reply) -> dict[str, Any]:
    """The reply's object. Raises what a refusal means; only error codes are quoted, never a description."""
    if not 400 <= reply.status < 500 or reply.status in (408, 423, 425, 429):
        return expect(reply, 200).json_object()
    try:
        data = reply.json_object()
    except RemoteProtocolError:
        data = {}
    code = str(data.get("error", ""))
    if code == "temporarily_unavailable":
        raise Unavailable("the sign-in service is temporarily unavailable")
    said = " ".join([code if _ERROR.fullmatch(code) else "no error code", *_numbers(data.get("error_codes"))])
    raise AuthRejected(
        f"the sign-in service refuses the app: {said} (HTTP {reply.status})",
        retry_after=None if code == "invalid_client" else PROBE,
    )


def _numbers(codes: object) -> list[str]:
    return [f"AADSTS{code}" for code in (codes if isinstance(codes, list) else []) if type(code) is int]


def _granted(data: Mapping[str, Any]) -> Token:
    text = data.get("access_token")
    if not isinstance(text, str) or not _VISIBLE.fullmatch(text):
        raise RemoteProtocolError("the sign-in service gave no usable token")
    expires_in = _seconds(data.get("expires_in"))
    return Token((("authorization", f"Bearer {text}"),), expires_in, _renewal(expires_in, data.get("refresh_in")))


def _renewal(expires_in: float | None, refresh_in: object) -> float | None:
    """When to renew: when told, else 5 minutes before the end, but not in the first half of a short life."""
    told = _seconds(refresh_in)
    if expires_in is None:
        return told
    return min(told or expires_in, max(expires_in - MARGIN, expires_in / 2))


def _seconds(value: object) -> float | None:
    """A positive number, or one as text; None for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < float("inf") else None

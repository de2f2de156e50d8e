"""How sessions are made: a signed login, and an app's login on behalf of a user.

The one rule: a token lives until the pod answers 401; nothing here guesses its lifetime, which is not told.
Source: the Login API description (20.14.1) and the pages on RSA authentication.
"""

from __future__ import annotations

import re
from urllib.parse import quote

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.connectors.flow import Flow, Reply, Request, Reveal, expect, json_body
from presence_syncd.errors import AuthRejected, Rejected, RemoteProtocolError

JWT_SECONDS = 240
"""How far ahead a login expires: pods take at most 300, and clocks differ."""
RETRY_LOGIN = 60.0
"""Seconds until a refused login is tried again: keys are rotated and clocks are set right."""
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_VALUE = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")


def log_in(url: str, sub: str, key: SecretRef, wall: float) -> Flow[Token]:
    """Sign in as `sub`, a bot's username or an app's id, with its private key. `wall` is Unix seconds."""
    secret = yield Reveal(key)
    signed = jwt.encode({"sub": sub, "exp": int(wall) + JWT_SECONDS}, load_key(secret, key), algorithm="RS512")
    body = json_body({"token": signed})
    reply = yield Request("POST", url, "login", headers={"content-type": "application/json"}, body=body)
    if reply.status in (401, 403):
        raise AuthRejected(
            f"HTTP {reply.status}: the pod refuses the login of sub {sub!r}: an unknown user or app, a key that does "
            "not belong to it, or a clock that is wrong",
            retry_after=RETRY_LOGIN,
        )
    return session_token(expect(reply, 200))


def act_as(login: str, realm: str) -> Flow[Token]:
    """Become the user a realm names (`user ID` or `username NAME`), by the session of the app."""
    kind, _, user = realm.partition(" ")
    url = f"{login}/pubkey/app/{kind}/{quote(user, safe='')}/authenticate"
    reply = yield Request("POST", url, "login_user", realm="app")
    if reply.status == 403:
        raise Rejected(f"HTTP 403: the app may not act as {realm}; is it enabled, and installed for them?", status=403)
    return session_token(expect(reply, 200))


def load_key(secret: Secret, place: SecretRef) -> RSAPrivateKey:
    """Read a private key in PEM. Raises AuthRejected, which names the key's place and nothing of the key."""
    try:
        key = load_pem_private_key(secret.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise AuthRejected(f"the private key ({place}) is no RSA key in PEM (PKCS#1 or PKCS#8, without a passphrase)")
    return key


def session_token(reply: Reply) -> Token:
    """Take the token, and the header to send it in, out of a login's answer. Raises RemoteProtocolError."""
    data = reply.json_object()
    name, token = data.get("name") or "sessionToken", data.get("token")
    if not isinstance(name, str) or not isinstance(token, str):
        raise RemoteProtocolError("the login's answer has no token")
    if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(token):
        raise RemoteProtocolError("the login's answer has a token that no header can carry")
    return Token(((name, token),))

"""The sessions of an emulated pod: signed logins, delegated ones, and what a token stands for.

The one rule: every way a login can be wrong gets the same bare 401, as on a real pod.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

LONGEST_LOGIN = 300.0
"""Seconds a signed login may at most expire ahead."""


def key_pair(bits: int = 2048) -> tuple[str, str]:
    """Make an RSA key: the private one (PKCS#8) and the public one, both in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@dataclass(frozen=True, slots=True)
class Session:
    """Who a token stands for: a `bot`, an `app` or a delegated `user`; apps have no user id."""

    kind: str
    user_id: int
    expires_at: float


class Sessions:
    """Every session of the pod. `lifetime` is in seconds; `keys` are the public keys, in PEM, by kind and name."""

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self.keys: dict[tuple[str, str], str] = {}
        self.logins: list[tuple[str, str]] = []
        self._open: dict[str, Session] = {}

    def is_signed(self, kind: str, token: object, now: float) -> str | None:
        """Return the name a login is signed by, None if anything about it is wrong."""
        if not isinstance(token, str):
            return None
        try:
            name = str(jwt.decode(token, options={"verify_signature": False}).get("sub"))
            claims = jwt.decode(token, self.keys.get((kind, name), ""), algorithms=["RS512"], options=_OPTIONS)
            expires = float(claims["exp"])
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return name if now < expires <= now + LONGEST_LOGIN else None

    def open(self, kind: str, name: str, user_id: int, now: float) -> dict[str, str]:
        """Open a session and return the login's answer."""
        token = secrets.token_urlsafe(32)
        self._open[token] = Session(kind, user_id, now + self.lifetime)
        self.logins.append((kind, name))
        return {"name": "sessionToken", "token": token}

    def find(self, token: str | None, now: float) -> Session | None:
        """The session of a token, None where there is none, or none any more."""
        session = self._open.get(token or "")
        return session if session is not None and now < session.expires_at else None

    def revoke(self) -> int:
        """End every session; returns how many."""
        count = len(self._open)
        self._open.clear()
        return count


_OPTIONS: jwt.types.Options = {"verify_exp": False, "require": ["sub", "exp"]}

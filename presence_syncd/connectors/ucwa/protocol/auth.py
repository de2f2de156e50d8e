"""Tokens: from the challenge of an authority to the header its pool takes.

The one rule: a password goes only to a token service that passed the trust test, and a refused one is never sent
again (a directory locks accounts after a few). Sources: the UCWA page Authentication in UCWA; rules S2, S3, S8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Reply, Request
from presence_syncd.connectors.ucwa.protocol.challenge import Challenge
from presence_syncd.connectors.ucwa.protocol.problem import check
from presence_syncd.connectors.ucwa.settings import Grant
from presence_syncd.errors import AuthRejected, Rejected, RemoteProtocolError, ServiceError, Unavailable

SLOW_PROBE = 7200.0
"""After how long an arrangement only the server's administrator can change is looked at again, in seconds."""
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "Accept": "application/json"}


class CredentialsRefused(AuthRejected):
    """The directory does not know this user with this password; no probe by itself."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in."""

    user: str
    password: Secret


def choose_grants(challenge: Challenge | None, wanted: Sequence[Grant]) -> list[Grant]:
    """Pick the ways that are both wanted and offered, in the wanted order. Raises AuthRejected if there is none."""
    offered = challenge.grants if challenge else frozenset()
    grants = [grant for grant in wanted if grant in offered]
    if not grants:
        raise AuthRejected("the server offers no way to sign in that is configured", retry_after=SLOW_PROBE)
    return grants


def request_token(url: str, grants: Sequence[Grant], credentials: Credentials) -> Flow[Token]:
    """Ask the token service at `url`, already trusted; a grant that is switched off gives way to the next, once."""
    for grant in grants[:2]:
        reply: Reply = yield _request(url, grant, credentials)
        error = _error_of(reply)
        if error != "unsupported_grant_type":
            return _token(reply, error)
    raise AuthRejected("the server supports none of the grants it offers", retry_after=SLOW_PROBE)


def _request(url: str, grant: Grant, credentials: Credentials) -> Request:
    form = {"grant_type": str(grant)}
    windows = None
    if grant is Grant.PASSWORD:
        form |= {"username": credentials.user, "password": credentials.password.reveal()}
    else:
        windows = (credentials.user, credentials.password.reveal())
    return Request("POST", url, "token", headers=_HEADERS, body=urlencode(form).encode(), windows=windows, timeout=30.0)


def _error_of(reply: Reply) -> str:
    """Find the error a 400 names; empty for other statuses."""
    if reply.status != 400:
        return ""
    error = reply.json_object()
    return "passive" if error.get("ms_rtc_passiveauthuri") else str(error.get("error", ""))


_ERRORS: dict[str, Callable[[], ServiceError]] = {
    "invalid_grant": lambda: CredentialsRefused("the user name or the password is refused"),
    "passive": lambda: AuthRejected("the server wants a sign-in by browser", retry_after=SLOW_PROBE),
    "server_error": lambda: Unavailable("the token service is in trouble"),
}


def _token(reply: Reply, error: str) -> Token:
    if error:
        unknown = Rejected("the token service calls our request wrong", status=400, retry_after=SLOW_PROBE)
        raise _ERRORS.get(error, lambda: unknown)()
    if reply.status == 401:
        raise CredentialsRefused("the Windows sign-in is refused")
    data = check(reply, 200).json_object()
    secret = data.get("access_token")
    if not isinstance(secret, str) or not secret.isascii() or not secret.isprintable() or not secret:
        raise RemoteProtocolError("the token service sent no usable token")
    return Token((("Authorization", f"Bearer {secret}"),), *lifetime(data.get("expires_in")))


def lifetime(expires_in: object) -> tuple[float | None, float | None]:
    """Work out (expires in, renew in) seconds: five minutes or 5 % before the end, but never in the first half."""
    try:
        seconds = float(expires_in)  # type: ignore[arg-type]  # what is no number says nothing
    except (TypeError, ValueError, OverflowError):
        return None, None
    if not 0 < seconds < float("inf"):
        return None, None
    return seconds, max(seconds / 2, seconds - max(300.0, seconds * 0.05))

"""HTTP authentication by Windows: Negotiate and NTLM (RFC 4559, MS-NTHT), with pyspnego, an optional package.

The one rule: the handshake belongs to one connection, so it is done on a client that has only one.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
import httpx

from presence_syncd.errors import AuthRejected

LONGEST_TALK = 4
"""Steps a handshake may take: NTLM needs three messages, Kerberos two."""


class WindowsAuth(httpx.Auth):
    """Answers a 401 that offers Negotiate or NTLM, as `user` with `password`. Raises AuthRejected without pyspnego."""

    requires_request_body = True

    def __init__(self, user: str, password: str) -> None:
        if find_spec("spnego") is None:
            raise AuthRejected("Windows sign-in needs the package: pip install 'presence-syncd[windows]'")
        self._user, self._password = user, password

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the request; while the server asks for it, send it again with the next message of the handshake."""
        response = yield request
        scheme = _offered(response)
        if response.status_code != 401 or scheme is None:
            return
        context = self._context(scheme, request.url)
        for _ in range(LONGEST_TALK):
            token = await anyio.to_thread.run_sync(_step, context, _message(response, scheme))
            if token is None:
                return
            request.headers["Authorization"] = f"{scheme} {base64.b64encode(token).decode()}"
            response = yield request
            if response.status_code != 401 or context.complete:  # refused: another try would count against the person
                return

    def _context(self, scheme: str, url: httpx.URL) -> Any:
        import spnego  # noqa: PLC0415  # optional

        protocol = "ntlm" if scheme == "NTLM" else "negotiate"
        host = urlsplit(str(url)).hostname or ""
        return spnego.client(self._user, self._password, hostname=host, service="HTTP", protocol=protocol)


def _offered(response: httpx.Response) -> str | None:
    """The better one of the schemes a server offers."""
    offered = {value.strip().partition(" ")[0].lower() for value in _challenges(response)}
    return next((scheme for scheme in ("Negotiate", "NTLM") if scheme.lower() in offered), None)


def _challenges(response: httpx.Response) -> list[str]:
    return [part for value in response.headers.get_list("www-authenticate") for part in value.split(",")]


def _message(response: httpx.Response, scheme: str) -> bytes | None:
    """The server's message in its challenge; None in the first one."""
    for value in _challenges(response):
        name, _, text = value.strip().partition(" ")
        if name.lower() == scheme.lower() and text:
            return base64.b64decode(text, validate=False)
    return None


def _step(context: Any, message: bytes | None) -> bytes | None:
    """Take the next step of a handshake. Raises AuthRejected when it cannot go on."""
    import spnego.exceptions  # noqa: PLC0415  # optional

    try:
        token: bytes | None = context.step(message)
    except (spnego.exceptions.SpnegoError, ValueError, struct.error) as error:
        raise AuthRejected(f"Windows sign-in fails: {type(error).__name__}") from None
    return token

"""The challenge of a 401: where tokens are to be had, and how.

The one rule: header fields are taken apart by their grammar, not searched: two fields may be merged, quoted values
hold commas, the order is free, and one documented sample leaves the quotes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from presence_syncd.connectors.flow import Reply

SCHEME = "msrtcoauth"
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # RFC 9110's word for a word
_PART = re.compile(
    rf'(?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]*))|(?P<scheme>{_TOKEN})'
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Where the token service is, as it came, and the grants it offers."""

    href: str
    grants: frozenset[str]


def challenge_of(reply: Reply) -> Challenge | None:
    """Find the service's own challenge in a 401; None if it offers no way that this program knows."""
    for field in reply.header_all("www-authenticate"):
        for scheme, parameters in _challenges(field):
            if scheme == SCHEME and parameters.get("href"):
                grants = parameters.get("grant_type", "").split(",")
                return Challenge(parameters["href"], frozenset(grant.strip() for grant in grants if grant.strip()))
    return None


def _challenges(field: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each scheme of a header field, in lower case, with its parameters."""
    scheme, parameters = "", dict[str, str]()
    for part in _PART.finditer(field):
        if part["scheme"]:
            yield scheme, parameters
            scheme, parameters = part["scheme"].lower(), {}
        else:
            quoted = part["quoted"]
            value = part["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters[part["name"].lower()] = value
    yield scheme, parameters

"""Which hosts may be asked, and which may be told a secret: every href is somebody else's data.

The one rule: a URL is used only if it is https (http to this machine), carries no user, and names a host that is the
person's domain, under it, named by the operator, or the one that just spoke. Sources: the discovery security check of
the UCWA pages, and rules S2-S5 and S8 of the project, which are stricter.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from presence_syncd.connectors.fields import is_loopback
from presence_syncd.errors import Rejected

LONGEST_NAME = 253
"""Characters of a host's name (RFC 1035 §2.3.4: 255 bytes, of which two are not seen)."""
DEFAULT_PORTS = {"https": 443, "http": 80}
_UNCLEAN = re.compile(r"[\x00-\x20\x7f\\]")


class Untrusted(Rejected):
    """A URL that must not be followed. The message names its host at most."""


def split(url: str) -> SplitResult:
    """Take a URL apart. Raises Untrusted for what no service sends: other schemes, users, control characters."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Untrusted("a link is not a URL") from error
    if _UNCLEAN.search(url) or parts.scheme not in DEFAULT_PORTS or not parts.hostname or port == 0:
        raise Untrusted("a link is not an http(s) URL")
    if "@" in parts.netloc:
        raise Untrusted("a link carries a user name before its host")
    return parts


def join(base: str, href: str) -> str:
    """Resolve a link against where it was found. Raises Untrusted for what is no link."""
    try:
        return urljoin(base, href)
    except ValueError as error:
        raise Untrusted("a link is not a URL") from error


def host_of(url: str) -> str:
    """Find the host of a URL in the form that is compared: lower case, ASCII, without a trailing dot."""
    return normal_host(split(url).hostname or "")


def normal_host(host: str) -> str:
    """Bring a host to the form that is compared. Raises Untrusted for one that is no name."""
    try:
        name = host.rstrip(".").lower().encode("idna").decode() if not is_address(host) else host.lower()
    except UnicodeError as error:
        raise Untrusted("a link names a host that is not a name") from error
    if len(name) > LONGEST_NAME:
        raise Untrusted("a link names a host that is not a name")
    return name


def is_address(host: str) -> bool:
    """Whether a host is an IP literal."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def origin_of(url: str) -> str:
    """Find the authority tokens are kept by: scheme, host and port, always all three."""
    parts, host = split(url), host_of(url)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{parts.port or DEFAULT_PORTS[parts.scheme]}"


def is_private(url: str) -> bool:
    """Whether nobody between us and the host can read along: https, or http to this machine."""
    return split(url).scheme == "https" or is_loopback(host_of(url))


def is_under(host: str, domain: str) -> bool:
    """Whether `host` is `domain` or under it, at a label's boundary."""
    return host == domain or (not is_address(domain) and host.endswith("." + domain))


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom one link trusts: the domain of the sign-in address and what the operator named (hosts or domains)."""

    domain: str
    named: tuple[str, ...] = ()

    def is_trusted(self, host: str) -> bool:
        """Whether a host may be told a secret by its name alone; an IP literal only if it is named itself."""
        return any(is_under(host, normal_host(domain)) for domain in (self.domain, *self.named))

    def follow(self, base: str, href: str, what: str) -> str:
        """Resolve a link found at `base`, which is trusted already. Raises Untrusted if it leads elsewhere (S3, S4)."""
        url = join(base, href)
        if not is_private(url):
            raise Untrusted(f"untrusted {what}: it is not https")
        host = host_of(url)
        if host != host_of(base) and not self.is_trusted(host):
            raise Untrusted(f"untrusted {what}: {host} is neither under {self.domain} nor named in trusted_hosts")
        return url


def within(origin: str, href: str) -> str:
    """Resolve a link of an application; only the authority of the application gets its token (S4, S8)."""
    url = join(origin + "/", href)
    if not is_private(url):
        raise Untrusted("untrusted link: it is not https")
    if origin_of(url) != origin:
        raise Untrusted(f"untrusted link: {host_of(url)} is not the application's host")
    return url

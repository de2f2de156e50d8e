"""From a sign-in address to the applications of the person's home pool.

The one rule: the way there is asked for without credentials and without automatic redirects, each link is judged
before it is followed, and the way never goes in a circle. Sources: the UCWA pages Root URL, root, redirect and user.
"""

from __future__ import annotations

from collections.abc import Callable

from presence_syncd.connectors.flow import Enter, Flow, Reply, Request
from presence_syncd.connectors.ucwa.protocol.problem import check
from presence_syncd.connectors.ucwa.protocol.resource import Resource, read_resource
from presence_syncd.connectors.ucwa.protocol.trust import Trust, Untrusted, host_of, is_private, join
from presence_syncd.connectors.ucwa.settings import Settings
from presence_syncd.errors import RemoteProtocolError, ServiceError, Unavailable

MAX_REDIRECTS = 5
"""Body redirects one discovery may follow."""
PROBE_SECONDS = 10.0
_MOVED = (301, 302, 303, 307, 308)
_ACCEPT = {"Accept": "application/json"}

Knock = Callable[[str, Reply], str]
"""Tells whose token a URL needs, given the 401 it answered with."""


def start_urls(settings: Settings, domain: str) -> tuple[str, ...]:
    """Where to ask, in order: the inside first, then the outside; never without encryption (rule S2)."""
    if settings.discovery is not None:
        return (settings.discovery,)
    domain = settings.domain or domain
    return tuple(f"https://{name}.{domain}/" for name in ("lyncdiscoverinternal", "lyncdiscover"))


def find_applications(starts: tuple[str, ...], trust: Trust, knock: Knock) -> Flow[str]:
    """Find the URL applications are made at. Raises Unavailable (nobody answers), Untrusted, and what tokens raise."""
    yield Enter("discover", host_of(starts[0]))
    url, page = yield from _first_answer(starts, trust)
    redirects, seen = 0, {url}
    while True:
        rel = next((rel for rel in ("redirect", "applications", "user") if page.links.get(rel)), None)
        if rel is None:
            raise RemoteProtocolError("discovery leads to neither a user nor applications")
        url = trust.follow(url, page.links[rel], f"{rel} link")
        if rel == "applications":
            return url
        redirects += rel == "redirect"
        if url in seen or redirects > MAX_REDIRECTS:
            raise Untrusted("untrusted redirect: discovery goes in a circle", retry_after=900.0)
        seen.add(url)
        yield Enter("user", host_of(url))
        page = yield from _look(url, knock)


def _first_answer(starts: tuple[str, ...], trust: Trust) -> Flow[tuple[str, Resource]]:
    """Probe one place after the other; whatever is no answer of a discovery service is a failed probe."""
    for start in starts:
        try:
            return (yield from _probe(start, trust))
        except ServiceError:
            continue
    raise Unavailable(f"no discovery service answered ({len(starts)} places asked)")


def _probe(start: str, trust: Trust) -> Flow[tuple[str, Resource]]:
    """Ask one place; a plain redirect is followed once, and only to a host that is trusted by name (S6)."""
    reply: Reply = yield _bare(start)
    url = start
    if reply.status in _MOVED:
        url = _moved_to(start, reply.header("location") or "", trust)
        reply = yield _bare(url)
    page = read_resource(check(reply, 200))
    if not page.links.keys() & {"redirect", "user", "applications"}:
        raise RemoteProtocolError("not a discovery service")
    return url, page


def _moved_to(start: str, location: str, trust: Trust) -> str:
    url = join(start, location)
    if not is_private(url) or not trust.is_trusted(host_of(url)):
        raise Untrusted("untrusted redirect: discovery moved to another domain")
    return url


def _look(url: str, knock: Knock) -> Flow[Resource]:
    """Get a page of the way: bare first; with the token of its authority if it asks for one."""
    reply: Reply = yield _bare(url)
    if reply.status == 401:
        yield Enter("auth", host_of(url))
        reply = yield Request("GET", url, "discover", headers=_ACCEPT, realm=knock(url, reply), timeout=PROBE_SECONDS)
    return read_resource(check(reply, 200))


def _bare(url: str) -> Request:
    return Request("GET", url, "discover", headers=_ACCEPT, timeout=PROBE_SECONDS)

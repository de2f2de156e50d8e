"""The person's own presence and note: read, written, and followed from outside.

The one rule: what is read is told as the server says it, and what is written is one of the six values it documents.
Sources: the UCWA pages presence, note, contactPresence and presenceSubscriptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from presence_syncd.connectors.flow import Flow, Reply, Request, without_words
from presence_syncd.connectors.ucwa.protocol.application import command
from presence_syncd.connectors.ucwa.protocol.batch import read_batch, write_batch
from presence_syncd.connectors.ucwa.protocol.problem import NotAvailable, check
from presence_syncd.connectors.ucwa.protocol.resource import ACCEPT, Resource, read_resource
from presence_syncd.connectors.ucwa.protocol.session import Session
from presence_syncd.connectors.ucwa.protocol.trust import within
from presence_syncd.connectors.ucwa.wire import status_of
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import UNKNOWN
from presence_syncd.errors import RateLimited, RemoteProtocolError, ServiceError

SUBSCRIPTION_MINUTES = 30
"""How long a presence subscription is asked for: the most the server grants."""
EXTEND_AFTER = 0.6 * SUBSCRIPTION_MINUTES * 60
"""When it is extended, in seconds."""
_BOUNDARY = "presence-syncd-batch"


def observe(session: Session, resource: Resource, started_at: float, at: float) -> Observation:
    """Turn a presence resource into an observation, and note what was shown."""
    raw = resource.properties.get("availability", "")
    session.shown = raw
    return Observation(status_of(raw), raw, started_at, at, note=session.note)


def unknown(raw: str, at: float) -> Observation:
    """Say that nothing can be said."""
    return Observation(UNKNOWN, raw, at, at)


def presence_link(session: Session) -> str:
    """Where the presence is read: the own one, else the one a subscription showed. Raises NotAvailable for neither."""
    href = session.links.get("presence") if session.available else session.contact
    if not href:
        raise NotAvailable("the person's presence cannot be read yet")
    return href


def read_presence(session: Session, href: str = "") -> Flow[Observation]:
    """Read the presence at `href`, or wherever it is to be read."""
    reply: Reply = yield command(session, "GET", href or presence_link(session), "presence")
    return observe(session, read_resource(check(reply, 200)), reply.started_at, reply.at)


def read_note(session: Session) -> Flow[None]:
    """Read the person's own note; a note about being out of office is not theirs to be mirrored."""
    if "note" in session.links:
        reply: Reply = yield command(session, "GET", session.links["note"], "note")
        _keep_note(session, reply)


def _keep_note(session: Session, reply: Reply) -> None:
    note = read_resource(check(reply, 200)).properties
    session.note = note.get("message", "") if note.get("type", "Personal") == "Personal" else ""


def read_both(session: Session) -> Flow[Observation]:
    """Read note and presence in one envelope where the server takes one; each alone otherwise."""
    hrefs = [session.links["note"], session.links["presence"]]
    note, presence = yield from _read_many(session, hrefs)
    if note is not None and note.status == 200:
        _keep_note(session, note)
    else:
        yield from read_note(session)
    if presence is None or presence.status != 200:
        return (yield from read_presence(session))
    return observe(session, read_resource(presence), presence.started_at, presence.at)


def _read_many(session: Session, hrefs: Sequence[str]) -> Flow[list[Reply | None]]:
    """Send one envelope; where it is refused, nothing in it was done, and the next ones are not sent at all."""
    if not session.batching or "batch" not in session.links:
        return [None for _ in hrefs]
    reply: Reply = yield _batch(session, [within(session.origin, href) for href in hrefs])
    try:
        return read_batch(check(reply, 200), hrefs)
    except (RateLimited, RemoteProtocolError) as error:
        session.batching = False
        if isinstance(error, RateLimited):
            raise
        return [None for _ in hrefs]


def _batch(session: Session, urls: list[str]) -> Request:
    headers = {"Accept": "multipart/batching", "Content-Type": f"multipart/batching;boundary={_BOUNDARY}"}
    body = write_batch(urls, ACCEPT[session.form], _BOUNDARY)
    url = within(session.origin, session.links["batch"])
    return Request("POST", url, "batch", headers=headers, body=body, realm=session.realm, timeout=30.0)


def write_presence(session: Session, word: str | None) -> Flow[None]:
    """Set the presence; None resets it to what activity and calendar say."""
    if "presence" not in session.links:
        raise NotAvailable("the application is not available")
    values: dict[str, object] | None = None if word is None else {"availability": word}
    reply: Reply = yield command(session, "POST", session.links["presence"], "publish", values)
    without_words(check(reply))


def write_note(session: Session, note: str) -> Flow[None]:
    """Set the personal note; an empty one removes it."""
    if "note" in session.links:
        reply: Reply = yield command(
            session, "POST", session.links["note"], "note", {"message": note} if note else None
        )
        without_words(check(reply))


def subscribe(session: Session, sip: str) -> Flow[None]:
    """Follow the own address as a contact's. Raises what the server answers; sets `subscription`."""
    href = session.links.get("presenceSubscriptions")
    if href is None:
        session.blind = True
        return
    values: dict[str, object] = {"duration": SUBSCRIPTION_MINUTES, "uris": [sip]}
    reply: Reply = yield command(session, "POST", href, "subscribe", values)
    session.subscription = within(session.origin, read_resource(check(reply)).href)
    session.subscribed_at = reply.at


def extend(session: Session) -> Flow[None]:
    """Lengthen the subscription; one that cannot be is forgotten, and made anew next time."""
    url = session.subscription
    mark = "&" if urlsplit(url).query else "?"
    session.subscription = ""
    reply: Reply = yield command(session, "POST", f"{url}{mark}duration={SUBSCRIPTION_MINUTES}", "extend")
    try:
        check(reply)
    except ServiceError:
        return
    session.subscription, session.subscribed_at = url, reply.at

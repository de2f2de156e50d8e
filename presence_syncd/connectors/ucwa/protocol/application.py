"""One application on the pool: made, made available, kept alive, taken down.

The one rule: making the application available claims a word, so it is done only with a word that is shown already or
that was just published. Sources: the UCWA pages applications, application, makeMeAvailable, reportMyActivity, me.
"""

from __future__ import annotations

from dataclasses import dataclass

from presence_syncd.connectors.flow import Enter, Flow, Reply, Request
from presence_syncd.connectors.ucwa.protocol.problem import (
    AlreadyThere,
    ApplicationLost,
    Forbidden,
    NotThere,
    VersionNotSupported,
    check,
)
from presence_syncd.connectors.ucwa.protocol.resource import ACCEPT, CONTENT, Resource, read_resource, write_body
from presence_syncd.connectors.ucwa.protocol.session import Session
from presence_syncd.connectors.ucwa.protocol.trust import host_of, origin_of, within
from presence_syncd.connectors.ucwa.settings import Format, Settings
from presence_syncd.errors import RemoteProtocolError, Unavailable

COMMAND_SECONDS = 30.0
"""How long one command may take."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which application this is: one endpoint per installation and person, one instance per process (multi-tab)."""

    endpoint_id: str
    instance_id: str


def command(
    session: Session, method: str, href: str, operation: str, values: dict[str, object] | None = None
) -> Request:
    """Make a request of an application; a POST without values has an empty body and no type."""
    headers = {"Accept": ACCEPT[session.form]}
    body = None
    if values is not None:
        headers["Content-Type"] = CONTENT[session.form]
        body = write_body(session.form, values)
    elif method == "POST":
        body, headers["Content-Length"] = b"", "0"
    url = within(session.origin, href)
    return Request(method, url, operation, headers=headers, body=body, realm=session.realm, timeout=COMMAND_SECONDS)


def create(url: str, realm: str, settings: Settings, identity: Identity) -> Flow[Session]:
    """Make the application at `url`, or find ours again there. Raises what the service answers."""
    yield Enter("create", host_of(url))
    try:
        reply = yield from _post_application(url, realm, settings, identity, revision=2)
    except VersionNotSupported:
        reply = yield from _post_application(url, realm, settings, identity, revision=1)
    application = read_resource(reply)
    origin = origin_of(url)
    if not application.href or not application.links.get("events"):
        raise RemoteProtocolError("the application lacks its link to itself or to its events")
    session = Session(origin, realm, within(origin, application.href), settings.format)
    session.events = within(origin, application.links["events"])
    session.adopt(application)
    return session


def _post_application(url: str, realm: str, settings: Settings, identity: Identity, *, revision: int) -> Flow[Reply]:
    form = settings.format
    values: dict[str, object] = {
        "userAgent": settings.user_agent,
        "endpointId": identity.endpoint_id,
        "culture": settings.culture,
    }
    headers = {"Accept": ACCEPT[form], "Content-Type": CONTENT[form]}
    if revision > 1:
        values |= {"instanceId": identity.instance_id, "type": "Browser"}
        headers["X-MS-RequiresMinResourceVersion"] = str(revision)
    reply: Reply = yield Request(
        "POST", url, "create", headers=headers, body=write_body(form, values), realm=realm, timeout=COMMAND_SECONDS
    )
    return check(reply, 200, 201)


def refresh(session: Session) -> Flow[Resource]:
    """Look at the application again, and take its links over. Raises ApplicationLost if it is gone."""
    reply: Reply = yield command(session, "GET", session.application, "application")
    try:
        application = read_resource(check(reply, 200))
    except NotThere as error:
        raise ApplicationLost(str(error)) from error
    session.adopt(application)
    return application


def make_available(session: Session, word: str, settings: Settings) -> Flow[None]:
    """Leave lurker mode claiming `word`; having done so before is success. Raises Unavailable if there is no link."""
    yield Enter("available", word)
    if "makeMeAvailable" not in session.links:
        yield from refresh(session)
    if not session.available:
        if "makeMeAvailable" not in session.links:
            raise Unavailable("the server does not offer to make the application available now")
        yield from _claim(session, word, list(settings.modalities))
        yield from refresh(session)
    session.inbox.read_all(0.0)


def _claim(session: Session, word: str, modalities: list[str]) -> Flow[None]:
    values: dict[str, object] = {
        "signInAs": word,
        "supportedMessageFormats": ["Plain"],
        "supportedModalities": list(modalities),
    }
    reply: Reply = yield command(session, "POST", session.links["makeMeAvailable"], "available", values)
    try:
        check(reply)
    except AlreadyThere:
        return
    except Forbidden:
        if not modalities:
            raise
        yield from _claim(session, word, [])


def report_activity(session: Session) -> Flow[None]:
    """Say that the person is active."""
    reply: Reply = yield command(session, "POST", session.links["reportMyActivity"], "activity")
    check(reply)


def leave(session: Session) -> Flow[Reply]:
    """Take the application, or this process's part of it, down; five seconds are all it gets."""
    headers = {"Accept": ACCEPT[Format.JSON]}
    reply: Reply = yield Request(
        "DELETE", session.application, "sign out", headers=headers, realm=session.realm, timeout=5.0
    )
    return reply

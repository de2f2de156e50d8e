"""What an answer that is not a success means: the error table of the service, and the errors it becomes.

The one rule: status and subcode decide, never the message or the diagnostics header; an error whose type is neither
JSON nor XML was written by something between and says nothing about the application. Sources: the UCWA pages Errors
and informational messages, Application dashboard, and Batching requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from presence_syncd.connectors.flow import Reply, expect, retry_after
from presence_syncd.connectors.ucwa.protocol.markup import parse_xml
from presence_syncd.connectors.ucwa.protocol.resource import is_theirs, is_xml
from presence_syncd.errors import Rejected, RemoteProtocolError, ServiceError, SessionExpired, Unavailable

LONGEST = 100
"""Characters of a code that are kept: it is told to people, and the documents have none of half that length."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the service told it; `theirs` is False if something between answered."""

    status: int
    code: str = ""
    subcode: str = ""
    theirs: bool = False

    def __str__(self) -> str:
        told = "/".join(part for part in (self.code, self.subcode) if part)
        return f"HTTP {self.status} {told or ('' if self.theirs else 'from something between')}".rstrip()


class NotAvailable(Unavailable):
    """The application is, or has become, a lurker: makeMeAvailable must come first."""


class ApplicationLost(SessionExpired):
    """The application is gone; a new one may be made."""


class NotThere(Unavailable):
    """A resource is not there; whether its application is must be looked up."""


class ChannelReplaced(Unavailable):
    """Another reader of the event channel took it over."""


class BadGateway(Unavailable):
    """The way to the pool is broken, or the person's home was moved."""


class Forbidden(Rejected):
    """Refused by policy, or asked at the wrong place: look for the place once, then stop."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, status=403, retry_after=retry_after)


class VersionNotSupported(Unavailable):
    """The server cannot honour the resource version that was asked for."""


class AlreadyThere(Unavailable):
    """What was asked for has been done before."""


class Gone(Rejected):
    """Permanently gone, for the reason in `subcode`."""

    def __init__(self, message: str, subcode: str = "") -> None:
        super().__init__(message, status=410)
        self.subcode = subcode


def problem_of(reply: Reply) -> Problem:
    """Read the error in a reply; a body that cannot be read leaves only the status."""
    if not is_theirs(reply):
        return Problem(reply.status)
    try:
        code, subcode = _xml_codes(reply) if is_xml(reply) else _json_codes(reply)
    except RemoteProtocolError:
        return Problem(reply.status)
    return Problem(reply.status, code[:LONGEST], subcode[:LONGEST], theirs=True)


def _json_codes(reply: Reply) -> tuple[str, str]:
    data = reply.json_object()
    return str(data.get("code") or ""), str(data.get("subcode") or "")


def _xml_codes(reply: Reply) -> tuple[str, str]:
    reason = parse_xml(reply.body)
    return reason.text_of("code"), reason.text_of("subcode")


_MEANING: dict[tuple[int, str], Callable[[str], ServiceError]] = {
    (404, "ApplicationNotFound"): NotThere,
    (404, "APIVersionNotSupported"): VersionNotSupported,
    (409, "MakeMeAvailableRequired"): NotAvailable,
    (409, "PGetReplaced"): ChannelReplaced,
    (409, "AlreadyExists"): AlreadyThere,
}
_BY_STATUS: dict[int, Callable[[str], ServiceError]] = {
    403: Forbidden,
    404: NotThere,
    409: Unavailable,
    502: BadGateway,
}
"""409 without a known subcode: the application is starting or ending, ask again shortly."""


def check(reply: Reply, *statuses: int) -> Reply:
    """Return the reply if its status is one of `statuses` (none: any 2xx); raise what it means otherwise."""
    if reply.status in statuses or (not statuses and 200 <= reply.status < 300):
        return reply
    problem = problem_of(reply)
    said = str(problem)
    if problem.status == 410 and problem.theirs:
        raise Gone(said, problem.subcode)
    if problem.status == 500 and problem.subcode == "InvalidExchangeServerVersion":
        raise Rejected(said, status=500, retry_after=7200.0)
    known = _MEANING.get((problem.status, problem.subcode)) if problem.theirs else None
    meaning = known or _BY_STATUS.get(problem.status)
    if meaning is None or (not problem.theirs and problem.status in (404, 409)):
        return _plain(reply, problem)
    raise meaning(said)


def _plain(reply: Reply, problem: Problem) -> Reply:
    """Raise by the status alone; what something between says about a resource is trouble on the way, not news."""
    if 400 <= reply.status < 500 and not problem.theirs and reply.status not in (401, 408, 429):
        raise Unavailable(str(problem), retry_after=retry_after(reply))
    return expect(reply)

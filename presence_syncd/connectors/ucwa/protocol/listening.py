"""The event channel: one poll after the other, each by the link of the one before.

The one rule: a link is sent again only if its answer was never read whole, and used once otherwise; what the events
ask for is done elsewhere (`following`), so that the next poll is out before they are. Sources: the UCWA pages Event
channel details and Events in UCWA; the policy for failures is the project's (§7.5-7.8).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from presence_syncd.connectors.flow import Enter, Flow, Reply, Request, Wake, doubled
from presence_syncd.connectors.ucwa.protocol.application import refresh
from presence_syncd.connectors.ucwa.protocol.channel import POLL_DEADLINE, Page, read_page, with_timers
from presence_syncd.connectors.ucwa.protocol.membership import Membership, pause
from presence_syncd.connectors.ucwa.protocol.problem import (
    ApplicationLost,
    BadGateway,
    ChannelReplaced,
    NotThere,
    check,
)
from presence_syncd.connectors.ucwa.protocol.resource import ACCEPT
from presence_syncd.connectors.ucwa.protocol.session import Session
from presence_syncd.connectors.ucwa.protocol.trust import within
from presence_syncd.errors import (
    RateLimited,
    Rejected,
    RemoteProtocolError,
    ServiceError,
    SessionExpired,
    Unavailable,
)

LONG_LIVED = 20.0
"""A poll that lived longer and was then cut met an impatient proxy, which is no trouble."""
GAP_REREAD = 60.0
"""After this long without a poll everything is read again."""
GAP_LOST = 300.0
"""After this long the server may have dropped what does not last: subscriptions."""
GAP_STALE = 240.0
MAX_PAGE = 512 * 1024
GATEWAYS = 2
LOST_CONNECTIONS = 12
SERVER_ERRORS = 5
REPLACED_WINDOW = 60.0
REPLACED_AGAIN_WINDOW = 600.0
_NETWORK = (1.0, 30.0)
_BUSY = (5.0, 60.0)


@dataclass(slots=True)
class Trouble:
    """What the polls of one stretch of trouble met; a page that is read ends it."""

    failures: int = 0
    gateways: int = 0
    unreached: int = 0
    waited: float = 0.0
    bare: bool = False

    @property
    def any(self) -> bool:
        """Whether there was trouble."""
        return self != Trouble()

    def wait_after(self, error: ServiceError, *, answered: bool, source: random.Random) -> float:
        """Count a failure; returns the seconds until the same link is sent again."""
        self.failures += 1
        self.unreached += not answered
        self.gateways += isinstance(error, BadGateway)
        if error.retry_after is not None:
            return error.retry_after
        return doubled(_BUSY if answered else _NETWORK, self.failures - 1) * source.random()


class Listener:
    """Follows the event channel of whatever session its membership has."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.trouble = Trouble()
        self._quick = 0
        self._dangling = False
        self._replaced = 0
        self._replaced_at = 0.0
        self._last_at: float | None = None

    def listen(self, session: Session) -> Flow[None]:
        """Poll until the session is over; always raises."""
        self.trouble, self._quick, self._dangling = Trouble(), 0, False
        self._last_at = None
        session.listening = True
        try:
            while self.membership.session is session:
                yield from self.poll(session)
        finally:
            session.listening = False
        raise session.ended()

    def poll(self, session: Session) -> Flow[None]:
        """Send one poll and take what it brings; trouble is waited out."""
        reply: Reply | None = None
        try:
            reply = self.membership.saw((yield self._request(session)))
            page = read_page(check(reply, 200))
        except ChannelReplaced as error:
            yield from self._taken_over(error)
        except NotThere as error:
            raise ApplicationLost(str(error)) from error
        except Rejected as error:
            self._refused(error)
        except (Unavailable, RemoteProtocolError, RateLimited) as error:
            yield from self._recover(session, error, reply)
        else:
            yield from self._took(session, page, reply)

    def _request(self, session: Session) -> Request:
        url = within(session.origin, session.events)
        return Request(
            "GET",
            url if self.trouble.bare else with_timers(url),
            "events",
            headers={"Accept": ACCEPT[session.form]},
            realm=session.realm,
            timeout=POLL_DEADLINE,
            max_body=MAX_PAGE,
            own_connection=True,
        )

    def _took(self, session: Session, page: Page, reply: Reply) -> Flow[None]:
        """Go on to the next link; what the events ask for is left to the follower, who is woken."""
        recovered, self.trouble = self.trouble.any, Trouble()
        session.take(page, reply.at)
        self._mind_the_gap(session, reply)
        self.membership.history.listened(reply.at)
        if page.follow:
            session.events, self._dangling = within(session.origin, page.follow), False
        else:
            yield from self._without_link(session)
        if page.resync or page.resume:
            session.syncing = True
            yield Enter("resync", "the server lost track" if page.resync else "the server had given us up")
        elif recovered:
            yield Enter("listen")
        yield Wake()
        quick = not page.events and reply.at - reply.started_at < 1.0
        self._quick = self._quick + 1 if quick else 0
        if self._quick:
            yield from pause(doubled((1.0, 8.0), self._quick - 1))

    def _mind_the_gap(self, session: Session, reply: Reply) -> None:
        """Read everything again if nobody listened for long."""
        gap = reply.started_at - (reply.started_at if self._last_at is None else self._last_at)
        self._last_at = reply.at
        if gap > GAP_REREAD:
            session.inbox.read_all(reply.at)
        if gap > GAP_LOST:
            session.inbox.resubscribe = True

    def _without_link(self, session: Session) -> Flow[None]:
        """A page that leads nowhere: ask the application for its channel once; then it needs a new one."""
        if self._dangling:
            raise ApplicationLost("the event channel leads nowhere")
        self._dangling = True
        application = yield from refresh(session)
        session.events = within(session.origin, application.links.get("events", session.events))
        session.inbox.read_all(self.membership.at)

    def _taken_over(self, error: ChannelReplaced) -> Flow[None]:
        """Another reader: perhaps an old socket of ours, so wait; then take a channel of our own; then give up."""
        since, self._replaced_at = self.membership.at - self._replaced_at, self.membership.at
        window = REPLACED_WINDOW if self._replaced == 1 else REPLACED_AGAIN_WINDOW
        self._replaced = self._replaced + 1 if since < window else 1
        if self._replaced == 1:
            self.trouble.failures += 1
            yield Enter("recover", "another reader took the event channel over")
            yield from pause(self.membership.rng.uniform(5.0, 15.0))
        elif self._replaced == 2:
            self.membership.renew_instance()
            raise SessionExpired("the event channel has another reader")
        else:
            self._replaced, self.membership.session = 0, None
            raise self.membership.history.park(f"another program reads this event channel ({error})", 409)

    def _refused(self, error: Rejected) -> None:
        """A link the server gave is refused: try it without our time-outs once, then make a new application."""
        if error.status != 400:
            raise error
        if self.trouble.bare:
            raise ApplicationLost(str(error)) from error
        self.trouble.bare = True

    def _recover(self, session: Session, error: ServiceError, reply: Reply | None) -> Flow[None]:
        """Wait, and let the same link be sent again; look for the way anew where that is due."""
        if self.membership.session is not session:
            raise session.ended()
        if _was_cut_late(error, reply):
            self.trouble.failures = self.trouble.unreached = 0
            self._last_at = self.membership.at if reply is not None else self._last_at
            return
        if not self.trouble.any:
            yield Enter("recover", str(error))
        wait = self.trouble.wait_after(error, answered=reply is not None, source=self.membership.rng)
        if self.trouble.gateways > GATEWAYS or self.trouble.unreached >= LOST_CONNECTIONS:
            yield from self.membership.lose_the_way()
            raise SessionExpired(f"the pool cannot be reached ({error})")
        if reply is not None and reply.status == 500 and self.trouble.failures % SERVER_ERRORS == 0:
            yield from self._look(session)
        yield from self._wait(session, wait)

    def _look(self, session: Session) -> Flow[None]:
        """See whether the application is still there; raises ApplicationLost if it is not."""
        try:
            yield from refresh(session)
        except (Unavailable, RemoteProtocolError, RateLimited):
            return

    def _wait(self, session: Session, seconds: float) -> Flow[None]:
        """Wait before the next try; after long trouble, what was known is read beside it, as soon as that works."""
        fresh = self.trouble.waited < GAP_STALE
        self.trouble.waited += seconds
        if fresh and self.trouble.waited >= GAP_STALE:
            yield Enter("stale", "nobody listens to the event channel; the server may drop it")
        yield from pause(seconds)
        if self.trouble.waited > GAP_REREAD:
            session.inbox.read_all(self.membership.at)
            session.inbox.resubscribe = True
            yield Wake()


def _was_cut_late(error: ServiceError, reply: Reply | None) -> bool:
    """Whether a poll lived long and was then cut, as impatient proxies do: no trouble, the same link goes out again."""
    if error.retry_after is not None:
        return False
    if reply is not None:
        return reply.status in (408, 504) and reply.at - reply.started_at > LONG_LIVED
    return isinstance(error, Unavailable) and (error.lived or 0.0) > LONG_LIVED

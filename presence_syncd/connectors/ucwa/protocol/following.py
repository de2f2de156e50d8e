"""What events ask for: reading the presence again, following it from outside, leaving lurker mode.

The one rule: it decides from what is in the inbox now, one read per resource however many events came, and a thing is
out of the inbox only when it is done. The person's presence is claimed only as it is shown already.
"""

from __future__ import annotations

from presence_syncd.connectors.flow import Emit, Enter, Flow, Now, Wait, doubled
from presence_syncd.connectors.ucwa.protocol.application import make_available, refresh
from presence_syncd.connectors.ucwa.protocol.membership import Membership
from presence_syncd.connectors.ucwa.protocol.presence import (
    EXTEND_AFTER,
    extend,
    observe,
    read_both,
    read_note,
    read_presence,
    subscribe,
    unknown,
)
from presence_syncd.connectors.ucwa.protocol.problem import AlreadyThere, NotAvailable, NotThere
from presence_syncd.connectors.ucwa.protocol.session import News, Session
from presence_syncd.connectors.ucwa.settings import PresenceSource
from presence_syncd.connectors.ucwa.wire import Preferred
from presence_syncd.errors import RateLimited, Rejected, RemoteProtocolError, ServiceError, Unavailable

IDLE = 120.0
"""How long to wait for something to do before timers are looked at again, in seconds."""
CONFIRM_AFTER = 6.0
"""When a write without an event is looked at: the server holds news back for five seconds."""
_RETRY = (2.0, 60.0)


class Follower:
    """Does what the inbox of its membership's session asks for."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self._failures = 0

    def follow(self) -> Flow[None]:
        """Work once there is work, and wait for more; returns when a turn went well, to be run again."""
        while True:
            session = self.membership.session
            if session is None:
                yield Wait(IDLE)
                continue
            went_well, wait = yield from self.membership.guarded(self._turn(session), session)
            yield Wait(wait)
            if went_well:
                return

    def _turn(self, session: Session) -> Flow[tuple[bool, float]]:
        """Do all there is to do; returns whether that went well, and the seconds until there may be more."""
        self.membership.at = max(self.membership.at, (yield Now()))
        try:
            yield from self.work(session)
        except (Unavailable, RemoteProtocolError, RateLimited) as error:
            self._failures += 1
            return False, error.retry_after or doubled(_RETRY, self._failures - 1)
        self._failures = 0
        if session.inbox.has_work:
            return True, 0.0
        if not session.inbox.unconfirmed:
            return True, IDLE
        if not (yield Wait(CONFIRM_AFTER)) and session.inbox.unconfirmed:
            session.inbox.unconfirmed = False
            session.inbox.presence = News("", self.membership.at)
        return True, 0.0

    def work(self, session: Session) -> Flow[None]:
        """Do what the inbox asks for. Raises what the service answers; what was not done stays in the inbox."""
        if session.inbox.refresh:
            yield from refresh(session)
            session.inbox.refresh = False
        while session.available and (session.inbox.presence or session.inbox.note):
            yield from self._own(session)
        if session.available:
            session.inbox.contact = None
        else:
            yield from self._outside(session)

    def _own(self, session: Session) -> Flow[None]:
        """Read what the person's own events are about."""
        inbox = session.inbox
        news, note, inbox.presence, inbox.note = inbox.presence, inbox.note, None, False
        try:
            yield from self._tell(session, news or News("", 0.0), note=note)
        except NotAvailable as error:
            inbox.presence, inbox.note = inbox.presence or news, note
            yield from self._claim_again(session, error)
        except NotThere:
            inbox.presence, inbox.note = inbox.presence or news, note
            yield from refresh(session)
            raise
        except ServiceError:
            inbox.presence, inbox.note = inbox.presence or news, inbox.note or note
            raise

    def _tell(self, session: Session, news: News, *, note: bool) -> Flow[None]:
        whole = not news.href and news.embedded is None
        if whole:
            session.syncing = True
            yield Enter("sync")
        if whole and note and {"note", "presence"} <= session.links.keys():
            yield Emit((yield from read_both(session)))
        else:
            if note:
                yield from read_note(session)
            yield from self._show(session, news)
        if session.syncing and session.listening:
            session.syncing = False
            yield Enter("listen")

    def _show(self, session: Session, news: News) -> Flow[None]:
        """Hand over one presence: as it came with the event, or as it is read now."""
        if news.embedded is not None and "availability" in news.embedded.properties:
            yield Emit(observe(session, news.embedded, news.at, news.at))
        else:
            yield Emit((yield from read_presence(session, news.href)))

    def _claim_again(self, session: Session, error: NotAvailable) -> Flow[None]:
        """The server says we lurk: become available as what was shown last, but not for ever."""
        session.available = False
        if session.shown in set(Preferred):
            yield from self.claim(session, session.shown, error)

    def claim(self, session: Session, word: str, error: ServiceError | None = None) -> Flow[None]:
        """Leave lurker mode, at most three times in ten minutes. Raises Unavailable beyond.

        What did not come through is no time the server has ended.
        """
        if self.membership.claims.is_spent(self.membership.at):
            raise Unavailable("the server ends our availability again and again", retry_after=300.0) from error
        yield from make_available(session, word, self.membership.service)
        self.membership.claims.count(self.membership.at)

    def _outside(self, session: Session) -> Flow[None]:
        """Follow the own address like a contact's, and become available once something is shown."""
        inbox = session.inbox
        gone, inbox.presence, inbox.note = inbox.presence is not None and inbox.presence.gone, None, False
        if gone:
            yield Emit(unknown("deleted", self.membership.at))
            yield from refresh(session)
        if not session.blind and not session.available:
            yield from self._subscribe(session)
        contact, inbox.contact = inbox.contact, None
        try:
            if contact and contact.href:
                session.contact = contact.href
            if contact and session.contact:
                yield from self._show(session, News(session.contact, contact.at, contact.embedded))
        except ServiceError:
            inbox.contact = inbox.contact or contact
            raise
        yield from self._become_available(session)

    def _subscribe(self, session: Session) -> Flow[None]:
        """Keep the own-address subscription; a server that grants none leaves us blind."""
        if session.inbox.resubscribe:
            session.subscription, session.inbox.resubscribe = "", False
        if session.subscription and self.membership.at - session.subscribed_at >= EXTEND_AFTER:
            yield from extend(session)
        if session.subscription:
            return
        try:
            yield from subscribe(session, self.membership.link.sip)
        except NotThere:
            yield from refresh(session)
            session.blind = True
        except (Rejected, AlreadyThere):
            session.blind = True
        if session.blind:
            yield Emit(unknown("unseen", self.membership.at))

    def _become_available(self, session: Session) -> Flow[None]:
        """Claim what is shown; where nobody can see, what is configured; nothing otherwise."""
        link = self.membership.link
        if session.available:
            return
        lurks = link.presence_source is PresenceSource.LURKER
        word = None if lurks else link.sign_in_as if session.blind else session.shown
        if word in set(Preferred):
            yield from self.claim(session, word)
            while session.available and session.inbox.presence:
                yield from self._own(session)
        elif session.listening and (session.shown or session.blind):
            yield Enter("listen", "as a lurker" if lurks else "as a lurker: nothing is shown that could be claimed")

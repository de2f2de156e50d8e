"""One person's place in Skype for Business: the flows the engine runs.

The one rule: watching, following, publishing and keeping alive share one application, and none of them makes the
person look present without a word or proof from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from presence_syncd.connectors.connector import Link, Publish, Published, Service, Token, Traits
from presence_syncd.connectors.flow import Enter, Flow, Reply, Vouch, Wake
from presence_syncd.connectors.ucwa.protocol.application import leave, refresh, report_activity
from presence_syncd.connectors.ucwa.protocol.door import is_refusal
from presence_syncd.connectors.ucwa.protocol.following import Follower
from presence_syncd.connectors.ucwa.protocol.listening import Listener
from presence_syncd.connectors.ucwa.protocol.membership import Membership
from presence_syncd.connectors.ucwa.protocol.presence import read_presence, unknown, write_note, write_presence
from presence_syncd.connectors.ucwa.protocol.problem import NotAvailable, NotThere
from presence_syncd.connectors.ucwa.protocol.session import Session
from presence_syncd.connectors.ucwa.settings import PresenceSource, Settings, UcwaLinkSettings
from presence_syncd.connectors.ucwa.wire import VOCABULARY, Preferred
from presence_syncd.connectors.upkeep import BURST, Upkeep
from presence_syncd.core.entry import Observation
from presence_syncd.errors import RateLimited, Rejected, RemoteProtocolError, ServiceError, Unavailable

RATE = 200.0
"""Requests per second where `rate` is not set: no limit of a login is documented (§13)."""
POLL_EVERY = 180.0
"""Seconds after which the server answers a poll without news (§3.5)."""
ACTIVITY_EVERY = 180.0
"""Seconds between reports of activity; the server lets availability drop after four minutes."""
ACTIVITY_JITTER = 10.0
ACTIVE_FOR = 300.0
"""Seconds for which a report shows the person awake: the server's `inactiveTimeout`, which we leave as it is (§5)."""
ACTIVITY_RETRIES = (5.0, 10.0, 20.0)
UNPROVEN_EVERY = 60.0
"""How often it is looked whether the person is there again, in seconds."""
FIRST_POLLS = 3
"""How many polls one reading without a watcher may take to see a lurker's own address."""


class UcwaLink(Link):
    """One person's place in one deployment."""

    def __init__(
        self, service: UcwaService, account: str, settings: UcwaLinkSettings, memory: Mapping[str, str]
    ) -> None:
        super().__init__(service, account, settings, memory)
        self.key = settings.sip
        self.settings = settings
        self.membership = Membership(account, service.settings, settings, memory)
        self.listener = Listener(self.membership)
        self.follower = Follower(self.membership)
        self._wrote: str | None = None
        self._unreported = 0

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:  # noqa: ARG002  # the engine's
        """Get the token of one authority (`ACCOUNT ORIGIN`); the wall clock plays no part."""
        return self.membership.door.token(realm, refused)

    def watch(self) -> Flow[None]:
        """Be in, and follow the event channel until the session is over; always raises."""
        self.membership.unpark()  # it is not run again before the park is over, or an operator wants it
        known = self.membership.session
        yield from self.membership.inside(lambda session: self._listen(session, again=session is known))

    def _listen(self, session: Session, *, again: bool) -> Flow[None]:
        """Listen; `again`: who listened before may have been stopped between news and the reading it asked for."""
        if again:
            session.inbox.read_all(self.membership.at)
            yield Wake()
        yield from self.listener.listen(session)

    def companions(self) -> tuple[Callable[[], Flow[None]], ...]:
        """What runs beside `watch`: the reads its events ask for."""
        return (self.follower.follow,)

    def read(self) -> Flow[Observation]:
        """Read the presence as it is shown now."""
        return (yield from self.membership.inside(self._read))

    def _read(self, session: Session) -> Flow[Observation]:
        for _ in range(FIRST_POLLS):
            if session.available or session.contact or session.blind or session.listening:
                break
            yield from self.follower.work(session)
            yield from self.listener.poll(session)
        if session.blind and not session.available:
            return unknown("unseen", self.membership.at)
        return (yield from read_presence(session))

    def publish(self, publish: Publish) -> Flow[Published]:
        """Set the presence, making the application available with the same word where it is not."""
        self._refuse(publish)
        return (yield from self.membership.inside(lambda session: self._publish(session, publish)))

    def _publish(self, session: Session, publish: Publish) -> Flow[Published]:
        try:
            yield from self._write(session, publish)
        except NotAvailable as error:
            session.available = False
            yield from self.follower.claim(session, publish.word, error)
            yield from self._write(session, publish)
        except NotThere:
            yield from refresh(session)
            raise
        self._wrote = session.shown = publish.word
        session.inbox.unconfirmed = True
        yield Wake()
        return Published()

    def _refuse(self, publish: Publish) -> None:
        if self.settings.presence_source is PresenceSource.LURKER:
            raise Rejected("a lurker cannot write")
        if publish.word not in set(Preferred):
            raise Rejected(f"{publish.word!r} cannot be written; legal: {', '.join(Preferred)}")

    def _write(self, session: Session, publish: Publish) -> Flow[None]:
        if not session.available:
            raise NotAvailable("the application lurks")
        resets = self.settings.reset_on_available and self._wrote and publish.word == Preferred.ONLINE
        yield from write_presence(session, None if resets else publish.word)
        if publish.note is not None:
            yield from write_note(session, publish.note)

    def retract(self, *, overridden: bool) -> Flow[None]:
        """Reset the presence, if what is set is ours; nothing of ours lies under what the person sets here."""
        session, wrote, self._wrote = self.membership.session, self._wrote, None
        if not overridden and wrote is not None and session is not None and session.available:
            yield from self.membership.guarded(write_presence(session, None), session)

    def rests(self, *, present: bool) -> float | None:
        """Whether nothing can be reported: without proof the server lets the state fade."""
        session = self.membership.session
        can_report = session is not None and session.available and "reportMyActivity" in session.links
        return None if present and can_report else self._unproven()

    def _unproven(self) -> float:
        return UNPROVEN_EVERY * self.membership.rng.uniform(0.5, 1.0)  # all began at once, and must not go on so

    def keep_alive(self, *, present: bool) -> Flow[float]:
        """Report activity while the person is proven there."""
        session = self.membership.session
        if session is None or self.rests(present=present) is not None:
            return self._unproven()
        return (yield from self.membership.guarded(self._report(session), session))

    def _report(self, session: Session) -> Flow[float]:
        yield Vouch(ACTIVE_FOR)
        try:
            yield from report_activity(session)
        except NotAvailable:
            session.inbox.read_all(self.membership.at)
            yield Wake()
        except NotThere:
            yield from refresh(session)
        except (Unavailable, RemoteProtocolError, RateLimited) as error:
            retry = ACTIVITY_RETRIES[min(self._unreported, len(ACTIVITY_RETRIES) - 1)]
            self._unreported += 1
            return error.retry_after or retry
        self._unreported = 0
        return ACTIVITY_EVERY + self.membership.rng.uniform(-ACTIVITY_JITTER, ACTIVITY_JITTER)

    def upkeep(self) -> Upkeep:
        """Polls, and reports of activity where the person can be made available."""
        reports = self.settings.presence_source is not PresenceSource.LURKER
        return Upkeep(polls=1 / POLL_EVERY, renewals=1 / ACTIVITY_EVERY if reports else 0.0)

    def sign_out(self) -> Flow[None]:
        """Take the application down; whatever the server says, we are out."""
        session, self.membership.session = self.membership.session, None
        yield Enter("sign out")
        try:
            if session is not None:
                yield from leave(session)
        except ServiceError:
            pass
        yield from self.membership.lose_the_way()
        yield Enter("stopped")


class UcwaService(Service):
    """One Skype for Business deployment; tokens belong to its links."""

    vocabulary = VOCABULARY

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name)
        self.settings = settings
        rate = settings.rate or RATE
        self.traits = Traits(
            visible_within=30.0,
            rate=rate,
            burst=BURST * rate,
            poll_every=POLL_EVERY,
            pushes=True,
            wakes=True,
            notes=True,
        )

    def link(self, account: str, settings: Any, memory: Mapping[str, str]) -> UcwaLink:
        """Make the place of one account."""
        return UcwaLink(self, account, settings, memory)

    def is_refusal(self, reply: Reply) -> bool:
        """Whether the answer refuses its token: 401, or 500 that says the token is another pool's."""
        return is_refusal(reply)

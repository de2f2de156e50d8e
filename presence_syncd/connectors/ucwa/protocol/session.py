"""What one application is: its links, and what its events left to do.

The one rule: hrefs live and die with the application; a newer event of a resource replaces an older one, in order.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field

from presence_syncd.connectors.ucwa.protocol.channel import Page
from presence_syncd.connectors.ucwa.protocol.resource import Resource
from presence_syncd.connectors.ucwa.protocol.trust import Untrusted, within
from presence_syncd.connectors.ucwa.settings import Format
from presence_syncd.errors import ServiceError, SessionExpired

ME_LINKS = ("presence", "note", "makeMeAvailable", "reportMyActivity")


@dataclass(frozen=True, slots=True)
class News:
    """A resource that changed: where it is to be read, or what came with the event, and when (daemon's seconds)."""

    href: str
    at: float
    embedded: Resource | None = None
    gone: bool = False


@dataclass(slots=True)
class Inbox:
    """What is to be done because of events, newest only. `unconfirmed`: a write whose event has not come."""

    presence: News | None = None
    contact: News | None = None
    note: bool = False
    refresh: bool = False
    resubscribe: bool = False
    unconfirmed: bool = False

    @property
    def has_work(self) -> bool:
        """Whether something is to be read."""
        return bool(self.presence or self.contact or self.note or self.refresh)

    def read_all(self, at: float) -> None:
        """Ask for everything again: what was known may be old."""
        self.presence = self.contact = News("", at)
        self.note = True


@dataclass(slots=True)
class Session:
    """One application and its event channel. `available` is False while it lurks.

    `subscription` is our own-address subscription, renewed by `subscribed_at`; `blind`: the server does not let us
    follow our own address; `shown` is the availability last seen, as it came; `syncing`: what is shown may be old;
    `over` is what it was given up for.
    """

    origin: str
    realm: str
    application: str
    form: Format
    events: str = ""
    links: dict[str, str] = field(default_factory=dict)
    available: bool = False
    subscription: str = ""
    subscribed_at: float = 0.0
    contact: str = ""
    blind: bool = False
    shown: str = ""
    note: str | None = None
    batching: bool = True
    listening: bool = False
    syncing: bool = False
    over: ServiceError | None = None
    inbox: Inbox = field(default_factory=Inbox)

    def ended(self) -> ServiceError:
        """What a flow raises whose session was given up meanwhile; each flow raises its own."""
        return SessionExpired("the application was given up") if self.over is None else copy(self.over)

    def adopt(self, application: Resource) -> None:
        """Take over the links an application resource shows now; its `events` link is the listener's alone."""
        me, people = application.inner("me"), application.inner("people")
        found = {
            **{rel: me.links.get(rel) for rel in ME_LINKS},
            "presenceSubscriptions": people.links.get("presenceSubscriptions"),
            "batch": application.links.get("batch"),
        }
        self.links = {rel: within(self.origin, href) for rel, href in found.items() if href}
        self.available = "presence" in self.links and "makeMeAvailable" not in self.links

    def take(self, page: Page, at: float) -> None:
        """Put the events of a page in the inbox, in their order."""
        for event in page.events:
            news = News(self._resolved(event.href), at, event.embedded, gone=event.type == "deleted")
            match event.sender, event.rel:
                case "me", "presence":
                    self._own_presence(news)
                case "me", "note":
                    self.inbox.note = True
                case "me", "me" if not self.available:
                    self.inbox.refresh = True
                case "people", "contactPresence":
                    self.inbox.contact = news
                case "people", "presenceSubscription" if event.type == "deleted":
                    self.inbox.resubscribe = True
                case _:
                    pass
        if page.resync or page.resume:
            self.inbox.read_all(at)
            self.inbox.resubscribe = True

    def _own_presence(self, news: News) -> None:
        """An own presence event also tells whether the application is available."""
        self.inbox.presence, self.inbox.unconfirmed = news, False
        self.available = not news.gone
        if news.href and not news.gone:
            self.links["presence"] = news.href

    def _resolved(self, href: str) -> str:
        """An event's link, or nothing if it leads elsewhere: then the link of the application is read."""
        try:
            return within(self.origin, href) if href else ""
        except Untrusted:
            return ""

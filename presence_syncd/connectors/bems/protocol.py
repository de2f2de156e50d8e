"""BEMS as the engine knows it: a service with two doors, and the links of its people.

The one rule: Connect writes and pushes, the lookup service reads. `traits.pushes` is always set, because a session must
be held to write; with `lookup_url` the links are swept, too, and a sweep's reading counts for those only whose contact
Connect does not follow at that moment: two readings of one presence, one of them late, would look like two changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from presence_syncd.connectors.bems.channel import TOKEN_HEADER
from presence_syncd.connectors.bems.conversation import Conversation, Start
from presence_syncd.connectors.bems.following import UNREGISTER
from presence_syncd.connectors.bems.lookup import REALM, SWEEP_SIZE, Lookup
from presence_syncd.connectors.bems.publishing import Writer
from presence_syncd.connectors.bems.session import Session
from presence_syncd.connectors.bems.settings import BemsLinkSettings, BemsSettings
from presence_syncd.connectors.bems.wire import SAFE_WORDS, same_contact, status_of, substitute_for
from presence_syncd.connectors.connector import Link, Publish, Published, Service, Token, Traits
from presence_syncd.connectors.flow import Flow, Now, Remember, Reply, Reveal, Wait
from presence_syncd.connectors.upkeep import BURST, Upkeep
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import AWAY, Status
from presence_syncd.errors import Rejected, ServiceError, Unavailable

RATE = 50.0
"""HTTP requests per second where `rate` is not set: no limit is published."""
VISIBLE_WITHIN = 30.0
"""Seconds until a write is read back (mapping.md §4.3)."""
OTHERS_FIRST = 1.0
"""Seconds for which the first session of a person of whom nothing is known waits for what other links read."""
SHOWN = "shown"
"""Key under which the name of what was shown last is kept over restarts."""


class BemsService(Service):
    """One BEMS. `counters`: frames `repaired` and `dropped`, events `unread`, and more; for metrics.

    `refused` are words its server does not take, `unregister` the names of that method it may still know.
    """

    def __init__(self, name: str, settings: BemsSettings) -> None:
        super().__init__(name)
        self.settings = settings
        self.vocabulary = settings.vocabulary()
        self.counters: Counter[str] = Counter()
        self.guesses = {str(key): word for key, word in settings.words.items()}
        self.refused: set[str] = set()
        self.unregister = list(UNREGISTER)
        self.lookup = None if settings.lookup_url is None else Lookup(settings, self.counters)
        rate = settings.rate or RATE
        self.traits = Traits(
            visible_within=VISIBLE_WITHIN if self.lookup is None else 3 * settings.lookup_every,
            rate=rate,
            burst=BURST * rate,
            poll_every=settings.lookup_every,
            pushes=True,
            sweep_size=0 if self.lookup is None else SWEEP_SIZE,
            fades=False,
            notes=True,
        )

    def link(self, account: str, settings: BemsLinkSettings, memory: Mapping[str, str]) -> BemsLink:
        """Make the place of one account on this BEMS."""
        return BemsLink(self, account, settings, memory)

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:  # noqa: ARG002  # read anew each time
        """Read the GD auth token of the lookup service where it is kept."""
        if realm != REALM or self.settings.token is None:
            raise Rejected(f"no token is known for {realm!r}")
        secret = yield Reveal(self.settings.token)
        return Token(((TOKEN_HEADER, secret.reveal()),))

    def is_refusal(self, reply: Reply) -> bool:
        """Whether the token is refused: 401, and 403, which no document tells apart (§5)."""
        return reply.status in (401, 403)

    def sweep(self, links: Sequence[Link]) -> Flow[dict[str, Observation]]:
        """Read many people by the lookup service; those whom Connect follows now are left out of what is returned."""
        if self.lookup is None:
            return {}
        ours = {link.key: link for link in links if isinstance(link, BemsLink)}
        seen = yield from self.lookup.read(list(ours))
        return {key: shown for key, shown in seen.items() if not ours[key].is_heard}


class BemsLink(Link):
    """One person. `key` is their SIP URI as it is compared: lower case, without `sip:`.

    `start_with` is a word the engine may set before `watch`: what signing in sets where nothing newer is known.
    """

    service: BemsService

    def __init__(
        self, service: BemsService, account: str, settings: BemsLinkSettings, memory: Mapping[str, str]
    ) -> None:
        super().__init__(service, account, settings, memory)
        self.key = same_contact(settings.contact)
        own = service.settings
        self.session = Session(settings.contact, service.guesses, own.event, service.counters)
        self.talk = Conversation(own, settings, self.session, self._start, service.unregister)
        self._direction = settings.direction
        self._writer = Writer(self.talk, service.vocabulary, service.guesses, service.refused)
        self._is_new = True
        self.uses_connect = settings.direction.writes or service.lookup is None

    @property
    def is_heard(self) -> bool:
        """Whether Connect tells what this person shows, as it happens."""
        return self.session.is_ready and self.session.is_following

    def watch(self) -> Flow[None]:
        """Follow the person over Connect; a link that is only read, where the lookup service reads it, needs none."""
        while not self.uses_connect:
            yield Wait(3600.0)
        if self._is_new and self._knows_nothing():
            yield from self._let_others_read()
            return  # the engine calls again, with a `start_with` of what was read by then
        yield from self.talk.follow()

    def _knows_nothing(self) -> bool:
        """Whether the server would choose what signing in shows, over what another door may be about to tell."""
        told = (self.start_with, self.session.shown, self.memory.get(SHOWN), self.service.settings.start_presence)
        return self.service.lookup is None and told == (None, None, None, None)

    def _let_others_read(self) -> Flow[None]:
        self._is_new = False
        until = (yield Now()) + OTHERS_FIRST
        while (now := (yield Now())) < until:
            yield Wait(until - now)

    def rests(self, *, present: bool) -> float | None:  # noqa: ARG002  # as below
        """Whether there is no session yet, or none at all, and nothing to remember."""
        if not self.uses_connect:
            return float("inf")
        return self.talk.rests() if self._not_remembered() is None else None

    def keep_alive(self, *, present: bool) -> Flow[float]:  # noqa: ARG002  # a ping says nothing of the person
        """Ping within the session's time-out, whoever is there: it holds the session, not a presence."""
        yield from self._remember()
        return (yield from self.talk.keep())

    def read(self) -> Flow[Observation]:
        """Read by Connect while there is a session, else by the lookup service."""
        if self.session.is_ready:
            asked_at = yield Now()
            yield from self.talk.look()
            if self.session.last is not None and self.session.last.at >= asked_at:
                return self.session.last
        lookup = self.service.lookup
        seen = (yield from lookup.read_one(self.key)) if lookup is not None else None
        if seen is None:
            raise Unavailable("nobody tells what this person shows")
        return seen

    def publish(self, publish: Publish) -> Flow[Published]:
        """Set the presence and, where it is mirrored, the personal message; returns when the server says COMPLETE."""
        word = yield from self._writer.write(publish.word, publish.note, look_first=publish.attempt > 0)
        yield from self._remember()
        return Published(word=word if word != publish.word else None)

    def upkeep(self) -> Upkeep:
        """What Connect costs in HTTP requests: polls and pings; the frames of a WebSocket are none."""
        own = self.service.settings
        every = {"websocket": (), "long-poll": (own.hold, own.ping_every), "poll": (own.poll_every, own.ping_every)}
        polls = sum(1 / seconds for seconds in every[own.transport]) if self.uses_connect else 0.0
        return Upkeep(polls=polls, is_swept=self.service.lookup is not None)

    def sign_out(self) -> Flow[None]:
        """Take the registration back and end the session."""
        if self.uses_connect:
            yield from self.talk.leave()

    def _remember(self) -> Flow[None]:
        """Keep what is shown, so that signing in after a restart does not change it."""
        if (shown := self._not_remembered()) is not None:
            self.memory[SHOWN] = shown
            yield Remember(SHOWN, shown)

    def _not_remembered(self) -> str | None:
        return None if self.memory.get(SHOWN) == self.session.shown else self.session.shown

    def _start(self) -> Flow[Start]:
        """What to begin a session with: what is shown now, or was when last seen; no word leaves it to the server.

        The lookup service goes first: only it knows what the person said elsewhere while there was no session.
        """
        shown = (yield from self._looked_up()) or self.session.shown
        if shown is None and self.start_with is not None:
            return self._beginning(self.start_with, None)
        shown = shown or self.memory.get(SHOWN)
        if shown is None:
            return self._beginning(self.service.settings.start_presence, None)
        return self._beginning(self.service.vocabulary.word_for(self._claimed(status_of(shown))), shown)

    def _claimed(self, status: Status) -> Status:
        """What to sign in as: no word says idle, and where nothing is written, nothing would correct available."""
        return AWAY if status.idle and not self._direction.writes else status

    def _beginning(self, word: str | None, was_shown: str | None) -> Start:
        return Start(word and self._documented(word), was_shown, self.service.vocabulary)

    def _documented(self, word: str) -> str:
        """The word, or its documented substitute once the server refused it."""
        if word in self.service.refused and word not in SAFE_WORDS:
            return substitute_for(word, self.service.guesses) or word
        return word

    def _looked_up(self) -> Flow[str | None]:
        if self.service.lookup is None:
            return None
        try:
            seen = yield from self.service.lookup.read_one(self.key)
        except ServiceError:
            return None  # signing in matters more than what to begin with
        return None if seen is None or not seen.status.is_known else seen.raw

"""A service as people sit at it: what they can do there, what colleagues see, and what may be right there.

The one rule: a desk knows its emulator and the people, never the daemon. A service more is one class more.
"""

from __future__ import annotations

import importlib
import random
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from presence_syncd.connectors.bems.emulator import BemsEmulator
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.graph.emulated_people import TEAMS, Session
from presence_syncd.connectors.graph.emulator import GraphEmulator
from presence_syncd.connectors.symphony.emulated_login import key_pair
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.connectors.ucwa.emulator.people import Endpoint
from presence_syncd.core.presence import AVAILABLE, AWAY, BRB, BUSY, DND, OFF_WORK, OFFLINE, UNKNOWN, Status
from tests.simulation import meanings
from tests.simulation.meanings import CALL, CONFERENCE, IDLE, IDLE_BUSY, MEETING, OOO, PRESENTING

DOMAIN = "contoso.example"
SPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def private(path: Path, text: str) -> None:
    """Write a secret so that only its owner may read it."""
    path.touch(mode=0o600)
    path.write_text(text)


class Desk(ABC):
    """One emulated service. `seats` says who is there: absent, True at the keyboard, False idle.

    `unfading`: what we say there stands although nobody is there. `words` are what people can choose, each with its meaning; `told` what colleagues see of a word said elsewhere;
    `visible_after` seconds pass until what was said can be read.
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]]
    words: ClassVar[Mapping[str, Status]]
    told: Mapping[Status, Status]
    emulator: Any  # each desk knows its own
    poll_within: float
    visible_after = 0.0
    leased = False
    unfading = False
    fades_ours = False
    signs_in_with_a_word = False

    def __init__(self, folder: Path, people: tuple[str, ...]) -> None:
        self.folder, self.people = folder, people
        self.seats: dict[str, bool] = {}
        self.spoken: dict[str, Status] = {}

    @abstractmethod
    def table(self) -> dict[str, Any]:
        """The service's table of the configuration."""

    @abstractmethod
    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""

    @abstractmethod
    def say(self, person: str, word: str) -> None:
        """Choose a word, at the keyboard."""

    @abstractmethod
    def sit(self, person: str, awake: bool | None) -> None:
        """Be there (True), stop typing (False), or leave (None)."""

    @abstractmethod
    def shown(self, person: str) -> Status:
        """What colleagues see."""

    def writes(self) -> list[Any]:
        """Every write that was accepted, in order, as the emulator notes it."""
        return self.emulator.writes  # type: ignore[no-any-return]  # every one of the four has it

    @abstractmethod
    def written(self, write: Any) -> tuple[str, str]:
        """Who a write was about, and the word."""

    def right(self, person: str, status: Status) -> frozenset[Status]:
        """What may be seen here when the person's last word, said elsewhere, is `status`."""
        return frozenset({self.told[status]}) if status in self.told else frozenset()

    def meant(self, word: str) -> Status | None:
        """What a word that was written says, if it is one."""
        return self.words.get(word.rpartition(" ")[2])

    def wakes_as(self, person: str) -> Status | None:
        """What shows as soon as an idle person types again, so that to choose it says nothing more (mapping §1).

        Who left may show as idle, too, where our own session is all there is.
        Away that was chosen cannot be told from idling: to choose again what was chosen before it says no more either.
        """
        shown = self.shown(person)
        if shown == AWAY:
            return self.spoken.get(person)
        return shown.awake if shown.idle or self.seats.get(person) is False else None

    def is_hidden(self, person: str, status: Status) -> bool:
        """Whether nobody could tell that the person says `status` here now: it shows, or the service does such things.

        A client that comes back may show the person idle, as it left them.
        """
        shown = self.shown(person)
        was = self.spoken.get(person, shown) if shown == OFFLINE else shown
        fades = was.availability in (AVAILABLE.availability, BUSY.availability) and status.availability == AWAY.availability  # fmt: skip
        return status in (shown, OFFLINE) or fades

    def change(self, person: str, awake: bool | None) -> None:
        """Sit, stop typing, or leave; noted."""
        if awake is None:
            self.seats.pop(person, None)
        else:
            self.seats[person] = awake
        self.sit(person, awake)

    def choose(self, person: str, word: str) -> None:
        """Choose a word; noted."""
        if self.seats.get(person) is not True:
            self.change(person, True)
        if self.words[word] != AWAY:
            self.spoken[person] = self.words[word]
        self.say(person, word)

    def signed_in(self, known: int) -> list[str]:
        """For whom sessions were begun, after the first `known`, whose first word hides what happened before."""
        return []

    def told_of(self, body: bytes) -> list[tuple[str, Status]]:
        """Of whom an answer tells what; only where that may be hidden before it is read."""
        return []

    def hides_rest(self, person: str) -> bool:
        """Whether they look awake by what they chose, though nobody types."""
        return False

    def hang_up(self, person: str) -> None:
        """End a call, where calls are more than a word."""

    def reported(self, path: str) -> str:
        """The person whose activity a request reports; nobody as a rule."""
        return ""

    def begins(self, path: str) -> str:
        """The person whose session a request begins; nobody as a rule."""
        return ""

    def forget(self, *, state: bool) -> None:
        """Restart: sign-ins are lost, and with `state` everything that only memory held."""


class GraphDesk(Desk):
    """Microsoft Teams. Calls and presentations are the client's doing, everything else is chosen."""

    name, kind = "teams", "graph"
    hosts = (f"graph.{DOMAIN}",)
    words: ClassVar = {
        "Available/Available": AVAILABLE,
        "Busy/Busy": BUSY,
        "DoNotDisturb/DoNotDisturb": DND,
        "BeRightBack/BeRightBack": BRB,
        "Away/Away": AWAY,
        "Offline/OffWork": OFF_WORK,
        "Busy/InACall": CALL,
        "Busy/InAConferenceCall": CONFERENCE,
        "DoNotDisturb/Presenting": PRESENTING,
    }
    leased = True
    app = str(uuid.uuid5(SPACE, "app"))
    secret = "only-the-emulator-takes-it"

    def __init__(self, folder: Path, people: tuple[str, ...], rng: random.Random, clock: EmulatedClock) -> None:
        super().__init__(folder, people)
        self.sweep = rng.choice([5.0, 10.0, 15.0])
        self.poll_within = self.sweep * 1.1 + 2
        self.preferred = rng.random() < 0.85
        self.told = meanings.GRAPH if self.preferred else meanings.GRAPH_SESSION
        self.expiration = rng.choice([5, 15, 60])
        self.emulator = GraphEmulator(clock, tenant=DOMAIN, client_id=self.app, client_secret=self.secret)
        self.visible_after = self.emulator.calls.visible_after = rng.choice([0.0, 0.0, 3.0])
        self.emulator.calls.sequence_numbers = rng.random() < 0.8
        for person in people:
            self.emulator.add_user(self.id(person))
        private(folder / "graph-secret", self.secret)

    @staticmethod
    @cache
    def id(person: str) -> str:
        """The person's object id."""
        return str(uuid.uuid5(SPACE, person))

    def table(self) -> dict[str, Any]:
        """The service's table."""
        url = f"https://{self.hosts[0]}"
        return {
            "type": self.kind,
            "tenant": DOMAIN,
            "client_id": self.app,
            "client_secret": {"file": str(self.folder / "graph-secret")},
            "login_url": url,
            "graph_url": url,
            "preferred": self.preferred,
            "sweep": f"{self.sweep:g}s",
            "expiration": f"{self.expiration}m",
        }

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        return {"user": self.id(person)}

    def say(self, person: str, word: str) -> None:
        """Choose a state; a call or a presentation hides behind a chosen one, so that one is reset."""
        availability, _, activity = word.partition("/")
        by_client = activity in ("InACall", "InAConferenceCall", "Presenting")
        self.emulator.teams(self.id(person), *((availability, activity) if by_client else ("Available", "Available")))
        self.emulator.choose(self.id(person), *((None, None) if by_client else (availability, activity)))

    def sit(self, person: str, awake: bool | None) -> None:
        """Move the Teams client."""
        pairs = {True: ("Available", "Available"), False: ("Available", "AvailableInactive"), None: (None, None)}
        self.emulator.teams(self.id(person), *pairs[awake])

    def shown(self, person: str) -> Status:
        """What Teams shows, as soon as it is visible."""
        standing = self.emulator.calls.person(self.id(person)).standing
        return meanings.GRAPH_READS["/".join(standing.shown(self.emulator.clock.now()))]

    def written(self, write: Any) -> tuple[str, str]:
        """The action stands before the value."""
        return next(person for person in self.people if self.id(person) == write.user), f"{write.action} {write.value}"

    def client(self, person: str) -> Session | None:
        """The session of the person's own Teams client."""
        session: Session | None = self.emulator.calls.person(self.id(person)).standing.sessions.get(TEAMS)
        return session

    def right(self, person: str, status: Status) -> frozenset[Status]:
        """A session of ours is seen unless the person's own client ranks as high; a preferred state always is."""
        right = super().right(person, status)
        client = self.client(person)
        if not self.preferred and self._has_chosen(person):
            return frozenset()
        if not right or client is None or (self.preferred and status not in _SESSION_RANK):
            return right
        own = meanings.GRAPH_READS["/".join(client.pair)]
        rank = {"dnd": 5, "busy": 4, "available": 3, "brb": 2, "away": 1}
        outranked = (rank.get(own.availability, 0), not own.idle) >= (rank[next(iter(right)).availability], True)
        return right | {own} if outranked else right

    def _has_chosen(self, person: str) -> bool:
        """Whether a state the person chose hides every session."""
        emulator = self.emulator
        standing = emulator.calls.person(self.id(person)).standing
        return standing.preferred is not None and emulator.clock.now() < standing.preferred_until

    def hides_rest(self, person: str) -> bool:
        """Available that was chosen shows as long as a client is there; no reading tells it from typing (graph §2)."""
        return self._has_chosen(person) and self.seats.get(person) is False and self.shown(person) == AVAILABLE

    def hang_up(self, person: str) -> None:
        """End what the client is in; a chosen state may have hidden it from everybody."""
        if person in self.seats:
            self.sit(person, self.seats[person])

    def lapsed(self, person: str) -> int:
        """How often our session ended, or faded, without our doing."""
        return int(self.emulator.calls.person(self.id(person)).lapsed_by(self.emulator.clock.now()))

    def forget(self, *, state: bool) -> None:
        """Lose the tokens, and with `state` the sessions of applications."""
        self.emulator.login.grants.clear()
        if state:
            for person in self.people:
                known = self.emulator.calls.person(self.id(person))
                known.change(self.emulator.clock.now(), sessions={k: s for k, s in known.standing.sessions.items() if k == TEAMS})  # fmt: skip


_SESSION_RANK = frozenset({AVAILABLE, CALL, CONFERENCE, MEETING, PRESENTING})


@cache
def _keys() -> tuple[str, str]:
    """One pair of keys for the whole process: they cost, and no trace depends on them."""
    return key_pair()


auth: Any = importlib.import_module("presence_syncd.connectors.symphony.auth")
vars(auth)["load_pem_private_key"] = cache(auth.load_pem_private_key)  # checking a key costs as much as thirty requests


class SymphonyDesk(Desk):
    """Symphony: people set a category; the pod shows idle and gone people by itself."""

    name, kind = "symphony", "symphony"
    fades_ours = True
    hosts = (f"symphony.{DOMAIN}",)
    words: ClassVar = {
        "AVAILABLE": AVAILABLE,
        "BUSY": BUSY,
        "ON_THE_PHONE": CALL,
        "IN_A_MEETING": MEETING,
        "BE_RIGHT_BACK": BRB,
        "AWAY": AWAY,
        "OUT_OF_OFFICE": OOO,
        "DO_NOT_DISTURB": DND,
    }
    told = meanings.SYMPHONY

    def __init__(self, folder: Path, people: tuple[str, ...], rng: random.Random, clock: EmulatedClock) -> None:
        super().__init__(folder, people)
        self.sweep = rng.choice([10.0, 15.0, 30.0])
        self.poll_within = self.sweep * 1.1 + 2
        self.list_above = rng.choice([None, 0])
        self.emulator = SymphonyEmulator(clock)
        self.emulator.add_bot("presence-bot", _keys()[1])
        for person in people:
            self.emulator.add_user(self.id(person), person)
            self.emulator.online(self.id(person), False)
        private(folder / "symphony-key", _keys()[0])

    def id(self, person: str) -> int:
        """The person's id."""
        return 14_568_529_068_000 + self.people.index(person)

    def table(self) -> dict[str, Any]:
        """The service's table."""
        above = {} if self.list_above is None else {"list_above": self.list_above}
        return {
            "type": self.kind,
            "pod": f"https://{self.hosts[0]}",
            "bot": "presence-bot",
            "private_key": {"file": str(self.folder / "symphony-key")},
            "sweep": f"{self.sweep:g}s",
            **above,
        }

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        return {"user_id": self.id(person)}

    def say(self, person: str, word: str) -> None:
        """Pick a category."""
        self.emulator.set(self.id(person), word)

    def sit(self, person: str, awake: bool | None) -> None:
        """Come, stop typing, or go."""
        if awake is not None:
            if not self.emulator.people[self.id(person)].is_online:
                self.emulator.online(self.id(person), True)
            self.emulator.idle(self.id(person), not awake)
        else:
            self.emulator.online(self.id(person), False)

    def shown(self, person: str) -> Status:
        """What the pod shows."""
        return meanings.SYMPHONY_READS[self.emulator.shown(self.id(person))]

    def wakes_as(self, person: str) -> Status | None:
        """The category lies beneath."""
        category = meanings.SYMPHONY_READS[self.emulator.people[self.id(person)].category]
        return category if self.seats.get(person) is False else super().wakes_as(person)

    def written(self, write: Any) -> tuple[str, str]:
        """A category set through the API."""
        return self.people[write[1] - self.id(self.people[0])], write[2]

    def right(self, person: str, status: Status) -> frozenset[Status]:
        """Who is not there is not shown available or busy (soft writes): what showed before stays until they come."""
        right, seat = super().right(person, status), self.seats.get(person)
        if not right or seat is True:
            return right
        if seat is None and right & {AVAILABLE, BUSY}:
            return frozenset()
        return right | ({OFFLINE} if seat is None else {AWAY})

    def is_hidden(self, person: str, status: Status) -> bool:
        """Off work is written as offline here, so that nothing but offline tells it."""
        return super().is_hidden(person, status) or status == OFF_WORK

    def forget(self, *, state: bool) -> None:
        """Lose the sessions."""
        self.emulator.revoke()


class UcwaDesk(Desk):
    """Skype for Business through UCWA: one state over all endpoints of the person."""

    name, kind = "skype", "ucwa"
    hosts = tuple(f"{host}.{DOMAIN}" for host in ("lyncdiscoverinternal", "lyncdiscover", "pool-a", "pool-b"))
    words: ClassVar = {"Online": AVAILABLE, "Busy": BUSY, "DoNotDisturb": DND, "BeRightBack": BRB, "Away": AWAY}
    told = meanings.UCWA
    poll_within = 15.0

    def __init__(self, folder: Path, people: tuple[str, ...], rng: random.Random, clock: EmulatedClock) -> None:
        super().__init__(folder, people)
        self.format = rng.choice(["json", "json", "xml"])
        self.emulator = UcwaEmulator(DOMAIN, clock=clock)
        for person in people:
            self.emulator.add_user(self.id(person), f"password of {person}", rng.choice(["pool-a", "pool-b"]))
            private(folder / f"skype-{person}", f"password of {person}")

    @staticmethod
    def id(person: str) -> str:
        """The person's address."""
        return f"sip:{person}@{DOMAIN}"

    def table(self) -> dict[str, Any]:
        """The service's table."""
        return {"type": self.kind, "format": self.format}

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        return {"sip": self.id(person), "password": {"file": str(self.folder / f"skype-{person}")}}

    def say(self, person: str, word: str) -> None:
        """Set a state in the person's own client."""
        self.emulator.client(self.id(person), word)

    def sit(self, person: str, awake: bool | None) -> None:
        """Come, stop typing, or go; the state that was set stays."""
        emulator, now = self.emulator, self.emulator.clock.now()
        if awake is None:
            emulator.client(self.id(person), None)
            return
        known = emulator.person(self.id(person))
        known.endpoints["client"] = Endpoint(now, is_client=True, idleness=0 if awake else 1)
        emulator.settle()

    def shown(self, person: str) -> Status:
        """What everybody sees."""
        return meanings.UCWA_READS[self.emulator.shown(self.id(person))]

    def written(self, write: Any) -> tuple[str, str]:
        """A state set by an application; None resets it."""
        return write[0].removeprefix("sip:").partition("@")[0], str(write[1])

    def right(self, person: str, status: Status) -> frozenset[Status]:
        """Where no client of the person is awake, the state fades; where there is none, it is gone with our application."""
        right, seat = super().right(person, status), self.seats.get(person)
        if not right or seat is True:
            return right
        return meanings.idle_forms(next(iter(right))) | ({OFFLINE} if seat is None else set())

    def is_hidden(self, person: str, status: Status) -> bool:
        """Off work is kept as away here."""
        return super().is_hidden(person, status) or (status == AWAY and self.shown(person) == AWAY)

    def reported(self, path: str) -> str:
        """Whom a report of activity keeps awake (ucwa §5)."""
        return self._asks(path, "/me/reportMyActivity")

    def begins(self, path: str) -> str:
        """Who is made available by a new application (ucwa §5)."""
        return self._asks(path, "/me/makeMeAvailable")

    def _asks(self, path: str, what: str) -> str:
        """Whose application asks for that."""
        application = self.emulator.applications.get(path.rpartition(what)[0].rpartition("/")[2])
        return self.written((application.person.sip, ""))[0] if application else ""

    def forget(self, *, state: bool) -> None:
        """Lose the tokens, and with `state` the applications."""
        if state:
            self.emulator.restart()
        else:
            self.emulator.expire_tokens()


class BemsDesk(Desk):
    """BlackBerry Connect over HTTP polls: three words, the newest wins."""

    name, kind = "blackberry", "bems"
    hosts = (f"bems.{DOMAIN}",)
    words: ClassVar = {"available": AVAILABLE, "busy": BUSY, "doNotDisturb": DND, "berightback": BRB, "away": AWAY}
    told = meanings.BEMS
    unfading = signs_in_with_a_word = True
    numbers: ClassVar = {3500: AVAILABLE, 4800: IDLE, 6500: BUSY, 7800: IDLE_BUSY, 9500: DND, 12500: BRB, 15500: AWAY, 18000: OFFLINE, -1: UNKNOWN}  # fmt: skip

    def __init__(self, folder: Path, people: tuple[str, ...], rng: random.Random, clock: EmulatedClock) -> None:
        super().__init__(folder, people)
        self.transport = rng.choice(["long-poll", "poll"])
        self.poll_within = 15.0
        self.emulator = BemsEmulator(clock, look=1.0, start_presence="offline")
        for person in people:
            private(folder / f"gd-{person}", self.emulator.add_user(self.id(person)))

    @staticmethod
    def id(person: str) -> str:
        """The person's address."""
        return f"sip:{person}@{DOMAIN}"

    def table(self) -> dict[str, Any]:
        """The service's table."""
        path = "connect/long-poll" if self.transport == "long-poll" else "connect/poll"
        return {"type": self.kind, "url": f"https://{self.hosts[0]}/{path}", "transport": self.transport}

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        return {"contact": self.id(person), "token": {"file": str(self.folder / f"gd-{person}")}}

    def say(self, person: str, word: str) -> None:
        """Set a state in the person's own client."""
        self.emulator.client(self.id(person), word)

    def sit(self, person: str, awake: bool | None) -> None:
        """Come or go; idle people are shown by another number."""
        number = self.emulator.shown(self.id(person))
        if awake is None:
            self.emulator.client(self.id(person), None)
        elif awake:
            woken = {4800: 3500, 7800: 6500, 18000: 3500}.get(number)
            if woken:
                self.emulator.client(self.id(person), woken)
        elif number in (3500, 6500):
            self.emulator.client(self.id(person), number + 1300)

    def shown(self, person: str) -> Status:
        """What colleagues see."""
        return self.numbers[self.emulator.shown(self.id(person))]

    def signed_in(self, known: int) -> list[str]:
        """Everybody's sessions: what they did and nobody read before one begins, its first word hides (bems §8)."""
        return [sip.removeprefix("sip:").partition("@")[0] for sip, _ in self.emulator.connect.begun[known:]]

    def told_of(self, body: bytes) -> list[tuple[str, Status]]:
        """The contacts in answers and events (bems §3)."""
        told = [(found[1].decode(), found[2].decode()) for found in _CONTACT.finditer(body)]
        return [(person, self.numbers[_NUMBERS.get(word) or int(word)]) for person, word in told]

    def written(self, write: Any) -> tuple[str, str]:
        """A SetPresence."""
        return write[1].removeprefix("sip:").partition("@")[0], write[2]

    def forget(self, *, state: bool) -> None:
        """Lose the sessions."""
        self.emulator.connect.restart() if state else self.emulator.connect.drop()


_CONTACT = re.compile(rb'"contactId": "sip:(\w+)@[^"]*", "presence": "?(-?\w+)')
_NUMBERS = {"available": 3500, "busy": 6500, "away": 15500}
"""The words among the numbers (bems §3)."""

DESKS = {desk.name: desk for desk in (GraphDesk, SymphonyDesk, UcwaDesk, BemsDesk)}
"""The services there are, in the order of a configuration."""

"""The emulated services of a tenant in a box, each with the same few people in it.

The one rule: everything is said in a service's own words; what it shows is read from its emulator, not from the daemon.
"""

from __future__ import annotations

import json
import secrets
import uuid
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from presence_syncd.connectors.bems.emulator import BemsEmulator
from presence_syncd.connectors.emulation import CONTROL, EmulatedClock, Emulator
from presence_syncd.connectors.graph.emulator import GraphEmulator
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.doors import OneSkype

PEOPLE = ("alice", "bob", "carol")
NAMESPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
"""The DNS namespace (RFC 4122, appendix C): made-up ids are the same in every run."""
DOMAIN = "contoso.example"


class Box(Protocol):
    """One emulated service of the tenant."""

    name: str

    @property
    def emulator(self) -> Emulator:
        """The service's stand-in."""

    def service(self, url: str) -> dict[str, Any]:
        """The service's table of the configuration, for the emulator at `url`."""

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""

    def act(self, person: str, value: str) -> None:
        """The person sets `value`, a word of this service, in their own client; `leave` closes it."""

    def shows(self, person: str) -> str:
        """What colleagues see, in this service's words."""

    def leave_note(self, person: str, text: str) -> None:
        """The person leaves a note in their own client. Raises NotImplementedError where there are no notes."""

    def note(self, person: str) -> str:
        """The note colleagues see; empty for none."""

    def hint(self, url: str) -> str:
        """A command that changes something, to copy."""


def private(path: Path, text: str | bytes) -> Path:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def sip(person: str) -> str:
    """The person's sign-in address."""
    return f"sip:{person}@{DOMAIN}"


def _curl(url: str, body: dict[str, str]) -> str:
    return f"curl -d '{json.dumps(body)}' {url}"


class GraphBox:
    """Microsoft Teams: people choose a state in their Teams client. Words are `availability/activity`."""

    name = "teams"

    def __init__(self, folder: Path, clock: EmulatedClock, fade: float) -> None:
        self.folder, self.fade = folder, fade
        self.app, self.secret = str(uuid.uuid5(NAMESPACE, "app")), secrets.token_urlsafe(24)
        self.emulator = GraphEmulator(clock, tenant=DOMAIN, client_id=self.app, client_secret=self.secret, fade=fade)
        for person in PEOPLE:
            self.emulator.add_user(self.user(person))

    @staticmethod
    def user(person: str) -> str:
        """The person's object id."""
        return str(uuid.uuid5(NAMESPACE, person))

    def service(self, url: str) -> dict[str, Any]:
        """The service's table, preferred presence included, so that every status can be said."""
        return {
            "type": "graph",
            "tenant": DOMAIN,
            "client_id": self.app,
            "client_secret": {"file": str(private(self.folder / "graph-secret", self.secret))},
            "login_url": url,
            "graph_url": url,
            "preferred": True,
            "fade": f"{self.fade:g}s",
            "sweep": "250ms",
        }

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        return {"user": self.user(person)}

    def act(self, person: str, value: str) -> None:
        """Choose a state in Teams; `reset` lets the client decide, `leave` and `enter` close and open it."""
        if value == "leave":
            self.emulator.teams(self.user(person), None, None)
        elif value == "enter":
            self.emulator.teams(self.user(person), "Available", "Available")
        elif value == "reset":
            self.emulator.choose(self.user(person), None, None)
        else:
            availability, _, activity = value.partition("/")
            self.emulator.choose(self.user(person), availability, activity)

    def shows(self, person: str) -> str:
        """What Teams shows."""
        return "/".join(self.emulator.shown(self.user(person)))

    def leave_note(self, person: str, text: str) -> None:
        """Set the status message in Teams."""
        self.emulator.calls.person(self.user(person)).change(self.emulator.clock.now(), message=text)

    def note(self, person: str) -> str:
        """The status message."""
        return self.emulator.calls.person(self.user(person)).standing.message or ""

    def hint(self, url: str) -> str:
        """How Alice asks not to be disturbed."""
        return _curl(f"{url}{CONTROL}/people/{self.user('alice')}", {"preferred": "DoNotDisturb"})


class SymphonyBox:
    """Symphony: people set a category in their client."""

    name = "symphony"

    def __init__(self, folder: Path, clock: EmulatedClock) -> None:
        self.folder = folder
        key, pem = rsa.generate_private_key(public_exponent=65537, key_size=2048), serialization.Encoding.PEM
        self.key = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.emulator = SymphonyEmulator(clock)
        self.emulator.add_bot("presence-bot", public.decode())
        for person in PEOPLE:
            self.emulator.add_user(self.user(person), person)

    @staticmethod
    def user(person: str) -> int:
        """The person's id."""
        return 14_568_529_068_000 + PEOPLE.index(person)

    def service(self, url: str) -> dict[str, Any]:
        """The service's table."""
        return {
            "type": "symphony",
            "pod": url,
            "bot": "presence-bot",
            "private_key": {"file": str(private(self.folder / "symphony-key.pem", self.key))},
            "sweep": "250ms",
        }

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        return {"user_id": self.user(person)}

    def act(self, person: str, value: str) -> None:
        """Set a category; `leave` and `enter` close and open the client, `idle` and `active` stop and start typing."""
        match value:
            case "leave" | "enter":
                self.emulator.online(self.user(person), value == "enter")
            case "idle" | "active":
                self.emulator.idle(self.user(person), value == "idle")
            case _:
                self.emulator.set(self.user(person), value)

    def shows(self, person: str) -> str:
        """What Symphony shows."""
        return self.emulator.shown(self.user(person))

    def leave_note(self, person: str, text: str) -> None:
        """Symphony has no notes."""
        raise NotImplementedError("Symphony has no notes")

    def note(self, person: str) -> str:  # noqa: ARG002  # nobody has one
        """Symphony has no notes."""
        return ""

    def hint(self, url: str) -> str:
        """How Alice turns busy."""
        return _curl(f"{url}{CONTROL}/people/{self.user('alice')}", {"category": "BUSY"})


class SkypeBox:
    """Skype for Business: people set a state in their client. Words are UCWA's availabilities."""

    name = "skype"

    def __init__(self, folder: Path, clock: EmulatedClock, quick: bool) -> None:
        self.folder = folder
        self.passwords = {person: secrets.token_urlsafe(12) for person in PEOPLE}
        self.emulator = UcwaEmulator(DOMAIN, clock=clock, medium=0.1 if quick else 5.0)
        for person in PEOPLE:
            self.emulator.add_user(sip(person), self.passwords[person])

    def service(self, url: str) -> dict[str, Any]:
        """The service's table; one origin plays every host of the deployment."""
        self.emulator.base_url = url
        return {"type": "ucwa", "discovery": url}

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        password = private(self.folder / f"skype-{person}", self.passwords[person])
        return {"sip": sip(person), "password": {"file": str(password)}}

    def act(self, person: str, value: str) -> None:
        """Set a state; `leave` signs the client out."""
        self.emulator.client(sip(person), None if value == "leave" else value)

    def shows(self, person: str) -> str:
        """What Skype shows."""
        return self.emulator.shown(sip(person))

    def leave_note(self, person: str, text: str) -> None:
        """Set the personal note in Skype."""
        self.emulator.person(sip(person)).note = text

    def note(self, person: str) -> str:
        """The personal note."""
        return self.emulator.person(sip(person)).note

    def hint(self, url: str) -> str:
        """How Alice will be right back."""
        return _curl(f"{url}{CONTROL}/people/{sip('alice')}", {"availability": "BeRightBack"})


class BlackBerryBox:
    """BlackBerry Connect: another door to the presence of Skype for Business. Words are those of SetPresence."""

    name = "blackberry"

    def __init__(self, folder: Path, clock: EmulatedClock, skype: SkypeBox) -> None:
        self.folder, self.backend = folder, OneSkype(skype.emulator)
        self.emulator = BemsEmulator(clock, backend=self.backend)
        self.tokens = {person: self.emulator.add_user(sip(person), secrets.token_urlsafe(12)) for person in PEOPLE}

    def service(self, url: str) -> dict[str, Any]:
        """The service's table."""
        return {"type": "bems", "url": url.replace("http://", "ws://") + "/connect"}

    def link(self, person: str) -> dict[str, Any]:
        """A person's link table."""
        token = private(self.folder / f"blackberry-{person}", self.tokens[person])
        return {"contact": sip(person), "token": {"file": str(token)}}

    def act(self, person: str, value: str) -> None:
        """Say a word in the BlackBerry client; `leave` closes it."""
        self.emulator.client(sip(person), None if value == "leave" else value)

    def shows(self, person: str) -> str:
        """What BlackBerry shows, as a word for its number."""
        number = self.emulator.shown(sip(person))
        return next(word for least, word in WORDS if number >= least)

    def leave_note(self, person: str, text: str) -> None:
        """Set the personal message in the BlackBerry client, the presence staying as it is."""
        self.backend.set(sip(person), self.emulator.shown(sip(person)), text)

    def note(self, person: str) -> str:
        """The personal message."""
        return self.emulator.people.get(sip(person))[1]

    def hint(self, url: str) -> str:
        """How Alice goes away."""
        return _curl(f"{url}{CONTROL}/people/{sip('alice')}", {"presence": "away"})


WORDS = (
    (18000, "offline"),
    (15000, "away"),
    (12000, "be right back"),
    (9000, "do not disturb"),
    (7500, "busy, idle"),
    (6000, "busy"),
    (4500, "available, idle"),
    (0, "available"),
    (-1, "unknown"),
)
"""Least number of each state BlackBerry shows."""

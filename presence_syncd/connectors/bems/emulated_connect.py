"""The Connect side of an emulated BEMS: sessions, registrations, answers in two phases, events. No I/O.

The one rule: it is written from the documents; what they leave open is as assumed in bems.md §2 and §4.2, and every
oddity they show can be switched on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Protocol

from presence_syncd.connectors.bems.emulated_peers import Peer, Session
from presence_syncd.connectors.bems.emulated_people import NUMBERS, OFFLINE, Backend, bare
from presence_syncd.connectors.bems.emulated_words import Data, Switches, error_of, framed, message_of, styled


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> float: ...


class Refused(Exception):
    """A request is answered with an error."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Connect:
    """The server. `tokens` maps GD auth tokens to people; `writes` are the presences set: (Unix s, sip, word, note)."""

    def __init__(self, clock: Clock, backend: Backend, *, session_timeout: float, start_presence: str) -> None:
        self.clock, self.backend = clock, backend
        self.session_timeout, self.start_presence = session_timeout, start_presence
        self.tokens: dict[str, str] = {}
        self.switches = Switches()
        self.first_sequence = 1_018_691_100_000_000
        self.sessions: dict[str, Session] = {}
        self.peers: list[Peer] = []
        self.writes: list[tuple[float, str, str, str | None]] = []
        self.begun: list[tuple[str, str | None]] = []
        self.heard: list[Data] = []
        self._cookies, self._ids = count(1), count(1)
        backend.subscribe(self._changed)

    # connections

    def connect(self, cookie: str | None, header_token: str = "") -> Peer:
        """Take a connection, or the first request of a cookie. A new one gets a `deviceToken`."""
        peer = Peer(cookie if cookie in self.sessions else f"device-{next(self._cookies)}", header_token)
        self.peers.append(peer)
        return peer

    def peer_of(self, cookie: str | None, header_token: str = "") -> Peer:
        """Find the peer of an HTTP cookie; a request without `reconnect` is one of its session all the same."""
        peer = next((p for p in self.peers if cookie and p.cookie == cookie and p.is_open), None)
        peer = peer or self.connect(cookie, header_token)
        peer.session = self.sessions.get(peer.cookie)
        return peer

    def rotate(self, peer: Peer) -> None:
        """Give a peer another `deviceToken`; the old one is good for nothing."""
        old, peer.cookie = peer.cookie, f"device-{next(self._cookies)}"
        if old in self.sessions:
            session = self.sessions.pop(old)
            session.cookie = peer.cookie
            self.sessions[peer.cookie] = session

    def drop(self, code: int = 1006) -> None:
        """Cut every connection; the sessions stay."""
        for peer in self.peers:
            peer.close(code)
        self.peers.clear()

    def restart(self) -> None:
        """Start anew: no connection, no session."""
        self.drop(1012)
        self.sessions.clear()

    def expire(self) -> None:
        """Let every session time out; the connections stay."""
        self.sessions.clear()
        for peer in self.peers:
            peer.session = None

    # requests

    def hear(self, peer: Peer, text: str) -> None:
        """Take a frame or a body; what it leads to is put into the peer's queue."""
        if text.strip() == "[]" and peer.session is None:
            self._say(peer, error_of(None, 1017))
        try:
            requests = json.loads(text)
        except ValueError:
            self._say(peer, error_of(None, -32700))
            return
        for request in requests if isinstance(requests, list) else [requests]:
            self._answer(peer, request)

    def _answer(self, peer: Peer, request: Data) -> None:
        self.heard.append(request)
        method, number = request.get("method", ""), request.get("id")
        before = len(peer.queue)
        try:
            self._switched_error(method)
            action = self._methods(method)
            if method not in ("BeginSession", "GetAuthenticationInfo"):
                self._demand_session(peer, request.get("params", {}))
            data = action(peer, request.get("params", {}))
        except Refused as refused:
            self._say(peer, error_of(number, refused.code))
            return
        events, peer.queue = peer.queue[before:], peer.queue[:before]
        self._say_done(peer, method, number, data)
        peer.queue += events

    def _switched_error(self, method: str) -> None:
        if self.switches.errors.get(method):
            code = self.switches.errors[method].pop(0)
            if code == 1017:
                self.expire()
            if code:
                raise Refused(code)
        if method in self.switches.always:
            raise Refused(self.switches.always[method])

    def _methods(self, method: str) -> Callable[[Peer, Data], Data]:
        known: dict[str, Callable[[Peer, Data], Data]] = {
            "GetAuthenticationInfo": lambda _peer, _params: {"authDataType": "WindowsAccessToken"},
            "BeginSession": self._begin,
            "Ping": lambda _peer, _params: {"sessionTimeout": self.session_timeout},
            "SetPresence": self._set_presence,
            "RegisterTempRemotePresence": self._register,
            self.switches.unregister: self._unregister,
            "GetContactsState": self._states,
            "TerminateSession": self._terminate,
        }
        if method not in known:
            raise Refused(-32601)
        return known[method]

    def _demand_session(self, peer: Peer, params: Data) -> None:
        """A session lives while it is used; a new connection takes it over by `reconnect`."""
        session = peer.session
        if session is None and params.get("reconnect") == "true":
            session = peer.session = self.sessions.get(peer.cookie)
        if session is not None and self.clock.now() - session.alive_at >= self.session_timeout:
            self.sessions.pop(session.cookie, None)
            session = peer.session = None
        if session is None or session.cookie not in self.sessions:
            raise Refused(1017)
        session.alive_at = self.clock.now()

    def _begin(self, peer: Peer, params: Data) -> Data:
        token = params.get("gdAuthToken") or params.get("gdToken") or peer.header_token
        if token not in self.tokens:
            raise Refused(1008)
        sip, presence = self.tokens[token], params.get("presence")
        peer.session = self.sessions[peer.cookie] = Session(
            sip, peer.cookie, self.clock.now(), sequence=self.first_sequence
        )
        self.begun.append((sip, presence))
        self._publish(sip, presence or self.start_presence, params.get("personalMessage"))
        return {"sessionid": f"session-{peer.cookie}"}

    def _set_presence(self, peer: Peer, params: Data) -> Data:
        word, note = params.get("presence"), params.get("personalMessage")
        if word not in self.switches.words:
            raise Refused(self.switches.word_error)
        sip = self._session(peer).sip
        self.writes.append((self.clock.now(), sip, word, note))
        self._publish(sip, word, note)
        return {}

    def _publish(self, sip: str, word: str, note: str | None) -> None:
        if sip not in self.switches.is_nowhere:
            self.backend.set(sip, NUMBERS.get(word.lower(), OFFLINE), note)

    def _register(self, peer: Peer, params: Data) -> Data:
        contact = str(params.get("contactId", ""))
        if self.backend.get(contact)[0] < 0:
            raise Refused(1020)
        self._session(peer).contacts[bare(contact)] = contact
        return {}

    def _unregister(self, peer: Peer, params: Data) -> Data:
        for contact in params.get("contactIds", [params.get("contactId", "")]):
            self._session(peer).contacts.pop(bare(contact), None)
        return {"message": "done"}

    def _states(self, peer: Peer, params: Data) -> Data:
        return {"userId": self._session(peer).sip, "contacts": [self._state(c) for c in params.get("contactIds", [])]}

    def _terminate(self, peer: Peer, params: Data) -> Data:  # noqa: ARG002  # every method is called alike
        session = self._session(peer)
        self.sessions.pop(session.cookie, None)
        peer.session = None
        self.backend.set(session.sip, None, None)
        return {}

    @staticmethod
    def _session(peer: Peer) -> Session:
        if peer.session is None:
            raise Refused(1017)
        return peer.session

    def _state(self, contact: str) -> Data:
        number, note = self.backend.get(contact)
        words = {3500: "available", 6500: "busy", 15500: "away"}
        told = {"number": number, "text": str(number), "word": words.get(number, number)}[self.switches.tell]
        return {"contactId": contact, "presence": told, "personalMessage": note}

    # what is said

    def _changed(self, sip: str) -> None:
        """Tell everybody who registered for a person."""
        for peer in self.peers:
            session = peer.session
            if session is not None and session.cookie in self.sessions and bare(sip) in session.contacts:
                state = self._state(session.contacts[bare(sip)])
                data = {"method": self.switches.event, "contacts": [state]}
                self._say(peer, message_of(f"S{next(self._ids)}", data, self._next(session)))

    def event(self, peer: Peer, data: Data, *, sequence: int | None = None, number: str | None = None) -> None:
        """Say an event of any shape."""
        self._say(peer, message_of(number or f"S{next(self._ids)}", data, sequence))

    def raw(self, peer: Peer, text: str) -> None:
        """Say anything."""
        peer.put(self.clock.now(), text)

    def _say_done(self, peer: Peer, method: str, number: str | None, data: Data) -> None:
        """Say PROCESSING and COMPLETE, in the way that is switched on."""
        how = self.switches.how.get(method, []).pop(0) if self.switches.how.get(method) else "late"
        accepted = message_of(number, {"method": method, **data, "state": "PROCESSING"}, None, background=False)
        done_as = f"{number}0" if how == "other-id" else number
        sequence = self._next(peer.session) if peer.session else 1_018_691_100_000_999
        done = message_of(done_as, {"method": method, **data, "state": "COMPLETE"}, sequence)
        later = self.switches.complete_after
        said = {"first": [(0.0, done), (0.0, accepted)], "never": [(0.0, accepted)], "lost": []}
        for wait, message in said.get(how, [(0.0, accepted), (later, done)]):
            self._say(peer, message, wait)

    @staticmethod
    def _next(session: Session) -> int:
        session.sequence += 100_000_001
        return session.sequence

    def _say(self, peer: Peer, message: Data, wait: float = 0.0) -> None:
        peer.put(self.clock.now() + wait, styled(message, self.switches.style))

    def framed(self, texts: list[str]) -> list[str]:
        """Put messages into frames, in the way that is switched on."""
        return framed(texts, self.switches.framing)

"""The conversation with Connect: open, sign in or resume, follow the contact, keep the session, say goodbye.

The one rule: `follow` owns the channel; every other flow hands its calls over (or posts them, where HTTP carries them)
and waits until they are done, lost or late. Sources: bems.md §4, §5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from presence_syncd.connectors.bems.channel import channel
from presence_syncd.connectors.bems.following import HOPELESS, Following
from presence_syncd.connectors.bems.jsonrpc import Cause
from presence_syncd.connectors.bems.session import SLOW_PROBE, Session, TokenRefused, error_of
from presence_syncd.connectors.bems.settings import BemsLinkSettings, BemsSettings
from presence_syncd.connectors.bems.wire import status_of
from presence_syncd.connectors.flow import Enter, Flow, Foretell, Now, Reveal, Wait, Wake
from presence_syncd.core.presence import Status
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.errors import AuthRejected, Rejected, ServiceError, SessionExpired, Unavailable

TURN = 60.0
"""Longest wait for a frame, in seconds."""
FIRST = 20.0
"""Seconds within which a first session is pinged, which tells its time-out: a third of one as short as a minute. While
thousands wait for theirs, for minutes, nobody is asked more often."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a session begins with: a word, or None where the server chooses; `was_shown` is the name shown before."""

    word: str | None
    was_shown: str | None
    vocabulary: Vocabulary

    def leads_to(self, status: Status) -> bool:
        """Whether beginning so may be why a status shows: whatever the server chose, or the word that was given."""
        return self.word is None or self.vocabulary.is_echo(self.word, status)


class Conversation(Following):
    """One link's conversation. `start` tells what to begin a session with; `unregister` the names still to try."""

    def __init__(
        self,
        settings: BemsSettings,
        link: BemsLinkSettings,
        session: Session,
        start: Callable[[], Flow[Start]],
        unregister: list[str],
    ) -> None:
        super().__init__(settings, session, unregister)
        self.link, self._start = link, start

    # the flow that owns the channel

    def follow(self) -> Flow[None]:
        """Hold a session and hear. Raises when it is over: SessionExpired, Unavailable, AuthRejected, Rejected."""
        try:
            yield from self._with_token(self._connect)
            while True:
                yield from self._turn()
        except ServiceError as error:
            self.session.disconnect()
            if isinstance(error, SessionExpired):
                self.session.forget(refused=False)
                error.retry_after = self.session.pause_before_next((yield Now()))
            yield Enter("down")
            yield Wake()
            raise

    def _turn(self) -> Flow[None]:
        """Send what waits, then hear once."""
        now = yield Now()
        if self.session.calls.expire(now):
            yield Wake()
        if self.session.fault is not None and not self.session.is_renewing:
            raise self.session.fault
        waiting, self.session.outbox = self.session.outbox, []
        if waiting:
            yield from self._send(waiting)
        deadlines = [call.deadline - now for call in self.session.calls.open.values()]
        yield from self._hear(min([TURN, *deadlines]), eager=False)

    def _connect(self) -> Flow[None]:
        """Open the channel and sign in."""
        yield from self._open()
        yield from self._sign_in()

    def _with_token(self, sign_in: Callable[[], Flow[None]]) -> Flow[None]:
        """Sign in by the token; a refused one is read anew, once."""
        tries = 1 if self.session.was_refused else 2
        for left in reversed(range(tries)):
            try:
                yield from self._reveal()
                yield from sign_in()
            except TokenRefused as refusal:
                self.session.forget(refused=True)
                if not left:
                    raise AuthRejected(f"the GD auth token is refused ({refusal})", retry_after=SLOW_PROBE) from None
            else:
                return

    def _reveal(self) -> Flow[None]:
        """Read the token where it is kept, unless the one known still serves."""
        if self.session.token is not None:
            return
        ref = self.link.token or self.settings.token
        if ref is None:
            raise Rejected("no token is configured, neither for the service nor for this link")
        self.session.token = yield Reveal(ref)

    def _open(self) -> Flow[None]:
        """Open what is configured; its fallback where a WebSocket cannot be had."""
        self.channel = channel(self.settings, self._cookies, fallback=False)
        try:
            yield Enter("opening", self.settings.transport)
            yield from self.channel.open(self.session.token)
        except ServiceError as error:
            if self.settings.fallback is None:
                raise _transport_trouble(error) from error
            self.channel = channel(self.settings, self._cookies, fallback=True)
            yield Enter("opening", self.settings.fallback)
            yield from self.channel.open(self.session.token)

    def _sign_in(self) -> Flow[None]:
        """Resume the session, or begin one; then follow the person, and read what is shown now."""
        self.session.marks = type(self.session.marks)()
        if not (self.session.is_begun and (yield from self._resume())):
            yield from self._begin()
        yield from self._settle_in()

    def _settle_in(self) -> Flow[None]:
        now = yield Now()
        if not self.session.is_following and now >= self.session.register_at:
            yield from self._register(self._ask)
        yield from self._resync(self._ask)
        self.session.is_ready = True
        yield Enter("following" if self.session.is_following else "connected")
        yield Wake()

    def _resume(self) -> Flow[bool]:
        """Continue the session over a new connection; False if the server knows it no more."""
        call = yield from self._ask("Ping", {}, reconnect=self.settings.reconnect)
        if call.failure is None:
            return True
        if call.failure.cause not in (Cause.SESSION, Cause.STATE):
            raise error_of("Ping", call.failure)
        self.session.forget(refused=False)
        return False

    def _begin(self) -> Flow[None]:
        """Begin a session with the presence there is, so that signing in overwrites nothing (§4.1)."""
        token = self.session.token.reveal() if self.session.token else ""
        if self.settings.authentication_info:
            yield from self._ask_how(token)
        params: dict[str, Any] = {"gdAuthToken": token}
        if self.settings.api == "2.2":
            params = {"gdToken": token, "userId": self.link.user_id or self.link.contact}
        if self.settings.web_ticket is not None:
            params["oAuth2Token"] = (yield Reveal(self.settings.web_ticket)).reveal()
        start = yield from self._start()
        if start.word is not None:
            params["presence"] = start.word
            yield Foretell(status_of(start.word))
        call = yield from self._ask("BeginSession", params)
        if call.failure is not None:
            raise error_of("BeginSession", call.failure)
        self.session.begin((yield Now()), start.was_shown, start.leads_to)

    def _ask_how(self, token: str) -> Flow[None]:
        """Ask how users prove who they are; an answer is shown to people, its absence does no harm."""
        if "GetAuthenticationInfo" in self.session.disabled:
            return
        call = yield from self._ask("GetAuthenticationInfo", {"gdAuthToken": token})
        if call.failure is not None and call.failure.cause in HOPELESS:
            self.session.disabled.add("GetAuthenticationInfo")
        elif call.failure is not None:
            raise error_of("GetAuthenticationInfo", call.failure)
        yield Enter("authentication", str(call.data.get("authDataType", ""))[:64])

    # what any flow of the link may do

    def ready(self) -> Flow[None]:
        """Wait until there is a session. Raises Unavailable when there is none in time."""
        limit = (yield Now()) + self.settings.deadline
        while not self.session.is_ready:
            if self._can_renew():
                yield from self._renew()
                continue
            now = yield Now()
            if now >= limit:
                raise Unavailable("there is no session")
            yield Wait(limit - now)

    def _can_renew(self) -> bool:
        """Whether the session is over while the flow that follows may hang in a long poll: then anybody may begin."""
        session = self.session
        return session.fault is not None and self.channel.is_shared and not session.is_renewing

    def _renew(self) -> Flow[None]:
        self.session.is_renewing = True
        try:
            yield Wait(self.session.pause_before_next((yield Now())))
            yield from self._with_token(self._begin_again)
        except AuthRejected as refusal:
            self.session.fault = refusal
            raise
        finally:
            self.session.is_renewing = False

    def _begin_again(self) -> Flow[None]:
        yield from self.channel.open(self.session.token)
        yield from self._begin()
        yield from self._settle_in()

    def rests(self) -> float | None:
        """Seconds until it is worth looking for a session again; None if there is one, or can be."""
        if self.session.is_ready or self._can_renew():
            return None
        return 1.0 if self.session.number else min(self.settings.ping_every, FIRST)

    @property
    def _soon(self) -> float:
        return min(self.settings.ping_every, 5.0)

    def keep(self) -> Flow[float]:
        """Ping, and mend what is not followed; returns seconds until the next time."""
        if (rest := self.rests()) is not None:
            return rest
        yield from self.ready()
        call = yield from self.call("Ping", {})
        if call.failure is not None and call.failure.cause is Cause.LOST and self.session.is_ready:
            self.session.fault = Unavailable("a ping was not answered")
        elif call.failure is not None:
            yield Enter("degraded", str(call.failure))
        else:
            self._note_timeout(call.data.get("sessionTimeout"))
            yield from self._mend()
        yield Wake()
        return self.session.ping_after or self._soon

    def _note_timeout(self, value: object) -> None:
        """Ping three times within the session's time-out (§4.1)."""
        try:
            seconds = float(value) if isinstance(value, int | float | str) else 86400.0
        except (ValueError, OverflowError):
            seconds = 86400.0
        self.session.ping_after = max(1.0, min(seconds / 3, self.settings.ping_every))

    def leave(self) -> Flow[None]:
        """Take the registration back and end the session, over a connection of this flow's own."""
        if not self.session.is_begun:
            return
        self.session.is_ready = False
        yield from self._open()
        if not (yield from self._resume()):
            return
        if self.session.is_following:
            yield from self._take_back()
        yield from self._ask("TerminateSession", {})
        self.session.forget(refused=False)


def _transport_trouble(error: ServiceError) -> ServiceError:
    """A server that does not upgrade may be starting: it is tried again soon, not parked for hours."""
    return Unavailable(f"no WebSocket: {error}") if isinstance(error, Rejected) else error

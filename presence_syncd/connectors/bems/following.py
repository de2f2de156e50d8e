"""Following a person over Connect: the registration, what they show now, and the end of it.

The one rule: a server that cannot tell of a person leaves the session as it is. Sources: bems.md §4, §6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from presence_syncd.connectors.bems.exchange import Exchange
from presence_syncd.connectors.bems.jsonrpc import Call, Cause
from presence_syncd.connectors.bems.session import Session, error_of
from presence_syncd.connectors.bems.settings import BemsSettings
from presence_syncd.connectors.flow import Enter, Flow, Now

REGISTER, STATES = "RegisterTempRemotePresence", "GetContactsState"
UNREGISTER = ("UnRegisterTempRemotePresence", "UnRegisterTempRemotePresenceSubscription")
"""The documented name, and the one its sample has (§6.4)."""
UNWATCHABLE = 600.0
"""Seconds until a refused registration is tried again."""
HOPELESS = frozenset({Cause.METHOD, Cause.UNSUPPORTED})
"""Causes after which a method is not used again."""


class Following(Exchange):
    """What any flow of the link may do about the person. `unregister` are the names of that method still to try."""

    def __init__(self, settings: BemsSettings, session: Session, unregister: list[str]) -> None:
        super().__init__(settings, session)
        self._unregister = unregister

    def look(self) -> Flow[None]:
        """Ask what the person shows now; the answer is emitted like every other."""
        yield from self._resync(self.call)

    def _mend(self) -> Flow[None]:
        now = yield Now()
        if not self.session.is_following and now >= self.session.register_at:
            yield from self._register(self.call)
        if self.session.last is None or now - self.session.last.at >= self.settings.ping_every:
            yield from self._resync(self.call)
        yield Enter("following" if self.session.is_following else "connected")

    def _register(self, ask: Callable[[str, Mapping[str, Any]], Flow[Call]]) -> Flow[None]:
        """Follow the person. A server that cannot leaves the session as it is: then it is asked now and then."""
        if REGISTER in self.session.disabled:
            return
        call = yield from ask(REGISTER, {"contactId": self.session.contact})
        if call.failure is None:
            self.session.is_following = True
        elif call.failure.cause in HOPELESS:
            self.session.disabled.add(REGISTER)
        elif call.failure.cause in (Cause.SERVER, Cause.VALUE):
            self.session.register_at = (yield Now()) + UNWATCHABLE
            yield Enter("unwatchable", str(call.failure))
        else:
            raise error_of(REGISTER, call.failure)

    def _resync(self, ask: Callable[[str, Mapping[str, Any]], Flow[Call]]) -> Flow[None]:
        if STATES in self.session.disabled:
            return
        call = yield from ask(STATES, {"contactIds": [self.session.contact]})
        if call.failure is None:
            return
        if call.failure.cause in HOPELESS:
            self.session.disabled.add(STATES)
        elif call.failure.cause not in (Cause.SERVER, Cause.PROXY, Cause.VALUE):
            raise error_of(STATES, call.failure)

    def _take_back(self) -> Flow[None]:
        """Un-register by the documented name, and by its other one where the server does not know that."""
        for name in list(self._unregister):
            params: dict[str, Any] = {"contactId": self.session.contact}
            if name == UNREGISTER[1]:
                params = {"contactIds": [self.session.contact]}
            call = yield from self._ask(name, params)
            if call.failure is None or call.failure.cause not in HOPELESS:
                return
            self._unregister[:] = [other for other in self._unregister if other != name]  # all links share the list

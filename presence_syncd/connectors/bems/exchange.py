"""One exchange with Connect: a call goes out, its answers come in, what they show is emitted.

The one rule: one flow holds the channel and hears; the others hand their calls over (or post them, where HTTP carries
them), and wait until they are done, lost or late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from presence_syncd.connectors.bems.channel import Channel, Cookies, Heard, channel
from presence_syncd.connectors.bems.jsonrpc import Call
from presence_syncd.connectors.bems.session import Session
from presence_syncd.connectors.bems.settings import BemsSettings
from presence_syncd.connectors.flow import Emit, Flow, Now, Wait, Wake


class Exchange:
    """What carries one link's calls, and settles them."""

    def __init__(self, settings: BemsSettings, session: Session) -> None:
        self.settings, self.session = settings, session
        self._cookies = Cookies()
        self.channel: Channel = channel(settings, self._cookies, fallback=False)

    def call(self, method: str, params: Mapping[str, Any]) -> Flow[Call]:
        """Hand a call over and wait until it is done, lost or late."""
        call = self.session.calls.make(method, params, (yield Now()), self.settings.deadline)
        if self.channel.is_shared:
            yield from self._send([call])
        else:
            self.session.outbox.append(call)
        yield Wake()
        while not call.is_done:
            now = yield Now()
            if now >= call.deadline:
                self.session.calls.lose(call)
            else:
                yield Wait(call.deadline - now)
        return call

    def _ask(self, method: str, params: Mapping[str, Any], reconnect: str | None = None) -> Flow[Call]:
        """Call, and hear until it is done: for the flow that holds the channel."""
        call = self.session.calls.make(method, params, (yield Now()), self.settings.deadline, reconnect=reconnect)
        yield from self._send([call])
        while not call.is_done:
            now = yield Now()
            if now >= call.deadline:
                self.session.calls.lose(call)
            else:
                yield from self._hear(call.deadline - now, eager=True)
        return call

    def _send(self, calls: list[Call]) -> Flow[None]:
        number = self.session.number
        yield from self._take((yield from self.channel.send(calls)), number)

    def _hear(self, seconds: float, *, eager: bool) -> Flow[None]:
        number = self.session.number
        yield from self._take((yield from self.channel.receive(seconds, eager=eager)), number)

    def _take(self, heard: list[Heard], number: int) -> Flow[None]:
        for text in heard:
            for seen in self.session.take(text.body, text.at, number):
                yield Emit(seen)
            yield Wake()

"""The event channel of the emulated pool: polls that are held, acknowledged by the next one.

Written from the UCWA pages Event channel details, Events in UCWA and events.
"""

from __future__ import annotations

from urllib.parse import quote

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.ucwa.emulator.applications import Application, Channel
from presence_syncd.connectors.ucwa.emulator.documents import page, problem
from presence_syncd.connectors.ucwa.emulator.pool import ONE, Pool


class Events(Pool):
    """Long polls. `medium` and `poll_seconds` are the longest times, in emulated seconds.

    `ends_polls`: whether a held poll is answered at once when its application ends, which no page says; otherwise it is
    held until its time is up.
    """

    medium = 5.0
    poll_seconds = 180.0
    ends_polls = True

    def routes(self) -> list[BaseRoute]:
        """The event channel."""
        return [*super().routes(), Route(f"{ONE}/events", self._events)]

    async def _events(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        channel = application.channels.get(request.query_params.get("instanceId", ""))
        if channel is None:
            return problem(request, 404, "NotFound", "ApplicationNotFound")
        ack = int(request.query_params.get("ack", "0"))
        if ack == channel.ack + 1 and channel.sent is not None:
            channel.ack, channel.sent = ack, None
        if ack != channel.ack:
            return page(
                request,
                {
                    "self": self._events_href(application, channel, ack),
                    "resync": self._events_href(application, channel, channel.ack),
                },
                [],
            )
        return await self._wait(request, application, channel)

    async def _wait(self, request: Request, application: Application, channel: Channel) -> Response:
        """Hold the poll until there is news, its time is up, another poll comes, or the application ends."""
        reader = channel.reader = object()
        channel.polled = True
        channel.ring()
        try:
            reason = await self._held(request, application, channel, reader)
        finally:
            if channel.reader is reader:
                channel.reader, channel.released_at = None, self.clock.now()
                self.settle(application.person)
        if reason == "ended":
            return self.no_application(request, application.id)
        if reason == "replaced":
            return problem(request, 409, "Conflict", "PGetReplaced")
        events = channel.release() if channel.sent is None else channel.sent
        rel = "resume" if channel.resumes else "next"
        channel.resumes = False
        links = {
            ack_rel: self._events_href(application, channel, ack)
            for ack_rel, ack in (("self", channel.ack), (rel, channel.ack + 1))
        }
        return page(request, links, events)

    async def _held(self, request: Request, application: Application, channel: Channel, reader: object) -> str:
        """Wait; returns why no longer."""
        asked = {name: float(request.query_params.get(name, "inf")) for name in ("timeout", "medium")}
        medium = min(asked["medium"], self.medium)
        until = self.clock.now() + min(asked["timeout"], self.poll_seconds)
        while True:
            self.settle(application.person)
            now = self.clock.now()
            if self._is_over(application, channel) and (self.ends_polls or until <= now):
                return "ended"
            if channel.reader is not reader:
                return "replaced"
            if channel.sent is not None or channel.due(medium) <= now or until <= now:
                return "due"
            wake_at = min(channel.due(medium), until, application.person.next_change(now))
            with anyio.move_on_after(self.clock.nap(wake_at)):
                await channel.bell.wait()

    def _is_over(self, application: Application, channel: Channel) -> bool:
        return channel not in application.channels.values() or application.id not in self.applications

    def _events_href(self, application: Application, channel: Channel, ack: int) -> str:
        instance = f"&instanceId={quote(channel.instance)}" if channel.instance else ""
        return f"{self.href(application)}/events?ack={ack}{instance}"

"""An emulated BEMS on one port: Connect over WebSocket, long poll and poll, and the Presence lookup service.

The one rule: the paths are the emulator's own (`/connect`, `/connect/long-poll`, `/connect/poll`), because no document
names any; the lookup paths are those of the vendor's sample.
"""

from __future__ import annotations

import contextlib
import json
from math import ceil, inf

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from presence_syncd.connectors.bems.emulated_connect import Connect
from presence_syncd.connectors.bems.emulated_lookup import Lookups
from presence_syncd.connectors.bems.emulated_peers import Peer
from presence_syncd.connectors.bems.emulated_people import NUMBERS, Backend, People, bare
from presence_syncd.connectors.emulation import CONTROL, EmulatedClock, Emulator, json_of

TOKEN = "x-good-gd-authtoken"  # noqa: S105  # a name
ABNORMAL = 1006
"""The close code of a connection that ends without a close frame (RFC 6455, 7.4.1): nobody can send it."""
LOOK = 0.01
"""Real seconds between two looks for what is to be said."""
ROUNDING = 1e-6
"""Looks by which a timer may be late without missing one."""


class Cut(Response):
    """Half an answer: the TCP connection is closed in the middle of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's three
        headers = [(b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"[", "more_body": True})


class BemsEmulator(Emulator):
    """The server. `connect` and `lookups` are its two sides, with their switches; `people` who there is.

    `backend` keeps the presence where another emulator shares it. `hold` is how long a long poll is held,
    `session_timeout` and `lookup_timeout` after how many seconds a session, a subscription is forgotten;
    `start_presence` what a session begins with that brings no presence, `look` the real seconds between two looks for
    what is to be said.
    """

    def __init__(
        self,
        clock: EmulatedClock | None = None,
        *,
        backend: Backend | None = None,
        session_timeout: float = 86_400.0,
        lookup_timeout: float = 180.0,
        hold: float = 30.0,
        start_presence: str = "available",
        look: float = LOOK,
    ) -> None:
        super().__init__(clock)
        self.look = look
        self.people: Backend = backend or People()
        self.hold = hold
        self.connect = Connect(self.clock, self.people, session_timeout=session_timeout, start_presence=start_presence)
        self.lookups = Lookups(self.clock, self.people, timeout=lookup_timeout)
        self.lookup_tokens: set[str] = set()
        self._names: dict[str, str] = {}

    # people, as tests and the demo steer them

    def add_user(self, sip: str, token: str | None = None) -> str:
        """Let a person exist; returns the GD auth token that names them."""
        if isinstance(self.people, People):
            self.people.add(sip)
        token = token or f"gd-{bare(sip)}"
        self.connect.tokens[token] = sip
        self.lookup_tokens.add(token)
        self._names[bare(sip)] = token
        return token

    def client(self, sip: str, presence: str | int | None) -> None:
        """The person acts in a client of their own: a word, a number, or None when they leave."""
        number = NUMBERS[presence.lower()] if isinstance(presence, str) else presence
        self.people.set(sip, number, None)

    def shown(self, sip: str) -> int:
        """The number a person shows to others."""
        return self.people.get(sip)[0]

    @property
    def writes(self) -> list[tuple[float, str, str, str | None]]:
        """The presences set by SetPresence: (Unix s, sip, word, personal message)."""
        return self.connect.writes

    # the wire

    def routes(self) -> list[BaseRoute]:
        """Connect's three transports, the lookup service, and what a person steers the emulator by."""
        return [
            WebSocketRoute("/connect", self._websocket),
            Route("/connect", self._poll, methods=["POST"]),
            Route("/connect/poll", self._poll, methods=["POST"]),
            Route("/connect/long-poll", self._long_poll, methods=["POST"]),
            Route("/presence/subscriptions", self._subscribe, methods=["POST"]),
            Route("/presence/subscriptions/{key}", self._read, methods=["GET"]),
            Route(f"{CONTROL}/people", self._show_people, methods=["GET"]),
            Route(f"{CONTROL}/people/{{sip}}", self._steer, methods=["POST"]),
            Route(f"{CONTROL}/sessions", self._sessions, methods=["POST", "DELETE"]),
        ]

    async def _websocket(self, socket: WebSocket) -> None:
        if not self.connect.switches.websockets:
            await socket.send_denial_response(Response(status_code=404))
            return
        peer = self.connect.connect(socket.cookies.get("deviceToken"), socket.headers.get(TOKEN, ""))
        await socket.accept(headers=[(b"set-cookie", f"deviceToken={peer.cookie}; Path=/".encode())])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._say, socket, peer, tasks.cancel_scope)
            try:
                while True:
                    self.connect.hear(peer, await socket.receive_text())
            except WebSocketDisconnect:
                peer.close(1000)
            tasks.cancel_scope.cancel()
        if peer in self.connect.peers:
            self.connect.peers.remove(peer)

    async def _say(self, socket: WebSocket, peer: Peer, scope: anyio.CancelScope) -> None:
        """Say what is to be said when it is time, until the connection is to be closed, or cut without a word."""
        with contextlib.suppress(WebSocketDisconnect):  # the client may go at any time
            while peer.is_open:
                for text in self.connect.framed(peer.due(self.clock.now())):
                    await socket.send_text(text)
                await self._look_again(peer)
            if peer.close_code != ABNORMAL:
                await socket.close(peer.close_code)
        scope.cancel()  # the server closes the TCP connection of an application that returns

    async def _poll(self, request: Request) -> Response:
        return await self._post(request, 0.0)

    async def _long_poll(self, request: Request) -> Response:
        return await self._post(request, self.hold)

    async def _post(self, request: Request, hold: float) -> Response:
        """Take requests, answer with what there is to say; a poll of nothing is held back."""
        peer = self.connect.peer_of(request.cookies.get("deviceToken"), request.headers.get(TOKEN, ""))
        body = (await request.body()).decode()
        until = self.clock.now() + (hold if body.strip() == "[]" else 0.0)
        self.connect.hear(peer, body)
        said = peer.due(self.clock.now())
        while not said and peer.is_open and self.clock.now() < until:
            await self._look_again(peer, until)
            said = peer.due(self.clock.now())
        if not peer.is_open:
            return Cut() if peer.close_code == ABNORMAL else Response(status_code=503)
        answer = Response("\n".join(self.connect.framed(said)), media_type="application/json")
        answer.set_cookie("deviceToken", peer.cookie)
        return answer

    async def _look_again(self, peer: Peer, until: float = inf) -> None:
        """Sleep until the first of the looks to come at which there may be something to say, or `until` is over."""
        began = anyio.current_time()
        with anyio.move_on_after(self.clock.nap(min(peer.next_at(), until))):
            await peer.bell.wait()
        passed = (anyio.current_time() - began) / self.look
        await anyio.sleep(max(0.0, max(1, ceil(passed - ROUNDING)) - passed) * self.look)

    async def _subscribe(self, request: Request) -> Response:
        if request.headers.get(TOKEN) not in self.lookup_tokens:
            return Response(status_code=401)
        status, answer = self.lookups.subscribe(await json_of(request))
        return JSONResponse(answer, status)

    async def _read(self, request: Request) -> Response:
        if request.headers.get(TOKEN) not in self.lookup_tokens:
            return Response(status_code=401)
        status, answer = self.lookups.read(request.path_params["key"], request.query_params.get("sequence"))
        return JSONResponse(answer, status)

    async def _show_people(self, request: Request) -> Response:  # noqa: ARG002  # Starlette passes it
        return JSONResponse(
            {sip: dict(zip(("presence", "note"), self.people.get(sip), strict=True)) for sip in self._names}
        )

    async def _steer(self, request: Request) -> Response:
        """POST `{"presence": WORD | NUMBER | null}`: the person acts in their own client."""
        sip = request.path_params["sip"]
        try:
            self.client(sip, json.loads(await request.body())["presence"])
        except (ValueError, KeyError, TypeError):
            return Response(status_code=400)
        return JSONResponse({"presence": self.shown(sip)})

    async def _sessions(self, request: Request) -> Response:
        """DELETE lets every session time out; POST restarts the server."""
        (self.connect.expire if request.method == "DELETE" else self.connect.restart)()
        return JSONResponse({"sessions": len(self.connect.sessions)})

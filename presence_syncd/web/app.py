"""What the daemon answers over HTTP: metrics and health, and on the control socket what an operator asks.

The one rule: the loopback port is read only; whatever changes something is on the Unix socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.metrics import CONTENT_TYPE


class Source(Protocol):
    """What the pages are made from."""

    def exposition(self) -> bytes:
        """The metrics, in Prometheus's text format."""
        ...

    def readiness(self) -> dict[str, Any]:
        """`ready`: bool, and `waiting`: what is not ready yet and why."""
        ...

    def accounts(self) -> list[dict[str, Any]]:
        """Every account, short."""
        ...

    def budgets(self) -> list[dict[str, Any]]:
        """What every service's login is granted, and needs."""
        ...

    def account(self, name: str) -> dict[str, Any] | None:
        """One account, whole; None if there is none of that name."""
        ...


def pages(source: Source) -> Starlette:
    """The read-only application."""
    return Starlette(routes=routes(source))


def routes(source: Source) -> list[BaseRoute]:
    """Routes that change nothing."""
    return [
        Route("/metrics", _answering(lambda _: Response(source.exposition(), media_type=CONTENT_TYPE))),
        Route("/-/healthy", _answering(lambda _: PlainTextResponse("healthy\n"))),
        Route("/-/ready", _answering(lambda _: _ready(source))),
        Route("/api/v1/accounts", _answering(lambda _: JSONResponse(source.accounts()))),
        Route("/api/v1/budgets", _answering(lambda _: JSONResponse(source.budgets()))),
        Route("/api/v1/accounts/{name}", _answering(lambda request: _account(source, request))),
    ]


def _answering(answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    """An endpoint that runs on the loop, not in a thread."""

    async def endpoint(request: Request) -> Response:
        return answer(request)

    return endpoint


def _ready(source: Source) -> Response:
    readiness = source.readiness()
    return JSONResponse(readiness, status_code=200 if readiness["ready"] else 503)


def _account(source: Source, request: Request) -> Response:
    found = source.account(request.path_params["name"])
    if found is None:
        return JSONResponse({"error": "no such account"}, status_code=404)
    return JSONResponse(found)

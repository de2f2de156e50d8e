"""What an operator may do, over the Unix socket: whoever may open it may do all of it.

The one rule: every answer is JSON; an order that cannot be carried out says why, with a fitting status.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from presence_syncd.core.presence import Status, parse_status
from presence_syncd.errors import ConfigError
from presence_syncd.web.app import Source, routes

LONGEST_PIN = 30 * 86400.0
"""Longest time a pin may last, in seconds."""
LONGEST_REASON, LONGEST_NAME = 200, 64
"""Characters of a reason, and of the name of an operator, that are kept."""
WAITING = 1000
"""Events that may wait for a slow watcher before it loses some."""

Tapping = Callable[[Callable[[dict[str, Any]], None]], AbstractContextManager[None]]


class Orders(Protocol):
    """What the daemon does when asked. KeyError: there is no such account."""

    async def reload(self) -> dict[str, Any]:
        """Take the configuration anew. Raises ConfigError; then nothing has changed."""
        ...

    async def pin(self, name: str, status: Status, seconds: float, reason: str, by: str = "") -> None:
        """Show a status for a while; `by` is who ordered it, as in the orders below."""
        ...

    async def unpin(self, name: str, by: str = "") -> None:
        """Let the services speak again."""
        ...

    async def pause(self, name: str, *, paused: bool, by: str = "") -> None:
        """Stop or go on writing."""
        ...

    def kill(self, name: str, by: str = "") -> None:
        """Restart an account's task."""
        ...


def control(source: Source, orders: Orders, tapping: Tapping) -> Starlette:
    """The application of the Unix socket: the read-only pages, and the orders."""
    account = "/api/v1/accounts/{name}"

    async def pin(name: str, data: dict[str, Any], by: str) -> None:
        await orders.pin(name, *_pin(data), by=by)

    async def unpin(name: str, _data: dict[str, Any], by: str) -> None:
        await orders.unpin(name, by=by)

    async def pause(name: str, _data: dict[str, Any], by: str) -> None:
        await orders.pause(name, paused=True, by=by)

    async def resume(name: str, _data: dict[str, Any], by: str) -> None:
        await orders.pause(name, paused=False, by=by)

    async def kill(name: str, _data: dict[str, Any], by: str) -> None:
        orders.kill(name, by=by)

    return Starlette(
        routes=[
            Route("/api/v1/reload", _reload(orders), methods=["POST"]),
            Route("/api/v1/events", _events(tapping)),
            _order(f"{account}/pin", pin),
            _order(f"{account}/unpin", unpin),
            _order(f"{account}/pause", pause),
            _order(f"{account}/resume", resume),
            _order(f"{account}/restart", kill),
            *routes(source),
        ]
    )


def _order(path: str, carry_out: Callable[[str, dict[str, Any], str], Awaitable[None]]) -> Route:
    """A route that does something for one account; `by` in the body is who wants it, for the log."""

    async def endpoint(request: Request) -> Response:
        try:
            data = await _body(request)
            await carry_out(request.path_params["name"], data, str(data.get("by") or "")[:LONGEST_NAME])
        except KeyError:
            return JSONResponse({"error": f"there is no account {request.path_params['name']!r}"}, status_code=404)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse({"done": True})

    return Route(path, endpoint, methods=["POST"])


def _reload(orders: Orders) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        try:
            return JSONResponse(await orders.reload())
        except ConfigError as error:
            return JSONResponse({"error": [str(problem) for problem in error.problems]}, status_code=422)

    return endpoint


async def _body(request: Request) -> dict[str, Any]:
    try:
        data = json.loads(await request.body() or b"{}")
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise ValueError("the body is not a JSON object")  # the caller's value is wrong, not ours
    return data


def _pin(data: dict[str, Any]) -> tuple[Status, float, str]:
    """Read an order to pin. Raises ValueError."""
    seconds = data.get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST_PIN:
        raise ValueError("seconds: a number up to 30 days is needed")
    status = parse_status(str(data.get("status", "")))
    if not status.is_known:
        raise ValueError("unknown says nothing, so it cannot be pinned")
    return status, float(seconds), str(data.get("reason", ""))[:LONGEST_REASON]


def _events(tapping: Tapping) -> Callable[[Request], Awaitable[Response]]:
    """Every event as one JSON line, as it happens; `?account=NAME` for one account only."""

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(_lines(tapping, request.query_params.get("account")), media_type="application/jsonl")

    return endpoint


async def _lines(tapping: Tapping, account: str | None) -> AsyncIterator[bytes]:
    """The events as JSON lines with their times; the first line says that watching has begun."""
    send, receive = anyio.create_memory_object_stream[dict[str, Any]](WAITING)
    lost = 0

    def tap(event: dict[str, Any]) -> None:
        nonlocal lost
        if account not in (None, event.get("account")):
            return
        if send.statistics().current_buffer_used < WAITING:
            send.send_nowait({"time": _time(), **event})
        else:
            lost += 1

    with send, receive, tapping(tap):
        yield _line({"time": _time(), "event": "watching"})
        async for event in receive:
            yield _line(event)
            if lost:
                lost, count = 0, lost
                yield _line({"time": _time(), "event": "events lost", "count": count})


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, default=str).encode() + b"\n"


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

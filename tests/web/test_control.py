"""The control socket's application: every order is carried out or refused with a reason, and events come as lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from presence_syncd.core.presence import Status
from presence_syncd.errors import ConfigError, Problem
from presence_syncd.web import control
from presence_syncd.web.app import pages


class Daemon:
    """Source and orders of a daemon that has one account, alice, and writes down what it is asked."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.problems: list[Problem] = []
        self.taps: list[Callable[[dict[str, Any]], None]] = []
        self.is_ready = True

    def exposition(self) -> bytes:
        return b"metric 1\n"

    def readiness(self) -> dict[str, Any]:
        return {"ready": self.is_ready, "waiting": {}}

    def accounts(self) -> list[dict[str, Any]]:
        return [{"account": "alice"}]

    def budgets(self) -> list[dict[str, Any]]:
        """Every budget."""
        return [{"service": "teams", "ratio": 0.25}]

    def account(self, name: str) -> dict[str, Any] | None:
        return {"account": name} if name == "alice" else None

    def note(self, name: str, *facts: Any) -> None:
        if name != "alice":
            raise KeyError(name)
        self.done.append(facts)

    async def reload(self) -> dict[str, Any]:
        if self.problems:
            raise ConfigError(self.problems)
        return {"added": []}

    async def pin(self, name: str, status: Status, seconds: float, reason: str, by: str = "") -> None:
        self.note(name, "pin", str(status), seconds, reason, by)

    async def unpin(self, name: str, by: str = "") -> None:
        self.note(name, "unpin", by)

    async def pause(self, name: str, *, paused: bool, by: str = "") -> None:
        self.note(name, "pause", paused, by)

    def kill(self, name: str, by: str = "") -> None:
        self.note(name, "kill", by)

    @contextmanager
    def tapping(self, tap: Callable[[dict[str, Any]], None]) -> Iterator[None]:
        self.taps.append(tap)
        try:
            yield
        finally:
            self.taps.remove(tap)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


async def ask(daemon: Daemon, method: str, path: str, body: Any = None, *, app: Any = None) -> httpx.Response:
    app = app or control.control(daemon, daemon, daemon.tapping)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await client.request(method, path, content=content)


async def test_orders_are_carried_out(daemon: Daemon) -> None:
    body = {"status": "busy/call", "seconds": 60, "reason": "r" * 500, "by": "b" * 500}
    by: dict[str, Any] = {"by": "ops"}
    for order, facts in (("pin", body), ("unpin", by), ("pause", by), ("resume", None), ("restart", by)):
        reply = await ask(daemon, "POST", f"/api/v1/accounts/alice/{order}", facts)
        assert (reply.status_code, reply.json()) == (200, {"done": True})
    assert daemon.done == [
        ("pin", "busy/call", 60.0, "r" * 200, "b" * 64),
        ("unpin", "ops"),
        ("pause", True, "ops"),
        ("pause", False, ""),
        ("kill", "ops"),
    ]


@pytest.mark.parametrize("order", ["unpin", "pause", "resume", "restart"])
async def test_an_unknown_account_is_named(daemon: Daemon, order: str) -> None:
    reply = await ask(daemon, "POST", f"/api/v1/accounts/eve/{order}")
    assert (reply.status_code, reply.json()) == (404, {"error": "there is no account 'eve'"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status": "busy"}, "seconds: a number"),
        ({"status": "busy", "seconds": True}, "seconds: a number"),
        ({"status": "busy", "seconds": 0}, "seconds: a number"),
        ({"status": "busy", "seconds": 31 * 86400}, "seconds: a number"),
        ({"status": "busyy", "seconds": 1}, "is no status"),
        ({"status": "unknown", "seconds": 1}, "unknown says nothing"),
        (b"[]", "the body is not a JSON object"),
        (b"{", "the body is not a JSON object"),
    ],
)
async def test_a_pin_that_makes_no_sense_is_refused(daemon: Daemon, body: Any, said: str) -> None:
    reply = await ask(daemon, "POST", "/api/v1/accounts/alice/pin", body)
    assert reply.status_code == 422
    assert said in reply.json()["error"]
    assert daemon.done == []


async def test_reload_tells_what_was_done_or_what_is_wrong(daemon: Daemon) -> None:
    assert (await ask(daemon, "POST", "/api/v1/reload")).json() == {"added": []}
    daemon.problems.append(Problem("f", 1, 2, "wrong"))
    reply = await ask(daemon, "POST", "/api/v1/reload")
    assert (reply.status_code, reply.json()) == (422, {"error": ["f:1:2: wrong"]})


async def test_the_pages_only_read(daemon: Daemon) -> None:
    app = pages(daemon)
    for path in ("/api/v1/reload", "/api/v1/accounts/alice/unpin", "/api/v1/events"):
        assert (await ask(daemon, "POST", path, app=app)).status_code in (404, 405)
    assert (await ask(daemon, "GET", "/metrics", app=app)).content == b"metric 1\n"
    assert (await ask(daemon, "GET", "/-/healthy", app=app)).text == "healthy\n"
    assert (await ask(daemon, "GET", "/-/ready", app=app)).status_code == 200
    daemon.is_ready = False
    assert (await ask(daemon, "GET", "/-/ready", app=app)).status_code == 503
    assert (await ask(daemon, "GET", "/api/v1/accounts", app=app)).json() == [{"account": "alice"}]
    assert (await ask(daemon, "GET", "/api/v1/accounts/alice", app=app)).json() == {"account": "alice"}
    assert (await ask(daemon, "GET", "/api/v1/accounts/eve", app=app)).status_code == 404


async def test_events_are_lines_with_their_times_of_one_account_or_of_all(daemon: Daemon) -> None:
    for account, expected in (("alice", ["watching", "b"]), (None, ["watching", "a", "b"])):
        lines = control._lines(daemon.tapping, account)
        seen = [json.loads(await anext(lines))]
        daemon.taps[0]({"event": "a", "account": "bob"})
        daemon.taps[0]({"event": "b", "account": "alice", "odd": Status})
        seen += [json.loads(await anext(lines)) for _ in expected[1:]]
        assert [event["event"] for event in seen] == expected
        assert all(event["time"].endswith("+00:00") for event in seen)
        await lines.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert daemon.taps == []


async def test_a_watcher_that_is_too_slow_is_told_how_much_it_lost(daemon: Daemon) -> None:
    lines = control._lines(daemon.tapping, None)
    await anext(lines)
    for number in range(control.WAITING + 7):
        daemon.taps[0]({"event": str(number)})
    assert json.loads(await anext(lines))["event"] == "0"
    lost = json.loads(await anext(lines))
    assert (lost["event"], lost["count"]) == ("events lost", 7)
    assert json.loads(await anext(lines))["event"] == "1"
    await lines.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_events_are_a_stream(daemon: Daemon) -> None:
    app = control.control(daemon, daemon, daemon.tapping)
    route = next(route for route in app.routes if getattr(route, "path", "") == "/api/v1/events")
    scope = {"type": "http", "method": "GET", "query_string": b"account=alice", "headers": []}
    from starlette.requests import Request

    reply = await route.endpoint(Request(scope))  # type: ignore[attr-defined]  # a Route has one
    assert reply.media_type == "application/jsonl"
    assert json.loads(await anext(reply.body_iterator))["event"] == "watching"
    await reply.body_iterator.aclose()

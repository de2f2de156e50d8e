"""The transport: every wait and body is bounded, and what goes wrong is said in our words. Real HTTP bytes."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.messages import Jar
from presence_syncd.engine.transport import AT_ONCE, Transport, network, refuse_plain, trust
from presence_syncd.errors import Rejected, RemoteProtocolError, ServiceError, Unavailable
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture
from tests.virtual.network import Host, Network

Sending = Callable[[dict[str, Any]], Awaitable[None]]


class Script:
    """An application that sends what it is told, piece by piece, with a pause between. `asked` keeps the requests."""

    def __init__(self, *pieces: bytes, status: int = 200, pause: float = 0.0, **headers: str) -> None:
        self.pieces, self.status, self.pause = pieces, status, pause
        self.headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.asked: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Sending) -> None:
        self.asked.append(dict(scope["headers"]))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for piece in self.pieces:
            await anyio.sleep(self.pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _reached(app: Any) -> AsyncIterator[tuple[Transport, Host]]:
    async with anyio.create_task_group() as tasks:
        net = Network(tasks, {"host": app, "localhost": app}, random.Random(1))
        transport = Transport(net.transport, Clock(lambda: 0.0))
        yield transport, net.hosts["host"]
        await transport.aclose()
        tasks.cancel_scope.cancel()


async def _ask(app: Any, **more: Any) -> Reply:
    reply: Reply | ServiceError
    async with _reached(app) as (transport, _):
        try:
            reply = await transport.send(Request("GET", "https://host/", "ask", **more))
        except ServiceError as error:  # raised in here it would come out in a group
            reply = error
    if isinstance(reply, ServiceError):
        raise reply
    return reply


ABANDONS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""httpx's iterators are not read to their end then, which trio remarks upon; the connection is closed all the same."""


async def test_an_answer_comes_whole_with_its_times() -> None:
    reply = await _ask(Script(b"ab", b"cd", pause=1.0, x_one="1"))
    assert (reply.status, reply.body, reply.header("X-One"), reply.url) == (200, b"abcd", "1", "https://host/")
    assert 2.0 < reply.at - reply.started_at < 2.5


async def test_the_whole_exchange_has_one_limit_however_the_bytes_drip() -> None:
    with pytest.raises(Unavailable, match="no answer within 15 s") as caught:
        await _ask(Script(*[b"x"] * 1000, pause=1.0))
    assert caught.value.lived == pytest.approx(15.0, abs=0.1)


@pytest.mark.parametrize(("fault", "seconds"), [("silent", 5.0), ("refuses", 0.0)])
async def test_a_host_that_cannot_be_reached_is_unavailable_soon(fault: str, seconds: float) -> None:
    async with _reached(Script()) as (transport, host):
        setattr(host, fault, True)
        with pytest.raises(Unavailable) as caught:
            await transport.send(Request("GET", "https://host/", "ask"))
        assert caught.value.lived == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize("after", [1, 40])
async def test_a_truncated_answer_is_unavailable(after: int) -> None:
    async with _reached(Script(b"x" * 100, content_length="100")) as (transport, host):
        host.cut_after = after
        with pytest.raises(Unavailable, match="cut"):
            await transport.send(Request("GET", "https://host/", "ask"))


@ABANDONS
async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    script = Script(*[b"x" * 1000] * 1000, pause=0.1)
    with pytest.raises(RemoteProtocolError, match="larger than 5000 bytes"):
        await _ask(script, max_body=5000, timeout=1000.0)
    assert anyio.current_time() < 3


async def test_a_packed_answer_is_unpacked() -> None:
    packed = gzip.compress(b"hello" * 100)
    assert (await _ask(Script(packed[:10], packed[10:], content_encoding="gzip"))).body == b"hello" * 100
    assert (await _ask(Script(content_encoding="gzip"))).body == b""


@ABANDONS
async def test_a_bomb_is_never_unpacked_beyond_the_limit() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"\0" * 2**20) for _ in range(300)) + packer.flush()
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="larger"):
            await _ask(Script(bomb, content_encoding="gzip"))
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


@ABANDONS
@pytest.mark.parametrize(
    "script",
    [
        Script(b"no gzip", content_encoding="gzip"),
        Script(gzip.compress(b"hello" * 100)[:20], content_encoding="gzip"),
        Script(b"x", content_encoding="br"),
        Script(b"x", content_encoding="gzip, gzip"),
    ],
)
async def test_what_cannot_be_decoded_is_a_protocol_error(script: Script) -> None:
    with pytest.raises(RemoteProtocolError):
        await _ask(script)


async def test_the_time_of_a_request_begins_when_there_is_a_place_for_it() -> None:
    replies: list[Reply] = []

    async def ask(transport: Transport) -> None:
        replies.append(await transport.send(Request("GET", "https://host/", "ask", timeout=5.0)))

    async with _reached(Script(b"x", pause=3.0)) as (transport, _), anyio.create_task_group() as asking:
        for _ in range(2 * AT_ONCE):
            asking.start_soon(ask, transport)
    assert len(replies) == 2 * AT_ONCE
    assert max(reply.at for reply in replies) >= 6
    assert max(reply.at - reply.started_at for reply in replies) < 4


async def test_nobody_waits_for_ever_for_a_place() -> None:
    said: list[str] = []
    async with _reached(Script(b"x", pause=1e6)) as (transport, _):

        async def send(timeout: float) -> None:
            with pytest.raises(Unavailable) as caught:
                await transport.send(Request("GET", "https://host/", "ask", timeout=timeout))
            said.append(f"{anyio.current_time():.0f}: {caught.value}")

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(send, 200.0)
            await anyio.sleep(1)
            tasks.start_soon(send, 5.0)
    assert said[0] == f"61: {AT_ONCE} requests are under way, and there was no place within 60 s"
    assert said[1:] == ["200: no answer within 200 s"] * AT_ONCE


async def test_a_redirect_is_an_answer() -> None:
    script = Script(status=302, location="https://elsewhere/")
    assert (await _ask(script)).status == 302
    assert len(script.asked) == 1


async def test_cookies_stay_with_the_link_that_got_them() -> None:
    script = Script(set_cookie="session=ann")
    request = Request("GET", "https://host/", "ask")
    async with _reached(script) as (transport, _):
        alone = transport.alone()
        for client in (None, None, alone, alone):
            await transport.send(request, client)
        await alone.aclose()
        ann, bob = Jar(), Jar()
        for jar in (ann, ann, bob, ann):
            await transport.hold(request, jar, anyio.CancelScope())
    cookies = [headers.get(b"cookie") for headers in script.asked]
    assert cookies == [None, None, None, b"session=ann", None, b"session=ann", None, b"session=ann"]


async def test_a_cookie_of_a_long_poll_is_shown_to_its_own_host_only() -> None:
    script, jar = Script(set_cookie="session=ann; Secure; Path=/here"), Jar()
    async with _reached(script) as (transport, _):
        for path in ("here/one", "here/two", "elsewhere"):
            await transport.hold(Request("GET", f"https://host/{path}", "ask"), jar, anyio.CancelScope())
    jar.show(other := httpx.Request("GET", "https://other/here"))
    assert [b"cookie" in headers for headers in script.asked] == [False, True, False]
    assert "cookie" not in other.headers


async def test_a_long_poll_is_given_up_by_its_scope_and_waits_for_no_place() -> None:
    async with _reached(Script(b"x", pause=1e6)) as (transport, _):
        scopes = [anyio.CancelScope() for _ in range(AT_ONCE + 2)]
        said: list[str] = []

        async def hold(scope: anyio.CancelScope) -> None:
            with pytest.raises(Unavailable) as caught:
                await transport.hold(Request("GET", "https://host/", "ask", timeout=50.0), Jar(), scope)
            said.append(str(caught.value))

        async with anyio.create_task_group() as tasks:
            for scope in scopes:
                tasks.start_soon(hold, scope)
            await anyio.sleep(20)
            scopes[0].cancel()
            await anyio.sleep(1)
            assert said == ["no answer within 20 s"]
        assert said[1:] == ["no answer within 50 s"] * (AT_ONCE + 1)


@pytest.mark.parametrize("url", ["http://host/", "ftp://host/", "host", "", "https://[host/", "http://127.0.0.1.evil/"])
async def test_what_is_not_safe_is_not_asked(url: str) -> None:
    async with _reached(Script()) as (transport, host):
        with pytest.raises(Rejected):
            await transport.send(Request("GET", url, "ask"))
        assert host.connects == 0


@pytest.mark.parametrize("url", ["https://h", "wss://h", "http://127.0.0.1:1", "http://localhost/", "ws://[::1]/"])
def test_what_is_safe_may_be_asked(url: str) -> None:
    refuse_plain(url)


async def test_what_cannot_be_put_into_a_request_is_rejected() -> None:
    with pytest.raises(Rejected, match="cannot be sent"):
        await _ask(Script(), headers={"x-name": "ä"})
    async with _reached(Script()) as (transport, _):
        with pytest.raises(Rejected, match="not a URL"):
            await transport.send(Request("GET", "https://ho\x00st/", "ask"))


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("ALL_PROXY", "http://proxy:1")
    assert (await _ask(Script(b"direct"))).body == b"direct"


def test_one_context_serves_all_of_one_trust() -> None:
    assert trust(None) is trust(None)
    assert network(None, None) is not None

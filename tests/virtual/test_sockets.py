"""Production's carrier over the in-memory network: what it says of each of the network's faults, in virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from presence_syncd.engine.line import CONNECT
from tests.virtual.backends import options, run
from tests.virtual.loop import inline_threads
from tests.virtual.network import Network

LIMITS = httpx.Limits(max_connections=4, keepalive_expiry=60.0)


@pytest.fixture
def anyio_backend() -> Any:
    with inline_threads():
        yield "asyncio", options("asyncio")


class Echo:
    """Answers with what it was sent, after `/<seconds>`; without a length where nothing was sent."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        self.got.append(scope["path"])
        await anyio.sleep(float(scope["path"][1:] or 0))
        headers = [(b"content-length", str(len(body)).encode())] * bool(body)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (body[:7], body[7:]):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Net:
    """A carrier, and the network it carries over."""

    def __init__(self, network: Network) -> None:
        self.network, self.host = network, network.hosts["one"]
        self.carrier = network.carrier(LIMITS)

    async def ask(self, path: str = "/", body: bytes = b"", host: str = "one") -> bytes:
        request = httpx.Request(
            "POST", f"https://{host}{path}", content=body, headers={"content-length": str(len(body))}
        )
        answer = await self.carrier.handle_async_request(request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        try:
            return b"".join([piece async for piece in answer.stream])
        finally:
            await answer.stream.aclose()


@asynccontextmanager
async def net(seed: int = 1) -> AsyncIterator[Net]:
    async with anyio.create_task_group() as tasks:
        made = Net(Network(tasks, {"one": Echo(), "two": Echo()}, random.Random(seed)))
        yield made
        await made.carrier.aclose()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("size", [0, 1, 7, 5000, 1_000_000])
async def test_what_is_sent_arrives_whole_and_in_order(size: int) -> None:
    body = random.Random(size).randbytes(size)
    async with net() as made:
        for _ in range(5):
            assert await made.ask(body=body) == body
        assert made.host.connects == 1


async def test_an_idle_connection_is_given_up_in_virtual_time() -> None:
    async with net() as made:
        await made.ask()
        await anyio.sleep(59)
        await made.ask()
        assert made.host.connects == 1
        await anyio.sleep(122)  # aiohttp looks once in so many seconds
        assert not made.host.wires
        await made.ask()
        assert made.host.connects == 2


async def test_connecting_to_a_silent_host_takes_as_long_as_the_carrier_says() -> None:
    async with net() as made:
        made.host.silent = True
        begun = anyio.current_time()
        with pytest.raises(httpx.ConnectTimeout):
            await made.ask()
        assert anyio.current_time() - begun == pytest.approx(CONNECT)
        made.host.silent = False
        assert await made.ask(body=b"x") == b"x"


@pytest.mark.parametrize("host", ["one", "nowhere"])
async def test_who_refuses_or_is_nowhere_cannot_be_connected(host: str) -> None:
    async with net() as made:
        made.host.refuses = True
        with pytest.raises(httpx.ConnectError):
            await made.ask(host=host)


async def test_what_is_said_into_silence_arrives_when_it_ends() -> None:
    async with net() as made:
        await made.ask()
        made.host.silent = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(made.ask, "/1")
            await anyio.sleep(100)
            assert made.host.app.got == ["/"]
            made.host.silent = False
            await anyio.sleep(0.1)
            assert made.host.app.got == ["/", "/1"]


async def test_a_request_given_up_before_it_arrived_never_does() -> None:
    async with net() as made:
        await made.ask()
        made.host.silent = True
        with anyio.move_on_after(10):
            await made.ask("/1")
        made.host.silent = False
        await made.ask("/2")
        assert made.host.app.got == ["/", "/2"]


@pytest.mark.parametrize("after", range(0, 150, 10))
async def test_an_answer_cut_half_way_is_an_error_and_not_asked_again(after: int) -> None:
    async with net() as made:
        await made.ask()
        made.host.cut_after = after
        with pytest.raises(httpx.RemoteProtocolError):
            await made.ask(body=bytes(200))
        assert await made.ask(body=b"x") == b"x"
        assert (len(made.host.app.got), made.host.connects) == (3, 2)


async def test_whoever_waits_hears_of_a_cut_at_once_and_idle_connections_are_made_anew() -> None:
    async with net() as made:
        await made.ask(host="two")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_expect_cut, made)
            await anyio.sleep(5)
            made.host.cut()
            made.network.hosts["two"].cut()
        assert anyio.current_time() < 6
        await made.ask(host="two")
        assert made.network.hosts["two"].connects == 2


async def _expect_cut(made: Net) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await made.ask("/300")


async def test_a_server_notices_that_its_client_went_away() -> None:
    async with net() as made:
        with anyio.move_on_after(5):
            await made.ask("/10")
        await anyio.sleep(10)
        assert not made.host.wires


def test_the_same_seed_is_the_same_story() -> None:
    async def story() -> list[tuple[int, float]]:
        told: list[tuple[int, float]] = []

        async def one(number: int, made: Net) -> None:
            for _ in range(5):
                await made.ask()
                told.append((number, anyio.current_time()))

        async with net(seed=3) as made, anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(one, number, made)
        return told

    assert run(story) == run(story)

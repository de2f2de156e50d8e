"""The harness itself: time jumps, deadlocks are told, and the network behaves like one."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.virtual.backends import BACKENDS, anyio_backend, run  # noqa: F401  # a fixture
from tests.virtual.loop import Deadlock, Livelock
from tests.virtual.network import Network


async def _size(request: Request) -> Response:
    return JSONResponse({"got": len(await request.body()), "host": request.url.hostname})


async def _slow(_request: Request) -> Response:
    await anyio.sleep(300)
    return Response()


async def _lines(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(100):
        await send({"type": "http.response.body", "body": b"line\n", "more_body": True})
        await anyio.sleep(10)


class _Lines:
    """An application, so that Starlette does not take it for an endpoint."""

    __call__ = staticmethod(_lines)


APP = Starlette(
    routes=[Route("/", _size, methods=["GET", "POST"]), Route("/slow", _slow), Route("/lines", _Lines())],
)


@asynccontextmanager
async def _client(seed: int = 1, **limits: float) -> AsyncIterator[tuple[httpx.AsyncClient, Network]]:
    async with anyio.create_task_group() as tasks:
        network = Network(tasks, {"one": APP, "two": APP}, random.Random(seed))
        transport = network.transport(httpx.Limits(**limits))  # type: ignore[arg-type]  # numbers of either kind
        async with httpx.AsyncClient(transport=transport, base_url="https://one", timeout=20) as client:
            yield client, network
        tasks.cancel_scope.cancel()


async def test_a_day_passes_in_no_time() -> None:
    real = time.perf_counter()
    await anyio.sleep(86400)
    assert anyio.current_time() >= 86400
    assert time.perf_counter() - real < 5


async def test_what_goes_to_a_thread_takes_no_virtual_time() -> None:
    with anyio.fail_after(1):
        assert await anyio.to_thread.run_sync(sum, (1, 2)) == 3
    assert anyio.current_time() == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_waiting_for_what_never_comes_is_a_deadlock(backend: str) -> None:
    async def wait() -> None:
        with anyio.move_on_after(5):
            await anyio.sleep_forever()
        await anyio.Event().wait()

    with pytest.raises(Deadlock):
        run(wait, backend)


def test_who_lets_no_time_pass_is_told_so_and_not_waited_for() -> None:
    async def hurry() -> None:
        await anyio.sleep(1)
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(Livelock):
        run(hurry, "asyncio")


async def test_a_connection_is_kept_and_given_up_in_virtual_time() -> None:
    async with _client(keepalive_expiry=60) as (client, network):
        for _ in range(3):
            assert (await client.post("/", content=b"x" * 5000)).json() == {"got": 5000, "host": "one"}
        assert network.hosts["one"].connects == 1
        await anyio.sleep(61)
        await client.get("/")
        assert network.hosts["one"].connects == 2
        assert (await client.get("https://two/")).json()["host"] == "two"


async def test_time_outs_are_those_of_httpx() -> None:
    async with _client() as (client, network):
        start = anyio.current_time()
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/slow")
        assert 20 <= anyio.current_time() - start < 21
        network.hosts["two"].silent = True
        with pytest.raises(httpx.ConnectTimeout):
            await client.get("https://two/")
        network.hosts["two"].silent = False
        assert (await client.get("https://two/")).status_code == 200


async def test_a_stream_falls_silent_in_the_middle() -> None:
    async with _client() as (client, network):
        count = 0
        async with client.stream("GET", "/lines") as answer:
            with pytest.raises(httpx.ReadTimeout):  # noqa: PT012  # the lines before are the point
                async for _ in answer.aiter_lines():
                    count += 1
                    network.hosts["one"].silent = count == 50
        assert count == 50


async def test_connections_are_refused_cut_and_unknown() -> None:
    async with _client() as (client, network):
        host = network.hosts["one"]
        host.refuses = True
        with pytest.raises(httpx.ConnectError, match="refused"):
            await client.get("/")
        with pytest.raises(httpx.ConnectError, match="no such host"):
            await client.get("https://three/")
        host.refuses, host.cut_after = False, 30
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")
        assert (await client.get("/")).status_code == 200
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_expect_cut, client)
            await anyio.sleep(5)
            host.cut()


async def _expect_cut(client: httpx.AsyncClient) -> None:
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await client.get("/slow")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_seed_is_the_same_story(backend: str) -> None:
    async def story() -> list[tuple[int, float]]:
        told: list[tuple[int, float]] = []

        async def one(number: int, client: httpx.AsyncClient) -> None:
            for _ in range(5):
                await client.get("/")
                told.append((number, anyio.current_time()))

        async with _client() as (client, _), anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(one, number, client)
        return told

    first, second = run(story, backend, seed=3), run(story, backend, seed=3)
    assert [(n, round(at, 9)) for n, at in first] == [(n, round(at, 9)) for n, at in second]

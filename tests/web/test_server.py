"""The server: on its own sockets, for as long as its task group, and without touching signals."""

from __future__ import annotations

import signal
import socket
import stat
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from presence_syncd.web.server import GRACE, listen_tcp, listen_unix, serve


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs on asyncio only."""
    return "asyncio"


async def _slow(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await anyio.sleep(60 if scope["path"] == "/for-ever" else 0.5)
    await send({"type": "http.response.body", "body": b"last"})


async def test_open_answers_finish_and_then_the_server_is_gone() -> None:
    sock = listen_tcp("127.0.0.1", 0)
    port = sock.getsockname()[1]
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    bodies: list[bytes] = []

    async def ask(client: httpx.AsyncClient) -> None:
        bodies.append((await client.get(f"http://127.0.0.1:{port}/")).content)

    async with httpx.AsyncClient(trust_env=False) as client, anyio.create_task_group() as asking:  # noqa: SIM117  # one ends inside the other
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, _slow, sock)
            asking.start_soon(ask, client)
            await anyio.sleep(0.3)
            assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
            tasks.cancel_scope.cancel()
    assert bodies == [b"firstlast"]
    assert sock.fileno() == -1
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_an_answer_without_end_does_not_hold_the_server() -> None:
    sock = listen_tcp("::1", 0) if socket.has_ipv6 else listen_tcp("127.0.0.1", 0)
    host, port = sock.getsockname()[:2]
    url = f"http://[{host}]:{port}/for-ever" if ":" in host else f"http://{host}:{port}/for-ever"

    async def ask() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.HTTPError):
                await client.get(url)

    async with anyio.create_task_group() as asking:
        with anyio.fail_after(GRACE + 3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve, _slow, sock)
                asking.start_soon(ask)
                await anyio.sleep(0.3)
                tasks.cancel_scope.cancel()


def test_a_taken_port_is_an_error() -> None:
    with listen_tcp("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        listen_tcp("127.0.0.1", first.getsockname()[1])


async def test_the_control_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    sock = listen_unix(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, _slow, sock)
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path))) as client:
            assert (await client.get("http://control/")).content == b"firstlast"
        tasks.cancel_scope.cancel()


def test_a_dead_socket_in_the_way_is_removed_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    listen_unix(path).close()
    with listen_unix(path), pytest.raises(OSError, match="in use"):
        listen_unix(path)


def test_a_live_socket_whose_queue_is_full_does_not_hold_us(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    waiting: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen(0)
        for _ in range(3):
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(str(path))
        with pytest.raises(OSError, match="in use"):
            listen_unix(path)
        for one in waiting:
            one.close()


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        listen_unix(path)
    assert path.read_text() == "precious"
